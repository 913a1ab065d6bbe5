//! What goes over the API, as JSON: the same types on the side that answers and on the side that asks.
//! Plain data; knows neither HTTP nor how anything is decided.

mod backfill;
mod past;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Number, Value};

pub use backfill::{Backfill, BackfillOrder, Backfilled, Backfills, Slot};
pub use past::{Bar, Found, FoundLine, History, JobHistory, Spread, Timeline};

/// The most runs that `GET /events?run=…` can be asked for: each is looked up by itself.
pub const EVENT_RUNS_BOUND: usize = 100;

/// A moment, in RFC 3339 with microseconds in UTC: `2026-11-21T09:12:00.123456Z`.
pub type Moment = String;

/// What a caller asks for with `POST /runs`: a run of a defined job, or of one that it brings along.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submit {
    /// The name of the job; with `task` the name that the run is shown under.
    pub job: String,
    /// Arguments, as the job declares them: an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Value>,
    /// How urgent, -10 to 10, instead of the job's own.
    #[serde(
        default,
        deserialize_with = "whole",
        skip_serializing_if = "Option::is_none"
    )]
    pub priority: Option<i64>,
    /// When it may start at the earliest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Moment>,
    /// A key that makes sending it again harmless; the header `Idempotency-Key` says the same for a
    /// single one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// A job of its own: what would stand in `[jobs.NAME]` of a job file, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Value>,
}

/// A whole number as JSON has it: `3.0` is one.
fn whole<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    let Some(number) = Option::<Number>::deserialize(from)? else {
        return Ok(None);
    };
    // A float says nothing of the type that it is written without: `{:.0}` of a whole one is its digits.
    let digits = |number: f64| format!("{number:.0}").parse().ok();
    let whole = number.as_f64().filter(|number| number.fract() == 0.0);
    let whole = number.as_i64().or_else(|| whole.and_then(digits));
    let wrong = || D::Error::custom(format!("{number} is no whole number of 64 bits"));
    whole.map(Some).ok_or_else(wrong)
}

/// The answer to a submission that was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitted {
    /// The run's number.
    pub run: u64,
    /// `queued`, whatever has become of it meanwhile; `GET /runs/N` tells more.
    pub state: String,
    /// It had been accepted before, under the same key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// The runs of the jobs that it comes after, accepted with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub with: Vec<u64>,
}

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its number.
    pub run: u64,
    /// Its job's name.
    pub job: String,
    /// One of the nine states.
    pub state: String,
    /// Why it stands there, where that needs words.
    pub reason: Option<String>,
    /// `io` or `cpu`.
    pub lane: String,
    /// Whether its job finds its lane by itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub auto: bool,
    /// What it executes: `sleep`, `call`...
    pub task: String,
    /// Its pool.
    pub pool: Option<String>,
    /// How urgent it is.
    pub priority: i8,
    /// When it was accepted.
    pub accepted: Moment,
    /// When its last attempt started.
    pub started: Option<Moment>,
    /// When it ended.
    pub ended: Option<Moment>,
    /// From being accepted until the code or process of its first attempt really began, in seconds; while
    /// that attempt runs, until it was handed to its lane.
    pub wait_seconds: Option<f64>,
    /// How long its last attempt ran, in seconds. Of one that went down with its daemon nobody knows.
    pub run_seconds: Option<f64>,
    /// CPU time of its last attempt, where it is known.
    pub cpu_seconds: Option<f64>,
    /// For how long its last attempt kept a thread of the io lane from others, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_seconds: Option<f64>,
    /// The most memory that one process of its last attempt had at a time, where it was more than the daemon's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Why what is run after its last attempt failed, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teardown: Option<String>,
    /// How many attempts were started.
    pub attempts: u32,
    /// What it was given.
    pub args: Option<Value>,
    /// What came of it.
    pub result: Option<Value>,
    /// Why it failed: `exit`, `signal`, `out_of_memory`, `timeout`, `panic`, `error`, `crash`.
    pub failure: Option<String>,
    /// The key it was submitted under.
    pub key: Option<String>,
    /// The runs that it comes after.
    pub after: Vec<u64>,
    /// The run that it is one of the parts of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_of: Option<u64>,
    /// The first and the last of the runs that it was spread into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<(u64, u64)>,
    /// The run after whose end it was run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<u64>,
    /// The slot that it is for, where a schedule or a backfill asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<Moment>,
    /// The schedule whose slot that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// The backfill that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backfill: Option<u64>,
    /// Who asked for it: `uid:NUMBER`, `token:NAME`, or `daemon`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// A run with its history, as `GET /runs/N` gives it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunStory {
    /// The run.
    #[serde(flatten)]
    pub run: Run,
    /// What was decided about it, in order.
    pub history: Vec<Event>,
}

