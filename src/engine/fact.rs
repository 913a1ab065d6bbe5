//! What the engine decided and what is recorded. State is the fold of facts, live and in recovery.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::backfill::{Backfill, Ending, Went};
use super::by::By;
use super::capacity::CapacityName;
use super::flow::{Over, Parts, Ties};
use super::id::{AttemptId, BackfillId, RunId};
use super::outcome::{End, Failure, Interruption, SkipReason, StopReason};
use super::placing::Finding;
use super::schedule::memory::Memory;
use super::spec::{Definitions, JobSpec, Name, Priority};
use super::time::{Mono, Now, Wall};

/// A fact with its number and time: one entry of the log of facts.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// From 1, without gaps.
    pub number: u64,
    /// When it was decided.
    pub at: Now,
    /// Who asked for it. `None` where it follows from what was before, as an end does from its attempt, and
    /// in records that are older than this field.
    pub by: Option<By>,
    /// What was decided.
    pub fact: Fact,
}

/// One recorded decision. Facts about a run carry the job that the run was accepted with, so that a
/// reader needs no other table to tell what it was.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// The daemon started; what was draining drains no more.
    Opened,
    /// These definitions are in force from here on.
    Configured {
        /// All of them.
        definitions: Arc<Definitions>,
    },
    /// A run exists. It is blocked if it comes after others, else scheduled if it is not yet due,
    /// else queued.
    Accepted {
        /// Its number.
        run: RunId,
        /// Its job.
        job: Arc<JobSpec>,
        /// How urgent it is.
        priority: Priority,
        /// Its arguments.
        args: Option<Arc<Value>>,
        /// The runs that it comes after.
        after: Box<[RunId]>,
        /// What else ties it to others.
        ties: Ties,
        /// When it may be queued at the earliest.
        due: Option<Mono>,
        /// The key that its caller gave the submission, if any.
        key: Option<Arc<SubmitKey>>,
        /// The slot that it is for, if a schedule asked for it.
        slot: Option<Arc<Slot>>,
    },
    /// What it comes after has become what it waits for: scheduled if not yet due, else queued.
    Released {
        /// Its number.
        run: RunId,
        /// Its job.
        job: Arc<JobSpec>,
    },
    /// One of the runs that it comes after, or of its parts, is over, and something of that has to be kept.
    Met {
        /// Its number.
        run: RunId,
        /// Its job.
        job: Arc<JobSpec>,
        /// The other one.
        by: RunId,
        /// How that ended.
        over: Over,
        /// What that gave it: arguments by their names; of a part its result, under an empty name.
        given: Map<String, Value>,
    },
    /// It is spread into parts, and over when they are: blocked.
    Spread {
        /// Its number.
        run: RunId,
        /// Its job.
        job: Arc<JobSpec>,
        /// The number of the first part; the others follow.
        first: RunId,
        /// How many there are.
        count: u32,
    },
    /// All its parts are over, or it cannot be spread: succeeded, failed or cancelled.
    Gathered {
        /// Its number.
        run: RunId,
        /// Its job.
        job: Arc<JobSpec>,
        /// How it ended.
        state: FinalState,
        /// What the parts gave, in their order.
        result: Option<Arc<Value>>,
    },
    /// Its time has come: queued.
    Due {
        /// Its number.
        run: RunId,
        /// Its job.
        job: Arc<JobSpec>,
    },
    /// An attempt holds what it needs and goes to its lane: running.
    Started {
        /// Its number.
        run: RunId,
        /// Its job.
        job: Arc<JobSpec>,
        /// The attempt's epoch.
        epoch: u32,
    },
    /// The command of the running attempt is being made, and its timeout counts from here. Of jobs with a
    /// timeout only; see [`JobSpec::begins_in_lane`].
    Began {
        /// Its number.
        run: RunId,
        /// Its job.
        job: Arc<JobSpec>,
        /// The attempt's epoch.
        epoch: u32,
    },
    /// The running attempt was asked to stop: stopping. Once more where another attempt was to follow it, and now none is:
    /// then it has a new reason, and no more time.
    Stopping {
        /// Its number.
        run: RunId,
        /// Its job.
        job: Arc<JobSpec>,
        /// The attempt's epoch.
        epoch: u32,
        /// Why.
        reason: StopReason,
    },
    /// The attempt is still in its lane though it was asked to stop and its time for that is over:
    /// unresponsive. Once more for a new reason, as above.
    Unresponsive {
        /// Its number.
        run: RunId,
        /// Its job.
        job: Arc<JobSpec>,
        /// The attempt's epoch.
        epoch: u32,
        /// Why it was asked to stop, the last time.
        reason: StopReason,
        /// How long ago that was the first time.
        asked: Duration,
        /// Whether its place in the lane stays its own, since as many as the lane has are given to others already.
        kept: bool,
    },
    /// The attempt has left its lane and with it the run is over: succeeded, failed or cancelled.
    Ended {
        /// Its number.
        run: RunId,
        /// Its job.
        job: Arc<JobSpec>,
        /// The attempt's epoch.
        epoch: u32,
        /// How the run ended.
        state: FinalState,
        /// What the lane reported.
        end: End,
    },
    /// The attempt has failed and another one is to follow: scheduled until then.
    Retrying {
        /// Its number.
        run: RunId,
        /// Its job.
        job: Arc<JobSpec>,
        /// The attempt's epoch.
        epoch: u32,
        /// Why it failed.
        failure: Failure,
        /// What the lane reported.
        end: End,
        /// When the next attempt may start at the earliest.
        due: Mono,
    },
    /// A run that waits for another attempt has failed for good, for its time is over.
    GivenUp {
        /// Its number.
        run: RunId,
        /// Its job.
        job: Arc<JobSpec>,
        /// Why.
        failure: Failure,
    },
    /// The attempt was cut short through no fault of its own: queued again, or scheduled until there may be room.
    Interrupted {
        /// Its number.
        run: RunId,
        /// Its job.
        job: Arc<JobSpec>,
        /// The attempt's epoch.
        epoch: u32,
        /// By what.
        cause: Interruption,
        /// When the next attempt may start at the earliest, where the machine had no room for this one; `None` of that
        /// in records that are older than this field.
        due: Option<Mono>,
    },
    /// A run that was over is tried once more: blocked if it comes after others, else queued.
    Retried {
        /// Its number.
        run: RunId,
        /// Its job.
        job: Arc<JobSpec>,
        /// How urgent it is.
        priority: Priority,
        /// Its arguments.
        args: Option<Arc<Value>>,
        /// The epoch of its last attempt; 0 if it had none.
        epoch: u32,
        /// The runs that it comes after, of those that are tried once more with it.
        after: Box<[RunId]>,
        /// What else ties it to others.
        ties: Ties,
        /// Its parts, where some of those are tried once more with it.
        parts: Option<Box<Parts>>,
    },
    /// Something is handed to the running attempt.
    Sent {
        /// Its number.
        run: RunId,
        /// Its job.
        job: Arc<JobSpec>,
        /// The attempt's epoch.
        epoch: u32,
        /// How much, in bytes of JSON; `None`: it is told that nothing more comes.
        bytes: Option<u64>,
    },
    /// A run that had not started was cancelled.
    Cancelled {
        /// Its number.
        run: RunId,
        /// Its job.
        job: Arc<JobSpec>,
        /// Why.
        reason: StopReason,
    },
    /// A run will never start.
    Skipped {
        /// Its number.
        run: RunId,
        /// Its job.
        job: Arc<JobSpec>,
        /// Why.
        reason: SkipReason,
    },
    /// What has become of the slots of a schedule so far.
    Evaluated {
        /// Its job.
        job: Name,
        /// What it is told by among those of its job.
        schedule: Arc<str>,
        /// What has become of them.
        memory: Memory,
    },
    /// Slots of the past are to be run.
    BackfillAccepted {
        /// Which, and how.
        backfill: Arc<Backfill>,
    },
    /// A backfill has gone on: it makes the run that is accepted next, or runs of it have ended.
    BackfillMoved {
        /// Its number.
        id: BackfillId,
        /// Its place.
        place: u8,
        /// How far it has come.
        went: Went,
    },
    /// No more slots of a backfill are run. Runs of it that execute go on.
    BackfillEnded {
        /// What it was.
        backfill: Arc<Backfill>,
        /// How far it has come.
        went: Went,
        /// Why.
        ending: Ending,
    },
    /// By what was measured of its attempts a job is in the wrong lane. If it finds its lane by itself, its
    /// runs go to the other one from here on, also those that wait.
    Misplaced {
        /// Its job.
        job: Name,
        /// What was measured, and what follows.
        finding: Finding,
    },
    /// What was found of the lane of a job counts no more: its definition says otherwise now.
    Reconsidered {
        /// Its job.
        job: Name,
    },
    /// The wall clock was set, or the machine slept.
    ClockSet {
        /// By how many microseconds it has gone on more than the monotonic clock; negative where it was
        /// set back.
        by_micros: i64,
    },
    /// A run of a job of which a success is expected in a time has succeeded, or that time begins to count.
    Heard {
        /// Its job.
        job: Name,
        /// Nothing had come in time before.
        again: bool,
    },
    /// No success of a job came in the time in which it is expected.
    Absent {
        /// The job.
        job: Name,
        /// When the time began: at the last success, or when it was first expected.
        since: Now,
        /// How long it was.
        within: Duration,
    },
    /// Until the next of these, these attempts may begin before their own start is on record, and no others;
    /// see [`StartOrder::announced`](super::action::StartOrder::announced).
    Announced {
        /// Attempts of runs that are queued.
        attempts: Box<[AttemptId]>,
    },
    /// From here on nothing starts.
    Draining,
    /// Somebody has asked the daemon to leave.
    Leaving,
    /// Nothing starts that needs this, until it is resumed.
    Paused {
        /// What.
        what: CapacityName,
    },
    /// What needs this starts again.
    Resumed {
        /// What.
        what: CapacityName,
    },
}

