//! One task of the library: what its handle, its context and its lane share, in a single allocation,
//! and the jobs that the lanes run for it.

use std::future::{Future, poll_fn};
use std::mem;
use std::panic::Location;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Wake, Waker};
use std::time::Duration;

use super::handle::TaskError;
use super::{Books, Entry, Inner};
use crate::clock::kernel_nanos;
use crate::inbox::Progress;
use crate::lanes::{
    Cancel, CatchPanic, Context, CpuJob, IoJob, Task, TimerKey, Timers, catch, lock,
};

/// A task that will have a `T`.
pub(super) struct Work<T> {
    cancel: Cancel,
    timers: Timers,
    /// Where it was started in the program's text.
    place: &'static Location<'static>,
    slot: Mutex<Slot<T>>,
    progress: Mutex<Option<Progress>>,
}

struct Slot<T> {
    stage: Stage<T>,
    /// Whom to wake when the result is there.
    waker: Option<Waker>,
    timeout: Option<(TimerKey, Duration)>,
}

enum Stage<T> {
    Queued,
    Running,
    Done(Result<T, TaskError>),
    Taken,
}

impl<T> Work<T> {
    pub(super) fn new(timers: Timers, place: &'static Location<'static>) -> Self {
        Self {
            cancel: Cancel::default(),
            timers,
            place,
            slot: Mutex::new(Slot {
                stage: Stage::Queued,
                waker: None,
                timeout: None,
            }),
            progress: Mutex::new(None),
        }
    }

    /// The lane has come to it; false if nobody wants it any more.
    fn begin(&self) -> bool {
        let mut slot = lock(&self.slot);
        match slot.stage {
            Stage::Queued => {
                slot.stage = Stage::Running;
                true
            }
            Stage::Running | Stage::Done(_) | Stage::Taken => false,
        }
    }

    /// Sets the result, unless there is one.
    pub(super) fn complete(&self, result: Result<T, TaskError>) {
        self.settle(result, || ());
    }

    /// The same; does `also` under the lock, before anybody can see the result.
    fn settle(&self, result: Result<T, TaskError>, also: impl FnOnce()) {
        let mut slot = lock(&self.slot);
        match slot.stage {
            Stage::Queued | Stage::Running => {}
            // The caller has heard of a timeout. What came too late is dropped with the lock free.
            Stage::Done(_) | Stage::Taken => return drop(slot),
        }
        also();
        slot.stage = Stage::Done(result);
        let waker = slot.waker.take();
        let timeout = slot.timeout.take();
        drop(slot);
        if let Some((key, _)) = timeout {
            self.timers.remove(key);
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(super) fn poll(&self, waker: &Waker) -> Poll<Result<T, TaskError>> {
        let mut slot = lock(&self.slot);
        match &slot.stage {
            Stage::Queued | Stage::Running => {
                let known = slot.waker.as_ref().is_some_and(|old| old.will_wake(waker));
                let old = if known {
                    None
                } else {
                    slot.waker.replace(waker.clone())
                };
                drop(slot);
                // A waker's own drop may do anything, so it happens with the lock free.
                drop(old);
                Poll::Pending
            }
            Stage::Done(_) | Stage::Taken => match mem::replace(&mut slot.stage, Stage::Taken) {
                Stage::Done(result) => Poll::Ready(result),
                Stage::Queued | Stage::Running | Stage::Taken => {
                    panic!("a handle was polled after it had given its result")
                }
            },
        }
    }

    pub(super) fn is_finished(&self) -> bool {
        match lock(&self.slot).stage {
            Stage::Queued | Stage::Running => false,
            Stage::Done(_) | Stage::Taken => true,
        }
    }

    pub(super) fn progress(&self) -> Option<Progress> {
        lock(&self.progress).clone()
    }

    pub(super) fn ask_to_stop(&self) {
        self.cancel.cancel();
        // The lane asks the same when it comes to it: whoever asks first may go on.
        if self.begin() {
            self.complete(Err(TaskError::Cancelled));
        }
    }
}

impl<T: Send + 'static> Work<T> {
    /// Has the timer end it after `limit`.
    pub(super) fn set_timeout(work: &Arc<Self>, limit: Duration) {
        // Under the lock, so that the timer, which may fire at once, finds what it is for.
        let mut slot = lock(&work.slot);
        match slot.stage {
            Stage::Queued | Stage::Running => {}
            Stage::Done(_) | Stage::Taken => return,
        }
        let waker = Waker::from(Arc::clone(work));
        let key = work.timers.after(limit, waker);
        let before = mem::replace(&mut slot.timeout, key.map(|key| (key, limit)));
        drop(slot);
        if let Some((key, _)) = before {
            work.timers.remove(key);
        }
    }
}

/// Its timeout has come: that is all that ever wakes a task as such.
impl<T: Send + 'static> Wake for Work<T> {
    fn wake(self: Arc<Self>) {
        // A timer that ends wakes all before their time; the lanes end with it. And a timeout that was
        // replaced may wake for the one that came in its place.
        let is_due = |(key, _): &mut (TimerKey, Duration)| kernel_nanos() >= key.0;
        let timeout = lock(&self.slot).timeout.take_if(is_due);
        if let Some((_, limit)) = timeout {
            // Who hears of the timeout finds the task asked to stop; and the task hears of it after
            // the result is set, so that the caller hears of the timeout and not of its consequence.
            self.settle(Err(TaskError::TimedOut(limit)), || self.cancel.set());
            self.cancel.tell();
        }
    }
}

