//! The one cancel token of both worlds: a flag that computing code reads and waiting code awaits.
//! Set once, never taken back.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Wake, Waker};
use std::time::Duration;

use crate::clock::kernel_nanos;
use crate::sync::{AtomicBool, Notify, Ordering, Thread, current, park_timeout};

/// Whether something was asked to stop.
#[derive(Debug, Default)]
pub(crate) struct Cancel {
    set: AtomicBool,
    told: Notify,
}

impl Cancel {
    /// Asks to stop and wakes all who wait for that.
    pub(crate) fn cancel(&self) {
        self.set();
        self.tell();
    }

    /// The first half of it: wakes nobody, so it may be done under a lock.
    pub(crate) fn set(&self) {
        // Release pairs with the Acquire below: who sees the flag sees what was written before it.
        self.set.store(true, Ordering::Release);
    }

    /// The second half.
    pub(crate) fn tell(&self) {
        self.told.notify_waiters();
    }

    /// One atomic load.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.set.load(Ordering::Acquire)
    }

    /// Ends when somebody has asked to stop.
    pub(crate) async fn cancelled(&self) {
        // A `Notified` hears of every `notify_waiters` after its creation, also before its first
        // poll; so looking at the flag after creating it leaves no gap.
        let too_early = bug!("cancel-between-two-looks") && !self.is_cancelled();
        let told = self.told.notified();
        if too_early || !self.is_cancelled() {
            told.await;
        }
    }

    /// Blocks the thread until `deadline` (see [`kernel_nanos`]) or until cancelled; true if the
    /// deadline has come.
    pub(crate) fn park_until(&self, deadline: u64) -> bool {
        let waker = Waker::from(Arc::new(Unpark(current())));
        let mut cancelled = pin!(self.cancelled());
        loop {
            // Polled each time, so that the waker stays registered.
            let mut context = TaskContext::from_waker(&waker);
            if cancelled.as_mut().poll(&mut context).is_ready() {
                return false;
            }
            let now = kernel_nanos();
            if now >= deadline {
                return true;
            }
            park_timeout(Duration::from_nanos(deadline - now));
        }
    }
}

/// Wakes a parked thread.
pub(crate) struct Unpark(pub(crate) Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}
