//! What the caller of a lane holds: the result to come, a way to cancel, and a view of the progress.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::thread::{current, park};
use std::time::Duration;

use super::work::{Remote, Work};
use crate::inbox::Progress;
use crate::lanes::Unpark;

/// A task in a lane: a future of its result, for any runtime.
///
/// Dropping a handle lets the task go on by itself, as with tokio's; [`cancel`](Self::cancel) it
/// first to have it stop. A [`timeout`](Self::timeout) stays in force.
#[must_use = "dropping a handle lets the task go on unheard"]
pub struct Handle<T> {
    work: Arc<Work<T>>,
}

/// Why there is no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaskError {
    /// The task panicked, with this message and place. Nothing else is harmed.
    #[error("the task panicked: {0}")]
    Panicked(Arc<str>),
    /// It was cancelled before it began, or dropped where it waited: nothing of it runs.
    #[error("the task was cancelled before it was done")]
    Cancelled,
    /// It took longer than this, from the call of [`Handle::timeout`] on. It has been told to stop;
    /// see there.
    #[error("the task was not done within its timeout of {0:?}")]
    TimedOut(Duration),
    /// It was not accepted, because too many wait already.
    #[error("the queue of `{queue}` is full: {bound} tasks wait in it")]
    Full {
        /// The lane (`io`, `cpu`) or the pool.
        queue: Arc<str>,
        /// How many may wait there.
        bound: usize,
    },
    /// It was given to a pool that is a part of the other lane.
    #[error("pool `{pool}` is a part of the {lane} lane, the task is for the other one")]
    WrongLane {
        /// The pool.
        pool: Arc<str>,
        /// The pool's lane.
        lane: super::Lane,
    },
    /// The lanes were shut down before it was done.
    #[error("the lanes were shut down before the task was done")]
    ShutDown,
}

impl<T> Handle<T> {
    pub(super) fn new(work: Arc<Work<T>>) -> Self {
        Self { work }
    }

    /// Asks the task to stop. One that has not begun never will, and gives
    /// [`TaskError::Cancelled`] at once. A future from [`io`](super::Lanes::io) is dropped where it
    /// waits and gives the same. Any other is told through its context, and what it returns then is
    /// the result: if it is done it is done.
    pub fn cancel(&self) {
        self.work.ask_to_stop();
    }

    /// How far the task is, as it said last.
    #[must_use]
    pub fn progress(&self) -> Option<Progress> {
        self.work.progress()
    }

    /// Whether the result is there.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.work.is_finished()
    }

    /// Blocks the thread until the result is there. For threads without a runtime: inside
    /// asynchronous code it keeps a thread of that runtime from everything else, so await the
    /// handle there.
    ///
    /// # Errors
    /// [`TaskError`] says why there is no result.
    pub fn wait(mut self) -> Result<T, TaskError> {
        let waker = Waker::from(Arc::new(Unpark(current())));
        let mut context = TaskContext::from_waker(&waker);
        loop {
            match Pin::new(&mut self).poll(&mut context) {
                Poll::Ready(result) => return result,
                Poll::Pending => park(),
            }
        }
    }
}

impl<T: Send + 'static> Handle<T> {
    /// Gives the task until `limit` from now, waiting included. Then its handle gives
    /// [`TaskError::TimedOut`] at once, and the task is asked to stop as by [`cancel`](Self::cancel).
    /// One on the cpu lane, or one that was given a context, may thus still run for a while when the
    /// handle has given that error; [`Lanes::shutdown`](super::Lanes::shutdown) waits for it, and
    /// [`Lanes::status`](super::Lanes::status) counts it.
    ///
    /// A further timeout takes the place of an earlier one.
    pub fn timeout(self, limit: Duration) -> Self {
        Work::set_timeout(&self.work, limit);
        self
    }

    /// A second grip on the task, for cancelling it and looking at its progress while the handle is
    /// being awaited.
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch {
            work: Arc::clone(&self.work) as Arc<dyn Remote>,
        }
    }
}

impl<T> Future for Handle<T> {
    type Output = Result<T, TaskError>;

    /// # Panics
    /// If it is polled after it gave the result, as is usual with futures.
    fn poll(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Self::Output> {
        self.work.poll(context.waker())
    }
}

impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}

/// A grip on a task without its result; see [`Handle::watch`].
#[derive(Clone)]
pub struct Watch {
    work: Arc<dyn Remote>,
}

impl Watch {
    /// As [`Handle::cancel`].
    pub fn cancel(&self) {
        self.work.ask_to_stop();
    }

    /// As [`Handle::progress`].
    #[must_use]
    pub fn progress(&self) -> Option<Progress> {
        self.work.progress()
    }

    /// As [`Handle::is_finished`].
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.work.is_finished()
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}
