//! Runs are taken out of the line or asked to stop: one, its parts, or all that hangs together with it.

use std::sync::Arc;

use super::action::Answer;
use super::decide::{Turn, next_try};
use super::fact::Fact;
use super::flow::Over;
use super::follow::Ended;
use super::id::RunId;
use super::outcome::{Failure, StopReason};
use super::run::{Run, RunState, StateKind};
use super::spec::JobSpec;
use super::time::Mono;

impl Turn<'_> {
    /// Cancels a run, or asks its attempt to stop, because somebody wants that.
    pub(super) fn cancel(&mut self, id: RunId) -> Answer {
        self.cancel_for(id, StopReason::Request)
    }

    /// Cancels a run, or asks its attempt to stop.
    pub(super) fn cancel_for(&mut self, id: RunId, reason: StopReason) -> Answer {
        let Some(run) = self.state.runs.get(id) else {
            return self.gone(id);
        };
        if run.state == RunState::Blocked
            && let Some(parts) = run.parts()
        {
            return self.cancel_parts(id, parts.runs().collect(), reason);
        }
        match run.state {
            RunState::Scheduled { .. } | RunState::Blocked | RunState::Queued { .. } => {
                let ended = self.cancelled(id, reason);
                self.follow(ended);
                Answer::Cancelled(id)
            }
            RunState::Running { .. } => {
                self.stop(id, reason);
                Answer::Stopping(id)
            }
            RunState::Stopping { .. } => {
                self.stop_for_good(id, reason);
                Answer::Stopping(id)
            }
            RunState::Unresponsive { .. } => {
                self.stop_for_good(id, reason);
                Answer::Unresponsive(id)
            }
            RunState::Succeeded
            | RunState::Failed(_)
            | RunState::Cancelled(_)
            | RunState::Skipped(_) => Answer::AlreadyEnded(id),
        }
    }

    /// An attempt that is stopping, and whose run would go on with another one, is to be its last.
    pub(super) fn stop_for_good(&mut self, id: RunId, reason: StopReason) {
        let run = self.state.run(id);
        if !goes_on(id, run, self.now.mono) || bug!("goes-on-after-a-cancel") {
            return;
        }
        if let RunState::Unresponsive { asked, kept, .. } = run.state {
            return self.unresponsive(id, reason, (asked, kept));
        }
        let (job, epoch) = (Arc::clone(&run.job), run.epoch);
        self.record(Fact::Stopping {
            run: id,
            job,
            epoch,
            reason,
        });
    }

    /// Cancels a run that waits.
    fn cancelled(&mut self, id: RunId, reason: StopReason) -> Ended {
        let run = self.state.run(id);
        let ended = Ended::of(id, run, Over::Cancelled, None);
        let job = Arc::clone(&run.job);
        self.record(Fact::Cancelled {
            run: id,
            job,
            reason,
        });
        ended
    }

    /// Cancels the parts of a run, with which it ends.
    fn cancel_parts(&mut self, id: RunId, parts: Vec<RunId>, reason: StopReason) -> Answer {
        let before = self.parts_cancelled.replace((id, reason));
        for part in parts {
            self.cancel_for(part, reason);
        }
        self.parts_cancelled = before;
        if self.state.is_open(id) {
            Answer::Stopping(id)
        } else {
            Answer::Cancelled(id)
        }
    }

    /// Cancels all that hangs together with a run.
    pub(super) fn cancel_graph(&mut self, id: RunId) -> Answer {
        let members = self.state.graph_of(id);
        self.cancel_all_that_wait(members.iter().copied());
        let waited = self.state.runs.get(id).map(|run| run.state.kind());
        for member in members.iter().filter(|member| **member != id) {
            self.cancel(*member);
        }
        match waited {
            Some(StateKind::Cancelled) => Answer::Cancelled(id),
            _ => self.cancel(id),
        }
    }

    /// Cancels those of `runs` that wait, and only then looks at what follows from that: what is cancelled is
    /// not skipped for another one's sake.
    pub(super) fn cancel_all_that_wait(&mut self, runs: impl IntoIterator<Item = RunId>) {
        let mut over = Vec::new();
        for run in runs {
            if self.waits(run) {
                over.push(self.cancelled(run, StopReason::Request));
            }
        }
        for ended in over {
            self.follow(ended);
        }
    }

    /// Whether a run waits itself, and not for its parts.
    pub(super) fn waits(&self, id: RunId) -> bool {
        let run = self.state.runs.get(id);
        run.is_some_and(|run| run.state.is_waiting() && run.parts().is_none())
    }

    /// Cancels all that waits, because nobody will be there to start it.
    pub(super) fn cancel_waiting(&mut self) {
        let waiting: Vec<(RunId, Arc<JobSpec>)> = self
            .state
            .runs
            .iter()
            .filter(|(_, run)| run.state.is_waiting())
            .map(|(id, run)| (id, Arc::clone(&run.job)))
            .collect();
        for (run, job) in waiting {
            self.record(Fact::Cancelled {
                run,
                job,
                reason: StopReason::Shutdown,
            });
        }
    }
}

/// Whether another attempt follows the one that was asked to stop.
fn goes_on(id: RunId, run: &Run, now: Mono) -> bool {
    match run.state.stop_reason() {
        // Whether another one really follows shows when it ends.
        Some(StopReason::Interrupt) => true,
        Some(StopReason::Timeout) => {
            let failure = Failure::Timeout(run.job.timeout.unwrap_or_default());
            next_try(id, run, &failure, now).is_some()
        }
        None
        | Some(
            StopReason::Request
            | StopReason::RunTimeout
            | StopReason::Replaced(_)
            | StopReason::Shutdown,
        ) => false,
    }
}
