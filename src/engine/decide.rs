//! From inputs to facts and actions: one match over all that can happen, whose arms stay short.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;

use super::Outputs;
use super::accept::Hook;
use super::action::{Action, Answer, Refusal, StartOrder};
use super::by::By;
use super::fact::{Fact, FinalState, Record};
use super::flow::Over;
use super::follow::Ended;
use super::id::{AttemptId, CallerId, RunId};
use super::input::{Input, Submission};
use super::levels::{is_too_deep, kept};
use super::outcome::{End, Failure, Interruption, Measures, Outcome, SkipReason, StopReason};
use super::run::{Run, RunState, StateKind};
use super::spec::JobSpec;
use super::spread::is_spread;
use super::state::State;
use super::submission::plan;
use super::time::{Mono, Now, Wall};
use super::timers::Timer;

/// One input on its way through the engine.
pub(super) struct Turn<'a> {
    pub(super) state: &'a mut State,
    pub(super) now: Now,
    /// Whether nothing is to start.
    pub(super) held: bool,
    /// Who asks for what is being decided.
    pub(super) by: Option<By>,
    /// The run whose parts are being cancelled, and why.
    pub(super) parts_cancelled: Option<(RunId, StopReason)>,
    /// The hooks that are to be run when what is being done is done, if they have to wait for that.
    pub(super) hooks: Option<VecDeque<Hook>>,
    pub(super) out: &'a mut Outputs,
}

