//! Backfills, as they go over the API.

use serde::{Deserialize, Serialize};

use super::Moment;

/// `POST /backfills`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackfillOrder {
    /// Whose slots.
    pub job: String,
    /// By which of its schedules: what that is told by, or its place among them, from 1. Needed where there are
    /// several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// Slots from this moment on,
    pub from: Moment,
    /// and before this one, which is not in the future; without it all up to now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Moment>,
    /// How many of its runs may be unfinished at a time: 1 to 10,000; without it 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrent: Option<u32>,
    /// Which of the slots that have a run on record are run again: `failed`, those whose runs did not succeed, or
    /// `all`; without it none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<String>,
    /// Only say what would be done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// What came of it, or would.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backfilled {
    /// Its number; `null` where nothing was to be done, or was asked for with `dry_run`.
    pub backfill: Option<u64>,
    /// Whose slots.
    pub job: String,
    /// By which schedule.
    pub schedule: String,
    /// How many slots are run.
    pub slots: u64,
    /// How many are left out.
    pub left_out: u64,
    /// With `dry_run`, the slots, in order: the first thousand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub list: Vec<Slot>,
}

/// A slot of the past.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// The slot.
    pub slot: Moment,
    /// What the clocks of its schedule showed then, with their offset.
    pub shown: String,
    /// Why it is left out; absent where it is run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
    /// What is peculiar about it: a change of the clock, or why it was not run at its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// `GET /backfills`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backfills {
    /// Those that go on, and the newest of those that are over, by number.
    pub backfills: Vec<Backfill>,
}

/// A backfill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backfill {
    /// Its number.
    pub backfill: u64,
    /// Whose slots.
    pub job: String,
    /// By which schedule.
    pub schedule: String,
    /// Slots from this moment on,
    pub from: Moment,
    /// and before this one.
    pub to: Moment,
    /// How many of its runs may be unfinished at a time.
    pub max_concurrent: u32,
    /// When it was accepted.
    pub accepted: Moment,
    /// `running`, `done`, `cancelled`, `removed` (its schedule is no more) or `refused` (its runs are not accepted).
    pub state: String,
    /// Why they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Slots that it was to run when it was accepted.
    pub slots: u64,
    /// Slots in between that it was not to.
    pub left_out: u64,
    /// Runs that were made.
    pub begun: u64,
    /// Those that succeeded.
    pub succeeded: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those that were cancelled.
    pub cancelled: u64,
    /// Those that never started, because of something else.
    pub skipped: u64,
    /// Up to here its slots have their runs, or are left out.
    pub at: Moment,
}
