//! What a job is, once its text has been read and found valid: plain values that the configuration
//! makes, the engine decides on and the lanes carry out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::amounts::{Amounts, Rate};
use super::command::{CommandSpec, GRACE, Invocation, KILL_TIME, Stdin, Step};
use super::files::FileTask;
use super::flow::{FanOut, Origin, Unique, When};
use super::http::HttpSpec;
use super::retry::RetrySpec;
use super::schedule::ScheduleSpec;

/// A name of a job, pool, limit or handler.
pub type Name = Arc<str>;

/// Where attempts execute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// For work that waits: a tokio runtime, thousands at once.
    Io,
    /// For work that computes: a rayon pool, as many at once as there are cores.
    Cpu,
}

impl Lane {
    /// Both lanes, in the order in which they are listed for people.
    pub const ALL: [Self; 2] = [Self::Io, Self::Cpu];

    /// The word for it in configuration, logs and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Io => "io",
            Self::Cpu => "cpu",
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How urgent a run is: from -10 (last) to 10 (first), 0 unless said otherwise. A waiting run gains
/// one level for each `aging` period (see [`Definitions::aging`]), so that none starves.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Priority(i8);

impl Priority {
    /// The least urgent.
    pub const MIN: Self = Self(-10);
    /// The most urgent.
    pub const MAX: Self = Self(10);

    /// `level` as a priority, or `None` where it is out of range.
    #[must_use]
    pub fn new(level: i64) -> Option<Self> {
        let level = i8::try_from(level).ok()?;
        (Self::MIN.0..=Self::MAX.0)
            .contains(&level)
            .then_some(Self(level))
    }

    /// The level as a number, -10 to 10.
    #[must_use]
    pub const fn level(self) -> i8 {
        self.0
    }
}

/// A job: what to run, where, when, and with which limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobSpec {
    /// The NAME of `[jobs.NAME]`.
    pub name: Name,
    /// What it executes.
    pub task: TaskSpec,
    /// Where; of a job that finds its lane by itself, where it begins or has been found to belong.
    pub lane: Lane,
    /// Whether it goes to the other lane when what is measured of its attempts says that it belongs there.
    #[serde(default, skip_serializing_if = "is_false")]
    pub auto: bool,
    /// The named capacity inside the lane that each run takes one of, beside the lane's own.
    #[serde(default)]
    pub pool: Option<Name>,
    /// How many of the cpu lane's threads each run takes up, as far as there are so many; `None`: one, and
    /// what the task can spread over others goes to those that are free. Of the io lane always one place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<u32>,
    /// Named semaphores that each run holds while it executes, and how many places of each.
    #[serde(default)]
    pub limits: Amounts,
    /// What each run takes of resources while it executes.
    #[serde(default, skip_serializing_if = "Amounts::is_empty")]
    pub resources: Amounts,
    /// Unless a submission says otherwise.
    pub priority: Priority,
    /// How long a run stays `scheduled` after it was accepted; zero for not at all.
    #[serde(default)]
    pub delay: Duration,
    /// The longest that one attempt may take.
    #[serde(default)]
    pub timeout: Option<Duration>,
    /// The longest that a run may take from the start of its first attempt on, pauses and all.
    #[serde(default)]
    pub run_timeout: Option<Duration>,
    /// The longest that a run may wait in line for its first attempt; later it is skipped.
    #[serde(default)]
    pub start_within: Option<Duration>,
    /// Whether and when a run is tried again after an attempt that has failed.
    #[serde(default)]
    pub retry: Option<Box<RetrySpec>>,
    /// How long an attempt has to end after it was asked to.
    #[serde(default = "grace")]
    pub grace: Duration,
    /// Whether the task runs in a process of its own.
    #[serde(default)]
    pub isolate: bool,
    /// A command that is run before the task; where it fails, the task is not begun.
    #[serde(default)]
    pub setup: Option<Box<Step>>,
    /// A command that is run after the task, however that went.
    #[serde(default)]
    pub teardown: Option<Box<Step>>,
    /// The longest that the command after the task may take: nothing else stops it.
    #[serde(default = "teardown_timeout")]
    pub teardown_timeout: Duration,
    /// Jobs whose runs of the same submission go first; sorted, without doubles.
    #[serde(default)]
    pub after: Vec<Name>,
    /// What has to have become of those.
    #[serde(default)]
    pub when: When,
    /// What a run is spread into, a run for each.
    #[serde(default)]
    pub fan_out: Option<FanOut>,
    /// Of which of its runs there is only one at a time.
    #[serde(default)]
    pub unique: Option<Unique>,
    /// The job that is run after a run of this one has failed.
    #[serde(default)]
    pub on_failure: Option<Name>,
    /// The job that is run after a run of this one has succeeded.
    #[serde(default)]
    pub on_success: Option<Name>,
    /// In what time one of its runs has to succeed, counted from the last one that did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect_within: Option<Duration>,
    /// The job that is run when none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_absent: Option<Name>,
    /// What makes it run without being asked for.
    #[serde(default)]
    pub start: Start,
    /// When it runs by the calendar. No two of them have the same slots.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schedules: Vec<Arc<ScheduleSpec>>,
    /// What becomes of a run when the daemon or the machine goes down under its attempt.
    #[serde(default)]
    pub on_crash: OnCrash,
    /// The arguments that a run may be given, by name.
    #[serde(default)]
    pub params: BTreeMap<Name, ParamSpec>,
    /// Texts of its own for the log.
    #[serde(default)]
    pub messages: Messages,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the form that serde calls it by"
)]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// How long a teardown may take, unless its job says otherwise.
pub const TEARDOWN: Duration = Duration::from_secs(60);

