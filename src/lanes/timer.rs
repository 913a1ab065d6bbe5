//! The io lane's own timer. Tokio's rounds every wait up to a whole millisecond; this one is a single
//! timerfd for the whole lane, set to the earliest of an ordered table of deadlines and watched by
//! the runtime's own event loop, so that no further thread and no polling is needed.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::{Error as IoError, ErrorKind};
use std::mem;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::runtime::Handle;

use super::context::nanos;
use super::lock;
use crate::clock::kernel_nanos;

/// A deadline on the kernel's monotonic clock, in nanoseconds, made unique by a number.
pub(crate) type TimerKey = (u64, u64);

/// Waits that cost O(log n) each. Copies mean the same timer.
#[derive(Clone)]
pub(crate) struct Timers {
    shared: Arc<Shared>,
}

impl Timers {
    /// A timer that is driven by `runtime`.
    pub(crate) fn start(runtime: &Handle) -> Result<Self, IoError> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let shared = Arc::new(Shared {
            fd: timerfd_create(TimerfdClockId::Monotonic, flags)?,
            table: Mutex::new(Table::default()),
        });
        let _entered = runtime.enter();
        runtime.spawn(drive(watch(Source(Arc::clone(&shared)))?));
        Ok(Self { shared })
    }

    /// Ends when `duration` has passed from now, or at once when the lane has ended.
    pub(crate) fn sleep(&self, duration: Duration) -> Sleep {
        Sleep {
            timers: self.clone(),
            deadline: self.deadline(duration),
            key: None,
        }
    }

    /// The point on the kernel's clock that lies `duration` from now.
    fn deadline(&self, duration: Duration) -> u64 {
        kernel_nanos().saturating_add(nanos(duration))
    }

    /// Wakes `waker` once, when `duration` has passed, unless the key that is returned is removed
    /// before; `None` if the lane has ended and nothing will ever be woken.
    pub(crate) fn after(&self, duration: Duration, waker: Waker) -> Option<TimerKey> {
        self.insert(self.deadline(duration), waker)
    }

    /// Takes a wait out; whether it had been there still.
    pub(crate) fn remove(&self, key: TimerKey) -> bool {
        let mut table = lock(&self.shared.table);
        let waker = table.waits.remove(&key);
        if table.waits.is_empty() {
            // With others waiting, a timer set too early costs one needless wake-up at most; with
            // none waiting, nothing may wake.
            self.shared.set(&mut table);
        }
        drop(table);
        // A waker's own drop may come back here, so it happens after the lock is released.
        waker.is_some()
    }

    fn insert(&self, deadline: u64, waker: Waker) -> Option<TimerKey> {
        let mut table = lock(&self.shared.table);
        if table.closed {
            return None;
        }
        let key = (deadline, table.next);
        table.next += 1;
        table.waits.insert(key, waker);
        if table.armed.is_none_or(|armed| deadline < armed) {
            self.shared.set(&mut table);
        }
        Some(key)
    }

    /// Gives a wait that is in the table a new waker; false if it has been woken.
    fn rewake(&self, key: TimerKey, waker: &Waker) -> bool {
        let mut table = lock(&self.shared.table);
        let Some(known) = table.waits.get_mut(&key) else {
            return false;
        };
        if known.will_wake(waker) {
            return true;
        }
        let old = mem::replace(known, waker.clone());
        drop(table);
        drop(old);
        true
    }
}

/// A wait for a point in time. Dropping it takes it out of the table.
#[must_use = "a future waits only when it is awaited"]
pub(crate) struct Sleep {
    timers: Timers,
    deadline: u64,
    key: Option<TimerKey>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<()> {
        if kernel_nanos() >= self.deadline {
            return Poll::Ready(());
        }
        if let Some(key) = self.key
            && self.timers.rewake(key, context.waker())
        {
            return Poll::Pending;
        }
        self.key = self.timers.insert(self.deadline, context.waker().clone());
        match self.key {
            Some(_) => Poll::Pending,
            // The lane has ended: nobody would wake this.
            None => Poll::Ready(()),
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.timers.remove(key);
        }
    }
}

