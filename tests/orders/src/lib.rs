//! The same source files as in the program, with locks, atomics and threads that are stepped through one by one: each
//! test plays thousands of orders of steps, and a thread that waits for ever in one of them is found.

#![cfg(test)]
#![expect(dead_code, reason = "of each piece those methods are here whose order matters")]

#[macro_use]
mod bugs {
    /// As in the program with the feature `bugs`.
    macro_rules! bug {
        ($name:literal) => {
            std::env::var("TWOLANE_BUG").is_ok_and(|bug| bug == $name)
        };
    }
}
mod clock;
mod sync;
mod engine {
    pub(crate) mod time {
        use std::time::Duration;

        /// Time, which stands still here: orders are what is tried.
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct Mono(pub(crate) u64);

        impl Mono {
            pub(crate) fn since(self, earlier: Self) -> Duration {
                Duration::from_nanos(self.0.saturating_sub(earlier.0))
            }
        }
    }
}
mod lanes {
    use crate::sync::{Mutex, MutexGuard, PoisonError};

    #[path = "../../../../src/lanes/makers/beginning.rs"]
    pub(crate) mod beginning;
    #[path = "../../../../src/lanes/cancel.rs"]
    pub(crate) mod cancel;
    #[path = "../../../../src/lanes/queue.rs"]
    pub(crate) mod queue;

    pub(crate) mod panics {
        /// No job panics here.
        pub(crate) fn catch<T>(work: impl FnOnce() -> T) -> Result<T, ()> {
            Ok(work())
        }
    }

    pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    mod tests;
}
mod logging {
    #[path = "../../../../src/logging/queue.rs"]
    pub(crate) mod queue;

    mod tests;
}

/// Orders of each test: at random, and with few changes of thread at the worst places.
pub(crate) fn in_all_orders(play: impl Fn() + Send + Sync + 'static) {
    let play = std::sync::Arc::new(play);
    let again = std::sync::Arc::clone(&play);
    shuttle::check_random(move || again(), 5_000);
    shuttle::check_pct(move || play(), 5_000, 3);
}
