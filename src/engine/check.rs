//! All invariants across all tables. What may happen is handled elsewhere; what is found here is a
//! bug of the engine.

use std::collections::BTreeMap;

use super::Engine;
use super::announce;
use super::capacity::{CapacityName, Class, ClassId};
use super::fact::{Fact, Record};
use super::id::RunId;
use super::run::{Run, RunState, StateKind};
use super::state::State;
use super::time::Mono;
use super::timers::Timer;

/// An invariant that does not hold. A text, because there is nothing to do about it but to read it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("broken invariant: {0}")]
pub struct Broken(String);

impl Engine {
    /// Checks the tables against each other, in time that grows with the number of runs.
    ///
    /// # Errors
    /// The first invariant found broken.
    pub fn check(&self) -> Result<(), Broken> {
        let state = &self.state;
        check_counts(state)?;
        check_lines(state)?;
        // While starts are held back, who waits may have room.
        if !self.held {
            check_capacities(state)?;
        }
        check_timers(state)?;
        check_links(state)?;
        check_lanes(state)?;
        check_announced(state)?;
        let fault = state.calendar.fault();
        let fault = fault.or_else(|| state.absences.fault(&state.definitions));
        let fault = fault.or_else(|| state.backfills.fault());
        hold(fault.is_none(), || fault.clone().unwrap_or_default())
    }
}

impl State {
    /// A record about a run that is not there is not taken in.
    pub(super) fn check_known(&self, record: &Record) -> Result<(), Broken> {
        let Some((run, _)) = record.fact.run() else {
            return Ok(());
        };
        let (known, number) = (self.runs.get(run), record.number);
        let is_over = |run: &Run| run.state.kind().is_final();
        if matches!(record.fact, Fact::Accepted { .. }) {
            return hold(known.is_none(), || {
                format!("record {number} accepts run {run}, which there is already")
            });
        }
        if matches!(record.fact, Fact::Retried { .. }) {
            return hold(known.is_none_or(is_over), || {
                format!("record {number} retries run {run}, which is not over")
            });
        }
        hold(known.is_some_and(|run| !is_over(run)), || {
            format!("record {number} is about run {run}, which is not there or over")
        })
    }
}

/// What is announced is next in a line, as far as its run is still known.
fn check_announced(state: &State) -> Result<(), Broken> {
    hold(state.announced.len() <= announce::BOUND, || {
        format!("{} attempts are announced", state.announced.len())
    })?;
    for attempt in state.announced.iter() {
        let found = state.runs.get(attempt.run);
        hold(found.is_none_or(|run| run.is_next(attempt.epoch)), || {
            format!("attempt {attempt} is announced and is not next")
        })?;
    }
    Ok(())
}

fn hold(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds {
        Ok(())
    } else {
        Err(Broken(otherwise()))
    }
}

/// The counts, the active set and the finished ones are what the table says.
fn check_counts(state: &State) -> Result<(), Broken> {
    let mut counts = [0; StateKind::ALL.len()];
    for (id, run) in state.runs.iter() {
        counts[run.state.kind() as usize] += 1;
        hold(state.active.contains(&id) == run.state.is_active(), || {
            format!(
                "run {id} is {:?} and its place among the active differs",
                run.state
            )
        })?;
        hold(id.0 < state.next_run, || {
            format!("run {id} is numbered ahead of its time")
        })?;
        hold(run.state.is_active() <= (run.epoch > 0), || {
            format!("run {id} is active without an attempt")
        })?;
    }
    hold(counts == state.counts, || {
        format!("states are counted {:?}, and are {counts:?}", state.counts)
    })?;
    let over = state
        .finished
        .iter()
        .filter(|id| {
            state
                .runs
                .get(**id)
                .is_some_and(|run| run.state.kind().is_final())
        })
        .count();
    let in_final: usize = StateKind::ALL
        .into_iter()
        .filter(|kind| kind.is_final())
        .map(|kind| counts[kind as usize])
        .sum();
    let most = state.definitions.ended_kept;
    hold(
        over == state.finished.len() && over == in_final && over <= most,
        || {
            format!(
                "{in_final} runs are over, {} are listed as such",
                state.finished.len()
            )
        },
    )
}

