//! Runs are taken in: those of a submission, of a slot, and those that hooks bring. Who is in a place of which
//! there is one makes way for them.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;

use super::action::Answer;
use super::arguments::arguments;
use super::decide::Turn;
use super::fact::{Fact, Slot};
use super::flow::{OnDuplicate, Ties};
use super::follow::HOOK_ARGUMENTS;
use super::id::RunId;
use super::input::Submission;
use super::outcome::{SkipReason, StopReason};
use super::spec::{JobSpec, Name};
use super::submission::{Plan, Planned, Source};
use super::time::Mono;

/// A job that is to be run because something has come about, with what it is told of that.
pub(super) struct Hook {
    job: Arc<JobSpec>,
    args: Option<Arc<Value>>,
    ties: Ties,
}

impl Turn<'_> {
    /// Takes in the runs of a submission that was found good; the first item is for `slot`.
    pub(super) fn accept(
        &mut self,
        submission: &Submission,
        plan: Plan,
        slot: Option<&Arc<Slot>>,
    ) -> Answer {
        self.before_hooks(|turn| turn.accept_all(submission, plan, slot))
    }

    fn accept_all(
        &mut self,
        submission: &Submission,
        Plan { new, runs }: Plan,
        slot: Option<&Arc<Slot>>,
    ) -> Answer {
        // What follows from their ends takes numbers of its own.
        let mut replaced = self.make_room(&new).into_iter();
        let first = self.state.next_run;
        let number = |source: &Source| match *source {
            Source::There(run) => run,
            Source::New(place) => RunId(first + place as u64),
        };
        let answer = match &runs[..] {
            [Source::There(run)] => Answer::SubmittedBefore(*run),
            runs => Answer::Submitted(runs.iter().map(number).collect()),
        };
        let hang_together = new.iter().any(|plan| !plan.after.is_empty());
        for plan in new {
            let replaces = replaced.next().flatten();
            let item = &submission.items[plan.item];
            let delayed =
                || (!plan.job.delay.is_zero()).then(|| self.now.mono.plus(plan.job.delay));
            let at = item.at.map(|at| Mono::at_wall(self.now, at));
            let due = at.or_else(delayed).filter(|due| *due > self.now.mono);
            self.record(Fact::Accepted {
                run: number(&Source::New(plan.place)),
                priority: item.priority.unwrap_or(plan.job.priority),
                job: plan.job,
                args: plan.args,
                after: plan.after.iter().map(number).collect(),
                ties: Ties {
                    graph: hang_together.then_some(RunId(first)),
                    replaces,
                    ..Ties::default()
                },
                due,
                // Of runs that were there already nothing is put on record.
                key: submission.key.clone().filter(|_| {
                    plan.place == 0 && (plan.item == 0 || !bug!("key-of-what-was-joined"))
                }),
                slot: slot.filter(|_| plan.item == 0).map(Arc::clone),
            });
        }
        answer
    }

    /// Runs the job of this name, if one is named, with what there is to tell: of that what it declares.
    pub(super) fn run_hook(
        &mut self,
        name: Option<&Name>,
        ties: Ties,
        told: impl FnOnce() -> [(&'static str, Value); HOOK_ARGUMENTS.len()],
    ) {
        let target = name.and_then(|name| self.state.jobs.get(name));
        // Where a reload took the job away there is nothing to run.
        let Some((target, _)) = target else {
            return;
        };
        let job = Arc::clone(target);
        let declared = told()
            .into_iter()
            .filter(|(name, _)| job.params.contains_key(*name));
        let declared = declared.map(|(name, value)| (name.to_owned(), value));
        let given = Arc::new(Value::Object(declared.collect()));
        let Ok(args) = arguments(&job, Some(&given)) else {
            return;
        };
        let hook = Hook { job, args, ties };
        match &mut self.hooks {
            Some(waiting) => waiting.push_back(hook),
            None => self.before_hooks(|turn| turn.accept_hook(hook)),
        }
    }

    /// Does something for which places and numbers have been looked at: the hooks of what ends by it, which take
    /// some too, are run after it.
    pub(super) fn before_hooks<T>(&mut self, what: impl FnOnce(&mut Self) -> T) -> T {
        if self.hooks.is_some() {
            return what(self);
        }
        self.hooks = Some(VecDeque::new());
        let done = what(self);
        // Each is of a run that was there before, and has ended: what a hook brings does not end here.
        while let Some(hook) = self.hooks.as_mut().and_then(VecDeque::pop_front) {
            self.accept_hook(hook);
        }
        self.hooks = None;
        done
    }

    fn accept_hook(&mut self, hook: Hook) {
        let Hook {
            job,
            args,
            mut ties,
        } = hook;
        let mut duplicate = None;
        if let Some((there, on_duplicate)) = self.state.duplicate(&job, args.as_deref()) {
            match on_duplicate {
                // Nobody is there to be told, so it is put on record.
                OnDuplicate::Reject | OnDuplicate::Join => duplicate = Some(there),
                OnDuplicate::Replace => {
                    let next = RunId(self.state.next_run);
                    let next = Some(next).filter(|_| !self.is_followed(there));
                    ties.replaces = self.make_way(there, next);
                }
            }
        }
        let due = (!job.delay.is_zero()).then(|| self.now.mono.plus(job.delay));
        let run = RunId(self.state.next_run);
        self.record(Fact::Accepted {
            run,
            priority: job.priority,
            job: Arc::clone(&job),
            args,
            after: Box::default(),
            ties,
            due,
            key: None,
            slot: None,
        });
        if let Some(there) = duplicate {
            self.record(Fact::Skipped {
                run,
                job,
                reason: SkipReason::Duplicate(there),
            });
        }
    }

    /// Has those make way whose places the runs of a submission take; gives for each of these the one that
    /// it has to wait for.
    fn make_room(&mut self, new: &[Planned]) -> Vec<Option<RunId>> {
        let next = self.state.next_run;
        let mut replaced = new.iter().filter_map(|plan| plan.replaces);
        let known = !replaced.any(|run| self.is_followed(run));
        let plans = new.iter().map(|plan| {
            let number = RunId(next + plan.place as u64);
            self.make_way(plan.replaces?, Some(number).filter(|_| known))
        });
        plans.collect()
    }

    /// Cancels a run in whose place `next` comes, where that is known; gives it as long as something of it
    /// runs.
    pub(super) fn make_way(&mut self, id: RunId, next: Option<RunId>) -> Option<RunId> {
        // One that waits for another's place itself hands that on.
        let before = self
            .state
            .runs
            .get(id)?
            .ties()
            .and_then(|ties| ties.replaces);
        self.cancel_for(id, StopReason::Replaced(next));
        let is_open = |id: &RunId| self.state.is_open(*id);
        Some(id).filter(is_open).or(before.filter(is_open))
    }

    /// Whether the end of a run can let others begin, which may be spread into parts and take the next numbers.
    fn is_followed(&self, id: RunId) -> bool {
        let run = self.state.runs.get(id);
        run.is_some_and(|run| run.parts().is_some() || !run.dependents().is_empty())
    }
}
