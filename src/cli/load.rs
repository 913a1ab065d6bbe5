//! Settings and job files for a command, and what is said when they are wrong.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::out::{color_on_stderr, tell};
use super::{Exit, SettingsArgs};
use crate::config::{self, JobContext, Jobs, Loaded, Report, Sources};
use crate::engine::spec::Lane;
use crate::lanes::{self, Handlers};

/// Reads the settings for a command; mistakes are told here.
pub(super) fn settings(args: &SettingsArgs) -> Result<Loaded, Exit> {
    config::load_settings(&sources(args)).map_err(|report| {
        show(&report);
        Exit::Config
    })
}

/// Where the settings of this process come from.
pub(super) fn sources(args: &SettingsArgs) -> Sources {
    Sources {
        config: args.config.clone(),
        // A setting that is not UTF-8 is none of ours: their names and values are all ASCII.
        env: std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        flags: args.set.clone(),
    }
}

/// The threads that the cpu lane gets.
pub(super) fn cpu_workers(settings: &config::Settings) -> u32 {
    match settings.lanes.cpu.workers {
        0 => cores(),
        workers => workers,
    }
}

/// The cores that this process may use.
pub(super) fn cores() -> u32 {
    u32::try_from(lanes::cores()).unwrap_or(u32::MAX)
}

/// Reads job files; what is wrong with them is in the report.
pub(super) fn jobs(
    files: &[PathBuf],
    settings: &config::Settings,
    handlers: &Arc<Handlers>,
) -> (Option<Jobs>, Report) {
    jobs_for(None, files, settings, handlers)
}

/// The same, with warnings of what they name and this machine does not have.
pub(super) fn jobs_for(
    machine: Option<&config::Machine>,
    files: &[PathBuf],
    settings: &config::Settings,
    handlers: &Arc<Handlers>,
) -> (Option<Jobs>, Report) {
    let handlers: BTreeMap<String, Lane> = handlers.lanes();
    let context = JobContext {
        settings,
        handlers: &handlers,
        cpu_workers: cpu_workers(settings),
        machine,
    };
    config::load_jobs(files, &context)
}

/// Shows mistakes and warnings to people.
pub(super) fn show(report: &Report) {
    tell(&report.render(color_on_stderr()));
}