/// Each queued run stands in its line once, and nobody else does.
fn check_lines(state: &State) -> Result<(), Broken> {
    let mut waiting = 0;
    for (class_id, class) in state.capacities.iter_classes() {
        let mut last: BTreeMap<_, (u64, Mono)> = BTreeMap::new();
        for (priority, entry, id) in class.entries() {
            waiting += 1;
            let run = state.runs.get(id);
            let fits = run.is_some_and(|run| {
                run.class == class_id
                    && run.priority == priority
                    && run.state
                        == RunState::Queued {
                            ticket: entry.ticket,
                            since: entry.since,
                        }
            });
            hold(fits, || format!("run {id} stands in a line and is {run:?}"))?;
            let here = (entry.ticket, entry.since);
            let before = last.insert(priority, here);
            hold(
                before.is_none_or(|before| before.0 < here.0 && before.1 <= here.1),
                || format!("run {id} stands in its line out of order"),
            )?;
        }
    }
    let queued = state.counts[StateKind::Queued as usize];
    hold(waiting == queued, || {
        format!("{queued} runs are queued, {waiting} stand in lines")
    })
}

/// What is used is what the active runs need; each class knows its unfinished runs; and no run
/// waits that could start.
fn check_capacities(state: &State) -> Result<(), Broken> {
    let mut runs: BTreeMap<ClassId, usize> = BTreeMap::new();
    let mut used: BTreeMap<_, u32> = BTreeMap::new();
    let mut unresponsive: BTreeMap<_, u32> = BTreeMap::new();
    for (_, run) in state.runs.iter() {
        if !run.state.kind().is_final() {
            *runs.entry(run.class).or_default() += 1;
        }
        if run.state.is_active() {
            for need in &state.capacities.class(run.class).needs {
                let takes = state.capacities.capacity(need.capacity).takes(need.amount);
                *used.entry(need.capacity).or_default() += takes;
            }
        }
        if run.state.kind() == StateKind::Unresponsive {
            let name = CapacityName::Lane(run.job.lane);
            let takes = match state.capacities.find(&name) {
                Some(lane) => lane.takes(run.job.weight()),
                None => 0,
            };
            *unresponsive.entry(name).or_default() += takes;
        }
    }
    for capacity in state.capacities.iter() {
        let counted = unresponsive.get(&capacity.name).copied().unwrap_or(0);
        hold(capacity.unresponsive == counted, || {
            format!(
                "{} has {counted} places with unresponsive attempts and counts {}",
                capacity.name, capacity.unresponsive
            )
        })?;
    }
    for (id, class) in state.capacities.iter_classes() {
        let counted = runs.get(&id).copied().unwrap_or(0);
        hold(class.runs == counted, || {
            format!("class {id:?} has {counted} runs and counts {}", class.runs)
        })?;
        check_waits(state, id, class)?;
        for need in &class.needs {
            let capacity = state.capacities.capacity(need.capacity);
            let counted = used.get(&need.capacity).copied().unwrap_or(0);
            hold(capacity.used == counted, || {
                format!(
                    "{} is held {counted} times and counts {}",
                    capacity.name, capacity.used
                )
            })?;
        }
    }
    Ok(())
}

/// No run waits that could start, beside what is kept for others; who waits for tokens alone is woken in
/// time; and only who waits has claims.
fn check_waits(state: &State, id: ClassId, class: &Class) -> Result<(), Broken> {
    let capacities = &state.capacities;
    let Some(settled) = capacities.waiting().settled() else {
        return Ok(());
    };
    if state.draining || class.waiting() == 0 {
        return Ok(());
    }
    let now = settled.max(state.last.mono);
    hold(capacities.lack(id, now).is_some(), || {
        format!("class {id:?} has room and runs that wait")
    })?;
    let Some((need, kept)) = capacities.waiting().parked(id) else {
        return hold(false, || format!("class {id:?} was not looked at"));
    };
    let capacity = capacities.capacity(need.capacity);
    let has =
        !capacity.is_shut(need.amount) && capacity.has(need.amount, kept, now) == (true, true);
    hold(!has, || {
        format!("class {id:?} waits for {}, which has enough", capacity.name)
    })?;
    if let Some(ready) = capacity
        .ready_at(need.amount, kept, now)
        .filter(|_| !capacity.paused)
    {
        let wake = capacities.next_wake();
        hold(wake.is_some_and(|wake| wake <= ready), || {
            format!("class {id:?} has its tokens at {ready:?}, and is looked at at {wake:?}")
        })?;
    }
    let strange = capacities.waiting().strange_claim();
    hold(strange.is_none(), || {
        format!("{strange:?} is claimed by a run that does not wait for it")
    })
}

