//! The loop's turn: wait, let the engine decide, hand the facts to the log, release what is
//! committed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, never, select};

use sending::Sending;

use super::callers::Callers;
use super::outbox::{Batch, Outbox};
use super::reload::{Rejected, Reloader, Reread};
use super::retaining::Retaining;
use super::shutdown::Shutdown;
use super::supervisor::Supervisor;
use super::watch::ClockWatch;
use super::{
    EndSignal, Farewell, LAST_MOMENT, Observer, Parts, Patience, STARTER, SignalMail, late, report,
};
use crate::clock::Clock;
use crate::engine::action::{Action, Answer, Refusal, StartOrder};
use crate::engine::fact::Record;
use crate::engine::id::AttemptId;
use crate::engine::input::Input;
use crate::engine::outcome::{End, Failure, Measures, Outcome};
use crate::engine::spec::{Definitions, JobSpec};
use crate::engine::time::{Mono, Now, Wall};
use crate::engine::{By, Engine, Outputs};
use crate::inbox::{Ended, LaneMail, Request};
use crate::lanes::{AttemptLanes, NoteSource};
use crate::meters::Meters;
use crate::store::{FactLog, Haste, Trouble};

/// Ends that one turn takes in at most: enough that a commit is shared by many, and few enough that
/// signals and deadlines are looked at soon.
const TURN_BOUND: usize = 256;

/// How long, at the very end, the log is waited for: for a disk that is slow, and not for one that
/// has died.
const LAST_COMMIT: Duration = Duration::from_secs(5);

pub(super) struct Turn {
    engine: Engine,
    out: Outputs,
    outbox: Outbox,
    lanes: AttemptLanes,
    mail: LaneMail<NoteSource>,
    log: Box<dyn FactLog>,
    commits: Receiver<u64>,
    troubles: Receiver<Trouble>,
    /// What keeps the log from committing.
    trouble: Option<String>,
    /// Whether it commits all the same, into room that was kept for that.
    is_low: bool,
    /// Why the daemon cannot go on.
    broken: Option<String>,
    requests: Receiver<Request>,
    callers: Callers,
    started: Now,
    outdated: Receiver<Wall>,
    retaining: Retaining,
    /// The number of the last batch that is committed.
    committed: u64,
    /// The number of the last record that is.
    on_record: u64,
    clock: Clock,
    meters: Meters,
    /// Since when the loop has been busy.
    woken: Mono,
    /// Says that the wall clock was set.
    clock_set: Receiver<()>,
    /// Watches for that; `None` where the machine does not let it.
    _watch: Option<ClockWatch>,
    signals: SignalMail,
    supervisor: Supervisor,
    observers: Vec<Box<dyn Observer>>,
    reloader: Option<Reloader>,
    rereads: Receiver<Result<Reread, Rejected>>,
    patience: Patience,
    shutdown: Shutdown,
    asked: Option<EndSignal>,
    /// Who asked for the way down first.
    asked_by: Option<By>,
    /// What is handed to attempts when that is committed.
    sending: Sending,
    until_done: bool,
    refused: Option<Refusal>,
    /// What was wrong with the configuration that was read last.
    rejected: Option<String>,
}

/// What wakes the loop.
enum Wake {
    Ended(Box<Ended>),
    Began(AttemptId),
    Notes(NoteSource),
    Committed(u64),
    End(EndSignal),
    Reload,
    Status,
    Reread(Result<Reread, Rejected>),
    Request(Box<Request>),
    Trouble(Trouble),
    /// The time at which something in the store becomes too old.
    Outdated(Wall),
    Deadline,
    /// A channel was closed from the other side.
    Closed(Channel),
}

/// Channels that the loop listens to.
#[derive(Clone, Copy, Debug)]
enum Channel {
    Ends,
    Begun,
    Notes,
    Commits,
    EndSignals,
    Reloads,
    Statuses,
    Rereads,
    Requests,
    Troubles,
    Outdated,
    Clock,
}

