//! After a recovery: what becomes of the attempts that were under way when the daemon or the machine went down.

use std::collections::BTreeSet;

use super::decide::Turn;
use super::id::{AttemptId, RunId};
use super::outcome::{Failure, Interruption, Outcome, StopReason};

impl Turn<'_> {
    /// After a recovery: nothing is left of the attempts that were running, so each run is over or
    /// waits in line again.
    pub(super) fn settle(&mut self, unbegun: &BTreeSet<AttemptId>) {
        let active: Vec<RunId> = self.state.active.iter().copied().collect();
        for id in active {
            self.settle_run(id, unbegun);
        }
        self.settle_announced();
    }

    /// The attempt that runs, or the last one that did.
    pub(super) fn newest_attempt(&self, run: RunId) -> AttemptId {
        let epoch = self.state.run(run).epoch;
        AttemptId { run, epoch }
    }

    /// Takes this one for gone with the daemon. What is in `unbegun` has not begun, and waits again.
    pub(super) fn settle_run(&mut self, id: RunId, unbegun: &BTreeSet<AttemptId>) {
        let attempt = self.newest_attempt(id);
        let run = self.state.run(id);
        // Of a future nothing executed that could have brought the daemon down.
        let again = run.may_start_again() && (run.job.task.is_future() || run.crashes_left());
        let outcome = match (run.state.stop_reason(), again) {
            (Some(reason), _) if reason != StopReason::Interrupt => Outcome::Stopped,
            _ if unbegun.contains(&attempt) && !bug!("unbegun-counts") => {
                return self.interrupt(attempt, Interruption::Unbegun);
            }
            (Some(_), _) if run.may_start_again() => {
                return self.interrupt(attempt, Interruption::Shutdown);
            }
            (_, true) => return self.interrupt(attempt, Interruption::Crash),
            (_, false) if run.may_start_again() => {
                Outcome::Failed(Failure::Crashes(u32::from(run.crashes) + 1))
            }
            (_, false) => Outcome::Failed(Failure::Crash),
        };
        let end = self.end_now(id, outcome);
        self.ended(attempt, end);
    }
}