fn teardown_timeout() -> Duration {
    TEARDOWN
}

/// What jobs had before they could say it.
const fn grace() -> Duration {
    GRACE
}

/// What becomes of a run when the daemon or the machine goes down under its attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnCrash {
    /// It waits in line again, up to [`CRASHES_BOUND`] times: for work that may be done twice.
    #[default]
    Retry,
    /// It has failed: for work that must not be done twice.
    Fail,
}

/// How often a run may go down with the daemon before it counts as the cause.
pub const CRASHES_BOUND: u32 = 3;

/// An argument that a run may be given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParamSpec {
    /// What it has to be.
    #[serde(rename = "type")]
    pub kind: ParamKind,
    /// What it is where it is not given; `None`: it has to be given.
    pub default: Option<Value>,
    /// Where it comes from when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Origin>,
}

/// What an argument has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParamKind {
    /// A text.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// Any JSON value.
    Any,
}

impl ParamKind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Text,
        Self::Integer,
        Self::Number,
        Self::Boolean,
        Self::Any,
    ];

    /// The word for it in configuration and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Any => "any",
        }
    }

    /// Whether whatever is `other` is also this.
    #[must_use]
    pub fn takes(self, other: Self) -> bool {
        self == Self::Any || self == other || (self == Self::Number && other == Self::Integer)
    }

    /// Whether `value` is one.
    #[must_use]
    pub fn fits(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::Any => true,
        }
    }
}

impl JobSpec {
    /// A job with everything that can be left out left out.
    #[must_use]
    pub fn new(name: Name, lane: Lane, task: TaskSpec) -> Self {
        Self {
            name,
            task,
            lane,
            auto: false,
            pool: None,
            cpus: None,
            limits: Amounts::default(),
            resources: Amounts::default(),
            priority: Priority::default(),
            delay: Duration::ZERO,
            timeout: None,
            run_timeout: None,
            start_within: None,
            retry: None,
            grace: GRACE,
            isolate: false,
            setup: None,
            teardown: None,
            teardown_timeout: TEARDOWN,
            after: Vec::new(),
            when: When::default(),
            fan_out: None,
            unique: None,
            on_failure: None,
            on_success: None,
            expect_within: None,
            on_absent: None,
            start: Start::default(),
            schedules: Vec::new(),
            on_crash: OnCrash::default(),
            params: BTreeMap::new(),
            messages: Messages::default(),
        }
    }

    /// The same in this lane.
    #[must_use]
    pub fn in_lane(&self, lane: Lane) -> Self {
        Self {
            lane,
            ..self.clone()
        }
    }

