//! Actions and records wait here until the records they rest on are committed. Nothing leaves the
//! daemon that a crash could undo.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::engine::action::Action;
use crate::engine::fact::Record;

/// Batches that may be uncommitted at a time. When the log falls this far behind, the loop takes in
/// nothing that the engine would decide on but the end, so that the memory for what waits stays
/// bounded.
pub(super) const UNCOMMITTED_BOUND: usize = 1024;

/// What one turn of the loop gave.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) records: Arc<[Record]>,
    pub(super) actions: Vec<Action>,
}

#[derive(Debug, Default)]
pub(super) struct Outbox {
    held: VecDeque<(u64, Batch)>,
    last: u64,
}

impl Outbox {
    /// Takes a batch in; its number.
    pub(super) fn hold(&mut self, batch: Batch) -> u64 {
        self.last += 1;
        self.held.push_back((self.last, batch));
        self.last
    }

    /// Hands out the next batch if it is committed, where all are up to `committed`.
    pub(super) fn release(&mut self, committed: u64) -> Option<Batch> {
        if self.held.front()?.0 > committed && !bug!("released-before-the-commit") {
            return None;
        }
        self.held.pop_front().map(|(_, batch)| batch)
    }

    /// The number of the newest batch that waits.
    pub(super) fn last_held(&self) -> Option<u64> {
        self.held.back().map(|(number, _)| *number)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.held.len() >= UNCOMMITTED_BOUND
    }

    pub(super) fn len(&self) -> usize {
        self.held.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::action::Answer;
    use crate::engine::id::{CallerId, RunId};

    fn batch(caller: u64) -> Batch {
        Batch {
            records: Arc::new([]),
            actions: vec![Action::Answer {
                caller: CallerId(caller),
                answer: Answer::UnknownRun(RunId(caller)),
            }],
        }
    }

    #[test]
    fn nothing_leaves_before_its_commit_and_all_leaves_in_order() {
        let mut outbox = Outbox::default();
        for caller in 1..=5 {
            assert_eq!(outbox.hold(batch(caller)), caller);
        }
        assert!(outbox.release(0).is_none());
        let mut released = Vec::new();
        for committed in [2, 2, 5] {
            while let Some(batch) = outbox.release(committed) {
                released.extend(batch.actions);
            }
            assert_eq!(released.len() as u64, committed);
        }
        let expected: Vec<Action> = (1..=5).flat_map(|caller| batch(caller).actions).collect();
        assert_eq!(released, expected);
        assert!(outbox.is_empty());
    }
}