impl Turn<'_> {
    pub(super) fn decide(&mut self, by: Option<By>, input: Input) {
        self.notice_clock();
        self.fire_due(&input);
        self.by = Some(By::Daemon);
        self.fire_schedules();
        self.raise_absences();
        self.by = by;
        self.take(input);
        self.by = Some(By::Daemon);
        self.begin_waiting();
        self.go_on_with_backfills();
        self.by = None;
        self.dispatch();
        // A run that is spread into nothing ends as it starts.
        while self.state.backfills.has_heard() {
            self.by = Some(By::Daemon);
            self.go_on_with_backfills();
            self.by = None;
            self.dispatch();
        }
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Tick => {}
            Input::Open => self.record(Fact::Opened),
            Input::Configure(definitions) => self.configure(definitions),
            Input::Submit(submission) => self.submit(submission),
            Input::Cancel { run, graph, caller } => {
                let answer = if graph {
                    self.cancel_graph(run)
                } else {
                    self.cancel(run)
                };
                self.answer(caller, answer);
            }
            Input::Retry { run, known, caller } => {
                let answer = self.retry(run, known);
                self.answer(caller, answer);
            }
            Input::RetryGraph { members, caller } => {
                let answer = self.retry_graph(members);
                self.answer(caller, answer);
            }
            Input::Complete { run, with, caller } => {
                let answer = self.complete(run, with);
                self.answer(caller, answer);
            }
            Input::Send { run, bytes, caller } => {
                let answer = self.send(run, bytes);
                self.answer(caller, answer);
            }
            Input::Backfill(order) => {
                let caller = order.caller;
                let answer = self.backfill(order);
                self.answer(caller, answer);
            }
            Input::CancelBackfill { id, caller } => {
                let answer = self.cancel_backfill(id);
                self.answer(caller, answer);
            }
            Input::Pause { what, caller } => {
                let answer = self.set_paused(what, true);
                self.answer(caller, answer);
            }
            Input::Resume { what, caller } => {
                let answer = self.set_paused(what, false);
                self.answer(caller, answer);
            }
            Input::Began { attempt } => self.began(attempt),
            Input::Ended { attempt, end } => self.ended(attempt, end),
            Input::Drain => {
                if !self.state.draining {
                    self.record(Fact::Draining);
                }
                self.withdraw_all();
            }
            Input::Leave => self.record(Fact::Leaving),
            Input::StopRunning { durable } => self.stop_running(durable),
            Input::Settle { unbegun } => self.settle(&unbegun),
            Input::CancelWaiting => self.cancel_waiting(),
        }
    }

    /// Records a fact: numbers it, takes it in, hands it out.
    pub(super) fn record(&mut self, fact: Fact) {
        let record = Record {
            number: self.state.next_record,
            at: self.now,
            by: self.by.clone(),
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
    fn fire_due(&mut self, input: &Input) {
        let now = if bug!("timeout-by-the-wall-clock") {
            Mono::at_wall(self.state.last, self.now.wall)
        } else {
            self.now.mono
        };
        while let Some((at, timer)) = self.state.timers.first()
            && at <= now
        {
            match timer {
                Timer::Due(run) => {
                    let job = self.job(run);
                    self.record(Fact::Due { run, job });
                }
                // The time of what had not begun does not count.
                Timer::Timeout(run)
                    if let Input::Settle { unbegun } = input
                        && unbegun.contains(&self.newest_attempt(run))
                        && !bug!("unbegun-times-out") =>
                {
                    self.settle_run(run, unbegun);
                }
                Timer::Timeout(run) => {
                    let whole = self.state.run(run).end_by();
                    let reason = match whole {
                        Some(end_by) if end_by <= self.now.mono => StopReason::RunTimeout,
                        _ => StopReason::Timeout,
                    };
                    self.stop(run, reason);
                }
                Timer::Expired(run) => self.expire(run),
                Timer::Tokens | Timer::Absent => {}
                // Of what went down with an earlier daemon nothing is left that could be unresponsive.
                Timer::Unresponsive(run) if let Input::Settle { unbegun } = input => {
                    self.settle_run(run, unbegun);
                }
                Timer::Unresponsive(run) => self.has_had_its_time(run, at),
            }
        }
        self.state.capacities.wake(self.now.mono);
    }

    /// A run has waited for as long as it may.
    fn expire(&mut self, id: RunId) {
        let run = self.state.run(id);
        let job = Arc::clone(&run.job);
        let ended = if run.end_by().is_some() {
            let ended = Ended::of(id, run, Over::Failed, None);
            let failure = Failure::RunTimeout(job.run_timeout.unwrap_or_default());
            let state = FinalState::Failed(failure.clone());
            self.record(Fact::GivenUp {
                run: id,
                job: Arc::clone(&job),
                failure,
            });
            self.hook(id, &job, &state, None);
            ended
        } else {
            let ended = Ended::of(id, run, Over::Skipped, None);
            let reason = SkipReason::Late(job.start_within.unwrap_or_default());
            self.record(Fact::Skipped {
                run: id,
                job,
                reason,
            });
            ended
        };
        self.follow(ended);
    }

    /// Starts what has room, best rank first, until nothing has.
    fn dispatch(&mut self) {
        if !self.state.draining && !self.held {
            let mut last = None;
            while let Some(run) = self.state.capacities.next(self.now.mono) {
                last = Some(self.state.run(run).class);
                self.start(run);
            }
            if let Some(class) = last {
                self.announce(class);
            }
        }
    }

    fn start(&mut self, id: RunId) {
        let run = self.state.run(id);
        if is_spread(run) {
            return self.spread(id);
        }
        let (job, args) = (Arc::clone(&run.job), run.args.clone());
        let epoch = if bug!("epoch-lost") {
            1
        } else {
            run.next_epoch()
        };
        let attempt = AttemptId { run: id, epoch };
        let announced = self.state.announced.since(attempt);
        let number = self.state.next_record;
        self.record(Fact::Started {
            run: id,
            job: Arc::clone(&job),
            epoch,
        });
        // Of a future nothing executes: it only waits to be completed.
        if !job.task.is_future() {
            let order = StartOrder {
                attempt,
                job,
                args,
                number,
                announced,
            };
            self.out.actions.push(Action::Start(order));
        }
    }

    fn submit(&mut self, submission: Submission) {
        let caller = submission.caller;
        if let Some(answer) = self.known_key(&submission) {
            return self.answer(caller, answer);
        }
        let answer = match plan(self.state, &submission) {
            Ok(plan) => self.accept(&submission, plan, None),
            Err(refusal) => Answer::Refused(refusal),
        };
        self.answer(caller, answer);
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
    pub(super) fn stop(&mut self, id: RunId, reason: StopReason) {
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

    /// The attempt of a stopping run has had its time, which ended at `until`, and has not left its lane.
    fn has_had_its_time(&mut self, id: RunId, until: Mono) {
        let run = self.state.run(id);
        let (epoch, asked) = (run.epoch, until.minus(run.job.patience()));
        let Some(reason) = run.state.stop_reason() else {
            return;
        };
        let kept = !self.state.capacities.replaces(run.class);
        self.unresponsive(id, reason, (asked, kept));
        let attempt = AttemptId { run: id, epoch };
        self.out.actions.push(Action::Replace { attempt });
    }

    /// Says of an attempt that it has not left its lane, since when it is asked to and whether it keeps its place.
    pub(super) fn unresponsive(
        &mut self,
        id: RunId,
        reason: StopReason,
        (asked, kept): (Mono, bool),
    ) {
        let run = self.state.run(id);
        self.record(Fact::Unresponsive {
            run: id,
            job: Arc::clone(&run.job),
            epoch: run.epoch,
            reason,
            asked: self.now.mono.since(asked),
            kept,
        });
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
            Ok(value) if is_too_deep(&value) => {
                return Answer::Refused(Refusal::ResultTooDeep(id));
            }
            Ok(value) => Outcome::Succeeded(value),
            Err(why) => Outcome::Failed(Failure::Error(why)),
        };
        let end = self.end_now(id, outcome);
        self.ended(AttemptId { run: id, epoch }, end);
        Answer::Completed(id)
    }

    /// Something is to be handed to the running attempt of a run.
    fn send(&mut self, id: RunId, bytes: Option<u64>) -> Answer {
        let Some(run) = self.state.runs.get(id) else {
            return self.gone(id);
        };
        let kind = run.state.kind();
        if kind != StateKind::Running {
            return Answer::NotWaiting(id, kind);
        }
        // Nobody could take it, so that it was sent is not put on record.
        if !run.job.task.takes_input() {
            return Answer::TakesNothing(id);
        }
        let (job, epoch) = (Arc::clone(&run.job), run.epoch);
        self.record(Fact::Sent {
            run: id,
            job,
            epoch,
            bytes,
        });
        Answer::Send(AttemptId { run: id, epoch })
    }

    /// The answer for a run that is not in the table.
    pub(super) fn gone(&self, id: RunId) -> Answer {
        if id.0 > 0 && id.0 < self.state.next_run {
            Answer::AlreadyEnded(id)
        } else {
            Answer::UnknownRun(id)
        }
    }

    /// An end of an active run that no lane reports.
    pub(super) fn end_now(&self, id: RunId, outcome: Outcome) -> End {
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
            words: None,
            measures: Measures {
                began,
                ended,
                ..Measures::default()
            },
        }
    }

    pub(super) fn interrupt(&mut self, attempt: AttemptId, cause: Interruption) {
        let AttemptId { run, epoch } = attempt;
        let job = self.job(run);
        let due = match cause {
            Interruption::NoRoom(_) => Some(self.state.next_try(self.now.mono)),
            Interruption::Crash
            | Interruption::Unsure
            | Interruption::Unbegun
            | Interruption::Shutdown => None,
        };
        self.record(Fact::Interrupted {
            run,
            job,
            epoch,
            cause,
            due,
        });
    }

    /// The timeout of an attempt that waited in its lane to be made counts from here.
    fn began(&mut self, AttemptId { run, epoch }: AttemptId) {
        let waits = |run: &&Run| run.epoch == epoch && run.waits_to_begin();
        if let Some(found) = self.state.runs.get(run).filter(waits) {
            let job = Arc::clone(&found.job);
            self.record(Fact::Began { run, job, epoch });
        }
    }

    pub(super) fn ended(&mut self, attempt: AttemptId, mut end: End) {
        let id = attempt.run;
        end.outcome = kept(end.outcome);
        // A stale attempt can finish nothing: only the running one's own epoch counts.
        let Some(run) = self.state.runs.get(id) else {
            return;
        };
        if (run.epoch != attempt.epoch && !bug!("stale-end-counts")) || !run.state.is_active() {
            return;
        }
        if run.state.stop_reason() == Some(StopReason::Interrupt)
            && end.outcome == Outcome::Stopped
            && run.may_start_again()
        {
            return self.interrupt(attempt, Interruption::Shutdown);
        }
        // What has not begun goes on when there is room, also if that is with the next daemon.
        if let (None | Some(StopReason::Interrupt), Outcome::NoRoom(why)) =
            (run.state.stop_reason(), &end.outcome)
            && !(bug!("cancelled-before-it-began") && run.state.stop_reason().is_some())
        {
            return self.interrupt(attempt, Interruption::NoRoom(Arc::clone(why)));
        }
        let state = final_state(&run.state, &run.job, &end.outcome);
        if let FinalState::Failed(failure) = &state
            && let Some(due) = next_try(id, run, failure, self.now.mono)
        {
            let (job, measures) = (Arc::clone(&run.job), end.measures);
            self.record(Fact::Retrying {
                run: id,
                job: Arc::clone(&job),
                epoch: attempt.epoch,
                failure: failure.clone(),
                end,
                due,
            });
            return self.judge(&job, id, &measures);
        }
        let result = match (&state, &end.outcome) {
            (FinalState::Succeeded, Outcome::Succeeded(result)) => Some(Arc::clone(result)),
            _ => None,
        };
        let is_part = run.ties().is_some_and(|ties| ties.part_of.is_some());
        let (job, measures) = (Arc::clone(&run.job), end.measures);
        let ended = Ended::of(id, run, Over::of_final(&state), result.clone());
        self.record(Fact::Ended {
            run: id,
            job: Arc::clone(&job),
            epoch: attempt.epoch,
            state: state.clone(),
            end,
        });
        if state == FinalState::Succeeded && !is_part {
            self.succeeded(&job.name);
        }
        self.judge(&job, id, &measures);
        self.hook(id, &job, &state, result.as_ref());
        self.follow(ended);
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
            } else if !durable {
                self.stop_for_good(id, reason);
            }
        }
    }

    fn job(&self, id: RunId) -> Arc<JobSpec> {
        Arc::clone(&self.state.run(id).job)
    }
}