impl Turn {
    pub(super) fn new(parts: Parts) -> Self {
        let (lanes, mail) = parts.lanes;
        let reloader = parts.reader.map(Reloader::new);
        let watch = ClockWatch::start().inspect_err(|error| {
            tracing::warn!(target: "twolane::daemon", "cannot watch the clock: {error}");
        });
        let watch = watch.ok();
        Self {
            engine: parts.engine,
            out: Outputs::default(),
            outbox: Outbox::default(),
            lanes,
            mail,
            commits: parts.log.commits(),
            troubles: parts.log.troubles(),
            trouble: None,
            is_low: false,
            broken: None,
            requests: parts.requests,
            callers: Callers::default(),
            started: parts.clock.now(),
            outdated: parts.log.outdated(),
            retaining: Retaining::default(),
            committed: 0,
            on_record: 0,
            log: parts.log,
            woken: parts.clock.mono(),
            clock: parts.clock,
            meters: parts.meters,
            clock_set: watch.as_ref().map_or_else(never, |watch| watch.set.clone()),
            _watch: watch,
            signals: parts.signals,
            supervisor: parts.supervisor,
            observers: parts.observers,
            rereads: reloader.as_ref().map_or_else(never, Reloader::results),
            reloader,
            patience: parts.patience,
            shutdown: Shutdown::No,
            asked: None,
            asked_by: None,
            sending: Sending::default(),
            until_done: parts.until_done,
            refused: None,
            rejected: None,
        }
    }

    /// Whether there is nothing to wait for any more.
    pub(super) fn is_over(&self) -> bool {
        // Who was asked to stop and has had the time for it is not waited for.
        let unresponsive = self.engine.unresponsive_count();
        let idle = self.outbox.is_empty() && self.engine.active_count() == unresponsive;
        match self.shutdown {
            Shutdown::No => {
                let done = self.engine.live_count() == 0 || self.engine.is_held_up();
                self.until_done && idle && done
            }
            Shutdown::Emptying | Shutdown::Draining { .. } | Shutdown::Stopping { .. } => idle,
            Shutdown::Leaving => true,
        }
    }

    /// Lets the engine decide on one input.
    pub(super) fn apply(&mut self, input: Input) {
        self.apply_for(None, input);
    }

    /// The same, of what somebody asks for.
    pub(super) fn apply_for(&mut self, by: Option<By>, input: Input) {
        let now = self.clock.now();
        self.engine.apply_for(now, by, input, &mut self.out);
    }

    /// Settles what a recovery has left, and opens: from here on runs start.
    pub(super) fn settle(&mut self, definitions: Arc<Definitions>, unbegun: BTreeSet<AttemptId>) {
        // Of what had not begun there is nothing to tear down.
        let has_begun = |order: &StartOrder| !unbegun.contains(&order.attempt);
        let orders: Vec<StartOrder> = self.engine.active_orders().filter(has_begun).collect();
        let jobs: BTreeMap<AttemptId, Arc<JobSpec>> = orders
            .iter()
            .map(|order| (order.attempt, Arc::clone(&order.job)))
            .collect();
        report::torn_down(&orders);
        for (attempt, failure) in self.lanes.tear_down(orders) {
            tracing::warn!(
                target: "twolane::daemon",
                run = attempt.run.0,
                job = jobs.get(&attempt).map(|job| &*job.name),
                attempt = attempt.epoch,
                "the teardown of a task that went down with the daemon failed: {failure}"
            );
        }
        self.apply(Input::Settle { unbegun });
        if *self.engine.definitions() != definitions {
            self.apply_for(Some(By::Daemon), Input::Configure(definitions));
        }
        self.apply(Input::Open);
        self.log.retain(self.clock.now().wall);
    }

    /// Hands what the engine has decided since the last time to the log and to the outbox.
    pub(super) fn commit(&mut self) {
        if self.out.records.is_empty() && self.out.actions.is_empty() {
            return;
        }
        let records: Arc<[Record]> = self.out.records.drain(..).collect();
        let actions = std::mem::take(&mut self.out.actions);
        let (batch, begins) = self
            .outbox
            .batch(Arc::clone(&records), actions, self.on_record);
        // As long as nobody waits for this commit, it can wait for more.
        let haste = match (&begins[..], &batch.actions[..]) {
            ([_, ..], []) => Haste::Soon,
            _ => Haste::Now,
        };
        let number = self.outbox.hold(batch);
        self.log.append(number, &records, haste);
        for order in begins {
            self.start(order);
        }
        self.supervisor.stir();
    }

