//! `twolane check`: reads the configuration and job files and tells every mistake.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::count::count;
use super::out::{Out, complain, tell};
use super::readable::{self, Closed, Reader};
use super::{Exit, SettingsArgs, answer, load, place, start};
use crate::config;
use crate::lanes::Handlers;
use crate::logging::{check_filter, harmless};

/// The command's arguments.
#[derive(Args, Debug)]
pub(super) struct Check {
    /// Job files; without any, those that the settings name
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print every setting that is in force, and where it comes from
    #[arg(long)]
    show: bool,
}

pub(super) fn run(
    args: &Check,
    settings_args: &SettingsArgs,
    handlers: &Arc<Handlers>,
    out: &mut Out,
) -> Exit {
    match check(args, settings_args, handlers, out) {
        Ok(exit) | Err(exit) => exit,
    }
}

fn check(
    args: &Check,
    settings_args: &SettingsArgs,
    handlers: &Arc<Handlers>,
    out: &mut Out,
) -> Result<Exit, Exit> {
    let loaded = load::settings(settings_args)?;
    if args.show {
        show(&loaded.shown, out);
    }
    if let Some(mistake) = answer::mistake(&loaded) {
        complain(&mistake.told());
        return Err(Exit::Config);
    }
    answer::can_have_socket(&loaded)?;
    check_filter(&start::log_filter(&loaded.settings)).map_err(|error| {
        complain(&error.to_string());
        Exit::Config
    })?;
    let files = if args.files.is_empty() {
        config::expand(&loaded.settings.daemon.jobs, &loaded.directory).map_err(|error| {
            complain(&error.to_string());
            Exit::Config
        })?
    } else {
        args.files.clone()
    };
    let machine = config::Machine::new(std::env::var_os("PATH"));
    let (jobs, report) = load::jobs_for(Some(&machine), &files, &loaded.settings, handlers);
    load::show(&report);
    let jobs = jobs.ok_or(Exit::Config)?;
    // Where files are named, they need not be the daemon's.
    if args.files.is_empty() {
        warn_of_closed(&loaded, &files);
    }
    Ok(out.line(format_args!(
        "ok: {} in {}",
        count(jobs.order.len(), "job"),
        count(files.len(), "file"),
    )))
}

/// Warns of files that root may read, who asks, and the daemon may not.
fn warn_of_closed(loaded: &config::Loaded, files: &[PathBuf]) {
    let orders = readable::orders(&loaded.directory, files.to_vec());
    let reader = Reader::daemon(&place::state_dir(loaded));
    if let Some(closed) = reader.and_then(|reader| Closed::to(&reader, &orders)) {
        let (what, cure) = (harmless(&closed.what()), harmless(&closed.cure()));
        tell(&format!("warning: {what}\nhint: {cure}\n"));
    }
}

/// Prints every setting as a file would have it, with where it comes from.
fn show(shown: &[config::Shown], out: &mut Out) {
    let keys = shown.iter().map(|shown| shown.key.len()).max().unwrap_or(0);
    let values = shown
        .iter()
        .map(|shown| shown.value.len())
        .max()
        .unwrap_or(0);
    for config::Shown { key, value, origin } in shown {
        out.line(format_args!("{key:keys$} = {value:values$}  # {origin}"));
    }
}
