//! What the engine asks of the world. Actions are carried out only after the facts they rest on are
//! committed.

use std::sync::Arc;

use serde_json::Value;

use super::capacity::CapacityName;
use super::id::{AttemptId, BackfillId, CallerId, RunId};
use super::levels::LEVELS_BOUND;
use super::outcome::StopReason;
use super::run::StateKind;
use super::spec::{JobSpec, Name};

/// Something for a lane or for a caller.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Start this attempt in its lane.
    Start(StartOrder),
    /// Ask this attempt to stop; its end will be reported all the same.
    Stop {
        /// Which attempt.
        attempt: AttemptId,
        /// Why.
        reason: StopReason,
    },
    /// This attempt does not leave its lane: make room for another one in its place, until it does.
    Replace {
        /// Which attempt.
        attempt: AttemptId,
    },
    /// Tell this caller.
    Answer {
        /// Whom.
        caller: CallerId,
        /// What.
        answer: Answer,
    },
}

/// All that a lane needs to carry out an attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct StartOrder {
    /// Which attempt.
    pub attempt: AttemptId,
    /// Its job, as it was when the run was accepted.
    pub job: Arc<JobSpec>,
    /// The run's arguments.
    pub args: Option<Arc<Value>>,
    /// The number of the record that it has started; 0 where there is none. Of what waits in the same line of a lane, who
    /// has the lower one is there first.
    pub number: u64,
    /// The number of the record that has announced the attempt: once that is committed, it may begin before
    /// its own start is. `None`: it was not announced.
    pub announced: Option<u64>,
}

impl StartOrder {
    /// Whether the engine is to be told when the attempt begins; see [`Input::Began`](super::input::Input::Began).
    #[must_use]
    pub fn tells_beginning(&self) -> bool {
        self.job.timeout.is_some() && self.job.begins_in_lane()
    }
}

/// What a caller is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// These runs exist, in the order of the submission's items.
    Submitted(Vec<RunId>),
    /// The same submission had been accepted before: this run of its first item exists.
    SubmittedBefore(RunId),
    /// The run waits in line once more.
    Retried(RunId),
    /// These runs wait once more.
    RetriedGraph(Vec<RunId>),
    /// Nothing that hangs together with the run has failed, so there is nothing to try once more.
    NothingFailed(RunId),
    /// The run has not ended, so there is nothing to try once more.
    NotEnded(RunId),
    /// The run has ended with what was brought.
    Completed(RunId),
    /// The run waits for nothing that somebody could bring: it is no `future`, or does not run.
    NotWaiting(RunId, StateKind),
    /// The task of the run takes nothing that is sent to it.
    TakesNothing(RunId),
    /// What is for the running attempt of a run may be handed to this one.
    Send(AttemptId),
    /// This backfill was accepted.
    Backfilling(BackfillId),
    /// No more slots of this backfill are run.
    BackfillCancelled(BackfillId),
    /// This backfill was over before.
    BackfillOver(BackfillId),
    /// There is no such backfill.
    UnknownBackfill(BackfillId),
    /// Nothing of this starts now; `false` if that was so before.
    Paused(CapacityName, bool),
    /// This starts again; `false` if it was not paused.
    Resumed(CapacityName, bool),
    /// There is nothing of this name to pause or to resume.
    UnknownCapacity(CapacityName),
    /// The run never started and never will.
    Cancelled(RunId),
    /// The run was asked to stop; its end follows.
    Stopping(RunId),
    /// The run was asked to stop long ago; nothing of it but its own code can end it.
    Unresponsive(RunId),
    /// The run had ended before.
    AlreadyEnded(RunId),
    /// There is no such run.
    UnknownRun(RunId),
    /// Nothing of the submission was accepted.
    Refused(Refusal),
}

