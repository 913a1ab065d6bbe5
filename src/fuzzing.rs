//! What comes from outside, and what has to hold of whoever reads it, whatever it is. The targets under `fuzz/` throw
//! at it what libFuzzer thinks of (built with `--cfg fuzzing`), and a test what is kept of that: beginnings that reach
//! all there is to reach, and what has once been found. Knows nothing of libFuzzer.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crate::config::{JobContext, Settings, Source, Sources, load_settings, read_jobs};
use crate::engine::schedule::Cron;
use crate::engine::spec::{JobSpec, Lane, TaskSpec};

pub use crate::runlog::fuzz as log_line;

/// Eight bytes of time, and any text as an expression of cron: a mistake has its place in the text; and of one that is
/// read, each time comes after the one before, and nothing comes between.
pub fn cron(input: &[u8]) {
    let Some((from, text)) = input.split_first_chunk() else {
        return;
    };
    let Ok(text) = str::from_utf8(text) else {
        return;
    };
    let cron = match Cron::parse(text) {
        Ok(cron) => cron,
        Err(error) => {
            assert!(text.get(error.span.clone()).is_some(), "{:?}", error.span);
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert_eq!(Cron::parse(cron.text()).as_ref(), Ok(&cron));
    // A few centuries around today, where there is always another time.
    let mut at = i64::from_le_bytes(*from) % 10_000_000_000;
    for _ in 0..8 {
        let Some(next) = cron.next(at) else {
            return;
        };
        assert!(next > at);
        let middle = at + (next - at) / 2;
        assert_eq!(cron.next(middle.min(next - 1)), Some(next));
        at = next;
    }
}

/// Any text as a job file: it is read, or its mistakes are told with their places; and what is valid once is valid, and
/// the same, when it is read again.
pub fn jobs(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    let handlers = BTreeMap::from([(String::from("count"), Lane::Cpu)]);
    let context = JobContext {
        settings: settings(),
        handlers: &handlers,
        cpu_workers: 4,
        machine: None,
    };
    let read = || {
        let path = PathBuf::from("jobs.toml");
        let text = text.to_owned();
        read_jobs(vec![Source { path, text }], &context)
    };
    let (jobs, report) = read();
    assert_eq!(jobs.is_none(), report.errors() > 0, "{:?}", report.lines());
    assert!(!report.render(false).is_empty() || report.diagnostics().is_empty());
    let (again, _) = read();
    assert!(jobs == again);
}

/// Any bytes as a request for a run, with the job that may come along: it is understood, or refused.
pub fn request(body: &[u8]) {
    if let Some((name, task)) = crate::api::fuzz(body) {
        crate::cli::fuzz(&name, &task, settings());
    }
}

/// The settings where nothing is set.
fn settings() -> &'static Settings {
    static SETTINGS: LazyLock<Settings> = LazyLock::new(|| {
        let nothing = Sources {
            config: None,
            env: Vec::new(),
            flags: Vec::new(),
        };
        let loaded = load_settings(&nothing).expect("settings may be empty");
        loaded.settings
    });
    &SETTINGS
}

/// Any bytes as a record of the store: it is damage, or a fact that is written as the same bytes again.
pub fn record(payload: &[u8]) {
    static JOB: LazyLock<Arc<JobSpec>> = LazyLock::new(|| {
        let duration = Duration::ZERO;
        let job = JobSpec::new("job".into(), Lane::Io, TaskSpec::Sleep { duration });
        Arc::new(job)
    });
    crate::store::fuzz_record(payload, &JOB);
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    type Target = fn(&[u8]);

    /// Each target by its name, as `fuzz/run` has it.
    const TARGETS: [(&str, Target); 5] = [
        ("cron", cron),
        ("jobs", jobs),
        ("log-line", log_line),
        ("record", record),
        ("request", request),
    ];

    /// The files of a folder by name; none where there is no folder.
    fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
        let entries = fs::read_dir(folder).into_iter().flatten();
        let paths = entries.map(|entry| entry.expect("a folder").path());
        paths
            .map(|path| (path.clone(), fs::read(path).expect("a file")))
            .collect()
    }

    #[test]
    fn what_fuzzing_has_kept_is_read_as_it_has_to_be() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
        for (name, target) in TARGETS {
            let mut kept = files(&root.join("seeds").join(name));
            assert!(kept.len() > 5, "no seeds of {name}");
            kept.extend(files(&root.join("crashes").join(name)));
            for (path, input) in kept {
                // Which one it is stands beside the panic.
                let is_well = std::panic::catch_unwind(|| target(&input)).is_ok();
                assert!(is_well, "{} is found", path.display());
            }
        }
    }
}
