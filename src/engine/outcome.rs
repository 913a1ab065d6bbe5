//! How an attempt ended, as its lane reports it, and why a run failed, was cancelled or skipped.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use signal_hook::consts::{SIGXCPU, SIGXFSZ};
use signal_hook::low_level::signal_name;

use super::flow::When;
use super::id::RunId;
use super::schedule::Passed;
use super::schedule::spec::Moment;
use super::spec::{CRASHES_BOUND, Name};
use super::time::Now;

/// What a lane says of an attempt that has left it for good: nothing of it runs any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// What came of it.
    pub outcome: Outcome,
    /// Why what is run after the task failed; of a job with a teardown only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teardown: Option<Failure>,
    /// The last line that its command wrote to its errors, or its beginning; where that is why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<Arc<str>>,
    /// What was measured on the way.
    pub measures: Measures,
}

impl End {
    /// How long its own code ran. Of what failed by going down with its daemon nobody knows: its end was found out
    /// later. (What was being stopped then counts until that.)
    #[must_use]
    pub fn ran(&self) -> Option<Duration> {
        let is_unseen = matches!(
            self.outcome,
            Outcome::Failed(Failure::Crash | Failure::Crashes(_))
        );
        (!is_unseen).then(|| self.measures.took())
    }

    /// Why it failed, with the last words of its command, if it had any.
    #[must_use]
    pub fn reason(&self, failure: &Failure) -> String {
        let is_commands = matches!(
            failure,
            Failure::Exit(_) | Failure::Signal(_) | Failure::OutOfMemory { .. }
        );
        match self.words.as_ref().filter(|_| is_commands) {
            Some(words) => format!("{failure}: {words}"),
            None => failure.to_string(),
        }
    }
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It did its work, with this result (`null` where it has none).
    Succeeded(Arc<Value>),
    /// It did not.
    Failed(Failure),
    /// It stopped early because it was asked to.
    Stopped,
    /// It has not begun: the machine had no room for it, for this reason.
    NoRoom(Arc<str>),
}

/// Why an attempt, and with it its run, failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The command exited with a code that does not count as success.
    Exit(i32),
    /// The command was ended by this signal.
    Signal(i32),
    /// The kernel ended processes of the command for want of memory. Known where it has a control group.
    OutOfMemory {
        /// It had all that its `memory_max` lets it have; else the machine, or a group above, had no more.
        own: bool,
    },
    /// It took longer than its `timeout`, which is given here.
    Timeout(Duration),
    /// Its run took longer than its `run_timeout`, which is given here.
    RunTimeout(Duration),
    /// The code panicked with this message.
    Panic(Arc<str>),
    /// The task gave up with this message.
    Error(Arc<str>),
    /// The daemon or the machine went down under it, after which it is not tried again.
    Crash,
    /// The daemon or the machine went down under it so many times, which is once more than it is tried again.
    Crashes(u32),
}

impl Failure {
    /// One word for it, as logs and answers have it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Exit(_) => "exit",
            Self::Signal(_) => "signal",
            Self::OutOfMemory { .. } => "out_of_memory",
            Self::Timeout(_) | Self::RunTimeout(_) => "timeout",
            Self::Panic(_) => "panic",
            Self::Error(_) => "error",
            Self::Crash | Self::Crashes(_) => "crash",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(code) => write!(f, "exited with code {code}"),
            Self::Signal(signal) => {
                write!(f, "ended by signal {signal}")?;
                if let Some(name) = signal_name(*signal) {
                    write!(f, " ({name})")?;
                }
                f.write_str(match *signal {
                    SIGXCPU => ", as when its CPU time is used up (see `rlimits.cpu`)",
                    SIGXFSZ => ", as when a file is as large as may be (see `rlimits.file_size`)",
                    _ => "",
                })
            }
            Self::OutOfMemory { own: true } => {
                f.write_str("needed more memory than its `memory_max`, so the kernel killed it")
            }
            Self::OutOfMemory { own: false } => f.write_str(
                "the machine or the daemon's group had no more memory, so the kernel killed processes of it",
            ),
            Self::Timeout(after) => write!(f, "not done within its timeout of {after:?}"),
            Self::RunTimeout(after) => write!(f, "not done within its `run_timeout` of {after:?}"),
            Self::Panic(message) => write!(f, "panicked: {message}"),
            Self::Error(message) => f.write_str(message),
            Self::Crash => f.write_str("the daemon or the machine went down under it"),
            Self::Crashes(times) => write!(
                f,
                "the daemon or the machine went down under it {times} times, and after a crash a run is \
                 tried again at most {CRASHES_BOUND} times"
            ),
        }
    }
}

