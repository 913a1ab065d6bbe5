//! What the store (E) says of whole runs.

use std::collections::BTreeMap;
use std::time::Duration;

use twolane::engine::StateKind;
use twolane::engine::id::RunId;
use twolane::engine::outcome::{Failure, Interruption, NO_ROOM_PAUSE};
use twolane::engine::retry::Backoff;
use twolane::engine::spec::{CRASHES_BOUND, OnCrash};
use twolane::engine::time::Mono;

use super::{At, Evidence, Expectations};
use crate::check::facts::{Left, Run, Step, What};

/// **I2.** When faults have stopped, each run has come to exactly one end, after which nothing became of it, and those
/// that were accepted are those that succeeded, failed, were cancelled or skipped.
pub(super) fn i2_one_end_each(evidence: &Evidence, expectations: &Expectations, at: &mut At<'_>) {
    let mut over = 0;
    for (id, run) in &evidence.log.runs {
        let ends = run
            .latest()
            .iter()
            .filter(|step| step.what.over().is_some());
        match (ends.count(), run.over()) {
            (0, _) if expectations.is_live => {}
            (0, _) => at.tell(|| format!("run {id} of {} is not over", run.job.name)),
            (1, Some(_)) => over += 1,
            (1, None) => at.tell(|| format!("run {id} was over and went on: {:?}", run.steps)),
            (many, _) => at.tell(|| format!("run {id} has {many} ends: {:?}", run.steps)),
        }
    }
    let finals = evidence.counts.iter().filter(|(state, _)| state.is_final());
    let sum: u64 = finals.map(|(_, count)| count).sum();
    if sum != over {
        at.tell(|| format!("{over} runs are over, and the sum of those in each state is {sum}"));
    }
}

/// **I7.** No run fails in more attempts than it may, one that went down with the daemon is not counted among them but
/// has a bound of its own, and each pause before another attempt is as long as the job says and is kept, by the clock
/// that nobody sets. Runs for which the machine had no room are tried again one after the other, as many in a second as
/// [`TRIES`] at most.
pub(super) fn i7_no_more_attempts_than_allowed(
    evidence: &Evidence,
    _: &Expectations,
    at: &mut At<'_>,
) {
    for (id, run) in &evidence.log.runs {
        let count = Failures::of(run);
        let most = run.job.retry.as_ref().map_or(1, |retry| retry.attempts);
        if count.own > usize::from(most) {
            at.tell(|| format!("run {id} failed {} times of {most}", count.own));
        }
        // Where nothing executes nothing can have brought the daemon down.
        let is_future = run.job.task.is_future();
        if count.crashes > CRASHES_BOUND as usize && !is_future {
            at.tell(|| format!("run {id} went down {} times, and goes on", count.crashes));
        }
        if count.is_given_up
            && run.job.on_crash == OnCrash::Retry
            && count.crashes < CRASHES_BOUND as usize
        {
            at.tell(|| format!("run {id} failed after {} crashes", count.crashes + 1));
        }
        pauses(run, |words| at.tell(|| format!("run {id} {words}")));
        backoff(run, |words| at.tell(|| format!("run {id} {words}")));
    }
    tries(evidence, at);
}

/// How many tries a second there may be of all runs for which the machine had no room.
const TRIES: u32 = 200;

/// Tells of runs that were tried again before it was their turn: after those that waited for the same when there was
/// no room for them. Looked at within the life of one daemon.
fn tries(evidence: &Evidence, at: &mut At<'_>) {
    let mut pauses: Vec<(RunId, &Step, Option<&Step>)> = Vec::new();
    for (id, run) in &evidence.log.runs {
        let steps = run.steps.iter().enumerate();
        let without_room = steps.filter(|(_, step)| had_no_room(step));
        pauses.extend(without_room.map(|(at, step)| (*id, step, run.steps.get(at + 1))));
    }
    pauses.sort_unstable_by_key(|(_, before, _)| before.number);
    let life = |step: &Step| evidence.log.opened.partition_point(|n| *n < step.number);
    // Those that wait: until when, and up to which record.
    let (mut wait, mut of) = (Vec::<(Mono, u64)>::new(), 0);
    for (id, before, after) in pauses {
        wait.retain(|(_, until)| *until > before.number && life(before) == of);
        of = life(before);
        let turn = |(due, _): &(Mono, u64)| due.plus(Duration::from_secs(1) / TRIES);
        let due = wait.iter().map(turn).max();
        let due = before.at.plus(NO_ROOM_PAUSE).max(due.unwrap_or_default());
        wait.push((due, after.map_or(u64::MAX, |after| after.number)));
        if let Some(after) = after
            && matches!(after.what, What::Started(_))
            && life(after) == of
            && after.at < due
        {
            at.tell(|| {
                format!(
                    "run {id} is tried at {:?}, and its turn is at {due:?}",
                    after.at
                )
            });
        }
    }
}

