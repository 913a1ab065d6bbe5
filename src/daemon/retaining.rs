//! When the store is asked to let go of what it does not keep: after so many ends, and when something
//! becomes too old. Knows no clock and no store.

use std::time::Duration;

use crate::engine::time::{Mono, Now, Wall};

/// Runs that end between two times.
const EVERY: u64 = 1_000;

/// How long at least from hearing that something becomes too old to asking for it: what ends piece by
/// piece is let go of together, and a disk that is full is not asked again and again.
const AT_LEAST: Duration = Duration::from_secs(60);

/// What has come together since the store was asked for the last time.
#[derive(Debug, Default)]
pub(super) struct Retaining {
    ended: u64,
    deadline: Option<Mono>,
}

impl Retaining {
    /// A run has ended.
    pub(super) fn ended(&mut self) {
        self.ended += 1;
    }

    /// The store says that something becomes too old `at` this time.
    pub(super) fn outdated(&mut self, now: Now, at: Wall) {
        let soonest = now.mono.plus(AT_LEAST);
        self.deadline = Some(Mono::at_wall(now, at).max(soonest));
    }

    /// When something is too old.
    pub(super) fn deadline(&self) -> Option<Mono> {
        self.deadline
    }

    /// Whether the store is to be asked; from then on everything is counted anew.
    pub(super) fn take(&mut self, now: Mono) -> bool {
        let is_late = self.deadline.is_some_and(|at| at <= now);
        let is_due = is_late || self.ended >= EVERY;
        if is_due {
            *self = Self::default();
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Now {
        Now {
            wall: Wall(1_700_000_000_000_000 + seconds.cast_signed() * 1_000_000),
            mono: Mono(seconds * 1_000_000_000),
        }
    }

    #[test]
    fn without_a_word_of_the_store_there_is_nothing_to_wait_for() {
        let mut retaining = Retaining::default();
        assert_eq!(retaining.deadline(), None);
        assert!(!retaining.take(at(1_000_000).mono));
    }

    #[test]
    fn what_becomes_too_old_is_asked_for_then_and_once() {
        let mut retaining = Retaining::default();
        retaining.outdated(at(10), at(3_600).wall);
        assert_eq!(retaining.deadline(), Some(at(3_600).mono));
        assert!(!retaining.take(at(3_599).mono));
        assert!(retaining.take(at(3_600).mono));
        assert_eq!(retaining.deadline(), None);
        assert!(!retaining.take(at(9_999).mono));
    }

    #[test]
    fn what_is_too_old_at_once_waits_a_minute() {
        for late in [0, 9, 11, 69] {
            let mut retaining = Retaining::default();
            retaining.outdated(at(10), at(late).wall);
            assert_eq!(retaining.deadline(), Some(at(70).mono));
        }
    }

    #[test]
    fn a_thousand_ends_are_reason_enough() {
        let mut retaining = Retaining::default();
        for _ in 1..EVERY {
            retaining.ended();
        }
        assert!(!retaining.take(at(1).mono));
        retaining.ended();
        assert!(retaining.take(at(1).mono));
        assert!(!retaining.take(at(1).mono));
    }
}