    /// How many places of its lane a run takes, as far as there are so many.
    #[must_use]
    pub fn weight(&self) -> u32 {
        match self.lane {
            Lane::Io => 1,
            Lane::Cpu => self.cpus.unwrap_or(1).max(1),
        }
    }

    /// How long an attempt has to leave its lane after it was asked to stop: its grace, and where there
    /// are processes the time in which these are ended by force.
    #[must_use]
    pub fn patience(&self) -> Duration {
        let is_process =
            self.isolate || matches!(self.task, TaskSpec::Command(_)) || self.setup.is_some();
        let kill = if is_process {
            KILL_TIME
        } else {
            Duration::ZERO
        };
        let teardown = if self.teardown.is_some() {
            self.teardown_timeout.saturating_add(KILL_TIME)
        } else {
            Duration::ZERO
        };
        self.grace.saturating_add(teardown.saturating_add(kill))
    }
}

impl JobSpec {
    /// Whether its attempts wait in their lane until a process can be made for them, and their time counts
    /// from then on.
    #[must_use]
    pub const fn begins_in_lane(&self) -> bool {
        self.isolate || self.setup.is_some() || matches!(self.task, TaskSpec::Command(_))
    }

    /// Whether a crash may leave open if an attempt of it had begun: it is another program that does the work,
    /// so it cannot be the cause of the crash; there is nothing to clean up after it; and it is made again.
    #[must_use]
    pub fn may_begin_unrecorded(&self) -> bool {
        matches!(&self.task, TaskSpec::Command(command) if command.from.is_empty())
            && !self.isolate
            && self.setup.is_none()
            && self.teardown.is_none()
            && self.start_within.is_none()
            && self.on_crash == OnCrash::Retry
    }
}

/// What makes a job run without being asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// Nothing: it runs when it is submitted.
    #[default]
    OnDemand,
    /// The start of the daemon.
    Boot,
}

/// What a job executes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskSpec {
    /// Wait for a time.
    Sleep {
        /// How long.
        duration: Duration,
    },
    /// Read a file; its result is the size, the number of lines, and the text's beginning.
    Read {
        /// Which file; relative to the directory of the job file, made absolute on reading that.
        path: PathBuf,
    },
    /// Two nested loops with `sum += i + j - 2 * j`, every step really computed.
    Compute {
        /// Rounds of the outer loop.
        outer: u64,
        /// Rounds of the inner loop in each of the outer one.
        inner: u64,
        /// Report progress each time this many outer rounds are done; `None`: never.
        report_every: Option<u64>,
    },
    /// A Rust function that was registered under a name through the library.
    Call {
        /// The name it was registered under.
        handler: Name,
        /// What it is given; a run's own arguments take precedence, key by key.
        args: Value,
    },
    /// A program, or a text for a shell. (Boxed, because it is large beside the others.)
    Command(Box<CommandSpec>),
    /// Nothing but to wait until somebody completes the run. It counts as carried by the io lane.
    Future {
        /// What is waited for, in words for people.
        what: Arc<str>,
    },
    /// An HTTP request. (Boxed, because it is large beside the others.)
    Http(Box<HttpSpec>),
    /// Work on files.
    File(FileTask),
}

impl TaskSpec {
    /// The key that names this task in a job file.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Command(command) => match command.step.run {
                Invocation::Exec(_) => "exec",
                Invocation::Shell(_) => "shell",
            },
            Self::Sleep { .. } => "sleep",
            Self::Read { .. } => "read",
            Self::Compute { .. } => "compute",
            Self::Call { .. } => "call",
            Self::Future { .. } => "future",
            Self::Http(_) => "http",
            Self::File(task) => task.work.kind(),
        }
    }

    /// Whether nothing of it executes: it waits to be completed.
    #[must_use]
    pub const fn is_future(&self) -> bool {
        matches!(self, Self::Future { .. })
    }

    /// Whether it may take what is sent to a run of it: a command that was told so, and a function that receives,
    /// which only its lane knows.
    #[must_use]
    pub fn takes_input(&self) -> bool {
        let is_open = |command: &CommandSpec| command.stdin == Stdin::Open;
        matches!(self, Self::Command(command) if is_open(command))
            || matches!(self, Self::Call { .. })
    }

    /// Whether it may execute in either lane.
    #[must_use]
    pub const fn fits_either_lane(&self) -> bool {
        match self {
            Self::Sleep { .. } | Self::Read { .. } | Self::Command(_) => true,
            Self::Compute { .. } | Self::Call { .. } | Self::Future { .. } | Self::Http(_) => false,
            Self::File(task) => task.work.fits_either_lane(),
        }
    }
}

