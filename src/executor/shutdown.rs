//! The end of the library's lanes, in order and within a time.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::Inner;
use crate::clock::kernel_nanos;
use crate::engine::spec::Lane;

/// How long tasks that are cancelled by a shutdown get to obey: ample for one that looks at its
/// context every millisecond, short for a person who waits.
pub const CANCEL_GRACE: Duration = Duration::from_secs(1);

/// How long the runtime gets to drop the futures that wait on it. It takes microseconds where no
/// task blocks a thread.
const DROP_LIMIT: Duration = Duration::from_millis(100);

/// A shutdown that has begun: new tasks are refused. Await it or [`wait`](Self::wait) for it; if it is
/// dropped instead, nothing further happens, and the lanes end when they are dropped.
#[must_use = "nothing waits for the tasks until this is awaited or waited for"]
pub struct Shutdown {
    inner: Arc<Inner>,
    limit: Duration,
}

/// What still runs after a shutdown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Late {
    /// Each task, cpu lane first; never empty.
    pub running: Vec<Running>,
}

/// A task that does not stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// Where it runs.
    pub lane: Lane,
    /// Where it was started in the program's text.
    pub place: &'static Location<'static>,
}

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("still running:")?;
        for (n, Running { lane, place }) in self.running.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            write!(f, "{comma} a task of the {lane} lane started at {place}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Late {}

impl Shutdown {
    pub(super) const fn new(inner: Arc<Inner>, limit: Duration) -> Self {
        Self { inner, limit }
    }

    /// Blocks the thread until it is done. For threads without a runtime.
    ///
    /// # Errors
    /// [`Late`] names the tasks that run even so: those that look at no context and compute, or
    /// block a thread.
    pub fn wait(self) -> Result<(), Late> {
        let inner = &self.inner;
        let finished = inner.wait_idle(self.limit);
        // Also when all have finished: a task may have slipped in just as the doors were closed.
        inner.close();
        if finished && inner.wait_idle(Duration::ZERO) {
            inner.io.shut_down();
            return Ok(());
        }
        for (_, entry) in inner.books.all() {
            entry.context.cancel();
        }
        if inner.wait_idle(CANCEL_GRACE) {
            inner.io.shut_down();
            return Ok(());
        }
        inner.io.shut_down();
        if inner.wait_idle(DROP_LIMIT) {
            return Ok(());
        }
        let running: Vec<_> = inner
            .books
            .all()
            .into_iter()
            .map(|(lane, entry)| Running {
                lane,
                place: entry.place,
            })
            .collect();
        if running.is_empty() {
            Ok(())
        } else {
            Err(Late { running })
        }
    }
}

impl IntoFuture for Shutdown {
    type Output = Result<(), Late>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    /// Waits on a thread of its own, so that it blocks none of the caller's runtime. Should the
    /// system give no thread, it blocks after all.
    fn into_future(self) -> Self::IntoFuture {
        let (tell, told) = oneshot::channel();
        let (inner, limit) = (Arc::clone(&self.inner), self.limit);
        let spawned = std::thread::Builder::new()
            .name("twolane-end".to_owned())
            .spawn(move || {
                let _nobody_waits = tell.send(self.wait());
            });
        Box::pin(async move {
            if spawned.is_ok()
                && let Ok(result) = told.await
            {
                return result;
            }
            Self { inner, limit }.wait()
        })
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// Blocks until both lanes are idle, `limit` at most; whether that came about.
    fn wait_idle(&self, limit: Duration) -> bool {
        let start = kernel_nanos();
        let cpu = self.cpu.wait_idle(limit);
        let used = Duration::from_nanos(kernel_nanos().saturating_sub(start));
        let io = self.io.wait_idle(limit.saturating_sub(used));
        cpu && io
    }
}