/// Why a submission was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A submission needs at least one item.
    #[error("the submission names no job")]
    Empty,
    /// No job has this name.
    #[error("there is no job `{0}`")]
    UnknownJob(Name),
    /// The job comes after another one that is not part of the submission.
    #[error("job `{job}` comes after `{needs}`, which is not in the same submission")]
    MissingDependency {
        /// The job.
        job: Name,
        /// What it comes after.
        needs: Name,
    },
    /// A job that others come after stands in the submission more than once.
    #[error("job `{0}` is in the submission twice, and others in it come after it")]
    AmbiguousDependency(Name),
    /// Jobs of the submission come after each other in a circle, this one among them.
    #[error("job `{0}` comes after itself, by way of other jobs of the submission")]
    Circle(Name),
    /// The bound on unfinished runs is reached.
    #[error("the bound of {bound} unfinished runs (`queue.max_runs`) is reached")]
    Full {
        /// The bound.
        bound: u64,
    },
    /// The daemon is shutting down.
    #[error("the daemon is shutting down")]
    Draining,
    /// Arguments are a JSON object.
    #[error("the arguments of job `{0}` are not an object")]
    ArgumentsNoObject(Name),
    /// Arguments are nested deeper than can be kept ([`LEVELS_BOUND`]).
    #[error("the arguments of job `{0}` are nested deeper than {LEVELS_BOUND} levels")]
    ArgumentsTooDeep(Name),
    /// The result that a run is given is nested deeper than can be kept ([`LEVELS_BOUND`]).
    #[error("the result of run {0} is nested deeper than {LEVELS_BOUND} levels")]
    ResultTooDeep(RunId),
    /// The job has no parameter of this name.
    #[error("job `{job}` has no parameter `{name}`; it has {known}")]
    UnknownArgument {
        /// The job.
        job: Name,
        /// The argument.
        name: Name,
        /// The names there are.
        known: String,
    },
    /// A parameter without a default was not given.
    #[error("job `{job}` needs the argument `{name}` ({kind})")]
    MissingArgument {
        /// The job.
        job: Name,
        /// The parameter.
        name: Name,
        /// What it has to be.
        kind: &'static str,
    },
    /// An argument is not what its parameter has to be.
    #[error("the argument `{name}` of job `{job}` has to be {kind}")]
    WrongArgument {
        /// The job.
        job: Name,
        /// The argument.
        name: Name,
        /// What it has to be.
        kind: &'static str,
    },
    /// An argument comes from the result of another run, which is not there.
    #[error(
        "the argument `{name}` of job `{job}` comes from the result of `{from}`, which there is none of; \
         try that once more together with it (`--graph`), or submit both anew where it is gone"
    )]
    NoResult {
        /// The job.
        job: Name,
        /// The parameter.
        name: Name,
        /// The job whose result it is.
        from: Name,
    },
    /// There is a run of this job already, and may be only one at a time.
    #[error("run {run} of job `{job}` is not over, and there may be only one at a time (`unique`)")]
    Duplicate {
        /// The job.
        job: Name,
        /// The run that there is.
        run: RunId,
    },
    /// The submission has the same run twice, and there may be only one at a time.
    #[error(
        "job `{0}` is in the submission twice, and there may be only one run of it at a time (`unique`)"
    )]
    Twice(Name),
    /// More parts than a run may be spread into.
    #[error("a run of job `{job}` would be spread into {count} runs; it may be {bound}")]
    TooMany {
        /// The job.
        job: Name,
        /// How many it would be.
        count: usize,
        /// The bound.
        bound: usize,
    },
    /// The job has no schedule that is told by this.
    #[error("job `{job}` has no schedule {schedule}; it may have been changed meanwhile")]
    UnknownSchedule {
        /// The job.
        job: Name,
        /// The schedule.
        schedule: Arc<str>,
    },
    /// The schedule of this job has yet to decide on slots that a backfill asks for.
    #[error("the schedule of job `{0}` has yet to decide on some of these slots: ask again")]
    Undecided(Name),
    /// This backfill has slots of the same schedule in the same time.
    #[error(
        "backfill {0} has slots of the same schedule in this time: wait until it is over, or cancel it"
    )]
    Backfilling(BackfillId),
    /// So many backfills go on.
    #[error("{bound} backfills go on, which is the bound: wait for one, or cancel one")]
    TooManyBackfills {
        /// The bound.
        bound: usize,
    },
    /// The same key came with another content.
    #[error("the key `{0}` was used for another submission")]
    KeyReused(Arc<str>),
}
