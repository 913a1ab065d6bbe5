//! What somebody outside asks for: taken in like any other input, answered when it is committed.

use crate::daemon::outbox::UNCOMMITTED_BOUND;
use crate::daemon::report;
use crate::daemon::{EndSignal, Turn};

use crate::engine::By;
use crate::engine::id::CallerId;
use crate::engine::input::{BackfillOrder, Input, Submission};
use crate::inbox::{Ask, DaemonStatus, Reply, Request, Told, Unable};

impl Turn {
    /// Takes a request in; how many inputs of the engine it made.
    pub(super) fn request(&mut self, request: Request) -> usize {
        let Request { ask, by, reply } = request;
        match ask {
            // What would come into force when there is room again, and whoever asks is gone.
            Ask::Drain | Ask::Reload if self.is_stuck() => {
                reply(Told::Unable(Unable::StoreFull));
            }
            Ask::Submit(submissions) => return self.submit(submissions, by, reply),
            Ask::Cancel(run, graph) => {
                self.decide_end((by, reply), |caller| Input::Cancel { run, graph, caller });
            }
            Ask::RetryGraph(members) => {
                self.decide((by, reply), |caller| Input::RetryGraph { members, caller });
            }
            Ask::Retry(run, known) => self.decide((by, reply), |caller| Input::Retry {
                run,
                known: Some(known),
                caller,
            }),
            Ask::Complete(run, with) => {
                self.decide_end((by, reply), |caller| Input::Complete { run, with, caller });
            }
            Ask::Ground(job) => {
                let told = Told::Ground(self.engine.ground(&job), self.clock.now());
                self.tell_committed(reply, told);
            }
            Ask::Backfill(order) => self.backfill(*order, (by, reply)),
            Ask::CancelBackfill(id) => {
                self.decide_end((by, reply), |caller| Input::CancelBackfill { id, caller });
            }
            Ask::Backfills => {
                self.tell_committed(reply, Told::Backfills(self.engine.backfills()));
            }
            Ask::Pause(what) => self.decide((by, reply), |caller| Input::Pause { what, caller }),
            Ask::Resume(what) => self.decide((by, reply), |caller| Input::Resume { what, caller }),
            Ask::Send(run, value) => self.send(run, value, (by, reply)),
            Ask::Explain(run) => {
                let explanation = self.engine.explain(run, self.clock.mono());
                self.tell_committed(reply, Told::Explained(explanation));
            }
            Ask::Status => {
                let status = Told::Status(Box::new(self.status()));
                // In trouble nothing is committed, and that is what somebody wants to know.
                if self.trouble.is_some() {
                    reply(status);
                } else {
                    self.tell_committed(reply, status);
                }
            }
            Ask::Jobs => {
                let jobs = self.engine.jobs().collect();
                self.tell_committed(reply, Told::Jobs(jobs));
            }
            Ask::Reload => self.ask_reload(by, reply),
            Ask::Preview => self.preview(reply),
            Ask::Drain => {
                self.asked_by.clone_from(&by);
                // What runs has all the time it takes: who asks for less stops the daemon.
                self.shutdown.drain();
                report::drain_asked(&self.engine);
                self.apply_for(by, Input::Drain);
                reply(Told::Done);
            }
            Ask::Stop => {
                self.apply_for(by.clone(), Input::Leave);
                self.end(EndSignal::Terminate, by.unwrap_or(By::Daemon));
                reply(Told::Done);
            }
        }
        1
    }

    fn submit(&mut self, submissions: Vec<Submission>, by: Option<By>, reply: Reply) -> usize {
        if let Some(unable) = self.unable() {
            reply(Told::Unable(unable));
            return 0;
        }
        if submissions.is_empty() {
            reply(Told::Answers(Vec::new()));
            return 0;
        }
        let inputs = submissions.len();
        let caller = Some(self.callers.open(inputs, reply));
        for submission in submissions {
            let input = Input::Submit(Submission {
                caller,
                ..submission
            });
            self.apply_for(by.clone(), input);
        }
        inputs
    }

    fn backfill(&mut self, order: BackfillOrder, asked: (Option<By>, Reply)) {
        self.decide(asked, |caller| {
            Input::Backfill(BackfillOrder { caller, ..order })
        });
    }

    /// Lets the engine decide, if anything can be decided now; it answers.
    fn decide(
        &mut self,
        (by, reply): (Option<By>, Reply),
        input: impl FnOnce(Option<CallerId>) -> Input,
    ) {
        match self.unable() {
            Some(unable) => reply(Told::Unable(unable)),
            None => {
                let caller = self.callers.open(1, reply);
                self.apply_for(by, input(Some(caller)));
            }
        }
    }

    /// The same, of what brings a run to its end: for that room is kept on a full disk.
    fn decide_end(
        &mut self,
        asked: (Option<By>, Reply),
        input: impl FnOnce(Option<CallerId>) -> Input,
    ) {
        let trouble = self.trouble.take_if(|_| self.is_low);
        self.decide(asked, input);
        self.trouble = trouble.or(self.trouble.take());
    }

    /// Why nothing can be decided now.
    pub(super) fn unable(&self) -> Option<Unable> {
        if self.trouble.is_some() {
            return Some(Unable::StoreFull);
        }
        let waiting = self.outbox.len();
        (waiting >= UNCOMMITTED_BOUND).then_some(Unable::Behind { waiting })
    }

    /// Tells what the engine knows, when all that it rests on is committed.
    fn tell_committed(&mut self, reply: Reply, told: Told) {
        self.commit();
        if self.is_stuck() && self.outbox.last_held().is_some() {
            return reply(Told::Unable(Unable::StoreFull));
        }
        match self.outbox.last_held() {
            Some(batch) => self.callers.hold(batch, reply, told),
            None => reply(told),
        }
    }

    fn status(&self) -> DaemonStatus {
        DaemonStatus {
            engine: self.engine.status(),
            started: self.started,
            now: self.clock.now(),
            uncommitted: self.outbox.len(),
            max_uncommitted: UNCOMMITTED_BOUND,
            trouble: self.trouble.clone(),
        }
    }

    fn preview(&self, reply: Reply) {
        match &self.reloader {
            None => reply(Told::Unable(Unable::NoReload)),
            Some(reloader) => {
                let old = std::sync::Arc::clone(self.engine.definitions());
                reloader.preview(old, self.clock.now().wall, reply);
            }
        }
    }

    fn ask_reload(&mut self, by: Option<By>, reply: Reply) {
        match &mut self.reloader {
            None => reply(Told::Unable(Unable::NoReload)),
            Some(reloader) => {
                reloader.request(by, Some(reply));
            }
        }
    }
}
