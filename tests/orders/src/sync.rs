//! What `src/sync.rs` has, as Shuttle has it, and what it does not have by its contract.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard, PoisonError};
pub(crate) use shuttle::thread::{Thread, current, park_timeout};

/// A channel without a bound; each call is one step.
#[derive(Clone)]
pub(crate) struct Sender<T>(Arc<Mutex<VecDeque<T>>>);

pub(crate) struct Receiver<T>(Arc<Mutex<VecDeque<T>>>);

pub(crate) struct SendError<T>(T);

impl<T> SendError<T> {
    pub(crate) fn into_inner(self) -> T {
        self.0
    }
}

pub(crate) fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    let line = Arc::new(Mutex::new(VecDeque::new()));
    (Sender(Arc::clone(&line)), Receiver(line))
}

impl<T> Sender<T> {
    pub(crate) fn send(&self, item: T) -> Result<(), SendError<T>> {
        self.0.lock().unwrap().push_back(item);
        Ok(())
    }
}

impl<T> Receiver<T> {
    pub(crate) fn try_recv(&self) -> Result<T, ()> {
        self.0.lock().unwrap().pop_front().ok_or(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().unwrap().is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// Tokio's, as its documents say: what is made by `notified` hears of each `notify_waiters` after it was made.
#[derive(Debug, Default)]
pub(crate) struct Notify(Mutex<(u64, Vec<Waker>)>);

pub(crate) struct Notified<'a> {
    of: &'a Notify,
    made: u64,
}

impl Notify {
    pub(crate) fn notified(&self) -> Notified<'_> {
        let made = self.0.lock().unwrap().0;
        Notified { of: self, made }
    }

    pub(crate) fn notify_waiters(&self) {
        let mut state = self.0.lock().unwrap();
        state.0 += 1;
        let wakers = std::mem::take(&mut state.1);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.of.0.lock().unwrap();
        if state.0 > self.made {
            return Poll::Ready(());
        }
        state.1.push(context.waker().clone());
        Poll::Pending
    }
}
