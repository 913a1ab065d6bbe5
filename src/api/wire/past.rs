//! What was: summaries of many runs, the timeline of their attempts, and lines of many logs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{LogLine, Moment, Run};

/// `GET /history`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// By name.
    pub jobs: Vec<JobHistory>,
    /// Whether there are more jobs than are looked at at once.
    pub more: bool,
}

/// What became of the newest runs of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobHistory {
    /// Its name.
    pub job: String,
    /// So many runs were looked at: the newest ones.
    pub looked_at: u64,
    /// Whether there are older ones.
    pub more: bool,
    /// When the oldest of them was accepted.
    pub since: Option<Moment>,
    /// How many of them are in each state.
    pub states: BTreeMap<String, u64>,
    /// Why those failed that did: `exit`, `signal`, `out_of_memory`, `timeout`, `panic`, `error`, `crash`.
    pub failures: BTreeMap<String, u64>,
    /// The part of those that succeeded or failed which succeeded, 0 to 1.
    pub success_rate: Option<f64>,
    /// Attempts beyond the first of each run.
    pub further_attempts: u64,
    /// How long their last attempts ran, in seconds.
    pub run_seconds: Option<Spread>,
    /// From when they could start (accepted, or due if that is later) until their first attempt
    /// really began, in seconds.
    pub wait_seconds: Option<Spread>,
    /// The newest of them.
    pub last: Vec<Run>,
}

/// How numbers are spread: each is one of them (nearest rank).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Half of them are at most this.
    pub p50: f64,
    /// Nineteen of twenty are.
    pub p95: f64,
    /// All are.
    pub max: f64,
}

/// `GET /timeline`: attempts, each in a slot of its lane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// From here on.
    pub since: Moment,
    /// Up to here.
    pub until: Moment,
    /// By lane, slot and start.
    pub bars: Vec<Bar>,
    /// Whether there were more than are looked at at once.
    pub more: bool,
}

/// An attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bar {
    /// Its run.
    pub run: u64,
    /// Its number within the run.
    pub attempt: u32,
    /// Its job.
    pub job: String,
    /// Its lane.
    pub lane: String,
    /// Its pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// From 1: the first slot of the lane that was free when it began.
    pub slot: u32,
    /// When it began.
    pub started: Moment,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Moment>,
    /// `running`, `stopping`, `succeeded`, `failed`, `cancelled` or `interrupted`.
    pub state: String,
}

/// `GET /logs`: lines of many logs, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// The lines.
    pub lines: Vec<FoundLine>,
    /// So many runs' logs were looked into.
    pub runs: u64,
    /// Whether a bound kept older lines out.
    pub more: bool,
}

/// A line of some run's log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoundLine {
    /// Whose log it is.
    pub run: u64,
    /// Its job.
    pub job: String,
    /// `debug`, `info`, `warn` or `error`.
    pub level: String,
    /// The line.
    #[serde(flatten)]
    pub line: LogLine,
}
