//! What `run` and `serve` have in common: lanes, log, signals, and the daemon on top of them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::out::complain;
use super::{Exit, load, moments};
use crate::clock::Clock;
use crate::config::{self, Settings};
use crate::daemon::{
    self, EndSignal, Farewell, Observer, Parts, Patience, Reader, SignalListener, Supervisor,
};
use crate::engine::Engine;
use crate::engine::id::AttemptId;
use crate::engine::input::SubmitItem;
use crate::engine::spec::Definitions;
use crate::inbox::Request;
use crate::lanes::{AttemptLanes, Handlers, LaneSettings, Outside, Policy};
use crate::logging::{self, Bars, Color, Format, Journal, LogSettings, Logging, Output};
use crate::meters::Meters;
use crate::process::{forget_code, pass_nothing_on, raise_open_files};
use crate::store::FactLog;
use crossbeam_channel::Receiver;

/// How long, at the very end, a log sink that does not read is waited for.
pub(super) const FLUSH: Duration = Duration::from_secs(1);

/// What differs between the two.
pub(super) struct Plan {
    pub(super) engine: Engine,
    pub(super) definitions: Arc<Definitions>,
    pub(super) log: Box<dyn FactLog>,
    pub(super) requests: Receiver<Request>,
    pub(super) first: Option<Vec<SubmitItem>>,
    pub(super) observers: Vec<Box<dyn Observer>>,
    pub(super) supervisor: Supervisor,
    pub(super) reader: Option<Reader>,
    pub(super) patience: Patience,
    pub(super) until_done: bool,
    pub(super) meters: Meters,
    pub(super) outside: Outside,
    pub(super) unbegun: BTreeSet<AttemptId>,
}

/// Listens for signals. To be called before anything is told that makes somebody send one.
pub(super) fn listen() -> Result<SignalListener, Exit> {
    SignalListener::start().map_err(|error| {
        complain(&format!("cannot listen for signals: {error}"));
        Exit::System
    })
}

/// Starts everything, runs to the end, and puts everything away.
pub(super) fn daemon(
    plan: Plan,
    settings: &Settings,
    handlers: &Arc<Handlers>,
    listener: &SignalListener,
    logging: &Logging,
    clock: Clock,
) -> Result<Farewell, Exit> {
    let unable = |what: &str, error: &dyn std::error::Error| {
        logging.close(FLUSH);
        complain(&format!("cannot {what}: {error}"));
        Exit::System
    };
    raise_open_files();
    pass_nothing_on();
    let handlers = Arc::clone(handlers);
    let lanes = AttemptLanes::start(lane_settings(settings), handlers, clock, plan.outside)
        .map_err(|error| unable("start the lanes", &error))?;
    let mut observers = plan.observers;
    observers.insert(0, Box::new(logging.narrator()));
    let parts = Parts {
        engine: plan.engine,
        unbegun: plan.unbegun,
        definitions: plan.definitions,
        requests: plan.requests,
        lanes,
        log: plan.log,
        clock,
        signals: listener.signals.clone(),
        supervisor: plan.supervisor,
        observers,
        reader: plan.reader,
        patience: plan.patience,
        until_done: plan.until_done,
        meters: plan.meters,
    };
    forget_code();
    Ok(daemon::run(parts, plan.first))
}

/// What a farewell means for the caller of the program, where not all was done.
pub(super) fn exit_of(farewell: &Farewell) -> Exit {
    match farewell.asked {
        _ if farewell.broken.is_some() => Exit::System,
        _ if !farewell.late.is_empty() => Exit::Unfinished,
        Some(EndSignal::Interrupt) => Exit::Interrupted,
        Some(EndSignal::Terminate | EndSignal::HangUp) => Exit::Terminated,
        None => Exit::Success,
    }
}

/// What the settings say of the lanes. They are as large as the engine believes.
fn lane_settings(settings: &Settings) -> LaneSettings {
    LaneSettings {
        io_threads: settings.lanes.io.threads as usize,
        io_concurrency: settings.lanes.io.concurrency as usize,
        cpu_workers: load::cpu_workers(settings) as usize,
        nice: settings.lanes.cpu.nice,
        policy: match settings.lanes.cpu.policy {
            config::CpuPolicy::Normal => Policy::Normal,
            config::CpuPolicy::Batch => Policy::Batch,
            config::CpuPolicy::Idle => Policy::Idle,
        },
    }
}

/// The form of the log as the settings have it.
pub(super) fn log_format(settings: &Settings) -> Format {
    match settings.log.format {
        config::LogFormat::Text => Format::Text,
        config::LogFormat::Json => Format::Json,
        config::LogFormat::Journal => Format::Journal,
    }
}

/// What is logged: by the environment, else by the settings.
pub(super) fn log_filter(settings: &Settings) -> String {
    let named = std::env::var("TWOLANE_LOG").ok();
    let named = named.filter(|filter| !filter.trim().is_empty());
    named.unwrap_or_else(|| settings.log.level.clone())
}

/// Sets up the log; what cannot be understood is told here.
pub(super) fn logging(
    settings: &Settings,
    format: Format,
    output: Output,
    bars: Bars,
    clock: Clock,
) -> Result<Logging, Exit> {
    let filter = log_filter(settings);
    let output = match format {
        Format::Text | Format::Json => output,
        Format::Journal => Output::Writer(Box::new(Journal::system().map_err(|error| {
            complain(&format!("cannot log to standard error: {error}"));
            Exit::System
        })?)),
    };
    let settings = LogSettings {
        format,
        filter: &filter,
        output,
        bars,
        color: Color::Auto,
        zone: Some(moments::here()),
    };
    logging::init(settings, clock).map_err(|error| {
        complain(&error.to_string());
        match error {
            logging::LogError::Filter(_) => Exit::Config,
            logging::LogError::Output { .. }
            | logging::LogError::Thread(_)
            | logging::LogError::AlreadySet => Exit::System,
        }
    })
}
