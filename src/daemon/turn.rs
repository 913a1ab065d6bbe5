//! The loop's turn: wait, let the engine decide, hand the facts to the log, release what is
//! committed.

use std::sync::Arc;

use crossbeam_channel::{Receiver, TryRecvError, never, select};

use super::outbox::{Batch, Outbox};
use super::reload::{Rejected, Reloader, Reread};
use super::shutdown::{Shutdown, Step};
use super::{
    EndSignal, Farewell, LAST_MOMENT, Observer, Parts, Patience, SignalMail, late, report,
};
use crate::clock::Clock;
use crate::engine::action::{Action, Answer, Refusal, StartOrder};
use crate::engine::fact::Record;
use crate::engine::input::Input;
use crate::engine::outcome::{End, Failure, Measures, Outcome};
use crate::engine::{Engine, Outputs};
use crate::inbox::{Ended, LaneMail};
use crate::lanes::{AttemptLanes, NoteSource};
use crate::store::FactLog;

/// Ends that one turn takes in at most: enough that a commit is shared by many, and few enough that
/// signals and deadlines are looked at soon.
const TURN_BOUND: usize = 256;

pub(super) struct Turn {
    engine: Engine,
    out: Outputs,
    outbox: Outbox,
    lanes: AttemptLanes,
    mail: LaneMail<NoteSource>,
    log: Box<dyn FactLog>,
    commits: Receiver<u64>,
    /// The number of the last batch that is committed.
    committed: u64,
    clock: Clock,
    signals: SignalMail,
    observers: Vec<Box<dyn Observer>>,
    reloader: Option<Reloader>,
    rereads: Receiver<Result<Reread, Rejected>>,
    patience: Patience,
    shutdown: Shutdown,
    asked: Option<EndSignal>,
    until_done: bool,
    refused: Option<Refusal>,
}

/// What wakes the loop.
enum Wake {
    Ended(Box<Ended>),
    Notes(NoteSource),
    Committed(u64),
    End(EndSignal),
    Reload,
    Status,
    Reread(Result<Reread, Rejected>),
    Deadline,
    /// A channel was closed from the other side.
    Closed(Channel),
}

/// Channels that the loop listens to.
#[derive(Clone, Copy, Debug)]
enum Channel {
    Ends,
    Notes,
    Commits,
    EndSignals,
    Reloads,
    Statuses,
    Rereads,
}

impl Turn {
    pub(super) fn new(parts: Parts) -> Self {
        let (lanes, mail) = parts.lanes;
        let reloader = parts.reader.map(Reloader::new);
        Self {
            engine: Engine::new(parts.definitions),
            out: Outputs::default(),
            outbox: Outbox::default(),
            lanes,
            mail,
            commits: parts.log.commits(),
            committed: 0,
            log: parts.log,
            clock: parts.clock,
            signals: parts.signals,
            observers: parts.observers,
            rereads: reloader.as_ref().map_or_else(never, Reloader::results),
            reloader,
            patience: parts.patience,
            shutdown: Shutdown::No,
            asked: None,
            until_done: parts.until_done,
            refused: None,
        }
    }

    /// Whether there is nothing to wait for any more.
    pub(super) fn is_over(&self) -> bool {
        let idle = self.outbox.is_empty() && self.engine.active_count() == 0;
        match self.shutdown {
            Shutdown::No => self.until_done && idle && self.engine.live_count() == 0,
            Shutdown::Draining { .. } | Shutdown::Stopping { .. } => idle,
            Shutdown::Leaving => true,
        }
    }

    /// Lets the engine decide on one input.
    pub(super) fn apply(&mut self, input: Input) {
        self.engine.apply(self.clock.now(), input, &mut self.out);
    }

    /// Hands what the engine has decided since the last time to the log and to the outbox.
    pub(super) fn commit(&mut self) {
        if self.out.records.is_empty() && self.out.actions.is_empty() {
            return;
        }
        let records: Arc<[Record]> = self.out.records.drain(..).collect();
        let actions = std::mem::take(&mut self.out.actions);
        let number = self.outbox.hold(Batch {
            records: Arc::clone(&records),
            actions,
        });
        self.log.append(number, &records);
    }

    /// Sleeps until something happens, and takes it in, with the ends that wait behind it.
    pub(super) fn wait(&mut self) {
        let wake = self.next_wake();
        self.take(wake);
        for _ in 0..TURN_BOUND {
            if self.outbox.is_full() {
                return;
            }
            match self.mail.ends.try_recv() {
                Ok(ended) => self.ended(*ended),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return,
            }
        }
    }

    /// Asks what still runs to stop, gives it a moment, and says what is late.
    pub(super) fn leave(mut self) -> Farewell {
        let _named_below = self.lanes.shutdown(LAST_MOMENT);
        while let Ok(ended) = self.mail.ends.try_recv() {
            self.ended(*ended);
        }
        self.commit();
        while let Ok(number) = self.commits.try_recv() {
            self.committed = number;
        }
        // What is committed is told. What is not, and whatever rests on it, never happened.
        while let Some(batch) = self.outbox.release(self.committed) {
            self.tell(&batch.records);
        }
        let late = late(&self.engine);
        report::farewell(&late, self.engine.live_count(), &self.outbox, &*self.log);
        Farewell {
            asked: self.asked,
            late,
            refused: self.refused,
        }
    }

