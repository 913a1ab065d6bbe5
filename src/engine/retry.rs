//! Whether a run is tried again after an attempt that has failed, and when.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::id::RunId;
use super::outcome::Failure;
use super::spec::Name;

/// How often, when and after what a run is tried again. Attempts that were cut short through no fault
/// of their own (a crash, a shutdown, no room) do not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetrySpec {
    /// Attempts in all that may fail before the run has; 1 or more.
    pub attempts: u16,
    /// How the pauses between them grow.
    pub backoff: Backoff,
    /// The first pause.
    pub base: Duration,
    /// The longest pause.
    pub max: Duration,
    /// Half of each pause is drawn, so that what failed together does not come back together.
    pub jitter: bool,
    /// Codes of a command after which it is tried again.
    pub on_exit: Vec<i32>,
    /// Kinds of failures ([`Failure::kind`]) after which it is tried again. Where both lists are empty, it
    /// is after any.
    pub on: Vec<Name>,
}

/// How pauses grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// They do not.
    Fixed,
    /// Each is twice as long as the one before.
    #[default]
    Exponential,
}

/// The first pause where nothing is said.
pub const BASE: Duration = Duration::from_secs(1);
/// The longest pause where nothing is said.
pub const MAX: Duration = Duration::from_secs(300);

impl RetrySpec {
    /// So many attempts, and all else as where nothing is said.
    #[must_use]
    pub const fn of(attempts: u16) -> Self {
        Self {
            attempts,
            backoff: Backoff::Exponential,
            base: BASE,
            max: MAX,
            jitter: true,
            on_exit: Vec::new(),
            on: Vec::new(),
        }
    }

    /// Whether another attempt may help against this. Going down with the daemon is counted apart.
    #[must_use]
    pub fn covers(&self, failure: &Failure) -> bool {
        if matches!(failure, Failure::Crash | Failure::Crashes(_)) {
            return false;
        }
        let any = self.on_exit.is_empty() && self.on.is_empty();
        let code = matches!(failure, Failure::Exit(code) if self.on_exit.contains(code));
        any || code || self.on.iter().any(|kind| **kind == *failure.kind())
    }

    /// How long to wait after the attempt that was the `failed`-th to fail (from 1).
    #[must_use]
    pub fn pause(&self, run: RunId, failed: u16) -> Duration {
        let doublings = match self.backoff {
            Backoff::Fixed => 0,
            Backoff::Exponential => u32::from(failed.saturating_sub(1)).min(63),
        };
        let base = u64::try_from(self.base.as_nanos()).unwrap_or(u64::MAX);
        let max = u64::try_from(self.max.as_nanos()).unwrap_or(u64::MAX);
        let whole = base.saturating_mul(1 << doublings).min(max);
        let drawn = if self.jitter {
            scatter(run.0, u64::from(failed)) % (whole / 2 + 1)
        } else {
            0
        };
        Duration::from_nanos(whole - drawn)
    }
}

/// A number that looks drawn and follows from the two: the finalizer of splitmix64, see
/// <https://prng.di.unimi.it/splitmix64.c>.
fn scatter(run: u64, failed: u64) -> u64 {
    let mut z = run
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .wrapping_add(failed.wrapping_mul(0xD1B5_4A32_D192_ED03));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_at_most_half_of_them_is_drawn() {
        let seconds = |spec: &RetrySpec, run| -> Vec<f64> {
            (1..=5)
                .map(|failed| spec.pause(RunId(run), failed).as_secs_f64())
                .collect()
        };
        let plain = RetrySpec {
            max: Duration::from_secs(5),
            jitter: false,
            ..RetrySpec::of(9)
        };
        assert_eq!(seconds(&plain, 1), [1.0, 2.0, 4.0, 5.0, 5.0]);
        let fixed = RetrySpec {
            backoff: Backoff::Fixed,
            ..plain.clone()
        };
        assert_eq!(seconds(&fixed, 1), [1.0; 5]);
        let drawn = RetrySpec {
            jitter: true,
            ..plain.clone()
        };
        let mut all = Vec::new();
        for run in 1..1_000 {
            let pauses = seconds(&drawn, run);
            for (pause, whole) in pauses.iter().zip(seconds(&plain, run)) {
                assert!(
                    *pause <= whole && *pause >= whole / 2.0,
                    "{pause} of {whole}"
                );
            }
            all.push(pauses[0]);
        }
        let mean = all.iter().sum::<f64>() / 999.0;
        assert!((0.73..0.77).contains(&mean), "{mean}");
    }

    #[test]
    fn what_is_tried_again_is_what_the_job_names() {
        let exit = |codes: &[i32], kinds: &[&str]| RetrySpec {
            on_exit: codes.to_vec(),
            on: kinds.iter().map(|kind| Name::from(*kind)).collect(),
            ..RetrySpec::of(2)
        };
        let timeout = Failure::Timeout(Duration::from_secs(1));
        let cases = [
            (exit(&[], &[]), Failure::Exit(1), true),
            (exit(&[], &[]), Failure::Crash, false),
            (exit(&[], &[]), Failure::Crashes(4), false),
            (exit(&[75], &[]), Failure::Exit(75), true),
            (exit(&[75], &[]), Failure::Exit(1), false),
            (exit(&[75], &[]), timeout.clone(), false),
            (exit(&[75], &["timeout"]), timeout, true),
            (exit(&[], &["exit"]), Failure::Exit(3), true),
            (exit(&[], &["signal"]), Failure::Exit(3), false),
        ];
        for (spec, failure, expected) in cases {
            assert_eq!(spec.covers(&failure), expected, "{spec:?} of {failure:?}");
        }
    }

    #[test]
    fn the_longest_numbers_are_no_trouble() {
        let spec = RetrySpec {
            base: Duration::MAX,
            max: Duration::MAX,
            ..RetrySpec::of(u16::MAX)
        };
        assert!(spec.pause(RunId(u64::MAX), u16::MAX) > Duration::from_secs(1 << 32));
    }
}
