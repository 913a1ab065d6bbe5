//! What the tests share: lanes with their mail, orders for them, gates, and one limit for all waits.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use serde_json::Value;
use twolane::clock::Clock;
use twolane::engine::action::StartOrder;
use twolane::engine::id::{AttemptId, RunId};
use twolane::engine::outcome::{Failure, Outcome};
use twolane::engine::spec::{JobSpec, Lane, TaskSpec};
use twolane::inbox::{Ended, LaneMail};
use twolane::lanes::{AttemptLanes, Handlers, LaneSettings, NoteSource, Outside};

/// Far more than anything here takes, so that what never comes shows as a failure and not as a hang.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Longer than any test runs.
pub(crate) const FOR_EVER: Duration = Duration::from_secs(86_400);

/// Lanes as the daemon has them.
pub(crate) struct Bench {
    pub(crate) lanes: AttemptLanes,
    pub(crate) mail: LaneMail<NoteSource>,
    pub(crate) clock: Clock,
}

impl Bench {
    pub(crate) fn new(handlers: Handlers) -> Self {
        let settings = LaneSettings {
            io_threads: 2,
            cpu_workers: 2,
            ..LaneSettings::default()
        };
        Self::with(settings, handlers)
    }

    pub(crate) fn with(settings: LaneSettings, handlers: Handlers) -> Self {
        Self::inside(settings, handlers, Outside::default())
    }

    pub(crate) fn inside(settings: LaneSettings, handlers: Handlers, outside: Outside) -> Self {
        let clock = Clock::start();
        let (lanes, mail) =
            AttemptLanes::start(settings, Arc::new(handlers), clock, outside).unwrap();
        Self { lanes, mail, clock }
    }

    pub(crate) fn submit(&self, run: u64, lane: Lane, task: TaskSpec) -> AttemptId {
        let order = order(run, lane, task);
        let attempt = order.attempt;
        self.lanes.submit(order).unwrap();
        attempt
    }

    pub(crate) fn end(&self) -> Box<Ended> {
        self.mail.ends.recv_timeout(LIMIT).unwrap()
    }

    /// Carries out one task to its end.
    pub(crate) fn run(&self, lane: Lane, task: TaskSpec) -> Box<Ended> {
        let attempt = self.submit(1, lane, task);
        let ended = self.end();
        assert_eq!(ended.attempt, attempt);
        ended
    }
}

pub(crate) fn id(run: u64) -> AttemptId {
    AttemptId {
        run: RunId(run),
        epoch: 1,
    }
}

pub(crate) fn order(run: u64, lane: Lane, task: TaskSpec) -> StartOrder {
    StartOrder {
        attempt: id(run),
        job: Arc::new(JobSpec::new(Arc::from(format!("job-{run}")), lane, task)),
        args: None,
        number: 0,
        announced: None,
    }
}

pub(crate) fn sleep(duration: Duration) -> TaskSpec {
    TaskSpec::Sleep { duration }
}

pub(crate) fn call(handler: &str) -> TaskSpec {
    TaskSpec::Call {
        handler: Arc::from(handler),
        args: Value::Null,
    }
}

pub(crate) fn compute(outer: u64, inner: u64, report_every: Option<u64>) -> TaskSpec {
    TaskSpec::Compute {
        outer,
        inner,
        report_every,
    }
}

pub(crate) fn value(ended: &Ended) -> &Value {
    match &ended.end.outcome {
        Outcome::Succeeded(value) => value,
        other @ (Outcome::Failed(_) | Outcome::Stopped | Outcome::NoRoom(_)) => {
            panic!("not a success: {other:?}")
        }
    }
}

pub(crate) fn error(ended: &Ended) -> &str {
    match &ended.end.outcome {
        Outcome::Failed(Failure::Error(message)) => message,
        other @ (Outcome::Failed(_)
        | Outcome::Succeeded(_)
        | Outcome::Stopped
        | Outcome::NoRoom(_)) => {
            panic!("not an error: {other:?}")
        }
    }
}

/// Something that many wait for: `wait` blocks until the other end is dropped.
pub(crate) struct Gate(std::sync::Mutex<Receiver<()>>);

impl Gate {
    pub(crate) fn new() -> (Opener, Arc<Self>) {
        let (sender, receiver) = channel();
        let gate = Arc::new(Self(std::sync::Mutex::new(receiver)));
        (Opener { _sender: sender }, gate)
    }

    pub(crate) fn wait(&self) {
        let open = self.0.lock().unwrap().recv();
        assert!(open.is_err());
    }
}

/// Opens its gate when it is dropped, also by a test that fails.
pub(crate) struct Opener {
    _sender: Sender<()>,
}
