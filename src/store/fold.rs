//! What facts make of a run: the entry in the index of runs, written with the facts, and the same again
//! from the records when they are read. Knows no table.

use crate::engine::StateKind;
use crate::engine::fact::{Fact, FinalState, Record};
use crate::engine::outcome::Interruption;
use crate::engine::spec::Name;
use crate::engine::time::Mono;

/// What the index says of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) job: Name,
    pub(super) state: StateKind,
    pub(super) accepted: i64,
    pub(super) due: Option<i64>,
    pub(super) ended: Option<i64>,
}

impl Entry {
    /// The entry of a run whose first record this is.
    pub(super) fn begin(record: &Record, job: &Name) -> Self {
        let due = match &record.fact {
            Fact::Accepted { due, .. } => due.map(stored),
            Fact::Opened
            | Fact::Configured { .. }
            | Fact::Released { .. }
            | Fact::Due { .. }
            | Fact::Met { .. }
            | Fact::Spread { .. }
            | Fact::Gathered { .. }
            | Fact::Started { .. }
            | Fact::Began { .. }
            | Fact::Stopping { .. }
            | Fact::Unresponsive { .. }
            | Fact::Ended { .. }
            | Fact::Retrying { .. }
            | Fact::GivenUp { .. }
            | Fact::Interrupted { .. }
            | Fact::Retried { .. }
            | Fact::Cancelled { .. }
            | Fact::Skipped { .. }
            | Fact::Draining
            | Fact::Leaving
            | Fact::Sent { .. }
            | Fact::Evaluated { .. }
            | Fact::Misplaced { .. }
            | Fact::Reconsidered { .. }
            | Fact::BackfillAccepted { .. }
            | Fact::BackfillMoved { .. }
            | Fact::BackfillEnded { .. }
            | Fact::ClockSet { .. }
            | Fact::Heard { .. }
            | Fact::Absent { .. }
            | Fact::Announced { .. }
            | Fact::Paused { .. }
            | Fact::Resumed { .. } => None,
        };
        let mut entry = Self {
            job: Name::clone(job),
            state: StateKind::Queued,
            accepted: record.at.wall.0,
            due,
            ended: None,
        };
        entry.step(record);
        entry
    }

    /// Takes the next record of the run in.
    pub(super) fn step(&mut self, record: &Record) {
        let Some(state) = state_after(record, self.due) else {
            return;
        };
        self.state = state;
        self.ended = state.is_final().then_some(record.at.wall.0);
    }
}

/// The state of the record's run after it, given when the run is due.
pub(super) fn state_after(record: &Record, due: Option<i64>) -> Option<StateKind> {
    let wait = || {
        if due.is_some_and(|due| due > stored(record.at.mono)) {
            StateKind::Scheduled
        } else {
            StateKind::Queued
        }
    };
    Some(match &record.fact {
        Fact::Opened
        | Fact::Configured { .. }
        | Fact::Began { .. }
        | Fact::Draining
        | Fact::Leaving
        | Fact::Sent { .. }
        | Fact::Evaluated { .. }
        | Fact::Misplaced { .. }
        | Fact::Reconsidered { .. }
        | Fact::BackfillAccepted { .. }
        | Fact::BackfillMoved { .. }
        | Fact::BackfillEnded { .. }
        | Fact::ClockSet { .. }
        | Fact::Heard { .. }
        | Fact::Absent { .. }
        | Fact::Announced { .. }
        | Fact::Paused { .. }
        | Fact::Met { .. }
        | Fact::Resumed { .. } => return None,
        Fact::Accepted { after, ties, .. } | Fact::Retried { after, ties, .. }
            if !after.is_empty() || ties.replaces.is_some() =>
        {
            StateKind::Blocked
        }
        Fact::Spread { .. } => StateKind::Blocked,
        Fact::Accepted { .. } | Fact::Released { .. } => wait(),
        Fact::Interrupted {
            cause: Interruption::NoRoom(_),
            ..
        } => StateKind::Scheduled,
        Fact::Retrying { .. } => StateKind::Scheduled,
        Fact::GivenUp { .. } => StateKind::Failed,
        Fact::Due { .. } | Fact::Interrupted { .. } | Fact::Retried { .. } => StateKind::Queued,
        Fact::Started { .. } => StateKind::Running,
        Fact::Stopping { .. } => StateKind::Stopping,
        Fact::Unresponsive { .. } => StateKind::Unresponsive,
        Fact::Ended { state, .. } | Fact::Gathered { state, .. } => match state {
            FinalState::Succeeded => StateKind::Succeeded,
            FinalState::Failed(_) => StateKind::Failed,
            FinalState::Cancelled(_) => StateKind::Cancelled,
        },
        Fact::Cancelled { .. } => StateKind::Cancelled,
        Fact::Skipped { .. } => StateKind::Skipped,
    })
}

/// A time as the index has it; the end of time stays the end.
fn stored(at: Mono) -> i64 {
    i64::try_from(at.0).unwrap_or(i64::MAX)
}

/// The number of a state in the index. It never changes its meaning. What is not over is below
/// [`StateKind::Succeeded`]: so a recovery finds it.
pub(super) const fn number_of(state: StateKind) -> i64 {
    match state {
        StateKind::Unresponsive => -1,
        StateKind::Scheduled => 0,
        StateKind::Blocked => 1,
        StateKind::Queued => 2,
        StateKind::Running => 3,
        StateKind::Stopping => 4,
        StateKind::Succeeded => 5,
        StateKind::Failed => 6,
        StateKind::Cancelled => 7,
        StateKind::Skipped => 8,
    }
}