const fn had_no_room(step: &Step) -> bool {
    matches!(
        step.what,
        What::Left(_, Left::Interrupted(Interruption::NoRoom(_)))
    )
}

/// Tells of pauses after a failure that are not as the job says.
fn backoff(run: &Run, mut tell: impl FnMut(String)) {
    let Some(retry) = &run.job.retry else { return };
    let mut doublings = 0;
    for step in run.latest() {
        let What::Left(_, Left::Retrying(_, due)) = &step.what else {
            continue;
        };
        let longest = match retry.backoff {
            Backoff::Fixed => retry.base,
            Backoff::Exponential => retry
                .base
                .saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)),
        };
        let longest = longest.min(retry.max);
        // Of that half may be drawn.
        let shortest = if retry.jitter { longest / 2 } else { longest };
        doublings += 1;
        let pause = due.since(step.at);
        if pause < shortest || pause > longest {
            tell(format!(
                "waits {pause:?} after failure {doublings}, and not {shortest:?} to {longest:?}"
            ));
        }
    }
}

/// How often a run failed since it was last tried once more.
#[derive(Default)]
struct Failures {
    /// By its own fault.
    own: usize,
    /// By going down with the daemon, and going on.
    crashes: usize,
    /// It went down once more, and did not go on.
    is_given_up: bool,
}

impl Failures {
    fn of(run: &Run) -> Self {
        let mut failures = Self::default();
        for step in run.latest() {
            match &step.what {
                What::Left(_, Left::Failed(Failure::Crash | Failure::Crashes(_))) => {
                    failures.is_given_up = true;
                }
                What::Left(_, Left::Failed(_) | Left::Retrying(..)) => failures.own += 1,
                What::Left(_, Left::Interrupted(Interruption::Crash)) => failures.crashes += 1,
                What::Left(_, Left::Succeeded | Left::Cancelled | Left::Interrupted(_))
                | What::Accepted
                | What::Started(_)
                | What::Over(_)
                | What::Retried => {}
            }
        }
        failures
    }
}

/// Tells of attempts that did not wait for their time.
fn pauses(run: &Run, mut tell: impl FnMut(String)) {
    for pair in run.steps.windows(2) {
        let [before, after] = pair else { continue };
        let due = match &before.what {
            What::Left(_, Left::Retrying(_, due)) => *due,
            What::Left(_, Left::Interrupted(Interruption::NoRoom(_))) => {
                before.at.plus(NO_ROOM_PAUSE)
            }
            What::Left(..) | What::Accepted | What::Started(_) | What::Over(_) | What::Retried => {
                continue;
            }
        };
        if matches!(after.what, What::Started(_)) && after.at < due {
            tell(format!("started at {:?}, before {due:?}", after.at));
        }
    }
}

/// **I9.** Records are numbered without a gap, each follows the one before it, and the tables say what they say: each
/// run is in the state that its records tell, and the sums hold.
pub(super) fn i9_the_records_are_whole(evidence: &Evidence, _: &Expectations, at: &mut At<'_>) {
    for fault in evidence.log.faults.iter().chain(&evidence.damage) {
        at.tell(|| fault.clone());
    }
    let mut told: BTreeMap<StateKind, u64> = BTreeMap::new();
    for state in evidence.log.runs.values().filter_map(Run::over) {
        *told.entry(state).or_default() += 1;
    }
    let sum: u64 = evidence.counts.values().sum();
    let all = evidence.log.runs.len() as u64;
    if sum != all {
        at.tell(|| format!("{all} runs are on record, and {sum} in the table of them"));
    }
    for (state, count) in &evidence.counts {
        let of_records = told.get(state).copied().unwrap_or(0);
        if state.is_final() && *count != of_records {
            at.tell(|| {
                format!(
                    "{of_records} runs are {state:?} by their records, and {count} in the table"
                )
            });
        }
    }
}
