//! What reaches the daemon's loop over crossbeam channels, each of them bounded: from the lanes ends and
//! notes of running attempts, from outside requests.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use serde_json::Value;

use crate::engine::action::Answer;
use crate::engine::id::{AttemptId, BackfillId, RunId};
use crate::engine::input::{BackfillOrder, Forgotten, Submission};
use crate::engine::outcome::End;
use crate::engine::spec::JobSpec;
use crate::engine::time::Now;
use crate::engine::{BackfillView, By, CapacityName, Explanation, Ground, JobView, Status};

/// An attempt has left its lane for good.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// Which attempt.
    pub attempt: AttemptId,
    /// How.
    pub end: End,
    /// What it had said that was not taken yet, oldest first.
    pub notes: Vec<Note>,
}

/// What a running attempt says on its way. Notes are shown and logged, and no part of the state.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// Who says it.
    pub attempt: AttemptId,
    /// Its job.
    pub job: Arc<JobSpec>,
    /// When it was said.
    pub at: Now,
    /// What.
    pub progress: Progress,
}

/// How far an attempt has come.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// The part of the work that is done, 0 to 1, where the task can tell.
    pub fraction: Option<f64>,
    /// Words of the task's own.
    pub message: Option<Arc<str>>,
}

/// Which way a command says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OutStream {
    /// Standard output; of a command with a terminal everything.
    Out,
    /// Standard error.
    Err,
}

/// What was not kept of a command's output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// Whole lines.
    pub lines: u64,
    /// Bytes, with those of the lines.
    pub bytes: u64,
}

impl Missing {
    /// Whether anything is missing.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.bytes == 0
    }

    /// Both together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self {
            lines: self.lines + other.lines,
            bytes: self.bytes + other.bytes,
        }
    }
}

/// Lines that a running command has written.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Who wrote them.
    pub attempt: AttemptId,
    /// Its job.
    pub job: Arc<JobSpec>,
    /// When they were read.
    pub at: Now,
    /// Which way.
    pub stream: OutStream,
    /// What is missing before them.
    pub missing: Missing,
    /// Whole lines, each with its end; any bytes. May be empty where only the gap is to be told.
    pub text: Vec<u8>,
}

/// Takes what commands write. Called on threads of the lanes, so it must not wait for anything.
pub trait Outlet: Send + Sync {
    /// Takes it, or gives it back where there is no room: then it counts as missing.
    ///
    /// # Errors
    /// What was offered.
    fn offer(&self, output: Output) -> Result<(), Box<Output>>;
}

/// An outlet for those whom nobody hears.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nowhere;

impl Outlet for Nowhere {
    fn offer(&self, _: Output) -> Result<(), Box<Output>> {
        Ok(())
    }
}

/// Notes that may wait for the loop; further ones are folded into the attempt's own last one.
pub const NOTES_BOUND: usize = 1024;

/// The lanes' side. `Note`s wait at their attempt (see `lanes::context`): what is sent here is only
/// a token that some wait there, so a full channel loses none.
#[derive(Clone, Debug)]
pub struct LanePort<N> {
    /// Ends. No more of them wait than the lanes carry attempts, and a lane never waits here.
    pub ends: Sender<Box<Ended>>,
    /// Attempts that begin, of those that tell it: each does so once.
    pub begun: Sender<AttemptId>,
    /// Sources that have notes waiting.
    pub notes: Sender<N>,
}

/// The loop's side.
#[derive(Clone, Debug)]
pub struct LaneMail<N> {
    /// Ends.
    pub ends: Receiver<Box<Ended>>,
    /// Attempts that begin.
    pub begun: Receiver<AttemptId>,
    /// Sources that have notes waiting.
    pub notes: Receiver<N>,
}

/// Both sides.
#[must_use]
pub fn lane_channel<N>() -> (LanePort<N>, LaneMail<N>) {
    // An attempt begins once and ends once, and the lanes take no further one while as many as they carry
    // run or have an end waiting here: that is the bound of both, and they take memory for what waits only.
    let (ends, ends_out) = unbounded();
    let (begun, begun_out) = unbounded();
    let (notes, notes_out) = bounded(NOTES_BOUND);
    (
        LanePort { ends, begun, notes },
        LaneMail {
            ends: ends_out,
            begun: begun_out,
            notes: notes_out,
        },
    )
}

/// What somebody outside asks the daemon for, and where the answer goes.
pub struct Request {
    /// What is asked for.
    pub ask: Ask,
    /// Who asks; `None` where it is only a question.
    pub by: Option<By>,
    /// Takes the answer to whoever waits for it. Called once, on the loop's own thread or one of the
    /// lanes', so it must not wait for anything; and only when what the answer rests on is committed.
    pub reply: Reply,
}