struct Shared {
    fd: OwnedFd,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    /// Whom to wake, by deadline. As many as there are waits in running tasks, which the lanes bound.
    waits: BTreeMap<TimerKey, Waker>,
    /// What the timerfd is set to.
    armed: Option<u64>,
    next: u64,
    /// The driver has ended.
    closed: bool,
}

impl Shared {
    /// Sets the timerfd to the earliest deadline, or to nothing. Under the lock, so that the last
    /// one who looks at the table is the last one who sets the timer.
    fn set(&self, table: &mut Table) {
        let earliest = table.waits.first_key_value().map(|((at, _), _)| *at);
        if table.armed == earliest {
            return;
        }
        table.armed = earliest;
        let value = Itimerspec {
            it_interval: timespec(0),
            // All zero would disarm it, so the earliest point in time is one nanosecond.
            it_value: timespec(earliest.map_or(0, |at| at.max(1))),
        };
        // Cannot fail: the descriptor is a timerfd, the value is in range.
        let set = timerfd_settime(&self.fd, TimerfdTimerFlags::ABSTIME, &value);
        debug_assert!(set.is_ok(), "the timer refuses {earliest:?}: {set:?}");
    }

    /// Takes out all that is due, and sets the timer to what comes next.
    fn due(&self, now: u64) -> Vec<Waker> {
        let mut table = lock(&self.table);
        // The timer has fired and stands still until it is set again.
        table.armed = None;
        let mut due = Vec::new();
        while let Some(entry) = table.waits.first_entry()
            && entry.key().0 <= now
        {
            due.push(entry.remove());
        }
        self.set(&mut table);
        due
    }

    fn close(&self) {
        let mut table: MutexGuard<'_, Table> = lock(&self.table);
        table.closed = true;
        let all = mem::take(&mut table.waits);
        self.set(&mut table);
        drop(table);
        all.into_values().for_each(Waker::wake);
    }
}

/// What the runtime watches; when the runtime drops it, the waits end.
struct Source(Arc<Shared>);

impl AsRawFd for Source {
    fn as_raw_fd(&self) -> RawFd {
        self.0.fd.as_raw_fd()
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Has the runtime that was entered watch the timerfd.
#[expect(
    unsafe_code,
    reason = "tokio has no safe call for a descriptor of one's own"
)]
fn watch(source: Source) -> Result<AsyncFd<Source>, IoError> {
    // SAFETY: the descriptor is an `OwnedFd` behind an `Arc` that `Source` holds and never changes,
    // so it is valid and the same for as long as the `AsyncFd` has the source.
    let watched = unsafe { AsyncFd::register_with_interest(source, Interest::READABLE) };
    watched.map_err(IoError::from)
}

/// The lane's one task that waits for the timerfd. Its wake-ups put the tasks that were waiting into
/// the queue of the very thread that saw the timer fire, which runs them next.
async fn drive(source: AsyncFd<Source>) {
    loop {
        // An error means that the runtime is going down.
        let Ok(mut ready) = source.readable().await else {
            return;
        };
        let shared = &source.get_ref().0;
        let mut count = [0_u8; 8];
        match rustix::io::read(&shared.fd, &mut count) {
            Ok(_) => {}
            // The timer was set anew after it had fired: there will be another event.
            Err(error) if IoError::from(error).kind() == ErrorKind::WouldBlock => {
                ready.clear_ready();
                continue;
            }
            Err(_) => return,
        }
        // Clears only what was seen above: an event that has come since stays.
        ready.clear_ready();
        let due = shared.due(kernel_nanos());
        due.into_iter().for_each(Waker::wake);
    }
}