/// The texts that a job names for its own log lines. Where there is none, the log uses words of its
/// own. A text may hold placeholders: `{job}`, `{run}`, `{attempt}`, `{lane}`, `{percent}`,
/// `{message}`, `{result}`, `{error}`, `{duration}`; `{{` and `}}` stand for the braces themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Messages {
    /// An attempt started.
    pub started: Option<Arc<str>>,
    /// A running attempt reported progress.
    pub progress: Option<Arc<str>>,
    /// A run succeeded.
    pub finished: Option<Arc<str>>,
    /// A run failed.
    pub failed: Option<Arc<str>>,
    /// A run was cancelled.
    pub cancelled: Option<Arc<str>>,
}

/// A named capacity inside a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolSpec {
    /// The lane whose capacity it is a part of.
    pub lane: Lane,
    /// How many runs at once; 1 or more.
    pub size: u32,
}

/// A named semaphore across jobs and lanes; a mutex when its size is 1. At least one of these is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitSpec {
    /// How many places it has, 1 or more; `None`: without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u32>,
    /// How often it may be taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
}

impl LimitSpec {
    /// A limit with so many places, 1 or more.
    #[must_use]
    pub const fn of(size: u32) -> Self {
        Self {
            size: Some(size),
            rate: None,
        }
    }
}

/// How many ended runs are remembered unless a program says otherwise.
pub const ENDED_KEPT: usize = 1_000;

/// Everything that the engine knows by name at one time. A reload replaces it as a whole; runs keep
/// the job they were accepted with.
#[derive(Clone, Debug, PartialEq)]
pub struct Definitions {
    /// Jobs by name.
    pub jobs: BTreeMap<Name, Arc<JobSpec>>,
    /// Pools by name.
    pub pools: BTreeMap<Name, PoolSpec>,
    /// Limits by name.
    pub limits: BTreeMap<Name, LimitSpec>,
    /// How much there is of each resource, by name; 1 or more.
    pub resources: BTreeMap<Name, u32>,
    /// How many attempts the io lane carries at once.
    pub io_concurrency: u32,
    /// How many attempts the cpu lane carries at once: its number of threads.
    pub cpu_workers: u32,
    /// A waiting run gains one level of priority each time this long has passed; never zero.
    pub aging: Duration,
    /// The most runs that may be unfinished at a time; submissions beyond it are refused.
    pub max_runs: u64,
    /// How many ended runs are remembered, so that a question shortly after the end finds its answer.
    pub ended_kept: usize,
}

impl Definitions {
    /// Definitions without any job, with the built-in settings and this many cpu workers.
    #[must_use]
    pub fn empty(cpu_workers: u32) -> Self {
        Self {
            jobs: BTreeMap::new(),
            pools: BTreeMap::new(),
            limits: BTreeMap::new(),
            resources: BTreeMap::new(),
            io_concurrency: 10_000,
            cpu_workers,
            aging: Duration::from_secs(60),
            max_runs: 1_000_000,
            ended_kept: ENDED_KEPT,
        }
    }

    /// The job of this name with all that it comes after, directly or by way of others.
    #[must_use]
    pub fn with_all_before<'a>(&'a self, name: &'a Name) -> BTreeSet<&'a Name> {
        let mut all = BTreeSet::new();
        let mut open = vec![name];
        while let Some(name) = open.pop() {
            if all.insert(name) {
                open.extend(self.jobs.get(name).into_iter().flat_map(|job| &job.after));
            }
        }
        all
    }

    /// How many attempts `lane` carries at once.
    #[must_use]
    pub const fn lane_size(&self, lane: Lane) -> u32 {
        match lane {
            Lane::Io => self.io_concurrency,
            Lane::Cpu => self.cpu_workers,
        }
    }
}
