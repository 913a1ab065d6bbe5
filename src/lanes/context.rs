//! What every task is given: whether to stop, precise waits, and a way to say how far it is. Knows
//! nothing of the task itself, nor of who listens.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;

use super::cancel::{Cancel, Unpark};
use super::inbox::{Inbox, Sent};
use super::timer::Timers;
use crate::clock::kernel_nanos;
use crate::engine::id::AttemptId;
use crate::inbox::Progress;

/// A task's view of the world around it. Copies are cheap and mean the same task.
#[derive(Clone)]
pub struct Context {
    task: Arc<dyn Task>,
}

/// The task was asked to stop and did.
///
/// Return it (as it is, or as a boxed error) to say so; any other error counts as a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stopped because it was asked to")]
pub struct Stopped;

impl Context {
    /// Whether the task is to stop: one atomic load, cheap enough for an inner loop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.task.cancel().is_cancelled()
    }

    /// For computing code, to be called every millisecond or so: `context.check()?`.
    ///
    /// # Errors
    /// [`Stopped`] if the task is to stop.
    pub fn check(&self) -> Result<(), Stopped> {
        if self.is_cancelled() {
            Err(Stopped)
        } else {
            Ok(())
        }
    }

    /// For waiting code: ends when the task is to stop, and not before.
    pub async fn cancelled(&self) {
        self.task.cancel().cancelled().await;
    }

    /// The number of the run that this is an attempt of; `None` in a task of the library. With
    /// [`attempt`](Self::attempt) it names what this attempt does to others, as the variables `TWOLANE_RUN` and
    /// `TWOLANE_ATTEMPT` do for commands: so that it can be told whether it has been done.
    #[must_use]
    pub fn run(&self) -> Option<u64> {
        self.task.attempt().map(|attempt| attempt.run.0)
    }

    /// Which attempt of its run this is, from 1; `None` in a task of the library.
    #[must_use]
    pub fn attempt(&self) -> Option<u32> {
        self.task.attempt().map(|attempt| attempt.epoch)
    }

    /// Waits on the io lane's own timer, which is exact to the scheduling of a thread (well below a
    /// millisecond, where tokio's rounds up to the next whole one). May be awaited on any runtime.
    /// Ends at once when the lanes have been shut down.
    ///
    /// # Errors
    /// [`Stopped`] as soon as the task is to stop.
    pub async fn sleep(&self, duration: Duration) -> Result<(), Stopped> {
        self.check()?;
        let mut sleep = pin!(self.task.timers().sleep(duration));
        let mut cancelled = pin!(self.task.cancel().cancelled());
        poll_fn(|context| {
            // In this order, a wait that is over counts as over also when the stop came with it.
            if sleep.as_mut().poll(context).is_ready() {
                return Poll::Ready(Ok(()));
            }
            cancelled.as_mut().poll(context).map(|()| Err(Stopped))
        })
        .await
    }

    /// The same for code on the cpu lane: blocks the thread.
    ///
    /// # Errors
    /// [`Stopped`] as soon as the task is to stop.
    pub fn sleep_blocking(&self, duration: Duration) -> Result<(), Stopped> {
        self.check()?;
        let deadline = kernel_nanos().saturating_add(nanos(duration));
        if self.task.cancel().park_until(deadline) {
            Ok(())
        } else {
            Err(Stopped)
        }
    }

    /// Waits for what somebody sends to the run (`twolane send`); `None` says that nothing more comes.
    /// What is received here is told to the sender as delivered. To be called by one at a time.
    ///
    /// # Errors
    /// [`Stopped`] as soon as the task is to stop; and at once in a program that nobody can send to.
    pub async fn receive(&self) -> Result<Option<Value>, Stopped> {
        self.check()?;
        let Some(inbox) = self.task.inbox() else {
            return Err(Stopped);
        };
        let Some(taken) = inbox.take() else {
            return Ok(None);
        };
        let mut taken = PutBack(inbox, Some(taken));
        let sent = {
            let mut next = pin!(taken.next());
            let mut cancelled = pin!(self.task.cancel().cancelled());
            poll_fn(|context| {
                if let Poll::Ready(sent) = next.as_mut().poll(context) {
                    return Poll::Ready(Ok(sent));
                }
                cancelled.as_mut().poll(context).map(|()| Err(Stopped))
            })
            .await?
        };
        let value = sent.and_then(|mut sent| {
            let value = sent.value.take();
            sent.answer(Ok(()));
            value
        });
        if value.is_none() {
            // Nothing more is taken, and whoever sends something hears that.
            taken.1 = None;
        }
        Ok(value)
    }

    /// The same for code on the cpu lane: blocks the thread.
    ///
    /// # Errors
    /// As for [`receive`](Self::receive).
    pub fn receive_blocking(&self) -> Result<Option<Value>, Stopped> {
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut received = pin!(self.receive());
        loop {
            let mut context = TaskContext::from_waker(&waker);
            match received.as_mut().poll(&mut context) {
                Poll::Ready(received) => return received,
                Poll::Pending => std::thread::park(),
            }
        }
    }

    /// Says how far the task is: `fraction` from 0 to 1 (beyond is cut off, NaN counts as unknown).
    /// Never waits; when told more often than anybody listens, later words take the place of
    /// earlier ones.
    pub fn progress(&self, fraction: impl Into<Option<f64>>, message: impl AsRef<str>) {
        let message = message.as_ref();
        self.task.report(Progress {
            fraction: fraction
                .into()
                .filter(|f| !f.is_nan())
                .map(|f| f.clamp(0.0, 1.0)),
            message: (!message.is_empty()).then(|| Arc::from(message)),
        });
    }

    /// Takes note of CPU time that another thread has used for the task.
    pub(crate) fn spend(&self, cpu: Duration) {
        self.task.spend(cpu);
    }

    pub(crate) fn new(task: Arc<dyn Task>) -> Self {
        Self { task }
    }

    /// Asks the task to stop.
    pub(crate) fn cancel(&self) {
        self.task.cancel().cancel();
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("cancelled", &self.is_cancelled())
            .finish_non_exhaustive()
    }
}

/// What stands behind a context: an attempt of the daemon, or a task of the library.
pub(crate) trait Task: Send + Sync {
    /// Its cancel token.
    fn cancel(&self) -> &Cancel;
    /// The timer of its lanes.
    fn timers(&self) -> &Timers;
    /// Which attempt of which run it is, of those that are one.
    fn attempt(&self) -> Option<AttemptId> {
        None
    }
    /// What is sent to it, where anybody can.
    fn inbox(&self) -> Option<&Inbox> {
        None
    }
    /// A thread that waits for files has used so much CPU time for it.
    fn spend(&self, cpu: Duration) {
        let _nobody_asks = cpu;
    }
    /// Takes note of its progress, without waiting.
    fn report(&self, progress: Progress);
}

/// The receiving end of an inbox, which goes back there when it is not used.
struct PutBack<'a>(&'a Inbox, Option<mpsc::Receiver<Sent>>);

impl PutBack<'_> {
    async fn next(&mut self) -> Option<Sent> {
        self.1.as_mut()?.recv().await
    }
}

impl Drop for PutBack<'_> {
    fn drop(&mut self) {
        if let Some(receiver) = self.1.take() {
            self.0.put_back(receiver);
        }
    }
}

/// Whole nanoseconds; five hundred years where it is longer than that.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