    /// Sleeps until something happens, and takes it in, with the ends and requests that wait behind it.
    pub(super) fn wait(&mut self) {
        self.supervise();
        self.meters.turned(self.clock.mono().since(self.woken));
        let wake = self.next_wake();
        self.woken = self.clock.mono();
        self.take(wake);
        let now = self.clock.now();
        if self.retaining.take(now.mono) {
            self.log.retain(now.wall);
        }
        if self.outbox.is_full() {
            return;
        }
        for attempt in self.mail.begun.clone().try_iter().take(TURN_BOUND) {
            self.apply(Input::Began { attempt });
        }
        for ended in self.mail.ends.clone().try_iter().take(TURN_BOUND) {
            self.ended(*ended);
        }
        let mut inputs = 0;
        while inputs < TURN_BOUND
            && let Ok(request) = self.requests.try_recv()
        {
            inputs += self.request(request);
        }
    }

    /// Asks what still runs to stop, gives it a moment, and says what is late.
    pub(super) fn leave(mut self) -> Farewell {
        self.shutdown = Shutdown::Leaving;
        self.supervise();
        if self.log.is_durable() {
            self.apply(Input::Drain);
            self.apply(Input::StopRunning { durable: true });
        }
        let _named_below = self.lanes.shutdown(LAST_MOMENT);
        while let Ok(ended) = self.mail.ends.try_recv() {
            self.ended(*ended);
        }
        self.commit();
        self.wait_committed();
        // What is committed is told. What is not, and whatever rests on it, never happened.
        while let Some(batch) = self.outbox.release(self.committed) {
            self.tell(&batch);
        }
        let late = late(&self.engine);
        report::farewell(&late, self.engine.live_count(), &self.outbox, &*self.log);
        Farewell {
            asked: self.asked,
            late,
            refused: self.refused,
            broken: self.broken,
        }
    }

    /// Waits for the log, unless it is in trouble. There is nothing else left to do.
    fn wait_committed(&mut self) {
        let until = self.clock.mono().plus(LAST_COMMIT);
        while self
            .outbox
            .last_held()
            .is_some_and(|last| last > self.committed)
            && self.broken.is_none()
            && (self.trouble.is_none() || self.is_low)
        {
            let timer = self
                .clock
                .instant(until)
                .map_or_else(never, crossbeam_channel::at);
            select! {
                recv(self.commits) -> commit => match commit {
                    Ok(number) => self.committed = number,
                    Err(_) => return,
                },
                recv(self.troubles) -> trouble => match trouble {
                    Ok(trouble) => self.troubled(trouble),
                    Err(_) => self.troubles = never(),
                },
                recv(timer) -> _ => return,
            }
        }
    }

    /// Whether nothing is committed as long as the disk is full: not even what brings runs to their ends.
    const fn is_stuck(&self) -> bool {
        self.trouble.is_some() && !self.is_low
    }