/// When a run is tried again of which an attempt has failed; `None` if it is not.
pub(super) fn next_try(id: RunId, run: &Run, failure: &Failure, now: Mono) -> Option<Mono> {
    let retry = run.job.retry.as_ref()?;
    let failed = run.failures.saturating_add(1);
    // Nobody wants it to go on, or its time is over.
    let asked = match run.state.stop_reason() {
        None | Some(StopReason::Timeout | StopReason::Interrupt) => false,
        Some(
            StopReason::Request
            | StopReason::RunTimeout
            | StopReason::Replaced(_)
            | StopReason::Shutdown,
        ) => true,
    };
    let enough = retry
        .attempts
        .saturating_add(bug!("attempt-too-many").into());
    if asked || failed >= enough || !retry.covers(failure) {
        return None;
    }
    let due = now.plus(retry.pause(id, failed));
    run.end_by().is_none_or(|end| due < end).then_some(due)
}

/// What an attempt's outcome means for its run.
fn final_state(before: &RunState, job: &JobSpec, outcome: &Outcome) -> FinalState {
    let asked = before.stop_reason();
    let timeout = || Failure::Timeout(job.timeout.unwrap_or_default());
    let run_timeout = || Failure::RunTimeout(job.run_timeout.unwrap_or_default());
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
