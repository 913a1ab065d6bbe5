//! From inputs to facts and actions: one match over all that can happen, whose arms stay short.

use std::sync::Arc;

use serde_json::Value;

use super::Outputs;
use super::action::{Action, Answer, Refusal, StartOrder};
use super::capacity::CapacityName;
use super::fact::{Fact, FinalState, Record};
use super::id::{AttemptId, CallerId, RunId};
use super::input::{Forgotten, Input, Submission};
use super::outcome::{End, Failure, Interruption, Measures, Outcome, SkipReason, StopReason};
use super::run::{Run, RunState, StateKind};
use super::spec::JobSpec;
use super::state::State;
use super::submission::{admit, plan};
use super::time::{Mono, Now, Wall};
use super::timers::Timer;

/// One input on its way through the engine.
pub(super) struct Turn<'a> {
    pub(super) state: &'a mut State,
    pub(super) now: Now,
    pub(super) out: &'a mut Outputs,
}

impl Turn<'_> {
    pub(super) fn decide(&mut self, input: Input) {
        self.fire_due();
        match input {
            Input::Tick => {}
            Input::Open => self.record(Fact::Opened),
            Input::Configure(definitions) => self.record(Fact::Configured { definitions }),
            Input::Submit(submission) => self.submit(submission),
            Input::Cancel { run, caller } => {
                let answer = self.cancel(run);
                self.answer(caller, answer);
            }
            Input::Retry { run, known, caller } => {
                let answer = self.retry(run, known);
                self.answer(caller, answer);
            }
            Input::Complete { run, with, caller } => {
                let answer = self.complete(run, with);
                self.answer(caller, answer);
            }
            Input::Pause { what, caller } => {
                let answer = self.pause(what);
                self.answer(caller, answer);
            }
            Input::Resume { what, caller } => {
                let answer = self.resume(what);
                self.answer(caller, answer);
            }
            Input::Ended { attempt, end } => self.ended(attempt, end),
            Input::Drain => {
                if !self.state.draining {
                    self.record(Fact::Draining);
                }
            }
            Input::StopRunning { durable } => self.stop_running(durable),
            Input::Settle => self.settle(),
            Input::CancelWaiting => self.cancel_waiting(),
        }
        self.dispatch();
    }

    /// Records a fact: numbers it, takes it in, hands it out.
    fn record(&mut self, fact: Fact) {
        let record = Record {
            number: self.state.next_record,
            at: self.now,
            fact,
        };
        self.state.absorb(&record);
        self.out.records.push(record);
    }

    fn answer(&mut self, caller: Option<CallerId>, answer: Answer) {
        if let Some(caller) = caller {
            self.out.actions.push(Action::Answer { caller, answer });
        }
    }

    /// Each timer that is due goes with the fact that it gives, so this ends.
    fn fire_due(&mut self) {
        while let Some((at, timer)) = self.state.timers.first()
            && at <= self.now.mono
        {
            match timer {
                Timer::Due(run) => {
                    let job = self.job(run);
                    self.record(Fact::Due { run, job });
                }
                Timer::Timeout(run) => {
                    let whole = self.state.run(run).end_by();
                    self.stop(
                        run,
                        match whole {
                            Some(end_by) if end_by <= self.now.mono => StopReason::RunTimeout,
                            _ => StopReason::Timeout,
                        },
                    );
                }
                Timer::Expired(run) => self.expire(run),
            }
        }
    }

    /// A run has waited for as long as it may.
    fn expire(&mut self, id: RunId) {
        let run = self.state.run(id);
        let ended = Ended::of(id, run, false);
        let job = Arc::clone(&run.job);
        self.record(match run.end_by() {
            Some(_) => Fact::GivenUp {
                run: id,
                failure: Failure::Timeout(job.run_timeout.unwrap_or_default()),
                job,
            },
            None => Fact::Skipped {
                run: id,
                reason: SkipReason::Late(job.start_within.unwrap_or_default()),
                job,
            },
        });
        self.settle_dependents(&ended);
    }

    /// Starts what has room, best rank first, until nothing has.
    fn dispatch(&mut self) {
        if !self.state.draining {
            while let Some(run) = self.state.capacities.next() {
                self.start(run);
            }
        }
    }

    fn start(&mut self, id: RunId) {
        let run = self.state.run(id);
        let (job, args) = (Arc::clone(&run.job), run.args.clone());
        let epoch = run.epoch + 1;
        self.record(Fact::Started {
            run: id,
            job: Arc::clone(&job),
            epoch,
        });
        // Of a future nothing executes: it only waits to be completed.
        if !job.task.is_future() {
            let attempt = AttemptId { run: id, epoch };
            let order = StartOrder { attempt, job, args };
            self.out.actions.push(Action::Start(order));
        }
    }

    fn submit(&mut self, submission: Submission) {
        let caller = submission.caller;
        if let Some(answer) = self.known_key(&submission) {
            return self.answer(caller, answer);
        }
        let planned = match plan(self.state, &submission) {
            Ok(planned) => planned,
            Err(refusal) => return self.answer(caller, Answer::Refused(refusal)),
        };
        let first = self.state.next_run;
        let number = |item: usize| RunId(first + item as u64);
        let runs = (0..submission.items.len()).map(number).collect();
        for plan in planned {
            let item = &submission.items[plan.item];
            let delayed =
                || (!plan.job.delay.is_zero()).then(|| self.now.mono.plus(plan.job.delay));
            let at = item.at.map(|at| Mono::at_wall(self.now, at));
            let due = at.or_else(delayed).filter(|due| *due > self.now.mono);
            self.record(Fact::Accepted {
                run: number(plan.item),
                priority: item.priority.unwrap_or(plan.job.priority),
                job: plan.job,
                args: plan.args,
                after: plan.after.into_iter().map(number).collect(),
                due,
                key: submission.key.clone().filter(|_| plan.item == 0),
            });
        }
        self.answer(caller, Answer::Submitted(runs));
    }

    fn cancel(&mut self, id: RunId) -> Answer {
        let Some(run) = self.state.runs.get(id) else {
            return self.gone(id);
        };
        match run.state {
            RunState::Scheduled { .. } | RunState::Blocked | RunState::Queued { .. } => {
                let ended = Ended::of(id, run, false);
                self.record(Fact::Cancelled {
                    run: id,
                    job: Arc::clone(&ended.job),
                    reason: StopReason::Request,
                });
                self.settle_dependents(&ended);
                Answer::Cancelled(id)
            }
            RunState::Running { .. } => {
                self.stop(id, StopReason::Request);
                Answer::Stopping(id)
            }
            RunState::Stopping { .. } => Answer::Stopping(id),
            RunState::Succeeded
            | RunState::Failed(_)
            | RunState::Cancelled(_)
            | RunState::Skipped(_) => Answer::AlreadyEnded(id),
        }
    }

    /// The answer to a submission that was made before.
    fn known_key(&self, submission: &Submission) -> Option<Answer> {
        let key = submission.key.as_ref()?;
        let (before, run) = self.state.key(&key.text)?;
        Some(if before == key {
            Answer::SubmittedBefore(*run)
        } else {
            Answer::Refused(Refusal::KeyReused(Arc::clone(&key.text)))
        })
    }

    /// Asks the running attempt of a run to stop.
    fn stop(&mut self, id: RunId, reason: StopReason) {
        let run = self.state.run(id);
        let (job, epoch) = (Arc::clone(&run.job), run.epoch);
        let is_future = job.task.is_future();
        self.record(Fact::Stopping {
            run: id,
            job,
            epoch,
            reason,
        });
        let attempt = AttemptId { run: id, epoch };
        if is_future {
            // Nothing of it executes that could go on.
            let end = self.end_now(id, Outcome::Stopped);
            self.ended(attempt, end);
        } else {
            self.out.actions.push(Action::Stop { attempt, reason });
        }
    }

    fn retry(&mut self, id: RunId, known: Option<Box<Forgotten>>) -> Answer {
        let state = self.state.runs.get(id).map(|run| run.state.kind());
        if state.is_some_and(|state| !state.is_final()) {
            return Answer::NotEnded(id);
        }
        let Some(known) = known.filter(|_| id.0 < self.state.next_run) else {
            return Answer::UnknownRun(id);
        };
        if let Err(refusal) = admit(self.state, 1) {
            return Answer::Refused(refusal);
        }
        let Forgotten {
            job,
            priority,
            args,
            epoch,
        } = *known;
        // What is on record may be older than what is remembered.
        let remembered = self.state.runs.get(id).map_or(0, |run| run.epoch);
        self.record(Fact::Retried {
            run: id,
            job,
            priority,
            args,
            epoch: epoch.max(remembered),
        });
        Answer::Retried(id)
    }

    fn complete(&mut self, id: RunId, with: Result<Arc<Value>, Arc<str>>) -> Answer {
        let Some(run) = self.state.runs.get(id) else {
            return self.gone(id);
        };
        let kind = run.state.kind();
        if kind.is_final() {
            return Answer::AlreadyEnded(id);
        }
        if kind != StateKind::Running || !run.job.task.is_future() {
            return Answer::NotWaiting(id, kind);
        }
        let epoch = run.epoch;
        let outcome = match with {
            Ok(value) => Outcome::Succeeded(value),
            Err(why) => Outcome::Failed(Failure::Error(why)),
        };
        let end = self.end_now(id, outcome);
        self.ended(AttemptId { run: id, epoch }, end);
        Answer::Completed(id)
    }

    fn pause(&mut self, what: CapacityName) -> Answer {
        match self.state.capacities.find(&what) {
            None => Answer::UnknownCapacity(what),
            Some(capacity) if capacity.paused => Answer::Paused(what, false),
            Some(_) => {
                let named = what.clone();
                self.record(Fact::Paused { what });
                Answer::Paused(named, true)
            }
        }
    }

    fn resume(&mut self, what: CapacityName) -> Answer {
        match self.state.capacities.find(&what) {
            None => Answer::UnknownCapacity(what),
            Some(capacity) if !capacity.paused => Answer::Resumed(what, false),
            Some(_) => {
                let named = what.clone();
                self.record(Fact::Resumed { what });
                Answer::Resumed(named, true)
            }
        }
    }

    /// The answer for a run that is not in the table.
    fn gone(&self, id: RunId) -> Answer {
        if id.0 > 0 && id.0 < self.state.next_run {
            Answer::AlreadyEnded(id)
        } else {
            Answer::UnknownRun(id)
        }
    }

    /// An end of an active run that no lane reports.
    fn end_now(&self, id: RunId, outcome: Outcome) -> End {
        let run = self.state.run(id);
        let since = run.state.since().unwrap_or(self.now.mono);
        let past = i64::try_from(self.now.mono.since(since).as_micros()).unwrap_or(i64::MAX);
        let began = Now {
            wall: Wall(self.now.wall.0.saturating_sub(past)),
            mono: since,
        };
        let ended = self.now;
        End {
            outcome,
            teardown: None,
            measures: Measures {
                began,
                ended,
                ..Measures::default()
            },
        }
    }

    /// After a recovery: nothing is left of the attempts that were running, so each run is over or
    /// waits in line again.
    fn settle(&mut self) {
        let active: Vec<RunId> = self.state.active.iter().copied().collect();
        for id in active {
            let run = self.state.run(id);
            let attempt = AttemptId {
                run: id,
                epoch: run.epoch,
            };
            // Of a future nothing executed that could have brought the daemon down.
            let again = run.may_start_again() && (run.job.task.is_future() || run.crashes_left());
            let outcome = match (&run.state, again) {
                (RunState::Stopping { reason, .. }, _) if *reason != StopReason::Interrupt => {
                    Outcome::Stopped
                }
                (RunState::Stopping { .. }, _) if run.may_start_again() => {
                    self.interrupt(attempt, Interruption::Shutdown);
                    continue;
                }
                (_, true) => {
                    self.interrupt(attempt, Interruption::Crash);
                    continue;
                }
                (_, false) => Outcome::Failed(Failure::Crash),
            };
            let end = self.end_now(id, outcome);
            self.ended(attempt, end);
        }
    }

    fn interrupt(&mut self, attempt: AttemptId, cause: Interruption) {
        let AttemptId { run, epoch } = attempt;
        let job = self.job(run);
        self.record(Fact::Interrupted {
            run,
            job,
            epoch,
            cause,
        });
    }

    fn ended(&mut self, attempt: AttemptId, end: End) {
        let id = attempt.run;
        // A stale attempt can finish nothing: only the running one's own epoch counts.
        let Some(run) = self.state.runs.get(id) else {
            return;
        };
        if run.epoch != attempt.epoch || !run.state.is_active() {
            return;
        }
        if let RunState::Stopping { reason, .. } = run.state
            && reason == StopReason::Interrupt
            && end.outcome == Outcome::Stopped
            && run.may_start_again()
        {
            return self.interrupt(attempt, Interruption::Shutdown);
        }
        if let (RunState::Running { .. }, Outcome::NoRoom(_)) = (&run.state, &end.outcome) {
            return self.interrupt(attempt, Interruption::NoRoom);
        }
        let state = final_state(&run.state, &run.job, &end.outcome);
        if let FinalState::Failed(failure) = &state
            && let Some(due) = next_try(id, run, failure, self.now.mono)
        {
            return self.record(Fact::Retrying {
                run: id,
                job: Arc::clone(&run.job),
                epoch: attempt.epoch,
                failure: failure.clone(),
                end,
                due,
            });
        }
        let ended = Ended::of(id, run, state == FinalState::Succeeded);
        self.record(Fact::Ended {
            run: id,
            job: Arc::clone(&ended.job),
            epoch: attempt.epoch,
            state,
            end,
        });
        self.settle_dependents(&ended);
    }

    /// After a run has ended: releases what came after it, or skips it and all that came after that.
    fn settle_dependents(&mut self, ended: &Ended) {
        if ended.succeeded {
            for dependent in &ended.dependents {
                self.release_if_free(*dependent);
            }
            return;
        }
        let mut over = vec![(
            ended.run,
            Arc::clone(&ended.job.name),
            ended.dependents.clone(),
        )];
        while let Some((run, name, dependents)) = over.pop() {
            for id in dependents {
                let Some(dependent) = self.state.runs.get(id) else {
                    continue;
                };
                if dependent.state != RunState::Blocked {
                    continue;
                }
                let job = Arc::clone(&dependent.job);
                // Taken down before the fact: a run that is over may be forgotten at once.
                over.push((id, Arc::clone(&job.name), dependent.dependents().to_vec()));
                let job_before = Arc::clone(&name);
                let reason = SkipReason::Dependency {
                    run,
                    job: job_before,
                };
                self.record(Fact::Skipped {
                    run: id,
                    job,
                    reason,
                });
            }
        }
    }

    fn release_if_free(&mut self, id: RunId) {
        let Some(run) = self.state.runs.get(id) else {
            return;
        };
        if run.state == RunState::Blocked && run.links.as_ref().is_some_and(|l| l.open == 0) {
            let job = Arc::clone(&run.job);
            self.record(Fact::Released { run: id, job });
        }
    }

    fn stop_running(&mut self, durable: bool) {
        let reason = if durable {
            StopReason::Interrupt
        } else {
            StopReason::Shutdown
        };
        let active: Vec<RunId> = self.state.active.iter().copied().collect();
        for id in active {
            if let RunState::Running { .. } = self.state.run(id).state {
                self.stop(id, reason);
            }
        }
    }

    fn cancel_waiting(&mut self) {
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

    fn job(&self, id: RunId) -> Arc<JobSpec> {
        Arc::clone(&self.state.run(id).job)
    }
}

