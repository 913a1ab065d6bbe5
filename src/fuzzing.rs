//! What the targets under `fuzz/` reach that is not public: built with `--cfg fuzzing` only.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crate::config::{Settings, Sources, load_settings};
use crate::engine::spec::{JobSpec, Lane, TaskSpec};

pub use crate::runlog::fuzz as run_log;

/// Reads any bytes as a request for a run, with the job that may come along.
pub fn request(body: &[u8]) {
    if let Some((name, task)) = crate::api::fuzz(body) {
        crate::cli::fuzz(&name, &task, settings());
    }
}

/// The settings where nothing is set.
pub fn settings() -> &'static Settings {
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

/// Reads any bytes as a record of the store.
pub fn record(payload: &[u8]) {
    static JOB: LazyLock<Arc<JobSpec>> = LazyLock::new(|| {
        let duration = Duration::ZERO;
        let job = JobSpec::new("job".into(), Lane::Io, TaskSpec::Sleep { duration });
        Arc::new(job)
    });
    crate::store::fuzz_record(payload, &JOB);
}