    fn next_wake(&self) -> Wake {
        // While the log is far behind, only what brings that forward, or the end, is taken in.
        let full = self.outbox.is_full();
        let engine = self
            .engine
            .next_deadline()
            .filter(|_| !full)
            .map(|(at, _)| at);
        let deadline = [engine, self.shutdown.deadline()]
            .into_iter()
            .flatten()
            .min();
        let timer = deadline
            .and_then(|at| self.clock.instant(at))
            .map_or_else(never, crossbeam_channel::at);
        let (no_ends, no_rereads) = (never(), never());
        let ends = if full { &no_ends } else { &self.mail.ends };
        let rereads = if full { &no_rereads } else { &self.rereads };
        select! {
            recv(self.commits) -> commit => commit.map_or(Wake::Closed(Channel::Commits), Wake::Committed),
            recv(ends) -> ended => ended.map_or(Wake::Closed(Channel::Ends), Wake::Ended),
            recv(self.mail.notes) -> notes => notes.map_or(Wake::Closed(Channel::Notes), Wake::Notes),
            recv(self.signals.end) -> end => end.map_or(Wake::Closed(Channel::EndSignals), Wake::End),
            recv(self.signals.reload) -> ask => ask.map_or(Wake::Closed(Channel::Reloads), |()| Wake::Reload),
            recv(self.signals.status) -> ask => ask.map_or(Wake::Closed(Channel::Statuses), |()| Wake::Status),
            recv(rereads) -> reread => reread.map_or(Wake::Closed(Channel::Rereads), Wake::Reread),
            recv(timer) -> _ => Wake::Deadline,
        }
    }

    fn take(&mut self, wake: Wake) {
        match wake {
            Wake::Ended(ended) => self.ended(*ended),
            Wake::Notes(source) => {
                for note in source.take() {
                    for observer in &mut self.observers {
                        observer.note(&note);
                    }
                }
            }
            Wake::Committed(number) => {
                self.committed = number;
                while let Some(batch) = self.outbox.release(number) {
                    self.publish(batch);
                }
            }
            Wake::End(signal) => self.end(signal),
            Wake::Reload => match &mut self.reloader {
                Some(reloader) => {
                    tracing::info!(target: "twolane::daemon", "reading the configuration again");
                    reloader.request();
                }
                None => self.end(EndSignal::HangUp),
            },
            Wake::Status => report::status(&self.engine, self.clock.now(), &self.outbox),
            Wake::Reread(result) => self.reread(result),
            Wake::Deadline => self.deadline(),
            Wake::Closed(channel) => self.closed(channel),
        }
    }

    /// A closed channel would wake the loop for ever, so nobody listens to it any more. Without ends
    /// or commits nothing can go on.
    fn closed(&mut self, channel: Channel) {
        match channel {
            Channel::Notes => self.mail.notes = never(),
            Channel::EndSignals => self.signals.end = never(),
            Channel::Reloads => self.signals.reload = never(),
            Channel::Statuses => self.signals.status = never(),
            Channel::Rereads => self.rereads = never(),
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
        for note in &ended.notes {
            for observer in &mut self.observers {
                observer.note(note);
            }
        }
        self.apply(Input::Ended {
            attempt: ended.attempt,
            end: ended.end,
        });
    }

    fn tell(&mut self, records: &[Record]) {
        for record in records {
            for observer in &mut self.observers {
                observer.record(record);
            }
        }
    }

    /// A batch is committed: tells the observers, then carries the actions out.
    fn publish(&mut self, batch: Batch) {
        self.tell(&batch.records);
        for action in batch.actions {
            match action {
                Action::Start(order) => self.start(order),
                Action::Stop { attempt, .. } => self.lanes.stop(attempt),
                Action::Answer { answer, .. } => self.answered(answer),
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

    fn deadline(&mut self) {
        let now = self.clock.mono();
        if let Some(step) = self.shutdown.tick(now) {
            self.step_down(step);
        }
        if !self.outbox.is_full() {
            self.apply(Input::Tick);
        }
    }

    fn end(&mut self, signal: EndSignal) {
        self.asked.get_or_insert(signal);
        let step = self.shutdown.ask(self.clock.mono(), self.patience);
        self.step_down(step);
    }

    fn step_down(&mut self, step: Step) {
        report::step_down(step, &self.engine, self.patience);
        match step {
            Step::Drain => self.apply(Input::Drain),
            Step::Stop => {
                self.apply(Input::Drain);
                if self.until_done {
                    // Without a store, nobody will be there to start what waits.
                    self.apply(Input::CancelWaiting);
                }
                self.apply(Input::StopRunning {
                    durable: self.log.is_durable(),
                });
            }
            Step::Leave => {}
        }
    }

    fn reread(&mut self, result: Result<Reread, Rejected>) {
        if let Some(reloader) = &mut self.reloader {
            reloader.finished();
        }
        match result {
            Ok(reread) => {
                for line in &reread.warnings {
                    tracing::warn!(target: "twolane::daemon", "{line}");
                }
                if report::reloaded(self.engine.definitions(), &reread.definitions) {
                    self.apply(Input::Configure(Arc::new(reread.definitions)));
                }
            }
            Err(rejected) => report::not_reloaded(&rejected),
        }
    }
}

#[cfg(test)]
mod tests;
