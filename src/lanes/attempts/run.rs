//! One attempt from its order to its end: the jobs that the lanes run for it, and what is reported of
//! it, whatever happens.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::super::begun::Line;
use super::super::inbox::{Delivered, Inbox};
use super::super::makers::Haste;
use super::super::place::Place;
use super::super::tasks::{Came, Done, TaskError, TaskResult, run_cpu, run_io};
use super::super::{
    Cancel, CatchPanic, Context, Cpu, CpuJob, IoJob, Task, Timers, Who, catch, lock, measured,
};
use super::Hub;
use super::notes::{NoteSource, Notes};
use crate::clock::thread_cpu;
use crate::engine::action::StartOrder;
use crate::engine::id::AttemptId;
use crate::engine::outcome::{End, Failure, Measures, Outcome};
use crate::engine::spec::{Lane, TaskSpec};
use crate::engine::time::Now;
use crate::inbox::{Ended, Note, Progress};
use crate::process::thread_delayed;

/// An attempt whose end is not reported.
pub(super) struct Attempt {
    place: Arc<Place>,
    args: Option<Arc<Value>>,
    cancel: Cancel,
    notes: Mutex<Notes>,
    /// For it to wait for no turn where processes are made, if it begins with one.
    haste: Option<Arc<Haste>>,
    /// It does not leave its lane, which carries another one in its place.
    replaced: AtomicBool,
    hub: Arc<Hub>,
    /// For handing itself out as the source of its notes.
    me: std::sync::Weak<Attempt>,
}

impl Attempt {
    /// Puts it into the table of those that run. Its end is reported when what is returned is
    /// dropped, or before.
    pub(super) fn register(hub: &Arc<Hub>, order: StartOrder) -> Ending {
        let line = Line::of(&order.job);
        let haste = (line == Line::Making).then(Arc::default);
        let attempt = Arc::new_cyclic(|me| Self {
            place: Arc::new(Place::new(&order, &hub.world)),
            args: order.args,
            cancel: Cancel::default(),
            notes: Mutex::new(Notes::default()),
            haste,
            replaced: AtomicBool::new(false),
            hub: Arc::clone(hub),
            me: me.clone(),
        });
        hub.live.fetch_add(1, Ordering::SeqCst);
        lock(&hub.attempts).insert(attempt.id(), Arc::clone(&attempt));
        Ending {
            attempt,
            began: None,
            reported: false,
        }
    }

    pub(super) fn id(&self) -> AttemptId {
        self.place.attempt
    }

    pub(super) fn lane(&self) -> Lane {
        self.place.job.lane
    }

    /// Whether on the io lane something is polled for it that may block: code from outside, or what
    /// computes.
    pub(super) fn may_block(&self) -> bool {
        let job = &self.place.job;
        !job.isolate && matches!(job.task, TaskSpec::Call { .. } | TaskSpec::Compute { .. })
    }

    /// Takes note that the lane carries another one in its place; false if that is so already.
    pub(super) fn mark_replaced(&self) -> bool {
        !self.replaced.swap(true, Ordering::SeqCst)
    }

    pub(super) fn cancel(&self) {
        self.cancel.cancel();
        if let Some(haste) = &self.haste {
            haste.make();
        }
    }

    pub(super) fn send(&self, value: Option<Value>, answer: Delivered) {
        self.place.inbox.send(value, answer);
    }

    pub(super) fn take_notes(&self) -> Vec<Note> {
        lock(&self.notes).take()
    }
}

impl Task for Attempt {
    fn attempt(&self) -> Option<AttemptId> {
        Some(self.id())
    }

    fn inbox(&self) -> Option<&Inbox> {
        Some(&self.place.inbox)
    }

    fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    fn timers(&self) -> &Timers {
        &self.hub.world.timers
    }

    fn spend(&self, cpu: Duration) {
        lock(&self.place.used).spend(cpu);
    }

    fn report(&self, mut progress: Progress) {
        self.place.secrets.mask().progress(&mut progress);
        let note = Note {
            attempt: self.id(),
            job: Arc::clone(&self.place.job),
            at: self.hub.world.clock.now(),
            progress,
        };
        let mut notes = lock(&self.notes);
        notes.push(note);
        notes.announce(|| {
            let source = self.me.upgrade().map(NoteSource);
            source.is_some_and(|source| self.hub.port.notes.try_send(source).is_ok())
        });
    }
}

/// Carries out an attempt on the io lane.
pub(super) fn io_job(mut ending: Ending) -> IoJob {
    Box::pin(async move {
        if !ending.begin() {
            return;
        }
        let attempt = Arc::clone(&ending.attempt);
        let result = CatchPanic::new(async move {
            let context = Context::new(Arc::clone(&attempt) as Arc<dyn Task>);
            let (handlers, clients) = (&attempt.hub.handlers, &attempt.hub.clients);
            let args = attempt.args.as_deref();
            let run = run_io(context, args, (handlers, clients), &attempt.place);
            measured(run, &attempt.place.used, Cpu::Polls).await
        })
        .await;
        ending.report(result, None);
    })
}

/// Carries out an attempt on the cpu lane.
pub(super) fn cpu_job(mut ending: Ending) -> CpuJob {
    Box::new(move || {
        if !ending.begin() {
            return;
        }
        let (before, delayed) = (thread_cpu(), thread_delayed());
        let attempt = &ending.attempt;
        let result = catch(|| {
            let context = Context::new(Arc::clone(attempt) as Arc<dyn Task>);
            let handlers = &attempt.hub.handlers;
            run_cpu(&context, attempt.args.as_deref(), handlers, &attempt.place)
        });
        let used = thread_cpu().saturating_sub(before);
        let delayed = thread_delayed().saturating_sub(delayed);
        lock(&attempt.place.used).wait(delayed);
        ending.report(result, Some(used));
    })
}

