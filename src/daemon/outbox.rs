//! Actions and records wait here until the records they rest on are committed. Nothing leaves the
//! daemon that a crash could undo.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::engine::action::{Action, StartOrder};
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
    /// How many attempts wait here to be replaced.
    replaces: usize,
}

impl Outbox {
    /// A batch of `actions` that rest on `records`, where all up to record `on_record` is committed; without
    /// the starts that need not wait, because their announcement is. None of them goes before another one is
    /// given the place of an attempt that does not stop.
    pub(super) fn batch(
        &self,
        records: Arc<[Record]>,
        actions: Vec<Action>,
        on_record: u64,
    ) -> (Batch, Vec<StartOrder>) {
        let mut begins = Vec::new();
        let mut waits = Vec::new();
        let replaces = self.replaces + count_replaces(&actions) > 0;
        for action in actions {
            match action {
                Action::Start(order)
                    if !replaces && order.announced.is_some_and(|by| by <= on_record) =>
                {
                    begins.push(order);
                }
                Action::Start(_)
                | Action::Stop { .. }
                | Action::Replace { .. }
                | Action::Answer { .. } => waits.push(action),
            }
        }
        let batch = Batch {
            records,
            actions: waits,
        };
        (batch, begins)
    }

    /// Takes a batch in; its number.
    pub(super) fn hold(&mut self, batch: Batch) -> u64 {
        self.last += 1;
        self.replaces += count_replaces(&batch.actions);
        self.held.push_back((self.last, batch));
        self.last
    }

    /// Hands out the next batch if it is committed, where all are up to `committed`.
    pub(super) fn release(&mut self, committed: u64) -> Option<Batch> {
        if self.held.front()?.0 > committed && !bug!("released-before-the-commit") {
            return None;
        }
        let (_, batch) = self.held.pop_front()?;
        self.replaces -= count_replaces(&batch.actions);
        Some(batch)
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

fn count_replaces(actions: &[Action]) -> usize {
    let is_replace = |action: &&Action| matches!(action, Action::Replace { .. });
    actions.iter().filter(is_replace).count()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::action::Answer;
    use crate::engine::id::{AttemptId, CallerId, RunId};
    use crate::engine::spec::{JobSpec, Lane, TaskSpec};

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
    fn a_start_goes_ahead_once_its_announcement_is_committed_unless_another_has_to_make_way_first()
    {
        let attempt = |run| AttemptId {
            run: RunId(run),
            epoch: 1,
        };
        let duration = Duration::from_secs(1);
        let job = JobSpec::new("a".into(), Lane::Io, TaskSpec::Sleep { duration });
        let job = Arc::new(job);
        let start = |announced| {
            Action::Start(StartOrder {
                attempt: attempt(1),
                job: Arc::clone(&job),
                args: None,
                number: 0,
                announced,
            })
        };
        let replace = || Action::Replace {
            attempt: attempt(2),
        };
        let goes_ahead = |outbox: &Outbox, actions: Vec<Action>| {
            let count = actions.len();
            let (batch, begins) = outbox.batch(Arc::new([]), actions, 5);
            assert_eq!(batch.actions.len() + begins.len(), count);
            begins.len() == 1
        };
        let mut outbox = Outbox::default();
        for (announced, ahead) in [(None, false), (Some(6), false), (Some(5), true)] {
            assert_eq!(goes_ahead(&outbox, vec![start(announced)]), ahead);
        }
        assert!(!goes_ahead(&outbox, vec![start(Some(5)), replace()]));
        outbox.hold(outbox.batch(Arc::new([]), vec![replace()], 5).0);
        assert!(!goes_ahead(&outbox, vec![start(Some(5))]));
        assert!(outbox.release(1).is_some());
        assert!(goes_ahead(&outbox, vec![start(Some(5))]));
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
