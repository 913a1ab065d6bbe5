//! The numbers by which runs, attempts, records and callers are named; plain values, ordered.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Number of a run: one execution of a job. Counts from 1 and is never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub u64);

/// Number of a backfill. Counts from 1 and is never used twice; 0 is none.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct BackfillId(pub u64);

/// One try of a run. An attempt's end counts only with the attempt's own epoch, so that a stale
/// attempt can finish nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId {
    /// The run that is tried.
    pub run: RunId,
    /// Number of the attempt within its run, from 1.
    pub epoch: u32,
}

/// Who waits for an answer. The engine hands it back unread; the daemon knows whom it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallerId(pub u64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for BackfillId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.run.0, self.epoch)
    }
}
