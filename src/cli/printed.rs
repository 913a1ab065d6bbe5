//! What another program of the machine prints. Knows nothing of what is asked for.

/// What a program prints, if it is there and succeeds.
pub(super) fn printed(program: &str, words: &[&str]) -> Option<String> {
    let output = std::process::Command::new(program).args(words).output();
    let output = output.ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
