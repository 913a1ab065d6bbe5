//! `twolane serve`: the daemon.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf, absolute};
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;

use super::activation;
use super::answer::{self, InForce};
use super::durable::Durable;
use super::out::complain;
use super::start::{self, Plan};
use super::{Exit, SettingsArgs, groups, load};
use crate::clock::Clock;
use crate::config::{self, Jobs, Loaded, PatternError, Report, Settings, Shown};
use crate::daemon::{Observer, Patience, Purpose, Reader, Rejected, Reread, Supervisor};
use crate::engine::input::SubmitItem;
use crate::engine::spec::{Definitions, Name, Start};
use crate::engine::{Engine, RunView};
use crate::lanes::{Begun, Handlers, Outside};
use crate::logging::{Bars, Format, Journal, Logging, Output};
use crate::meters::{Meters, Tally};
use crate::process::{Groups, SHIM};

/// The command's arguments.
#[derive(Args, Debug)]
pub(super) struct Serve {}

pub(super) fn run(_: &Serve, settings_args: &SettingsArgs, handlers: &Arc<Handlers>) -> Exit {
    match serve(settings_args, handlers) {
        Ok(exit) | Err(exit) => exit,
    }
}

fn serve(settings_args: &SettingsArgs, handlers: &Arc<Handlers>) -> Result<Exit, Exit> {
    let passed = activation::socket()?;
    let supervisor = supervisor()?;
    let loaded = load::settings(settings_args)?;
    if passed.is_none() {
        answer::can_have_socket(&loaded)?;
    }
    let settings = &loaded.settings;
    let files = job_files(&loaded).map_err(|error| {
        complain(&error.to_string());
        Exit::Config
    })?;
    let (jobs, report) = load::jobs(&files, settings, handlers);
    load::show(&report);
    let Jobs {
        definitions, order, ..
    } = jobs.ok_or(Exit::Config)?;

    let listener = start::listen()?;
    let mut durable = Durable::open(&loaded, &definitions)?;
    let clock = durable.clock;
    let logging = logging(settings, clock)?;
    tell_start(&loaded, &durable, (definitions.jobs.len(), files.len()));
    let filled = with_something_in_them(files, &report);
    let first = boot(&definitions, &order, &durable.engine);
    let definitions = Arc::new(definitions);
    let in_force: InForce = Arc::new(Mutex::new(Arc::clone(&definitions)));
    let groups = groups::claim(settings, &durable.instance)?;
    groups::tell_unbounded(groups.as_deref(), &definitions);
    let meters = Meters::new();
    let tally = Tally::new(meters.clone(), &definitions);
    let answering = answer::start(
        &loaded,
        &durable,
        handlers,
        &in_force,
        passed,
        (&logging, &meters),
    )?;
    let (begun, unbegun) = durable.begun(&loaded);
    let outside = outside(&durable, groups, begun);
    let mut observers: Vec<Box<dyn Observer>> = vec![
        Box::new(durable.run_logs.ear()),
        Box::new(tally),
        answering.announcer,
    ];
    observers.extend(traces(&durable)?);
    let plan = Plan {
        first,
        supervisor,
        reader: Some(reader(settings_args, handlers, &loaded, &in_force, filled)),
        engine: durable.engine,
        definitions,
        log: Box::new(durable.log),
        requests: answering.requests,
        observers,
        patience: Patience::Drain(settings.daemon.drain_timeout),
        until_done: false,
        meters,
        outside,
        unbegun,
    };
    let farewell = start::daemon(plan, settings, handlers, &listener, &logging, clock)?;
    answering.server.stop();
    drop(durable.run_logs);
    tracing::info!(target: "twolane::daemon", "stopped");
    logging.close(start::FLUSH);
    // A signal is how a service ends in good order.
    let exit = start::exit_of(&farewell);
    let by_signal = matches!(exit, Exit::Interrupted | Exit::Terminated);
    Ok(if by_signal { Exit::Success } else { exit })
}