/// A page of runs, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Runs {
    /// The runs.
    pub runs: Vec<Run>,
    /// What to give as `before` for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
}

/// Something that was decided: one fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its number: the id of the server-sent event.
    pub number: u64,
    /// When.
    pub at: Moment,
    /// What happened: `accepted`, `started`, `finished`, `failed`...
    pub event: String,
    /// The run it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<u64>,
    /// Its job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The state from here on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why what is run after the attempt failed, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teardown: Option<String>,
    /// Who asked for it: `uid:NUMBER`, `token:NAME`, `signal` or `daemon`. What follows by itself has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// What became of a request that changes a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// The run's number.
    pub run: u64,
    /// Its state from here on.
    pub state: String,
    /// Other runs that it became of, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub with: Vec<u64>,
}

/// `POST /runs/N/complete`: exactly one of the two.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Complete {
    /// The result that it succeeds with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// Why it has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// `POST /runs/N/send`: exactly one of the two.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Send {
    /// What is sent; any JSON, also `null`.
    #[serde(
        default,
        deserialize_with = "given",
        skip_serializing_if = "Option::is_none"
    )]
    pub value: Option<Value>,
    /// `true`: nothing more comes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub end: bool,
}

/// A value that is given, be it `null`.
fn given<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// The run.
    pub run: u64,
    /// Whether it has taken it; else it waits there.
    pub delivered: bool,
}

/// `POST /pause` and `POST /resume`, and their answers: exactly one of lane, pool, limit, resource, job and
/// schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct What {
    /// `io` or `cpu`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<String>,
    /// A pool's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// A limit's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// A resource's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// A job's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The name of a job whose schedules are meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// In an answer: whether it is paused now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
}

/// `GET /runs/N/explain`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    /// The run's number.
    pub run: u64,
    /// Its state.
    pub state: String,
    /// What exactly it waits for, or what became of it.
    pub text: String,
}

/// `GET /status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// The daemon's process.
    pub pid: u32,
    /// When it started.
    pub started: Moment,
    /// For how long it has been up, in seconds.
    pub up_seconds: f64,
    /// Whether nothing starts any more.
    pub draining: bool,
    /// Runs by state. Of those that are over, all that the store still has.
    pub runs: std::collections::BTreeMap<String, u64>,
    /// Unfinished runs.
    pub unfinished: u64,
    /// The bound on them.
    pub max_runs: u64,
    /// Lanes, pools and limits.
    pub capacities: Vec<Capacity>,
    /// Jobs that are defined.
    pub jobs: u64,
    /// Jobs of which no success came in time.
    #[serde(default)]
    pub absent: u64,
    /// Backfills that go on.
    #[serde(default)]
    pub backfills: u64,
    /// Facts so far.
    pub records: u64,
    /// Batches of facts that are not committed yet.
    pub uncommitted: u64,
    /// The bound on them.
    pub max_uncommitted: u64,
    /// What the store is in trouble with.
    pub trouble: Option<String>,
}