/// What is still needed of a run that is over, once the fact of that has been taken in.
struct Ended {
    run: RunId,
    job: Arc<JobSpec>,
    succeeded: bool,
    dependents: Vec<RunId>,
}

impl Ended {
    fn of(id: RunId, run: &Run, succeeded: bool) -> Self {
        Self {
            run: id,
            job: Arc::clone(&run.job),
            succeeded,
            dependents: run.dependents().to_vec(),
        }
    }
}

/// When a run is tried again of which an attempt has failed; `None` if it is not.
fn next_try(id: RunId, run: &Run, failure: &Failure, now: Mono) -> Option<Mono> {
    let retry = run.job.retry.as_ref()?;
    let failed = run.failures.saturating_add(1);
    // Nobody wants it to go on, or its time is over.
    let asked = match run.state {
        RunState::Stopping { reason, .. } => match reason {
            StopReason::Timeout | StopReason::Interrupt => false,
            StopReason::Request | StopReason::RunTimeout | StopReason::Shutdown => true,
        },
        RunState::Running { .. }
        | RunState::Scheduled { .. }
        | RunState::Blocked
        | RunState::Queued { .. }
        | RunState::Succeeded
        | RunState::Failed(_)
        | RunState::Cancelled(_)
        | RunState::Skipped(_) => false,
    };
    if asked || failed >= retry.attempts || !retry.covers(failure) {
        return None;
    }
    let due = now.plus(retry.pause(id, failed));
    run.end_by().is_none_or(|end| due < end).then_some(due)
}

