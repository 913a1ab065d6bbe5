//! Everything that happens at a time: one ordered table of reasons, no timer objects.

use std::collections::BTreeSet;

use super::id::RunId;
use super::time::Mono;

/// What happens at a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// A scheduled run is due.
    Due(RunId),
    /// The attempt of a running run has taken as long as it may.
    Timeout(RunId),
    /// A waiting run has waited for as long as it may.
    Expired(RunId),
    /// Somebody who waits for the tokens of a limit has them. (Not in the table of timers: when that is
    /// follows from what waits.)
    Tokens,
    /// No success of a job came in the time in which it is expected. (Not in the table of timers either.)
    Absent,
    /// The attempt of a stopping run has had its time to leave its lane.
    Unresponsive(RunId),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Timers {
    ordered: BTreeSet<(Mono, Timer)>,
}

impl Timers {
    pub(super) fn insert(&mut self, at: Mono, timer: Timer) {
        self.ordered.insert((at, timer));
    }

    pub(super) fn remove(&mut self, at: Mono, timer: Timer) {
        self.ordered.remove(&(at, timer));
    }

    /// The next one, due or not.
    pub(super) fn first(&self) -> Option<(Mono, Timer)> {
        self.ordered.first().copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Mono, Timer)> {
        self.ordered.iter().copied()
    }
}