/// A slot of a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// What the schedule is told by among those of its job.
    pub schedule: Arc<str>,
    /// The instant.
    pub at: Wall,
    /// The backfill that has it run; `None` where its schedule does, at its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backfill: Option<BackfillId>,
}

/// What a caller calls its submission, so that sending it again does not make another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmitKey {
    /// The caller's word for it.
    pub text: Arc<str>,
    /// A digest of what was asked for.
    pub digest: Arc<str>,
}

/// How a run that had started ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinalState {
    /// The work was done.
    Succeeded,
    /// It was not.
    Failed(Failure),
    /// It was stopped before it was done.
    Cancelled(StopReason),
}

impl Fact {
    /// The run that the fact is about, with its job; `None` where it is about none.
    #[must_use]
    pub const fn run(&self) -> Option<(RunId, &Arc<JobSpec>)> {
        match self {
            Self::Opened
            | Self::Configured { .. }
            | Self::Draining
            | Self::Leaving
            | Self::Evaluated { .. }
            | Self::Misplaced { .. }
            | Self::Reconsidered { .. }
            | Self::BackfillAccepted { .. }
            | Self::BackfillMoved { .. }
            | Self::BackfillEnded { .. }
            | Self::ClockSet { .. }
            | Self::Heard { .. }
            | Self::Absent { .. }
            | Self::Announced { .. }
            | Self::Paused { .. }
            | Self::Resumed { .. } => None,
            Self::Accepted { run, job, .. }
            | Self::Released { run, job }
            | Self::Due { run, job }
            | Self::Met { run, job, .. }
            | Self::Spread { run, job, .. }
            | Self::Gathered { run, job, .. }
            | Self::Started { run, job, .. }
            | Self::Began { run, job, .. }
            | Self::Stopping { run, job, .. }
            | Self::Unresponsive { run, job, .. }
            | Self::Ended { run, job, .. }
            | Self::Retrying { run, job, .. }
            | Self::GivenUp { run, job, .. }
            | Self::Interrupted { run, job, .. }
            | Self::Retried { run, job, .. }
            | Self::Sent { run, job, .. }
            | Self::Cancelled { run, job, .. }
            | Self::Skipped { run, job, .. } => Some((*run, job)),
        }
    }