    fn next_wake(&self) -> Wake {
        // While the log is far behind, only what brings that forward, or the end, is taken in.
        let full = self.outbox.is_full();
        let engine = self
            .engine
            .next_deadline()
            .filter(|_| !full)
            .map(|(at, _)| at);
        // A slot comes when the wall clock shows it; that this was set wakes the loop for another look.
        let slot = self.engine.next_slot().filter(|_| !full);
        let slot = slot.map(|at| Mono::at_wall(self.clock.now(), at));
        let others = [
            self.shutdown.deadline(),
            self.retaining.deadline(),
            self.supervisor.deadline(),
            slot,
        ];
        let deadline = others.into_iter().chain([engine]).flatten().min();
        let timer = deadline
            .and_then(|at| self.clock.instant(at))
            .map_or_else(never, crossbeam_channel::at);
        let (no_ends, no_begun, no_rereads, no_requests) = (never(), never(), never(), never());
        let ends = if full { &no_ends } else { &self.mail.ends };
        let begun = if full { &no_begun } else { &self.mail.begun };
        // On a full disk they are answered with that, and make nothing that has to be committed.
        let requests = if full && !self.is_stuck() {
            &no_requests
        } else {
            &self.requests
        };
        let rereads = if full { &no_rereads } else { &self.rereads };
        select! {
            recv(self.commits) -> commit => commit.map_or(Wake::Closed(Channel::Commits), Wake::Committed),
            recv(ends) -> ended => ended.map_or(Wake::Closed(Channel::Ends), Wake::Ended),
            recv(begun) -> begun => begun.map_or(Wake::Closed(Channel::Begun), Wake::Began),
            recv(self.mail.notes) -> notes => notes.map_or(Wake::Closed(Channel::Notes), Wake::Notes),
            recv(self.signals.end) -> end => end.map_or(Wake::Closed(Channel::EndSignals), Wake::End),
            recv(self.signals.reload) -> ask => ask.map_or(Wake::Closed(Channel::Reloads), |()| Wake::Reload),
            recv(self.signals.status) -> ask => ask.map_or(Wake::Closed(Channel::Statuses), |()| Wake::Status),
            recv(rereads) -> reread => reread.map_or(Wake::Closed(Channel::Rereads), Wake::Reread),
            recv(requests) -> request => request.map_or(Wake::Closed(Channel::Requests), |request| Wake::Request(Box::new(request))),
            recv(self.troubles) -> trouble => trouble.map_or(Wake::Closed(Channel::Troubles), Wake::Trouble),
            recv(self.outdated) -> at => at.map_or(Wake::Closed(Channel::Outdated), Wake::Outdated),
            recv(self.clock_set) -> set => set.map_or(Wake::Closed(Channel::Clock), |()| Wake::Deadline),
            recv(timer) -> _ => Wake::Deadline,
        }
    }

    fn take(&mut self, wake: Wake) {
        match wake {
            Wake::Ended(ended) => self.ended(*ended),
            Wake::Began(attempt) => self.apply(Input::Began { attempt }),
            Wake::Notes(source) => {
                for note in source.take() {
                    self.tell_note(&note);
                }
            }
            Wake::Committed(number) => {
                self.committed = number;
                let now = self.clock.mono();
                while let Some(batch) = self.outbox.release(number) {
                    if let Some(last) = batch.records.last() {
                        self.meters.committed(now.since(last.at.mono));
                    }
                    self.publish(batch);
                }
                self.callers.committed(number);
            }
            Wake::End(signal) => self.end(signal, By::Signal),
            Wake::Reload => match &mut self.reloader {
                Some(reloader) => reloader.request(Some(By::Signal), None),
                None => self.end(EndSignal::HangUp, By::Signal),
            },
            Wake::Status => report::status(&self.engine, self.clock.now(), &self.outbox),
            Wake::Reread(result) => self.reread(result),
            Wake::Request(request) => _ = self.request(*request),
            Wake::Trouble(trouble) => self.troubled(trouble),
            Wake::Outdated(at) => self.retaining.outdated(self.clock.now(), at),
            Wake::Deadline => self.deadline(),
            Wake::Closed(channel) => self.closed(channel),
        }
    }

    /// A closed channel would wake the loop for ever, so nobody listens to it any more. Without ends
    /// or commits nothing can go on.
    fn closed(&mut self, channel: Channel) {
        match channel {
            Channel::Begun => self.mail.begun = never(),
            Channel::Notes => self.mail.notes = never(),
            Channel::EndSignals => self.signals.end = never(),
            Channel::Reloads => self.signals.reload = never(),
            Channel::Statuses => self.signals.status = never(),
            Channel::Rereads => self.rereads = never(),
            Channel::Requests => self.requests = never(),
            Channel::Troubles => self.troubles = never(),
            Channel::Outdated => self.outdated = never(),
            Channel::Clock => self.clock_set = never(),
            Channel::Ends | Channel::Commits => {
                tracing::error!(
                    target: "twolane::daemon",
                    ?channel,
                    "leaving: the other side is gone without which nothing goes on; this is a bug"
                );
                self.mail.ends = never();
                self.commits = never();
                self.shutdown = Shutdown::Leaving;
            }
        }
    }

