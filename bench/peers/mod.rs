//! What the benchmarks share: their one option, and Python programs that do the same as they.

use std::process::Command;

/// The N of `--seconds N`, or `default`.
pub(crate) fn seconds(default: u64) -> u64 {
    let mut args = std::env::args()
        .skip_while(|arg| arg != "--seconds")
        .skip(1);
    args.next()
        .and_then(|n| n.parse().ok())
        .filter(|n| *n > 0)
        .unwrap_or(default)
}

/// The lines that the Python program of this name prints, or one line saying why there are none.
pub(crate) fn python(program: &str, args: &[&str]) -> Vec<String> {
    let path = format!("{}/bench/peers/{program}", env!("CARGO_MANIFEST_DIR"));
    match Command::new("python3").arg(&path).args(args).output() {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(str::to_owned)
            .collect(),
        Ok(output) => vec![format!(
            "{program} failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )],
        Err(error) => vec![format!("python3 cannot be started ({error}): left out")],
    }
}