/// An attempt for those who watch over what may block.
pub(super) fn who(ending: &Ending) -> Option<Who> {
    let attempt = &ending.attempt;
    attempt.may_block().then(|| Who {
        attempt: attempt.id(),
        job: Arc::clone(&attempt.place.job),
    })
}

/// For an attempt that begins with a process.
pub(super) fn haste(ending: &Ending) -> Option<Arc<Haste>> {
    ending.attempt.haste.clone()
}

/// The duty to report an attempt's end. Dropping it unfulfilled (the lane is shut down, or was full)
/// fulfils it.
pub(super) struct Ending {
    attempt: Arc<Attempt>,
    began: Option<Now>,
    reported: bool,
}

impl Ending {
    /// The attempt's own code begins now, unless it was stopped before it could.
    fn begin(&mut self) -> bool {
        if self.attempt.cancel.is_cancelled() {
            return false;
        }
        self.began = Some(self.attempt.hub.world.clock.now());
        let place = &self.attempt.place;
        // Of those, others see nothing before there is a process.
        if Line::of(&place.job) != Line::Making {
            place.mark_begun();
        }
        true
    }

    /// The attempt's own code has ended.
    fn report(mut self, came: Result<Came, Arc<str>>, cpu: Option<Duration>) {
        let (result, teardown) = match came {
            Ok(Came { result, teardown }) => (Ok(result), teardown),
            Err(panic) => (Err(panic), None),
        };
        let late = match &result {
            Ok(Ok(done)) => done.late,
            Ok(Err(_)) | Err(_) => None,
        };
        let outcome = outcome(result, self.attempt.cancel.is_cancelled());
        // What found no room has nothing to be torn down.
        if !matches!(outcome, Outcome::NoRoom(_)) && self.attempt.place.goes_down_untorn() {
            return self.keep();
        }
        self.send(outcome, teardown, cpu, late);
    }

    /// It goes down with the lanes: its end is not reported, so that whoever comes after this daemon finds it
    /// under way, and runs its teardown.
    fn keep(&mut self) {
        self.reported = true;
        self.attempt.place.inbox.close();
        self.attempt.hub.live.fetch_sub(1, Ordering::SeqCst);
        self.leave();
    }

    /// Takes it out of the table of those that run.
    fn leave(&self) {
        let hub = &self.attempt.hub;
        let mut attempts = lock(&hub.attempts);
        let taken = attempts.remove(&self.attempt.id());
        if attempts.is_empty() {
            hub.none.notify_all();
        }
        drop(attempts);
        if self.attempt.replaced.load(Ordering::SeqCst) {
            hub.restore(self.attempt.lane());
        }
        drop(taken);
    }

    fn send(
        &mut self,
        mut outcome: Outcome,
        mut teardown: Option<Failure>,
        cpu: Option<Duration>,
        late: Option<Duration>,
    ) {
        self.reported = true;
        let mask = self.attempt.place.secrets.mask();
        mask.outcome(&mut outcome);
        if let Some(failure) = &mut teardown {
            mask.failure(failure);
        }
        self.attempt.place.inbox.close();
        let used = *lock(&self.attempt.place.used);
        // What waited until its process could be made had not begun.
        let began = self.attempt.place.begun().or(self.began);
        let hub = &self.attempt.hub;
        let ended = hub.world.clock.now();
        let (notes, coalesced) = lock(&self.attempt.notes).close();
        let end = End {
            outcome,
            teardown,
            words: self.attempt.place.last_words.get().cloned(),
            measures: Measures {
                began: began.unwrap_or(ended),
                ended,
                cpu: match (cpu, used.cpu) {
                    (Some(own), Some(of_processes)) => Some(own + of_processes),
                    (own, of_processes) => own.or(of_processes),
                },
                held: used.held,
                delayed: used.delayed,
                memory: used.memory,
                late,
                coalesced,
            },
        };
        hub.live.fetch_sub(1, Ordering::SeqCst);
        // The channel has room for all that may be running (see `AttemptLanes::submit`), so this
        // does not wait. An error means that nobody listens any more.
        let _unheard = hub.port.ends.send(Box::new(Ended {
            attempt: self.attempt.id(),
            end,
            notes,
        }));
        self.leave();
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if self.reported {
            return;
        }
        if self.began.is_some() && self.attempt.place.goes_down_untorn() {
            return self.keep();
        }
        let outcome = if self.attempt.cancel.is_cancelled() {
            Outcome::Stopped
        } else {
            Outcome::Failed(Failure::Error(Arc::from(
                "the lane gave it up before it had ended: the lane is full or shut down",
            )))
        };
        self.send(outcome, None, None, None);
    }
}

/// What came of the attempt. Work that is done counts as done, also if it was asked to stop; only a
/// task that says so has stopped.
fn outcome(result: Result<TaskResult, Arc<str>>, stop_asked: bool) -> Outcome {
    match result {
        Ok(Ok(Done { value, late: _ })) => Outcome::Succeeded(Arc::new(value)),
        Ok(Err(TaskError::Stopped)) if stop_asked => Outcome::Stopped,
        Ok(Err(TaskError::Stopped)) => Outcome::Failed(Failure::Error(Arc::from(
            "it says that it was asked to stop, but nobody asked it to",
        ))),
        Ok(Err(TaskError::Failed(reason))) => Outcome::Failed(Failure::Error(reason)),
        Ok(Err(TaskError::Ended(failure))) => Outcome::Failed(failure),
        Ok(Err(TaskError::NoRoom(reason))) => Outcome::NoRoom(reason),
        Err(panic) => Outcome::Failed(Failure::Panic(panic)),
    }
}
