//! Points in time as plain numbers. Nothing here reads a clock: time is always an argument.

use std::fmt;
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

/// A span of time as people want to read it: not more exactly than helps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rough(pub Duration);

impl fmt::Display for Rough {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounded = |unit: Duration| {
            let units = (self.0.as_nanos() + unit.as_nanos() / 2) / unit.as_nanos();
            unit.saturating_mul(u32::try_from(units).unwrap_or(u32::MAX))
        };
        let seconds = self.0.saturating_add(Duration::from_millis(500)).as_secs();
        let (large, small, words) = match seconds {
            _ if self.0 < Duration::from_micros(100) => return f.write_str("less than 0.1ms"),
            _ if self.0 < Duration::from_secs(1) => {
                return write!(f, "{:?}", rounded(Duration::from_micros(100)));
            }
            0..60 => return write!(f, "{:?}", rounded(Duration::from_millis(10))),
            60..3_600 => (seconds / 60, seconds % 60, ["m", "s"]),
            3_600..86_400 => (seconds / 3_600, seconds % 3_600 / 60, ["h", "m"]),
            _ => (seconds / 86_400, seconds % 86_400 / 3_600, ["d", "h"]),
        };
        match small {
            0 => write!(f, "{large}{}", words[0]),
            _ => write!(f, "{large}{}{small}{}", words[0], words[1]),
        }
    }
}

impl Mono {
    /// The point `after` later; the end of time if that is out of range.
    #[must_use]
    pub fn plus(self, after: Duration) -> Self {
        let nanos = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }

    /// The point `before` earlier; the beginning of time if that is out of range.
    #[must_use]
    pub fn minus(self, before: Duration) -> Self {
        let nanos = u64::try_from(before.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(nanos))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_as_exactly_as_helps() {
        for (span, expected) in [
            (Duration::ZERO, "less than 0.1ms"),
            (Duration::from_nanos(521_330_208), "521.3ms"),
            (Duration::from_nanos(999_990_000), "1s"),
            (Duration::from_secs(3), "3s"),
            (Duration::from_nanos(59_123_456_789), "59.12s"),
            (Duration::from_nanos(59_999_999_999), "1m"),
            (Duration::from_nanos(1_905_915_381_679), "31m46s"),
            (Duration::from_secs(3_599), "59m59s"),
            (Duration::from_secs(3_600), "1h"),
            (Duration::from_secs(5_430), "1h30m"),
            (Duration::from_secs(90_000), "1d1h"),
            (Duration::from_secs(u64::MAX), "213503982334601d7h"),
        ] {
            assert_eq!(Rough(span).to_string(), expected, "{span:?}");
        }
    }
}