/// Each scheduled run, each stopping one, each running one with a timeout and each that may not wait for
/// ever has its timer, and there are no others.
fn check_timers(state: &State) -> Result<(), Broken> {
    let expected = state.runs.iter().filter_map(|(id, run)| match &run.state {
        RunState::Scheduled { due } => Some((*due, Timer::Due(id))),
        RunState::Running { deadline, .. } => Some(((*deadline)?, Timer::Timeout(id))),
        RunState::Stopping { until, .. } => Some((*until, Timer::Unresponsive(id))),
        RunState::Blocked
        | RunState::Queued { .. }
        | RunState::Unresponsive { .. }
        | RunState::Succeeded
        | RunState::Failed(_)
        | RunState::Cancelled(_)
        | RunState::Skipped(_) => None,
    });
    let expire = |(id, run): (RunId, &Run)| Some((run.expires()?, Timer::Expired(id)));
    let expire = state.runs.iter().filter_map(expire);
    let expected: std::collections::BTreeSet<(Mono, Timer)> = expected.chain(expire).collect();
    hold(state.timers.iter().eq(expected.iter().copied()), || {
        format!("timers are {:?}, and should be {expected:?}", state.timers)
    })?;
    let waits = |(due, id): &(Mono, RunId)| expected.contains(&(*due, Timer::Due(*id)));
    hold(state.without_room.iter().all(waits), || {
        format!("{:?} do not all wait for room", state.without_room)
    })
}

/// Jobs that find their lane by themselves, and their runs that stand in line, are in the lane where they
/// were found to belong.
fn check_lanes(state: &State) -> Result<(), Broken> {
    let queued = state.runs.iter().map(|(_, run)| run);
    let queued = queued.filter(|run| run.state.kind() == StateKind::Queued);
    let defined = state.jobs_in_order().map(|(_, (job, _))| job);
    for job in queued.map(|run| &run.job).chain(defined) {
        let lane = state.placing.lane_of(&job.name).filter(|_| job.auto);
        hold(lane.is_none_or(|lane| lane == job.lane), || {
            format!("job `{}` is on the {} lane and moved", job.name, job.lane)
        })?;
    }
    Ok(())
}

/// A blocked run waits for unfinished runs that know it; what is looked for is found.
fn check_links(state: &State) -> Result<(), Broken> {
    let mut waited: BTreeMap<RunId, usize> = BTreeMap::new();
    let mut alone = BTreeMap::new();
    for (id, run) in state.runs.iter() {
        if run.state.kind().is_final() {
            continue;
        }
        for (dependent, born) in run.dependents() {
            let waits = |run: &Run| run.born == *born;
            if state.runs.get(*dependent).is_some_and(waits) {
                *waited.entry(*dependent).or_default() += 1;
            }
        }
        let key = run.links.as_ref().and_then(|links| links.unique.as_ref());
        let is_alone = run.job.unique.is_some() && run.part_of().is_none();
        hold(key.is_some() == is_alone, || {
            format!("that run {id} is to be alone is known as {key:?}")
        })?;
        if let Some(key) = key {
            let holder = state.unique.get(key).and_then(|run| state.runs.get(*run));
            hold(
                holder.is_some_and(|run| !run.state.kind().is_final()),
                || format!("run {id} is to be alone, and another one would be accepted"),
            )?;
            let other = run
                .state
                .is_active()
                .then(|| alone.insert(key, id))
                .flatten();
            hold(other.is_none(), || {
                format!(
                    "runs {other:?} and {id} execute at the same time, and only one of them may"
                )
            })?;
        }
    }
    for (id, run) in state.runs.iter() {
        if run.state != RunState::Blocked {
            continue;
        }
        let open = waited.get(&id).copied().unwrap_or(0);
        let counted = run.links.as_ref().map_or(0, |links| links.open);
        hold(open > 0 && open == counted, || {
            format!("run {id} is blocked by {counted} runs, of which {open} are to be waited for")
        })?;
    }
    Ok(())
}

/// A million of these wait, so their size is watched.
const _: () = assert!(size_of::<Run>() <= 128);
