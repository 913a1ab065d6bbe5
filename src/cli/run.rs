//! `twolane run`: jobs of job files once, to the end, in the foreground.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::out::{Out, complain};
use super::start::{self, Plan};
use super::submit::{argument, as_text, values};
use super::summary::Summary;
use super::{Exit, SettingsArgs, groups, load};
use crate::clock::Clock;
use crate::config::{Jobs, Settings, nearest};
use crate::daemon::{EndSignal, Patience, SignalListener, Supervisor};
use crate::engine::Engine;
use crate::engine::action::Refusal;
use crate::engine::input::{JobRef, SubmitItem};
use crate::engine::spec::Name;
use crate::lanes::{Handlers, Outside};
use crate::logging::{Bars, Format, Output, OutputLines};
use crate::meters::Meters;
use crate::process::{SHIM, fresh_instance};
use crate::store::MemoryLog;

/// How long, after a signal, attempts get to stop.
const STOP_TIME: Duration = Duration::from_secs(10);

/// Records that the log in memory keeps.
const RECORDS_KEPT: usize = 10_000;

/// The command's arguments.
#[derive(Args, Debug)]
pub(super) struct Run {
    /// Job files, and names of jobs in them; without a name, all jobs run
    ///
    /// What ends in `.toml`, contains a `/` or names an existing file is a file.
    #[arg(required = true, value_name = "FILE|JOB")]
    what: Vec<String>,
    /// An argument of the job that is named: JSON where it is, else text; can be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = argument)]
    arg: Vec<(String, String)>,
    /// Print one JSON object a line, and a last one with the summary
    #[arg(long)]
    json: bool,
    /// Plain lines, also on a terminal
    #[arg(long)]
    no_progress: bool,
}

pub(super) fn run(
    args: &Run,
    settings_args: &SettingsArgs,
    handlers: &Arc<Handlers>,
    out: &mut Out,
) -> Exit {
    match run_jobs(args, settings_args, handlers, out) {
        Ok(exit) | Err(exit) => exit,
    }
}

fn run_jobs(
    args: &Run,
    settings_args: &SettingsArgs,
    handlers: &Arc<Handlers>,
    out: &mut Out,
) -> Result<Exit, Exit> {
    let (files, names) = sort_out(&args.what);
    if files.is_empty() {
        complain(&format!(
            "no job file among {:?}\nhint: name one, as in `twolane run jobs.toml`",
            args.what
        ));
        return Err(Exit::Usage);
    }
    let loaded = load::settings(settings_args)?;
    let settings = &loaded.settings;
    let (jobs, report) = load::jobs(&files, settings, handlers);
    load::show(&report);
    let jobs = jobs.ok_or(Exit::Config)?;
    let mut items = select(&jobs, &names)?;
    if items.is_empty() {
        complain("there is no job in these files\nhint: `twolane init` writes an example");
        return Err(Exit::Config);
    }
    give(&args.arg, &names, &mut items)?;

    let listener = start::listen()?;
    let clock = Clock::start();
    let format = if args.json {
        Format::Json
    } else {
        start::log_format(settings)
    };
    let bars = bars(args, format, out);
    let logging = start::logging(settings, format, Output::Stdout, bars, clock)?;
    let summary = Summary::default();
    let definitions = Arc::new(jobs.definitions);
    let plan = Plan {
        unbegun: BTreeSet::new(),
        engine: Engine::new(Arc::clone(&definitions)),
        definitions,
        // Runs of this command end with it, so their facts need not outlive it.
        log: Box::new(MemoryLog::new(RECORDS_KEPT)),
        requests: crossbeam_channel::never(),
        first: Some(items),
        observers: vec![Box::new(summary.clone())],
        supervisor: Supervisor::default(),
        reader: None,
        patience: Patience::Stop(STOP_TIME),
        until_done: true,
        meters: Meters::new(),
        outside: outside(settings)?,
    };
    let farewell = start::daemon(plan, settings, handlers, &listener, &logging, clock)?;
    let is_read = logging.close(start::FLUSH);
    end_by_signal(&listener);
    if let Some(refusal) = &farewell.refused {
        complain(&format!("nothing was started: {}", refused(refusal, args)));
        return Err(if args.arg.is_empty() {
            Exit::Config
        } else {
            Exit::Usage
        });
    }
    let printed = if !is_read && farewell.asked.is_some() {
        complain("standard output is not read, so the summary is left out");
        Exit::System
    } else if args.json {
        out.line(format_args!("{}", summary.json()))
    } else {
        out.line(format_args!("\n{}", summary.table().trim_end()))
    };
    let ended = start::exit_of(&farewell);
    Ok(match ended == Exit::Success {
        true if !summary.all_succeeded() => Exit::RunFailed,
        true => printed,
        false => ended,
    })
}

/// What commands write goes to the log, since there is no other place for it.
fn outside(settings: &Settings) -> Result<Outside, Exit> {
    let instance = fresh_instance().map_err(|error| {
        complain(&format!("cannot take 8 bytes from /dev/urandom: {error}"));
        Exit::System
    })?;
    Ok(Outside {
        begun: None,
        groups: groups::claim(settings, &instance)?,
        outlet: Arc::new(OutputLines),
        instance: instance.into(),
        helper: SHIM.into(),
    })
}

