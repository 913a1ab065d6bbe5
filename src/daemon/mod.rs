//! The thin shell around the engine, the only place where the parts meet: one thread, one loop that
//! takes in what has happened, lets the engine decide, hands the facts to the log, and carries the
//! actions out once those are committed. It waits for no lane and for no disk.

mod callers;
mod outbox;
mod preview;
mod reload;
mod report;
mod retaining;
mod shutdown;
mod signals;
mod supervisor;
mod turn;
mod watch;

use std::collections::BTreeSet;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver;

use crate::clock::Clock;
use crate::engine::action::Refusal;
use crate::engine::fact::{Fact, Record};
use crate::engine::id::{AttemptId, CallerId, RunId};
use crate::engine::input::{Input, Submission, SubmitItem};
use crate::engine::spec::{Definitions, Name};
use crate::engine::{By, Engine};
use crate::inbox::{LaneMail, Note, Request};
use crate::lanes::{AttemptLanes, NoteSource, take_short_turns};
use crate::logging::Narrator;
use crate::meters::{Meters, Tally};
use crate::runlog::Ear;
use crate::store::FactLog;
pub use reload::{Purpose, Reader, Rejected, Reread};
pub use shutdown::Patience;
pub use signals::{EndSignal, SignalListener, SignalMail};
pub use supervisor::Supervisor;
use turn::Turn;

/// Learns of everything that is committed and of every note, in order, on the loop's own thread: it
/// must not wait for anything.
pub trait Observer {
    /// A fact is committed.
    fn record(&mut self, record: &Record);
    /// A running attempt has said something.
    fn note(&mut self, note: &Note);
}

impl Observer for Narrator {
    fn record(&mut self, record: &Record) {
        self.record(record);
    }

    fn note(&mut self, note: &Note) {
        self.note(note);
    }
}

impl Observer for Tally {
    fn record(&mut self, record: &Record) {
        self.record(record);
    }

    fn note(&mut self, _: &Note) {}
}

#[cfg(feature = "otlp")]
impl Observer for crate::otlp::Traces {
    fn record(&mut self, record: &Record) {
        self.record(record);
    }

    fn note(&mut self, _: &Note) {}
}

impl Observer for Ear {
    fn record(&mut self, record: &Record) {
        if let Fact::Ended { run, .. }
        | Fact::Interrupted { run, .. }
        | Fact::Retrying { run, .. } = record.fact
        {
            self.over(run);
        }
    }

    fn note(&mut self, note: &Note) {
        self.note(note);
    }
}

/// What the daemon is made of.
pub struct Parts {
    /// The engine, new or recovered.
    pub engine: Engine,
    /// Attempts that went down with an earlier daemon while they waited in their lanes.
    pub unbegun: BTreeSet<AttemptId>,
    /// What is in force from the start, if that is something else than what the engine has.
    pub definitions: Arc<Definitions>,
    /// What somebody outside asks for; `never()` where nobody can.
    pub requests: Receiver<Request>,
    /// Where attempts execute, and what comes back from there.
    pub lanes: (AttemptLanes, LaneMail<NoteSource>),
    /// Where facts are kept.
    pub log: Box<dyn FactLog>,
    /// Time.
    pub clock: Clock,
    /// Where the loop's own times are counted.
    pub meters: Meters,
    /// Signals.
    pub signals: SignalMail,
    /// The service manager.
    pub supervisor: Supervisor,
    /// Who is told.
    pub observers: Vec<Box<dyn Observer>>,
    /// What a reload reads; `None` where reloading makes no sense and SIGHUP means the end.
    pub reader: Option<Reader>,
    /// The way down.
    pub patience: Patience,
    /// Whether the daemon leaves by itself when no run is left.
    pub until_done: bool,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Farewell {
    /// The signal that asked for the end first; `None` if all was done.
    pub asked: Option<EndSignal>,
    /// Attempts that had not left their lanes.
    pub late: Vec<(RunId, Name)>,
    /// Why the engine did not accept what it was asked for at the start.
    pub refused: Option<Refusal>,
    /// Why the log of facts could not go on.
    pub broken: Option<String>,
}

/// Who asks for the runs that begin with the daemon.
const STARTER: CallerId = CallerId(0);

/// Runs until the end: when all is done, if that is wanted, or when a signal asks for it. The thread that calls this
/// has the kernel give it short turns from then on.
#[must_use]
pub fn run(mut parts: Parts, first: Option<Vec<SubmitItem>>) -> Farewell {
    let definitions = Arc::clone(&parts.definitions);
    // Whatever is to start, and whatever has ended, waits for the loop.
    take_short_turns();
    let unbegun = mem::take(&mut parts.unbegun);
    let mut turn = Turn::new(parts);
    turn.settle(definitions, unbegun);
    if let Some(items) = first {
        let submission = Submission {
            items,
            key: None,
            caller: Some(STARTER),
        };
        turn.apply_for(Some(By::Daemon), Input::Submit(submission));
    }
    turn.commit();
    while !turn.is_over() {
        turn.wait();
        turn.let_futures_go();
        turn.commit();
    }
    turn.leave()
}

/// How long attempts that were not asked before get to stop when the daemon leaves at once.
const LAST_MOMENT: Duration = Duration::from_millis(200);

/// The names of what has not left its lane.
fn late(engine: &Engine) -> Vec<(RunId, Name)> {
    engine
        .active()
        .map(|view| (view.run, Name::clone(&view.job.name)))
        .collect()
}