/// What the lanes are given.
fn outside(durable: &Durable, groups: Option<Arc<Groups>>, begun: Option<Arc<Begun>>) -> Outside {
    Outside {
        outlet: Arc::new(durable.run_logs.outlet()),
        instance: durable.instance.as_str().into(),
        helper: SHIM.into(),
        groups,
        begun,
    }
}

/// What sends traces, where the environment names somebody who takes them.
#[cfg(feature = "otlp")]
fn traces(durable: &Durable) -> Result<Option<Box<dyn Observer>>, Exit> {
    let traces = crate::otlp::Traces::from_environment(&durable.instance, &durable.records);
    match traces {
        Ok(traces) => Ok(traces.map(|traces| Box::new(traces) as Box<dyn Observer>)),
        Err(error) => {
            complain(&error.to_string());
            Err(Exit::Config)
        }
    }
}

/// Says that this program sends no traces, where the environment names somebody who would take them.
#[cfg(not(feature = "otlp"))]
#[expect(clippy::unnecessary_wraps, reason = "with the feature it can fail")]
fn traces(_: &Durable) -> Result<Option<Box<dyn Observer>>, Exit> {
    if std::env::var_os("OTEL_EXPORTER_OTLP_ENDPOINT").is_some_and(|address| !address.is_empty()) {
        tracing::warn!(
            target: "twolane::daemon",
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, and this twolane was built without the feature `otlp`"
        );
    }
    Ok(None)
}

fn logging(settings: &Settings, clock: Clock) -> Result<Logging, Exit> {
    let format = match start::log_format(settings) {
        // What people read there is the journal's own form of it.
        Format::Text if Journal::is_stderr() => Format::Journal,
        format @ (Format::Text | Format::Json | Format::Journal) => format,
    };
    start::logging(settings, format, Output::Stderr, Bars::Off, clock)
}

/// Logs that the daemon begins, with so many jobs from so many files.
fn tell_start(loaded: &Loaded, durable: &Durable, (jobs, files): (usize, usize)) {
    // Where it is the current directory it has no name of its own.
    let config = absolute(loaded.directory.join(".")).unwrap_or_default();
    tracing::info!(
        target: "twolane::daemon",
        version = env!("CARGO_PKG_VERSION"),
        pid = std::process::id(),
        jobs,
        files,
        config = %config.display(),
        state = %durable.directory.display(),
        "started"
    );
    durable.tell();
}

/// Whoever has started the daemon and wants to know how it is.
fn supervisor() -> Result<Supervisor, Exit> {
    Supervisor::from_environment().map_err(|error| {
        complain(&format!(
            "cannot reach the service manager on $NOTIFY_SOCKET: {error}\n\
             hint: unset it where none has started the daemon"
        ));
        Exit::System
    })
}

/// The job files that the settings name.
fn job_files(loaded: &Loaded) -> Result<Vec<PathBuf>, PatternError> {
    config::expand(&loaded.settings.daemon.jobs, &loaded.directory)
}

/// The runs that begin with the daemon: the jobs with `start = "boot"`, and all that they come after,
/// in the order of the files. A job that still has something to do from before is not begun again.
fn boot(definitions: &Definitions, order: &[Name], engine: &Engine) -> Option<Vec<SubmitItem>> {
    let is_live = |view: &RunView| !view.state.kind().is_final();
    let live: BTreeSet<Name> = engine
        .runs()
        .filter(is_live)
        .map(|view| Name::clone(&view.job.name))
        .collect();
    let mut wanted = BTreeSet::new();
    let at_boot = |name: &&Name| definitions.jobs[*name].start == Start::Boot;
    for name in order.iter().filter(at_boot) {
        let all = definitions.with_all_before(name);
        if all.is_disjoint(&live.iter().collect()) {
            wanted.extend(all);
        }
    }
    let items: Vec<SubmitItem> = order
        .iter()
        .filter(|name| wanted.contains(name))
        .map(SubmitItem::of)
        .collect();
    (!items.is_empty()).then_some(items)
}