/// Why a running attempt was asked to stop, or a waiting run taken out of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// Somebody asked for it.
    Request,
    /// The attempt took longer than its timeout.
    Timeout,
    /// The run took longer than its `run_timeout`, so no other attempt follows.
    RunTimeout,
    /// This run took its place, or another one whose number was not known yet: there may be only one at a
    /// time.
    Replaced(Option<RunId>),
    /// The daemon shuts down, and nobody will be there to go on with it.
    Shutdown,
    /// The daemon shuts down, and the run starts anew with it.
    Interrupt,
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request => "on request",
            Self::Timeout => "because its timeout passed",
            Self::RunTimeout => "because its `run_timeout` passed",
            Self::Replaced(Some(run)) => return write!(f, "to make room for run {run}"),
            Self::Replaced(None) => "to make room for another run",
            Self::Shutdown | Self::Interrupt => "because the daemon shuts down",
        })
    }
}

/// Why an attempt was cut short through no fault of its own, so that its run waits in line again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "snake_case",
    from = "WrittenInterruption",
    into = "WrittenInterruption"
)]
pub enum Interruption {
    /// The daemon or the machine went down under it. Such attempts are counted, see
    /// [`CRASHES_BOUND`].
    Crash,
    /// The daemon or the machine went down when it may just have begun: it was announced, and nothing says
    /// that it started. Such attempts are not counted.
    Unsure,
    /// The daemon went down while it waited in its lane: nothing of it had begun. Such attempts are not counted.
    Unbegun,
    /// The daemon was shut down in good order.
    Shutdown,
    /// The machine had no room for its process, for this reason. It is tried again after [`NO_ROOM_PAUSE`],
    /// or later where there are many (see [`NO_ROOM_GAP`]).
    NoRoom(Arc<str>),
}

/// An interruption as it is, or was, written: without the reason for which there was no room.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum WrittenInterruption {
    Word(InterruptionWord),
    NoRoom { no_room: Arc<str> },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum InterruptionWord {
    Crash,
    Unsure,
    Unbegun,
    Shutdown,
    NoRoom,
}

impl From<Interruption> for WrittenInterruption {
    fn from(interruption: Interruption) -> Self {
        match interruption {
            Interruption::Crash => Self::Word(InterruptionWord::Crash),
            Interruption::Unsure => Self::Word(InterruptionWord::Unsure),
            Interruption::Unbegun => Self::Word(InterruptionWord::Unbegun),
            Interruption::Shutdown => Self::Word(InterruptionWord::Shutdown),
            Interruption::NoRoom(why) if why.is_empty() => Self::Word(InterruptionWord::NoRoom),
            Interruption::NoRoom(no_room) => Self::NoRoom { no_room },
        }
    }
}

impl From<WrittenInterruption> for Interruption {
    fn from(written: WrittenInterruption) -> Self {
        match written {
            WrittenInterruption::Word(InterruptionWord::Crash) => Self::Crash,
            WrittenInterruption::Word(InterruptionWord::Unsure) => Self::Unsure,
            WrittenInterruption::Word(InterruptionWord::Unbegun) => Self::Unbegun,
            WrittenInterruption::Word(InterruptionWord::Shutdown) => Self::Shutdown,
            WrittenInterruption::Word(InterruptionWord::NoRoom) => Self::NoRoom("".into()),
            WrittenInterruption::NoRoom { no_room } => Self::NoRoom(no_room),
        }
    }
}

/// How long a run waits at least for which the machine had no room: what was short may be there again by then,
/// and a machine that is short of something is not asked in vain ten times a second.
pub const NO_ROOM_PAUSE: Duration = Duration::from_secs(1);

/// How long after one such run the next one is tried: however many there are, no more than 200 tries a second
/// come of them, each of which is on record.
pub const NO_ROOM_GAP: Duration = Duration::from_millis(5);