/// Splits nanoseconds; a deadline beyond what the kernel takes is as good as never.
fn timespec(nanos: u64) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(nanos / 1_000_000_000).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(nanos % 1_000_000_000).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::task::Wake;

    use tokio::runtime::{Builder, Runtime};

    use super::*;

    /// Far more than anything here takes, so that a loss shows as a failure and not as a hang.
    const LIMIT: Duration = Duration::from_secs(60);
    const FOR_EVER: Duration = Duration::from_secs(86_400);

    fn timers() -> (Runtime, Timers) {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_io()
            .build()
            .unwrap();
        let timers = Timers::start(runtime.handle()).unwrap();
        (runtime, timers)
    }

    /// Says its name when it is woken.
    struct Named(&'static str, Mutex<Sender<&'static str>>);

    impl Wake for Named {
        fn wake(self: Arc<Self>) {
            let _nobody_listens = lock(&self.1).send(self.0);
        }
    }

    fn named(name: &'static str, tell: &Sender<&'static str>) -> Waker {
        Waker::from(Arc::new(Named(name, Mutex::new(tell.clone()))))
    }

    fn heard(hear: &Receiver<&'static str>) -> &'static str {
        hear.recv_timeout(LIMIT).unwrap()
    }

    fn armed(timers: &Timers) -> Option<u64> {
        lock(&timers.shared.table).armed
    }

    #[test]
    fn wakes_in_the_order_of_the_deadlines() {
        let (_runtime, timers) = timers();
        let (tell, hear) = channel();
        for (name, millis) in [("third", 9), ("first", 3), ("second", 6)] {
            timers.after(Duration::from_millis(millis), named(name, &tell));
        }
        assert_eq!(
            [heard(&hear), heard(&hear), heard(&hear)],
            ["first", "second", "third"]
        );
        assert_eq!(armed(&timers), None);
    }

    #[test]
    fn an_earlier_deadline_sets_the_timer_anew() {
        let (_runtime, timers) = timers();
        let (tell, hear) = channel();
        let late = timers.after(FOR_EVER, named("late", &tell)).unwrap();
        assert_eq!(armed(&timers), Some(late.0));
        timers.after(Duration::from_millis(1), named("soon", &tell));
        assert_eq!(heard(&hear), "soon");
        assert_eq!(armed(&timers), Some(late.0));
        assert!(timers.remove(late));
        assert!(!timers.remove(late));
        assert_eq!(armed(&timers), None, "an idle timer would wake somebody");
    }

    #[test]
    fn a_wait_that_is_dropped_leaves_nothing() {
        let (runtime, timers) = timers();
        let mut sleep = Box::pin(timers.sleep(FOR_EVER));
        let (tell, hear) = channel();
        for name in ["one", "other"] {
            let waker = named(name, &tell);
            let polled = sleep.as_mut().poll(&mut TaskContext::from_waker(&waker));
            assert!(polled.is_pending());
        }
        assert_eq!(lock(&timers.shared.table).waits.len(), 1);
        drop(sleep);
        assert!(lock(&timers.shared.table).waits.is_empty());
        assert_eq!(armed(&timers), None);
        drop(runtime);
        assert!(hear.try_recv().is_err());
    }

    #[test]
    fn the_end_of_the_runtime_ends_all_waits() {
        let (runtime, timers) = timers();
        let (tell, hear) = channel();
        let waker = named("woken", &tell);
        let mut context = TaskContext::from_waker(&waker);
        let mut sleep = Box::pin(timers.sleep(FOR_EVER));
        assert!(sleep.as_mut().poll(&mut context).is_pending());
        runtime.shutdown_background();
        assert_eq!(heard(&hear), "woken");
        assert!(sleep.as_mut().poll(&mut context).is_ready());
        assert!(timers.after(FOR_EVER, waker.clone()).is_none());
    }

    #[test]
    fn many_waits_at_once_all_end() {
        let (runtime, timers) = timers();
        let waits: Vec<_> = (0..10_000_u64)
            .map(|n| runtime.spawn(timers.sleep(Duration::from_micros(n * 37 % 5_000))))
            .collect();
        runtime.block_on(async {
            for wait in waits {
                wait.await.unwrap();
            }
        });
        assert_eq!(armed(&timers), None);
    }
}
