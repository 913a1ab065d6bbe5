//! The loop's turn: wait, let the engine decide, hand the facts to the log, release what is
//! committed.

use std::sync::Arc;

use crossbeam_channel::{Receiver, TryRecvError, never, select};

use super::outbox::{Batch, Outbox};
use super::reload::{Rejected, Reloader, Reread};
use super::shutdown::{Shutdown, Step};
use super::{Farewell, LANES_LEAVE, Observer, Parts, Patience, Signal, late, report};
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
    clock: Clock,
    signals: Receiver<Signal>,
    observers: Vec<Box<dyn Observer>>,
    reloader: Option<Reloader>,
    patience: Patience,
    shutdown: Shutdown,
    asked: Option<Signal>,
    until_done: bool,
    refused: Option<Refusal>,
}

/// What wakes the loop.
enum Event {
    Ended(Box<Ended>),
    Notes(NoteSource),
    Committed(u64),
    Signal(Signal),
    Reread(Result<Reread, Rejected>),
    Deadline,
}

impl Turn {
    pub(super) fn new(parts: Parts) -> Self {
        let (lanes, mail) = parts.lanes;
        Self {
            engine: Engine::new(parts.definitions),
            out: Outputs::default(),
            outbox: Outbox::default(),
            lanes,
            mail,
            commits: parts.log.commits(),
            log: parts.log,
            clock: parts.clock,
            signals: parts.signals,
            observers: parts.observers,
            reloader: parts.reader.map(Reloader::new),
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
        let event = self.next_event();
        self.take(event);
        for _ in 0..TURN_BOUND {
            match self.mail.ends.try_recv() {
                Ok(ended) => self.ended(*ended),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
    }

    /// Asks what still runs to stop, and says who is late.
    pub(super) fn leave(mut self) -> Farewell {
        self.apply(Input::StopRunning);
        self.commit();
        // The log may take its time; nobody is there any more to be told what rests on it.
        while let Some(batch) = self.outbox.release(u64::MAX) {
            self.publish(batch);
        }
        let late = late(&self.engine);
        for (run, job) in &late {
            tracing::warn!(
                target: "twolane::daemon",
                run = run.0,
                job = &**job,
                "leaving while the attempt still runs: it did not stop in time"
            );
        }
        let waiting = self.engine.live_count() - late.len();
        if waiting > 0 && !self.log.is_durable() {
            tracing::warn!(
                target: "twolane::daemon",
                waiting,
                "runs that had not started are forgotten: facts are kept in memory only"
            );
        }
        // What is late was named above, by run.
        let _ = self.lanes.shutdown(if late.is_empty() {
            LANES_LEAVE
        } else {
            std::time::Duration::ZERO
        });
        Farewell {
            asked: self.asked,
            late,
            refused: self.refused,
        }
    }

    fn next_event(&self) -> Event {
        let deadlines = [
            self.engine.next_deadline().map(|(at, _)| at),
            self.shutdown.deadline(),
        ];
        let deadline = deadlines.into_iter().flatten().min();
        let timer = deadline
            .and_then(|at| self.clock.instant(at))
            .map_or_else(never, crossbeam_channel::at);
        let (ends, signals) = if self.outbox.is_full() {
            (&never(), &never())
        } else {
            (&self.mail.ends, &self.signals)
        };
        let rereads = self.reloader.as_ref().map_or_else(never, Reloader::results);
        select! {
            recv(self.commits) -> commit => commit.map_or(Event::Deadline, Event::Committed),
            recv(ends) -> ended => ended.map_or(Event::Deadline, Event::Ended),
            recv(self.mail.notes) -> notes => notes.map_or(Event::Deadline, Event::Notes),
            recv(signals) -> signal => signal.map_or(Event::Deadline, Event::Signal),
            recv(rereads) -> reread => reread.map_or(Event::Deadline, Event::Reread),
            recv(timer) -> _ => Event::Deadline,
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Ended(ended) => self.ended(*ended),
            Event::Notes(source) => {
                for note in source.take() {
                    for observer in &mut self.observers {
                        observer.note(&note);
                    }
                }
            }
            Event::Committed(number) => {
                while let Some(batch) = self.outbox.release(number) {
                    self.publish(batch);
                }
            }
            Event::Signal(signal) => self.signal(signal),
            Event::Reread(result) => self.reread(result),
            Event::Deadline => self.deadline(),
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

    /// A batch is committed: tells the observers, then carries the actions out.
    fn publish(&mut self, batch: Batch) {
        for record in batch.records.iter() {
            for observer in &mut self.observers {
                observer.record(record);
            }
        }
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
        self.apply(Input::Tick);
    }

    fn signal(&mut self, signal: Signal) {
        match (signal, &mut self.reloader) {
            (Signal::Status, _) => report::status(&self.engine, self.clock.now(), &self.outbox),
            (Signal::Reload, Some(reloader)) => {
                tracing::info!(target: "twolane::daemon", "reading the configuration again");
                reloader.request();
            }
            (Signal::Reload, None) | (Signal::Terminate | Signal::Interrupt, _) => {
                self.asked.get_or_insert(signal);
                let step = self.shutdown.ask(self.clock.mono(), self.patience);
                self.step_down(step);
            }
        }
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
                self.apply(Input::StopRunning);
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