    /// For what a fact about no run is in force until a later one for the same thing says otherwise; `None`
    /// where it only says what happened. Whoever goes on after a crash needs the last one for each thing.
    #[must_use]
    pub fn stands_for(&self) -> Option<String> {
        match self {
            Self::Configured { .. } => Some("configured".into()),
            Self::Paused { what } | Self::Resumed { what } => Some(what.to_string()),
            Self::Evaluated { job, schedule, .. } => {
                Some(format!("slots of `{job}` by {schedule}"))
            }
            Self::Heard { job, .. } | Self::Absent { job, .. } => {
                Some(format!("successes of `{job}`"))
            }
            Self::Misplaced { job, .. } | Self::Reconsidered { job } => {
                Some(format!("lane of `{job}`"))
            }
            // At its place the end of one stands for what it was, and another one's beginning for that.
            Self::BackfillAccepted { backfill } | Self::BackfillEnded { backfill, .. } => {
                Some(format!("backfill at {}", backfill.place))
            }
            Self::BackfillMoved { place, .. } => {
                Some(format!("how far the backfill at {place} is"))
            }
            Self::Announced { .. } => Some("announced".into()),
            Self::Opened
            | Self::ClockSet { .. }
            | Self::Draining
            | Self::Leaving
            | Self::Accepted { .. }
            | Self::Released { .. }
            | Self::Due { .. }
            | Self::Met { .. }
            | Self::Spread { .. }
            | Self::Gathered { .. }
            | Self::Started { .. }
            | Self::Began { .. }
            | Self::Stopping { .. }
            | Self::Unresponsive { .. }
            | Self::Ended { .. }
            | Self::Retrying { .. }
            | Self::GivenUp { .. }
            | Self::Interrupted { .. }
            | Self::Retried { .. }
            | Self::Sent { .. }
            | Self::Cancelled { .. }
            | Self::Skipped { .. } => None,
        }
    }
}