/// A lane, pool, limit or resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacity {
    /// `lane`, `pool`, `limit` or `resource`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its places; 4294967295 of a limit that has a rate and no size.
    pub size: u32,
    /// How many are taken; places that were replaced do not count.
    pub used: u32,
    /// Of a lane, how many attempts in it are unresponsive.
    #[serde(default)]
    pub unresponsive: u32,
    /// How many of their places are given to others.
    #[serde(default)]
    pub replaced: u32,
    /// Whether it is paused.
    pub paused: bool,
    /// How often it may be taken, of a limit that has a rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
}

/// How often a limit may be taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// `10/s`.
    pub rate: String,
    /// How many times can be saved up.
    pub burst: u32,
    /// How many times it could be taken now.
    pub left: u32,
}

/// `GET /jobs`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Jobs {
    /// By name.
    pub jobs: Vec<Job>,
}

/// A job that is defined.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its name.
    pub job: String,
    /// Where it executes.
    pub lane: String,
    /// Whether it finds its lane by itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub auto: bool,
    /// What was found out of its lane, where it was in the wrong one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
    /// What it executes.
    pub task: String,
    /// Its pool.
    pub pool: Option<String>,
    /// Its limits.
    pub limits: Vec<String>,
    /// How many places a run takes of each of its limits.
    #[serde(default)]
    pub places: std::collections::BTreeMap<String, u32>,
    /// How much a run takes of each of its resources.
    #[serde(default)]
    pub resources: std::collections::BTreeMap<String, u32>,
    /// How many places of its lane a run takes.
    #[serde(default = "one")]
    pub cpus: u32,
    /// The jobs that it comes after.
    pub after: Vec<String>,
    /// The longest that an attempt may take, in seconds.
    pub timeout_seconds: Option<f64>,
    /// The arguments that it takes: name and type.
    pub params: std::collections::BTreeMap<String, String>,
    /// Its runs that execute.
    pub running: u32,
    /// Its runs that stand in line.
    pub queued: u64,
    /// Whether none of its runs starts.
    pub paused: bool,
    /// Its schedules, in the order of the file.
    #[serde(default)]
    pub schedules: Vec<Schedule>,
    /// In what time a run has to succeed (`expect_within`), in seconds.
    #[serde(default)]
    pub expect_within_seconds: Option<f64>,
    /// From when that counts: the last success, or when it was first expected.
    #[serde(default)]
    pub heard: Option<Moment>,
    /// Whether none came in time.
    #[serde(default)]
    pub absent: bool,
    /// Its backfills that go on: the number of each, how many runs it has made, and of how many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backfills: Vec<(u64, u64, u64)>,
}

/// A schedule of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// What it is told by: the expression and its zone, the interval, or the time.
    pub schedule: String,
    /// The slot that comes next, as RFC 3339.
    pub next: Option<String>,
    /// Slots that wait until a run is over.
    pub waiting: u64,
    /// Whether it is paused.
    pub paused: bool,
}

/// What older daemons do not say.
const fn one() -> u32 {
    1
}

/// `POST /reload`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// Whether the new configuration is in force; of a preview, whether it could be.
    pub reloaded: bool,
    /// What has changed, or what is wrong, a line each.
    pub lines: Vec<String>,
}

/// An error, as RFC 9457 has it (`application/problem+json`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The kind: `urn:twolane:KIND`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What was tried, on what, and what to do.
    pub detail: String,
}

/// A line of a run's log, as `GET /runs/N/log` gives it, one JSON object a line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogLine {
    /// Counts from 1 within the run.
    pub number: u64,
    /// When it was said.
    pub at: Moment,
    /// The attempt that said it.
    pub attempt: u32,
    /// `progress`, `out` or `err`; `dropped` for the mark of what is missing.
    pub stream: String,
    /// What it said.
    pub text: String,
    /// The part of the work that was done, 0 to 1, of progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fraction: Option<f64>,
}