impl<T: Send + 'static> Task for Work<T> {
    fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    fn timers(&self) -> &Timers {
        &self.timers
    }

    fn report(&self, progress: Progress) {
        *lock(&self.progress) = Some(progress);
    }
}

/// A task whose result's type does not matter.
pub(super) trait Remote: Send + Sync {
    fn ask_to_stop(&self);
    fn progress(&self) -> Option<Progress>;
    fn is_finished(&self) -> bool;
}

impl<T: Send + 'static> Remote for Work<T> {
    fn ask_to_stop(&self) {
        Self::ask_to_stop(self);
    }

    fn progress(&self) -> Option<Progress> {
        Self::progress(self)
    }

    fn is_finished(&self) -> bool {
        Self::is_finished(self)
    }
}

/// The duty to give a task's handle a result. Dropping it unfulfilled fulfils it: the lane has been
/// shut down.
struct Finish<T>(Arc<Work<T>>);

impl<T> Drop for Finish<T> {
    fn drop(&mut self) {
        self.0.complete(Err(TaskError::ShutDown));
    }
}

/// A job for the cpu lane.
pub(super) fn cpu<F, T>(books: &Arc<Books>, work: &Arc<Work<T>>, compute: F) -> CpuJob
where
    F: FnOnce(&Context) -> T + Send + 'static,
    T: Send + 'static,
{
    let books = Arc::clone(books);
    let finish = Finish(Arc::clone(work));
    Box::new(move || {
        let work = &finish.0;
        if !work.begin() {
            return;
        }
        let context = Context::new(Arc::clone(work) as Arc<dyn Task>);
        let beneath = books.swap_cpu(Some(Entry {
            context: context.clone(),
            place: work.place,
        }));
        let result = catch(|| compute(&context)).map_err(TaskError::Panicked);
        drop(books.swap_cpu(beneath));
        work.complete(result);
    })
}

/// A job for the io lane that is told of a cancel.
pub(super) fn io_telling<F, Fut>(inner: &Inner, work: &Arc<Work<Fut::Output>>, start: F) -> IoJob
where
    F: FnOnce(Context) -> Fut + Send + 'static,
    Fut: Future + Send + 'static,
    Fut::Output: Send + 'static,
{
    let context = Context::new(Arc::clone(work) as Arc<dyn Task>);
    let future = CatchPanic::new(async move { start(context).await });
    Box::pin(run_io(
        Arc::clone(&inner.books),
        Finish(Arc::clone(work)),
        future,
        OnCancel::GoOn,
    ))
}

/// A job for the io lane that is dropped by a cancel.
pub(super) fn io_dropping<F>(inner: &Inner, work: &Arc<Work<F::Output>>, future: F) -> IoJob
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    Box::pin(run_io(
        Arc::clone(&inner.books),
        Finish(Arc::clone(work)),
        CatchPanic::new(future),
        OnCancel::Drop,
    ))
}

/// What a cancel does to a future.
enum OnCancel {
    GoOn,
    Drop,
}

/// The parameters are dropped last to first: when the runtime drops this, the future is gone before
/// its handle hears of it.
async fn run_io<T: Send + 'static>(
    books: Arc<Books>,
    finish: Finish<T>,
    future: CatchPanic<'_, T>,
    on_cancel: OnCancel,
) {
    let work = &finish.0;
    if !work.begin() {
        return;
    }
    let _entered = Entered::new(&books, work);
    let mut future = Box::pin(future);
    let mut cancelled = pin!(work.cancel.cancelled());
    let result = poll_fn(|context| {
        if let Poll::Ready(result) = future.as_mut().poll(context) {
            return Poll::Ready(result.map_err(TaskError::Panicked));
        }
        match on_cancel {
            OnCancel::GoOn => Poll::Pending,
            OnCancel::Drop => cancelled
                .as_mut()
                .poll(context)
                .map(|()| Err(TaskError::Cancelled)),
        }
    })
    .await;
    drop(future);
    work.complete(result);
}

/// An entry in the books of the io lane.
struct Entered<'a> {
    books: &'a Books,
    number: u64,
}

impl<'a> Entered<'a> {
    fn new<T: Send + 'static>(books: &'a Books, work: &Arc<Work<T>>) -> Self {
        let context = Context::new(Arc::clone(work) as Arc<dyn Task>);
        let number = books.enter_io(Entry {
            context,
            place: work.place,
        });
        Self { books, number }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.books.leave_io(self.number);
    }
}
