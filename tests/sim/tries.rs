//! What becomes of a run of which an attempt has failed, by the promises alone: it is tried again where its job says so
//! of such a failure, as often as it says, after the pause that it says; and where it is not tried again, one of that
//! forbids it.

use std::collections::BTreeMap;
use std::time::Duration;

use twolane::engine::fact::{Fact, FinalState};
use twolane::engine::id::RunId;
use twolane::engine::outcome::{Failure, Interruption, Outcome, StopReason};
use twolane::engine::retry::{Backoff, RetrySpec};
use twolane::engine::spec::JobSpec;
use twolane::engine::time::Mono;

/// The unfinished runs that have begun.
#[derive(Default)]
pub(crate) struct Tries {
    open: BTreeMap<RunId, Tried>,
    /// How many were tried again after each kind of failure.
    pub(crate) again: BTreeMap<&'static str, u64>,
    /// How many runs each kind of failure has ended.
    pub(crate) ended: BTreeMap<&'static str, u64>,
}

#[derive(Default)]
struct Tried {
    began: Mono,
    attempts: u32,
    failures: u16,
    /// Why its attempt was asked to stop.
    asked: Option<StopReason>,
}

impl Tries {
    /// The next fact.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the others say nothing of attempts"
    )]
    pub(crate) fn take(&mut self, fact: &Fact, at: Mono) {
        match fact {
            Fact::Started { run, .. } => {
                let began = || Tried {
                    began: at,
                    ..Tried::default()
                };
                let tried = self.open.entry(*run).or_insert_with(began);
                tried.attempts += 1;
                tried.asked = None;
            }
            // Its first attempt turns out not to have begun.
            Fact::Interrupted {
                run,
                cause: Interruption::Unbegun,
                ..
            } if self.open[run].attempts == 1 => {
                self.open.remove(run);
            }
            Fact::Stopping { run, reason, .. } | Fact::Unresponsive { run, reason, .. } => {
                self.open.get_mut(run).unwrap().asked = Some(*reason);
            }
            Fact::Retrying {
                run,
                job,
                failure,
                due,
                ..
            } => self.retrying(*run, job, failure, (at, *due)),
            Fact::Ended {
                run,
                job,
                state,
                end,
                ..
            } => {
                let done = matches!(end.outcome, Outcome::Succeeded(_));
                assert_eq!(done, *state == FinalState::Succeeded, "{run}: {state:?}");
                if let FinalState::Failed(failure) = state {
                    *self.ended.entry(failure.kind()).or_default() += 1;
                    self.check_last(*run, job, failure, at);
                }
                self.open.remove(run);
            }
            Fact::GivenUp { run, .. } | Fact::Cancelled { run, .. } | Fact::Skipped { run, .. } => {
                self.open.remove(run);
            }
            _ => {}
        }
    }

    fn retrying(&mut self, run: RunId, job: &JobSpec, failure: &Failure, (at, due): (Mono, Mono)) {
        let retry = job.retry.as_ref().expect("it is to be tried again");
        let tried = self.open.get_mut(&run).expect("it has begun");
        tried.failures += 1;
        let (failures, words) = (tried.failures, format!("{run} after {failure}"));
        assert!(
            covers(retry, failure) && failures < retry.attempts,
            "{words}"
        );
        assert!(!is_final(tried.asked), "{words}: {:?}", tried.asked);
        let (least, most) = pause(retry, failures);
        let pause = due.since(at);
        assert!((least..=most).contains(&pause), "{words}: {pause:?}");
        let limit = job.run_timeout.map(|limit| tried.began.plus(limit));
        assert!(limit.is_none_or(|limit| due < limit), "{words}: too late");
        *self.again.entry(failure.kind()).or_default() += 1;
    }

    /// The run is not tried again, though its job may say that it is.
    fn check_last(&self, run: RunId, job: &JobSpec, failure: &Failure, at: Mono) {
        let (Some(retry), Some(tried)) = (&job.retry, self.open.get(&run)) else {
            return;
        };
        let (_, most) = pause(retry, tried.failures + 1);
        let limit = job.run_timeout.map(|limit| tried.began.plus(limit));
        let is_last = !covers(retry, failure)
            || tried.failures + 1 >= retry.attempts
            || is_final(tried.asked)
            || limit.is_some_and(|limit| at.plus(most) >= limit);
        assert!(is_last, "{run} is not tried again after {failure}");
    }
}

/// Whether nobody wants another attempt.
const fn is_final(asked: Option<StopReason>) -> bool {
    match asked {
        None | Some(StopReason::Timeout | StopReason::Interrupt) => false,
        Some(
            StopReason::Request
            | StopReason::RunTimeout
            | StopReason::Replaced(_)
            | StopReason::Shutdown,
        ) => true,
    }
}

/// Whether it is tried again after this: after any failure, or after those that are named; never for having gone down
/// with the daemon, which is counted apart.
fn covers(retry: &RetrySpec, failure: &Failure) -> bool {
    let named = |word: &str| retry.on.iter().any(|kind| **kind == *word);
    let any = retry.on.is_empty() && retry.on_exit.is_empty();
    match failure {
        Failure::Crash | Failure::Crashes(_) => false,
        Failure::Exit(code) => any || named("exit") || retry.on_exit.contains(code),
        Failure::Signal(_) => any || named("signal"),
        Failure::OutOfMemory { .. } => any || named("out_of_memory"),
        Failure::Timeout(_) | Failure::RunTimeout(_) => any || named("timeout"),
        Failure::Panic(_) => any || named("panic"),
        Failure::Error(_) => any || named("error"),
    }
}

/// The shortest and the longest pause after so many failures.
fn pause(retry: &RetrySpec, failures: u16) -> (Duration, Duration) {
    let times = match retry.backoff {
        Backoff::Fixed => 1,
        Backoff::Exponential => 1 << (failures - 1),
    };
    let most = (retry.base * times).min(retry.max);
    let least = if retry.jitter { most / 2 } else { most };
    (least, most)
}
