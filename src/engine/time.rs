//! Points in time as plain numbers. Nothing here reads a clock: time is always an argument.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Wall-clock time in microseconds since the Unix epoch. It may jump in both directions.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Wall(pub i64);

/// Monotonic time in nanoseconds since the state was first made. It never goes backwards, also not
/// across a restart of the daemon.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Mono(pub u64);

/// One reading of both clocks.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Now {
    /// What a calendar says: for people and for schedules.
    pub wall: Wall,
    /// What a stopwatch says: for timeouts, delays and order.
    pub mono: Mono,
}

impl Mono {
    /// The point `after` later; the end of time if that is out of range.
    #[must_use]
    pub fn plus(self, after: Duration) -> Self {
        let nanos = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }

    /// The point at which the wall clock will read `at` if it does not jump; now if it reads more.
    #[must_use]
    pub fn at_wall(now: Now, at: Wall) -> Self {
        let ahead = u64::try_from(at.0.saturating_sub(now.wall.0)).unwrap_or(0);
        now.mono.plus(Duration::from_micros(ahead))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}