/// What an attempt's outcome means for its run.
fn final_state(before: &RunState, job: &JobSpec, outcome: &Outcome) -> FinalState {
    let asked = if let RunState::Stopping { reason, .. } = before {
        Some(*reason)
    } else {
        None
    };
    let timeout = || Failure::Timeout(job.timeout.unwrap_or_default());
    let run_timeout = || Failure::Timeout(job.run_timeout.unwrap_or_default());
    match (outcome, asked) {
        // Work that was done is done, also if somebody had meanwhile asked to stop it.
        (Outcome::Succeeded(_), _) => FinalState::Succeeded,
        (Outcome::Failed(_) | Outcome::Stopped | Outcome::NoRoom(_), Some(StopReason::Timeout)) => {
            FinalState::Failed(timeout())
        }
        (
            Outcome::Failed(_) | Outcome::Stopped | Outcome::NoRoom(_),
            Some(StopReason::RunTimeout),
        ) => FinalState::Failed(run_timeout()),
        (Outcome::Failed(failure), _) => FinalState::Failed(failure.clone()),
        (Outcome::Stopped | Outcome::NoRoom(_), Some(reason)) => FinalState::Cancelled(reason),
        // A lane stops attempts by itself only when it goes down.
        (Outcome::Stopped, None) => FinalState::Cancelled(StopReason::Shutdown),
        // One that has not begun while nobody wanted it to stop waits in line again.
        (Outcome::NoRoom(why), None) => FinalState::Failed(Failure::Error(Arc::clone(why))),
    }
}
