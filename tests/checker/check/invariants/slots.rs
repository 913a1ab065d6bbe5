//! What the store (E) says of schedules.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use twolane::engine::StateKind;
use twolane::engine::spec::Name;
use twolane::engine::time::Wall;

use super::{At, Evidence, Expectations};
use crate::check::facts::{Run, Schedule};

/// What is on record of the slots of one schedule.
#[derive(Default)]
struct Slots {
    /// Those that have a run.
    run: BTreeSet<Wall>,
    /// Stretches of those that do not, which are told with the reason.
    left_out: Vec<(Wall, Wall)>,
}

/// **I8.** Each slot of a schedule is run once at most, and each one that the schedule has gone past, also while the clock
/// was set, either has a run, or waits for one to be over, or is on record as left out, with the reason.
pub(super) fn i8_each_slot_once(evidence: &Evidence, _: &Expectations, at: &mut At<'_>) {
    let mut slots: BTreeMap<(Name, Arc<str>), Slots> = BTreeMap::new();
    for (id, run) in &evidence.log.runs {
        // What somebody asked for of the past may have been run before.
        let Some(slot) = run.slot.as_ref().filter(|slot| slot.backfill.is_none()) else {
            continue;
        };
        let name = (Name::clone(&run.job.name), Arc::clone(&slot.schedule));
        let entry = slots.entry(name).or_default();
        if let Some(stretch) = left_out(run) {
            entry.left_out.push(stretch);
        } else if !entry.run.insert(slot.at) {
            let (job, slot) = (&run.job.name, slot.at);
            at.tell(|| format!("run {id} of {job} is for {slot:?}, which has been run"));
        }
    }
    let nothing = Slots::default();
    for (name, schedule) in &evidence.log.schedules {
        let known = slots.get(name).unwrap_or(&nothing);
        forgotten(schedule, known, |slot| {
            at.tell(|| format!("{slot:?} of {name:?} has neither a run nor a reason"));
        });
    }
}

/// The slots that a run stands for where they are not run.
fn left_out(run: &Run) -> Option<(Wall, Wall)> {
    let unrun = run
        .unrun
        .filter(|_| run.over() == Some(StateKind::Skipped))?;
    Some((unrun.first, unrun.last))
}

/// Tells of slots of which nothing is on record.
fn forgotten(schedule: &Schedule, known: &Slots, mut tell: impl FnMut(Wall)) {
    for (from, until) in &schedule.decided {
        let Some(spec) = &schedule.spec else {
            return tell(*until);
        };
        let mut slot = spec.next_after(*from);
        while let Some(next) = slot.filter(|slot| slot <= until) {
            let mut stretches = known.left_out.iter();
            let left_out = stretches.find(|(first, last)| *first <= next && next <= *last);
            if left_out.is_none() && !known.run.contains(&next) && !schedule.waiting.contains(&next)
            {
                tell(next);
            }
            // A stretch may be of years.
            slot = spec.next_after(left_out.map_or(next, |(_, last)| *last));
        }
    }
}
