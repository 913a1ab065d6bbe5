//! What can happen: the closed list of all that enters the engine.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::capacity::CapacityName;
use super::fact::SubmitKey;
use super::flow::{Over, Parts, Ties};
use super::id::{AttemptId, BackfillId, CallerId, RunId};
use super::outcome::End;
use super::spec::{Definitions, JobSpec, Name, Priority};
use super::time::Wall;

/// Anything that enters the engine.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The daemon has started; what it held back from starting may start.
    Open,
    /// A valid configuration, the first one or a new one.
    Configure(Arc<Definitions>),
    /// Runs are asked for.
    Submit(Submission),
    /// A run is to be cancelled.
    Cancel {
        /// Which run.
        run: RunId,
        /// With all that hang together with it.
        graph: bool,
        /// Who gets the answer.
        caller: Option<CallerId>,
    },
    /// A run that is over is to be tried once more.
    Retry {
        /// Which run.
        run: RunId,
        /// What is on record of it, where the engine may have forgotten it.
        known: Option<Box<Forgotten>>,
        /// Who gets the answer.
        caller: Option<CallerId>,
    },
    /// Those of runs that hang together which are over and did not succeed are to be tried once more.
    RetryGraph {
        /// What is on record of them.
        members: Vec<(RunId, Forgotten)>,
        /// Who gets the answer.
        caller: Option<CallerId>,
    },
    /// Somebody brings what a `future` waits for.
    Complete {
        /// Which run.
        run: RunId,
        /// Its result, or why it has failed.
        with: Result<Arc<Value>, Arc<str>>,
        /// Who gets the answer.
        caller: Option<CallerId>,
    },
    /// Somebody has something for the running attempt of a run. What it is the engine need not know.
    Send {
        /// Which run.
        run: RunId,
        /// How much, in bytes of JSON; `None`: nothing more comes.
        bytes: Option<u64>,
        /// Who gets the answer.
        caller: Option<CallerId>,
    },
    /// Slots of the past are to be run.
    Backfill(BackfillOrder),
    /// No more slots of a backfill are to be run.
    CancelBackfill {
        /// Which.
        id: BackfillId,
        /// Who gets the answer.
        caller: Option<CallerId>,
    },
    /// Nothing that needs this is to start.
    Pause {
        /// What.
        what: CapacityName,
        /// Who gets the answer.
        caller: Option<CallerId>,
    },
    /// What needs this may start again.
    Resume {
        /// What.
        what: CapacityName,
        /// Who gets the answer.
        caller: Option<CallerId>,
    },
    /// The command of an attempt is being made: from here on its time counts.
    Began {
        /// Which attempt.
        attempt: AttemptId,
    },
    /// An attempt has left its lane.
    Ended {
        /// Which attempt.
        attempt: AttemptId,
        /// How.
        end: End,
    },
    /// From here on nothing starts any more; what runs may run on.
    Drain,
    /// Somebody asks the daemon to leave. That alone changes nothing, and is to be on record.
    Leave,
    /// Every running attempt is to stop because the daemon shuts down.
    StopRunning {
        /// Whether there is a store from which their runs will start anew.
        durable: bool,
    },
    /// After a recovery: nothing of the attempts that were running is left.
    Settle {
        /// Those of them that waited in their lanes, where nothing of them had begun.
        unbegun: BTreeSet<AttemptId>,
    },
    /// Every waiting run is cancelled because nobody will be there to start it.
    CancelWaiting,
    /// A deadline has come. (Each other input looks after due deadlines too.)
    Tick,
}

/// Runs that are accepted together or not at all.
#[derive(Clone, Debug, PartialEq)]
pub struct Submission {
    /// At least one. A job that comes `after` another needs that other one here too.
    pub items: Vec<SubmitItem>,
    /// What the caller calls it. While that is remembered, the same word with the same digest gives
    /// the run of the first item again, and with another digest a refusal.
    pub key: Option<Arc<SubmitKey>>,
    /// Who gets the answer.
    pub caller: Option<CallerId>,
}

/// A backfill that is asked for. Whoever asks has looked at the slots, and says which have run already: the
/// engine knows of few runs that are over.
#[derive(Clone, Debug, PartialEq)]
pub struct BackfillOrder {
    /// Whose slots.
    pub job: Name,
    /// By which of its schedules.
    pub schedule: Arc<str>,
    /// Slots from here on,
    pub from: Wall,
    /// and up to here, this instant included. Its schedule has to have decided on all of them.
    pub until: Wall,
    /// How many of its runs may be unfinished at a time.
    pub at_once: u32,
    /// How many slots are to be run.
    pub slots: u64,
    /// How many are not,
    pub left_out: u64,
    /// and where those are: stretches from a slot to a slot, in order.
    pub stretches: Box<[(Wall, Wall)]>,
    /// Number of the first record that was not known when the slots were looked at.
    pub unseen: u64,
    /// Who gets the answer.
    pub caller: Option<CallerId>,
}

/// One run that is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct SubmitItem {
    /// Which job.
    pub job: JobRef,
    /// Arguments of this run: a JSON object.
    pub args: Option<Arc<Value>>,
    /// Instead of the job's own.
    pub priority: Option<Priority>,
    /// When it may start at the earliest, instead of the job's own delay.
    pub at: Option<Wall>,
}

/// The job that a run is asked for of.
#[derive(Clone, Debug, PartialEq)]
pub enum JobRef {
    /// One that is defined.
    Named(Name),
    /// One that is defined by the submission itself.
    AdHoc(Arc<JobSpec>),
}

impl JobRef {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Name {
        match self {
            Self::Named(name) => name,
            Self::AdHoc(job) => &job.name,
        }
    }
}

/// A run that is over, as it is on record.
#[derive(Clone, Debug, PartialEq)]
pub struct Forgotten {
    /// The job it was accepted with.
    pub job: Arc<JobSpec>,
    /// How urgent it was.
    pub priority: Priority,
    /// Its arguments.
    pub args: Option<Arc<Value>>,
    /// The epoch of its last attempt; 0 if it had none.
    pub epoch: u32,
    /// The runs that it came after.
    pub after: Box<[RunId]>,
    /// What else tied it to others.
    pub ties: Ties,
    /// Its parts, if it was spread into some.
    pub parts: Option<Box<Parts>>,
    /// How it ended; `None` if it is not over.
    pub over: Option<Over>,
    /// What it gave, if it succeeded.
    pub result: Option<Arc<Value>>,
}

impl SubmitItem {
    /// A run of `job` just as it is defined.
    #[must_use]
    pub fn of(job: &Name) -> Self {
        Self {
            job: JobRef::Named(Name::clone(job)),
            args: None,
            priority: None,
            at: None,
        }
    }
}