    fn ended(&mut self, ended: Ended) {
        for note in ended.notes {
            self.tell_note(&note);
        }
        self.retaining.ended();
        self.apply(Input::Ended {
            attempt: ended.attempt,
            end: ended.end,
        });
    }

    /// The log says what keeps it from committing.
    fn troubled(&mut self, trouble: Trouble) {
        report::trouble(&trouble, self.outbox.len());
        self.supervisor.stir();
        // What would start needs room to be recorded, which what runs needs more.
        self.engine.hold(true);
        match trouble {
            Trouble::Full { why } => {
                (self.trouble, self.is_low) = (Some(report::full(&why)), false);
            }
            Trouble::Low { why } => {
                (self.trouble, self.is_low) = (Some(report::low(&why)), true);
            }
            Trouble::Recovered => {
                (self.trouble, self.is_low) = (None, false);
                self.engine.hold(false);
                self.apply(Input::Tick);
            }
            Trouble::Broken { why } => {
                self.broken = Some(why);
                self.shutdown = Shutdown::Leaving;
            }
        }
    }

    /// A batch is committed: tells the observers, then carries the actions out.
    fn publish(&mut self, batch: Batch) {
        if let Some(last) = batch.records.last() {
            self.on_record = last.number;
        }
        self.tell(&batch);
        for action in batch.actions {
            match action {
                Action::Start(order) => self.start(order),
                Action::Stop { attempt, .. } => self.lanes.stop(attempt),
                Action::Replace { attempt } => self.lanes.replace(attempt),
                Action::Answer { caller, answer } if caller == STARTER => self.answered(answer),
                Action::Answer { caller, answer } => match self.sending.remove(&caller) {
                    Some(what) => self.deliver(answer, what),
                    None => self.callers.answer(caller, answer),
                },
            }
        }
    }

    /// Hands an order to its lane. The engine starts no more than the lanes carry, so a refusal is a
    /// bug; it costs this run, which fails, and nothing else.
    fn start(&mut self, order: StartOrder) {
        let attempt = order.attempt;
        if let Err(over) = self.lanes.submit(order) {
            tracing::error!(target: "twolane::daemon", "{over}; this is a bug");
            let at = self.clock.now();
            let failure = Failure::Error(over.to_string().into());
            self.apply(Input::Ended {
                attempt,
                end: End {
                    outcome: Outcome::Failed(failure),
                    teardown: None,
                    words: None,
                    measures: Measures {
                        began: at,
                        ended: at,
                        ..Measures::default()
                    },
                },
            });
        }
    }

    /// Only the one who asks for the first runs is there to be answered.
    fn answered(&mut self, answer: Answer) {
        if let Answer::Refused(refusal) = answer {
            tracing::warn!(
                target: "twolane::daemon",
                "the runs that begin with the daemon were not accepted: {refusal}"
            );
            self.refused = Some(refusal);
        }
    }

    fn reread(&mut self, result: Result<Reread, Rejected>) {
        let told = match result {
            Ok(reread) => {
                let old = self.engine.definitions();
                let (changed, text) = report::reloaded(old, &reread.definitions);
                if changed {
                    let by = self.reloader.as_ref().and_then(Reloader::asked_by);
                    self.apply_for(by, Input::Configure(Arc::new(reread.definitions)));
                }
                self.rejected = None;
                for line in &reread.warnings {
                    tracing::warn!(target: "twolane::daemon", "{line}");
                }
                Ok(std::iter::once(text).chain(reread.warnings).collect())
            }
            Err(rejected) => {
                report::not_reloaded(&rejected);
                self.rejected = rejected.mistakes.first().cloned();
                Err(rejected.mistakes)
            }
        };
        if let Some(reloader) = &mut self.reloader {
            reloader.read();
        }
        // Whoever has asked may tell the service manager of the outcome: that it is over is told before.
        self.supervisor.stir();
        self.supervise();
        if let Some(reloader) = &mut self.reloader {
            reloader.finished(&told);
        }
    }
}

mod leaving;
mod requests;
mod sending;
mod supervise;
mod telling;

#[cfg(test)]
mod tests;
