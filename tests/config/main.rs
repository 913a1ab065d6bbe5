//! Job files and settings: what is good is taken as it is meant, and each mistake has its message.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad;
mod good;
mod machine;
mod settings;
mod shipped;
mod unfilled;

use std::collections::BTreeMap;
use std::path::PathBuf;

use twolane::config::{self, JobContext, Jobs, Machine, Report, Source, Sources};
use twolane::engine::spec::Lane;

/// Reads job files that are in memory, for a program with two handlers on a machine with two cores.
fn read(sources: &[(&str, &str)]) -> (Option<Jobs>, Report) {
    read_on(None, sources)
}

/// The same, with warnings of what is not on this machine.
fn read_on(machine: Option<&Machine>, sources: &[(&str, &str)]) -> (Option<Jobs>, Report) {
    let sources = sources.iter().map(|(path, text)| Source {
        path: PathBuf::from(path),
        text: (*text).to_owned(),
    });
    let settings = config::load_settings(&nowhere()).unwrap().settings;
    let handlers = BTreeMap::from([
        ("resize".to_owned(), Lane::Cpu),
        ("fetch".to_owned(), Lane::Io),
    ]);
    let context = JobContext {
        settings: &settings,
        handlers: &handlers,
        cpu_workers: 2,
        machine,
    };
    config::read_jobs(sources.collect(), &context)
}

/// The settings that are built in: the shipped file has them all commented out.
fn nowhere() -> Sources {
    Sources {
        config: Some(shipped::path("twolane.toml")),
        ..Sources::default()
    }
}