fn bars(args: &Run, format: Format, out: &Out) -> Bars {
    if format == Format::Json || args.no_progress || !out.is_terminal() {
        Bars::Off
    } else {
        Bars::OnTerminal
    }
}

/// From here on the first signal ends the process: nothing is left to be put in order, and whoever
/// reads the output may never do so.
#[expect(
    clippy::disallowed_methods,
    reason = "the main thread may be stuck in the very write that nobody takes"
)]
fn end_by_signal(listener: &SignalListener) {
    let signals = listener.signals.end.clone();
    // Where there is no thread for it, only SIGKILL ends a process whose output is not read.
    let _ = std::thread::Builder::new().spawn(move || {
        if let Ok(signal) = signals.recv() {
            let exit = match signal {
                EndSignal::Interrupt => Exit::Interrupted,
                EndSignal::Terminate | EndSignal::HangUp => Exit::Terminated,
            };
            std::process::exit(i32::from(exit as u8));
        }
    });
}

/// Job files and names of jobs, told apart.
fn sort_out(what: &[String]) -> (Vec<PathBuf>, Vec<Name>) {
    let is_file = |word: &String| {
        Path::new(word).extension().is_some_and(|end| end == "toml")
            || word.contains('/')
            || Path::new(word).is_file()
    };
    let files = what.iter().filter(|word| is_file(word));
    let names = what.iter().filter(|word| !is_file(word));
    (
        files.map(PathBuf::from).collect(),
        names.map(|word| Name::from(word.as_str())).collect(),
    )
}

/// The jobs to run: those named, with all that they come after, or else all; in the order in which
/// the files have them.
fn select(jobs: &Jobs, names: &[Name]) -> Result<Vec<SubmitItem>, Exit> {
    let definitions = &jobs.definitions;
    let mut wanted: BTreeSet<&Name> = BTreeSet::new();
    for name in names {
        if !definitions.jobs.contains_key(name) {
            let known = definitions.jobs.keys().map(|name| &**name);
            let hint = nearest(name, known).map_or(String::new(), |nearest| {
                format!("\nhint: there is a job `{nearest}`")
            });
            complain(&format!("there is no job `{name}` in these files{hint}"));
            return Err(Exit::Usage);
        }
        wanted.extend(definitions.with_all_before(name));
    }
    let selected = jobs.order.iter().filter(|name| match names {
        [] => !jobs.by_others.contains(*name),
        _ => wanted.contains(name),
    });
    Ok(selected.map(SubmitItem::of).collect())
}

/// Gives the arguments of the command line to the one job that they can be meant for.
fn give(given: &[(String, String)], names: &[Name], items: &mut [SubmitItem]) -> Result<(), Exit> {
    if given.is_empty() {
        return Ok(());
    }
    let one = match (names, items) {
        ([name], items) => items
            .iter_mut()
            .find(|item| matches!(&item.job, JobRef::Named(job) if job == name)),
        ([], [item]) => Some(item),
        _ => None,
    };
    let Some(item) = one else {
        complain(
            "`--arg` is for one job, and several run\nhint: name that job alone; what it comes after runs too",
        );
        return Err(Exit::Usage);
    };
    item.args = Some(Arc::new(Value::Object(values(given))));
    Ok(())
}

/// A refusal of the first runs; where an argument has to be something else, with how a number is a text.
fn refused(refusal: &Refusal, args: &Run) -> String {
    let is_about_argument = matches!(refusal, Refusal::WrongArgument { .. });
    match as_text(&args.arg).filter(|_| is_about_argument) {
        Some(hint) => format!("{refusal}\n{hint}"),
        None => refusal.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What each of two jobs is given, the second of which is named or none.
    fn given(names: &[&str], jobs: &[&str]) -> Result<Vec<Option<Value>>, Exit> {
        let names: Vec<Name> = names.iter().map(|name| Name::from(*name)).collect();
        let items = jobs.iter().map(|job| SubmitItem::of(&Name::from(*job)));
        let mut items: Vec<SubmitItem> = items.collect();
        let texts = [("n", "3"), ("name", "a=b"), ("n", "4")];
        let args = texts.map(|(key, text)| (key.to_owned(), text.to_owned()));
        give(&args, &names, &mut items)?;
        let args = items.iter().map(|item| item.args.as_deref().cloned());
        Ok(args.collect())
    }

    #[test]
    fn arguments_are_for_the_one_job_that_is_meant() {
        let args = Some(json!({ "n": 4, "name": "a=b" }));
        type Given = Option<Vec<Option<Value>>>;
        let cases: [(&[&str], &[&str], Given); 4] = [
            (&["b"], &["a", "b"], Some(vec![None, args.clone()])),
            (&[], &["a"], Some(vec![args])),
            (&[], &["a", "b"], None),
            (&["a", "b"], &["a", "b"], None),
        ];
        for (names, jobs, expected) in cases {
            assert_eq!(given(names, jobs).ok(), expected, "{names:?} of {jobs:?}");
        }
    }
}