/// Takes an answer to whoever waits for it.
pub type Reply = Box<dyn FnOnce(Told) + Send>;

/// What can be asked for.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Runs; each submission has an answer of its own. The callers inside are not looked at.
    Submit(Vec<Submission>),
    /// That a run is cancelled; where the flag says so, with all that hang together with it.
    Cancel(RunId, bool),
    /// That a run which is over is tried once more; with what is on record of it.
    Retry(RunId, Box<Forgotten>),
    /// That those of these runs, which hang together, are tried once more that did not succeed.
    RetryGraph(Vec<(RunId, Forgotten)>),
    /// That a `future` ends, with this result or for this reason.
    Complete(RunId, Result<Arc<Value>, Arc<str>>),
    /// What a backfill of this job stands on.
    Ground(String),
    /// That slots of the past are run. The caller inside is not looked at.
    Backfill(Box<BackfillOrder>),
    /// That no more slots of a backfill are run.
    CancelBackfill(BackfillId),
    /// The backfills that are remembered.
    Backfills,
    /// That nothing starts that needs this.
    Pause(CapacityName),
    /// That what needs this starts again.
    Resume(CapacityName),
    /// That something is sent to a running attempt; with `None`, that nothing more comes.
    Send(RunId, Option<Value>),
    /// Why a run stands where it stands.
    Explain(RunId),
    /// The whole, in numbers.
    Status,
    /// The jobs that are defined.
    Jobs,
    /// That the configuration is read again. Answered when it has been, whatever came of it.
    Reload,
    /// What a reload would change, without one.
    Preview,
    /// That nothing starts any more and the daemon leaves when nothing runs, however long that takes.
    Drain,
    /// That the daemon leaves as on SIGTERM.
    Stop,
}

/// What may wait in one inbox.
pub const INBOX_BOUND: usize = 64;

/// Why something that was sent did not reach its attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no such run.
    #[error("there is no such run")]
    Unknown,
    /// No attempt of the run is in its lane.
    #[error("the run is {0}, and takes something only while it is running")]
    NotRunning(&'static str),
    /// No attempt of it is in its lane at this moment.
    #[error("the run is about to start, or has just ended: try again")]
    NotThere,
    /// It ended before it took this.
    #[error("the run ended before it took this")]
    Ended,
    /// Its task takes nothing.
    #[error(
        "the task takes no input: a command does with `stdin = {{ open = true }}`, and a handler that \
         receives"
    )]
    TakesNothing,
    /// It has closed its input, or was told that nothing more comes.
    #[error("the run reads no more")]
    ReadsNoMore,
    /// Too much waits already.
    #[error("{INBOX_BOUND} inputs wait for the run, which is the bound")]
    Full,
}

/// What somebody outside is told.
#[derive(Clone, Debug)]
pub enum Told {
    /// An answer for each submission, in order; for other requests just one.
    Answers(Vec<Answer>),
    /// Where a run stands; `None` if the engine does not know it (any more).
    Explained(Option<Explanation>),
    /// The whole, in numbers.
    Status(Box<DaemonStatus>),
    /// The jobs that are defined.
    Jobs(Vec<JobView>),
    /// What a backfill of a job stands on, and the time; `None` if there is no such job.
    Ground(Option<Ground>, Now),
    /// The backfills that are remembered.
    Backfills(Vec<BackfillView>),
    /// The configuration was read again: what has changed, a line each; or what is wrong with it.
    Reloaded(Result<Vec<String>, Vec<String>>),
    /// What was sent was delivered, or why not.
    Sent(Result<(), Refused>),
    /// It is done.
    Done,
    /// It cannot be done now, for this reason.
    Unable(Unable),
}

/// The whole, in numbers.
#[derive(Clone, Debug)]
pub struct DaemonStatus {
    /// What the engine says.
    pub engine: Status,
    /// When the daemon started.
    pub started: Now,
    /// Now.
    pub now: Now,
    /// Batches of records that are not committed yet.
    pub uncommitted: usize,
    /// The most of them that there may be.
    pub max_uncommitted: usize,
    /// What the store is in trouble with, if it is.
    pub trouble: Option<String>,
}

/// Why something cannot be done now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unable {
    /// Nothing can be written.
    #[error("the store's disk is full: nothing is accepted until there is room again")]
    StoreFull,
    /// Too much waits to be committed.
    #[error("{waiting} batches wait to be committed, which is the bound: try again soon")]
    Behind {
        /// How many.
        waiting: usize,
    },
    /// The daemon leaves.
    #[error("the daemon is leaving")]
    Leaving,
    /// It was started without a configuration that could be read again.
    #[error("this daemon has no configuration to read again")]
    NoReload,
}

/// Requests that may wait for the loop. Whoever finds no room is told to try again.
pub const REQUESTS_BOUND: usize = 1024;