/// Reads everything again as at the start. What only a start can change stays as it is, and is told.
fn reader(
    args: &SettingsArgs,
    handlers: &Arc<Handlers>,
    loaded: &Loaded,
    in_force: &InForce,
    filled: BTreeSet<PathBuf>,
) -> Reader {
    let filled = Mutex::new(filled);
    let (sources, handlers) = (load::sources(args), Arc::clone(handlers));
    let shown = loaded.shown.clone();
    let in_force = Arc::clone(in_force);
    Arc::new(move |purpose| {
        let loaded = config::load_settings(&sources).map_err(|report| rejected(report.lines()))?;
        if let Some(mistake) = answer::mistake(&loaded) {
            return Err(rejected(vec![mistake.line()]));
        }
        let files = job_files(&loaded).map_err(|error| rejected(vec![error.to_string()]))?;
        let mut filled = filled.lock().unwrap_or_else(PoisonError::into_inner);
        if files.is_empty() && !filled.is_empty() {
            return Err(rejected(vec![NO_FILES.to_owned()]));
        }
        let (jobs, report) = load::jobs(&files, &loaded.settings, &handlers);
        let mut warnings = report.lines();
        let emptied = emptied(&filled, &report);
        if !emptied.is_empty() {
            return Err(rejected(emptied.into_iter().chain(warnings).collect()));
        }
        let Some(Jobs { definitions, .. }) = jobs else {
            return Err(rejected(warnings));
        };
        warnings.extend(only_at_a_start(&shown, &loaded.shown));
        let mut in_force = in_force.lock().unwrap_or_else(PoisonError::into_inner);
        let definitions = Definitions {
            io_concurrency: in_force.io_concurrency,
            cpu_workers: in_force.cpu_workers,
            ..definitions
        };
        if purpose == Purpose::Force {
            *in_force = Arc::new(definitions.clone());
            *filled = with_something_in_them(files, &report);
        }
        Ok(Reread {
            definitions,
            warnings,
        })
    })
}

/// What is said where there were job files, and there is none any more: their directory may be gone for a while.
const NO_FILES: &str = "`daemon.jobs` names no file any more: is the directory there? (hint: to define nothing, leave a \
                        file with a comment in it)";

/// Those of the files in which something stands.
fn with_something_in_them(files: Vec<PathBuf>, report: &Report) -> BTreeSet<PathBuf> {
    let empty: BTreeSet<&Path> = report.empty_files().collect();
    let filled = files.into_iter();
    filled.filter(|path| !empty.contains(&**path)).collect()
}

/// A line for each file in which something stood when it was read last, and nothing does now: it looks like this while it
/// is written anew, and what it defined is not to be gone for that.
fn emptied(filled: &BTreeSet<PathBuf>, report: &Report) -> Vec<String> {
    let emptied = report.empty_files().filter(|path| filled.contains(*path));
    let line = |path: &Path| {
        format!(
            "{}: this file is empty now: is it being written? (hint: to define nothing in it, leave a comment)",
            path.display()
        )
    };
    emptied.map(line).collect()
}

/// A line for each setting that has changed and that a reload cannot put in force.
fn only_at_a_start(before: &[Shown], now: &[Shown]) -> Vec<String> {
    let reloads = |key: &str| key == "daemon.jobs" || key.starts_with("queue.");
    before
        .iter()
        .zip(now)
        .filter(|(before, now)| before.value != now.value && !reloads(&now.key))
        .map(|(before, now)| {
            let Shown { key, value, origin } = now;
            let old = &before.value;
            format!("{origin}: `{key}` stays {old} until the daemon is started anew, and is then {value}")
        })
        .collect()
}

const fn rejected(mistakes: Vec<String>) -> Rejected {
    Rejected { mistakes }
}
