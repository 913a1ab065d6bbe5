//! Any text as a job file: it is read, or its mistakes are told with their places; and what is valid once is
//! valid, and the same, when it is read again.
#![no_main]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use twolane::config::{JobContext, Source, read_jobs};
use twolane::engine::spec::Lane;

static HANDLERS: LazyLock<BTreeMap<String, Lane>> =
    LazyLock::new(|| BTreeMap::from([("count".to_owned(), Lane::Cpu)]));

fuzz_target!(|text: &str| {
    let context = JobContext {
        settings: twolane::fuzzing::settings(),
        handlers: &HANDLERS,
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
});
