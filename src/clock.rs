//! The only file that reads clocks.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::engine::time::{Mono, Now, Wall};

/// Reads the wall clock and the monotonic clock. Copies tell the same time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
    /// What the monotonic side read at `origin`.
    offset: Mono,
}

impl Clock {
    /// A clock whose monotonic side begins at zero now.
    #[must_use]
    pub fn start() -> Self {
        Self::resume(Mono(0))
    }

    /// A clock that goes on after `last`, the last time that is on record. What has passed since is
    /// what the wall clock says; nothing, if that has been set back.
    #[must_use]
    pub fn after(last: Now) -> Self {
        let passed = u64::try_from(Self::wall().0.saturating_sub(last.wall.0)).unwrap_or(0);
        Self::resume(last.mono.plus(Duration::from_micros(passed)))
    }

    /// A clock whose monotonic side goes on from `last`.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the file that reads clocks"
    )]
    pub fn resume(last: Mono) -> Self {
        Self {
            origin: Instant::now(),
            offset: last,
        }
    }

    /// Both clocks, now.
    #[must_use]
    pub fn now(&self) -> Now {
        Now {
            wall: Self::wall(),
            mono: self.mono(),
        }
    }

    /// The monotonic clock, now.
    #[must_use]
    pub fn mono(&self) -> Mono {
        self.offset.plus(self.origin.elapsed())
    }

    /// The instant at which the monotonic side reads `at`, for waits of the standard library; the
    /// origin if that lies before it, and `None` if it is further away than an instant can say.
    #[must_use]
    pub fn instant(&self, at: Mono) -> Option<Instant> {
        self.origin.checked_add(at.since(self.offset))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the file that reads clocks"
    )]
    fn wall() -> Wall {
        let micros = |d: Duration| i64::try_from(d.as_micros()).unwrap_or(i64::MAX);
        Wall(match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => micros(after),
            Err(before) => -micros(before.duration()),
        })
    }
}

/// What the kernel's `CLOCK_MONOTONIC` reads, in nanoseconds: the scale on which its timers are set.
#[must_use]
pub fn kernel_nanos() -> u64 {
    nanos(clock_gettime(ClockId::Monotonic))
}

/// For how long the machine has slept since it was started.
#[must_use]
pub fn slept() -> Duration {
    let with = Duration::from_nanos(nanos(clock_gettime(ClockId::Boottime)));
    with.saturating_sub(Duration::from_nanos(kernel_nanos()))
}

/// CPU time that the calling thread has used since it began.
#[must_use]
pub fn thread_cpu() -> Duration {
    Duration::from_nanos(nanos(clock_gettime(ClockId::ThreadCPUTime)))
}

/// Both clocks above start from zero, so a negative reading cannot be.
fn nanos(at: Timespec) -> u64 {
    let seconds = u64::try_from(at.tv_sec).unwrap_or(0);
    let rest = u64::try_from(at.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}
