//! What a seed draws of the definitions: jobs and schedules have the same names in all worlds, and other manners.

use std::time::Duration;

use twolane::engine::flow::OnDuplicate;
use twolane::engine::retry::{Backoff, RetrySpec};
use twolane::engine::schedule::{Blackout, Fold, Gap, ScheduleSpec};
use twolane::engine::time::Wall;

use crate::random::Random;

/// Seconds of an hour.
const HOUR: i64 = 3_600;

/// The manners of a world.
#[derive(Clone, Debug)]
pub(crate) struct Manners {
    /// Of what is tried again, but for how often.
    retry: RetrySpec,
    /// What becomes of a run with the same arguments as another one.
    pub(crate) on_duplicate: OnDuplicate,
    /// Whether something is run after a task.
    pub(crate) cleans_up: bool,
    /// What becomes of a time of day that the clock skips.
    pub(crate) gap: Gap,
    /// And of one that it shows twice.
    pub(crate) fold: Fold,
    /// How long ago missed slots may be to be run.
    pub(crate) window: Option<Duration>,
    /// Whether there are times in which nothing is run by the clock.
    blacks_out: bool,
    /// When a schedule begins and ends that does.
    pub(crate) span: (Option<Wall>, Option<Wall>),
    /// When something is run once.
    pub(crate) appointed: Wall,
}

impl Manners {
    pub(crate) fn draw(random: &mut Random, beginning: i64) -> Self {
        let (on_exit, on): (&[i32], &[&str]) = random.of(&[
            (&[], &[]),
            (&[], &[]),
            (&[75], &[]),
            (&[75], &["timeout", "error"]),
        ]);
        let at = |seconds: i64| Wall((beginning + seconds) * 1_000_000);
        Self {
            retry: RetrySpec {
                backoff: random.of(&[Backoff::Exponential, Backoff::Fixed]),
                base: Duration::from_millis(random.of(&[1_000, 200, 5_000])),
                max: Duration::from_secs(random.of(&[300, 2])),
                jitter: random.chance(50),
                on_exit: on_exit.to_vec(),
                on: on.iter().map(|kind| (*kind).into()).collect(),
                ..RetrySpec::of(1)
            },
            on_duplicate: random.of(&[
                OnDuplicate::Reject,
                OnDuplicate::Join,
                OnDuplicate::Replace,
            ]),
            cleans_up: random.chance(50),
            gap: random.of(&[Gap::AtTransition, Gap::AtTransition, Gap::Skip]),
            fold: random.of(&[Fold::First, Fold::First, Fold::Both]),
            window: random
                .of(&[None, None, Some(600), Some(5_000), Some(86_400)])
                .map(Duration::from_secs),
            blacks_out: random.chance(40),
            span: (
                random.of(&[None, None, Some(2 * HOUR)]).map(at),
                random.of(&[None, None, Some(20 * HOUR)]).map(at),
            ),
            appointed: at(random.of(&[5, 100, HOUR, 10 * HOUR])),
        }
    }

    /// Has nothing run within a time.
    pub(crate) fn black_out(&self, spec: &mut ScheduleSpec, text: &str) {
        if self.blacks_out {
            spec.blackout = vec![Blackout::parse(text).unwrap()];
        }
    }

    /// So many attempts.
    pub(crate) fn retry(&self, attempts: u16) -> Option<Box<RetrySpec>> {
        Some(Box::new(RetrySpec {
            attempts,
            ..self.retry.clone()
        }))
    }
}