impl fmt::Display for Interruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crash => f.write_str("the daemon or the machine went down under it"),
            Self::Unsure => {
                f.write_str("the daemon or the machine went down when it may just have begun")
            }
            Self::Unbegun => f.write_str("the daemon went down before it had begun"),
            Self::Shutdown => f.write_str("the daemon was shut down"),
            Self::NoRoom(why) if why.is_empty() => {
                f.write_str("the machine had no room for another process")
            }
            Self::NoRoom(why) => f.write_str(why),
        }
    }
}

/// Why a run never started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// The run that it comes after did not succeed.
    Dependency {
        /// That run.
        run: RunId,
        /// Its job.
        job: Name,
    },
    /// None of the runs that it comes after has become what it waits for.
    Unmet(When),
    /// An argument that was to come from the result of another run is not there, or is not what it has to be.
    Argument {
        /// Its name.
        name: Name,
        /// What is wrong with it.
        why: Arc<str>,
    },
    /// It stands for slots of a schedule that do not run.
    Slots(Box<Unrun>),
    /// It waited in line for longer than its `start_within`, which is given here.
    Late(Duration),
    /// It was to be run after another one, and there is this unfinished run of its job, which may have only
    /// one at a time.
    Duplicate(RunId),
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dependency { run, job } => {
                write!(
                    f,
                    "run {run} of `{job}`, which it comes after, did not succeed"
                )
            }
            Self::Unmet(When::Failure) => {
                f.write_str("all runs that it comes after have succeeded")
            }
            Self::Unmet(_) => f.write_str("none of the runs that it comes after has succeeded"),
            Self::Argument { name, why } => write!(f, "its argument `{name}` {why}"),
            Self::Slots(unrun) => unrun.fmt(f),
            Self::Late(within) => write!(f, "it could not start within {within:?}"),
            Self::Duplicate(run) => write!(
                f,
                "run {run} of this job was not over, and there may be only one at a time (`unique`)"
            ),
        }
    }
}

/// Slots of a schedule that do not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unrun {
    /// Why.
    pub why: Why,
    /// Which.
    pub slots: Passed,
}

/// Why a slot does not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Nobody was there for it.
    Missed,
    /// The schedule was paused.
    Paused,
    /// It is within this blackout.
    Blackout(Arc<str>),
    /// This run of an earlier slot was not over.
    Overlap(RunId),
    /// It waited for a run to be over, and a later slot took its place.
    Superseded,
    /// So many slots of the schedule wait, which is the bound.
    Full(usize),
    /// The run was not accepted, for this reason.
    Refused(Arc<str>),
    /// Its schedule is no more: it waited for a run to be over, or was not decided on yet.
    Removed,
}

impl fmt::Display for Unrun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Passed {
            first,
            last,
            count,
            more,
        } = self.slots;
        match count {
            1 => write!(f, "slot {}: ", Moment(first))?,
            _ => {
                let at_least = if more { "more than " } else { "" };
                let (first, last) = (Moment(first), Moment(last));
                write!(f, "{at_least}{count} slots from {first} to {last}: ")?;
            }
        }
        match &self.why {
            Why::Missed => f.write_str("missed, for the daemon was down or the clock was set"),
            Why::Paused => f.write_str("the schedule was paused"),
            Why::Blackout(text) => write!(f, "within the blackout `{text}`"),
            Why::Overlap(run) => write!(f, "run {run} of an earlier slot was not over"),
            Why::Superseded => f.write_str("a later slot took its place"),
            Why::Full(bound) => write!(f, "{bound} slots wait already, which is the bound"),
            Why::Refused(why) => write!(f, "not accepted: {why}"),
            Why::Removed => f.write_str("its schedule was taken away or changed"),
        }
    }
}

/// What a lane measured of one attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measures {
    /// When its own code began.
    pub began: Now,
    /// When its own code had ended.
    pub ended: Now,
    /// CPU time of its processes and of the threads that carried it.
    pub cpu: Option<Duration>,
    /// For how long it kept a thread from all others that wait side by side with it: in all, of stretches
    /// that were too long. Of what waits only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Duration>,
    /// For how long it could have computed and others did, as far as that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delayed: Option<Duration>,
    /// The most memory that one of its processes had at a time, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// How much later than asked for a wait ended; of the tasks that wait for a time only.
    pub late: Option<Duration>,
    /// Notes that were folded into later ones because they came faster than they were taken.
    pub coalesced: u64,
}

impl Measures {
    /// From the first of its own code to the last.
    #[must_use]
    pub fn took(&self) -> Duration {
        self.ended.mono.since(self.began.mono)
    }
}
