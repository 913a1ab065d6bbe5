//! What has become of the slots of schedules, by the facts on the disk: each was run once at most, and each was
//! run or is on record with its reason.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use twolane::engine::fact::Fact;
use twolane::engine::id::RunId;
use twolane::engine::outcome::SkipReason;
use twolane::engine::schedule::Passed;
use twolane::engine::schedule::memory::Memory;
use twolane::engine::spec::Name;
use twolane::engine::time::Wall;

use super::World;
use crate::definitions::ALWAYS_SCHEDULED;

/// How often the clock may be set before a schedule need not remember each stretch any more (it makes one of
/// two, and what lies between is not run).
const CLOCKS_SET: usize = 15;

/// Slots that are looked at of one schedule: of ten years not all.
const LOOKED_AT: usize = 2_000;

impl World {
    /// How many slots were run.
    pub(super) fn check_slots(&self) -> usize {
        let mut skipped: BTreeMap<RunId, Passed> = BTreeMap::new();
        for record in &self.disk {
            if let Fact::Skipped {
                run,
                reason: SkipReason::Slots(unrun),
                ..
            } = &record.fact
            {
                skipped.insert(*run, unrun.slots);
            }
        }
        // One that was taken out and comes back begins anew, and knows nothing of before.
        let mut lives: BTreeMap<(&Name, &Arc<str>), u32> = BTreeMap::new();
        let mut runs: BTreeSet<(&Name, &Arc<str>, Wall, u32)> = BTreeSet::new();
        let mut fired: BTreeSet<(&Name, &Arc<str>, Wall)> = BTreeSet::new();
        let mut left_out: BTreeMap<(&Name, &Arc<str>), Vec<Passed>> = BTreeMap::new();
        for record in &self.disk {
            if let Fact::Evaluated {
                job,
                schedule,
                memory,
            } = &record.fact
                && *memory == Memory::born(memory.at)
                && !ALWAYS_SCHEDULED.contains(&&**job)
            {
                *lives.entry((job, schedule)).or_default() += 1;
            }
            let Fact::Accepted {
                run,
                job,
                slot: Some(slot),
                ..
            } = &record.fact
            else {
                continue;
            };
            let key = (&job.name, &slot.schedule);
            if let Some(passed) = skipped.get(run) {
                left_out.entry(key).or_default().push(*passed);
                continue;
            }
            let life = lives.get(&key).copied().unwrap_or(0);
            let first = runs.insert((key.0, key.1, slot.at, life));
            assert!(first, "a slot of {} runs twice: {slot:?}", job.name);
            fired.insert((key.0, key.1, slot.at));
        }
        // A backfill makes a stretch of its own, too.
        let is_set =
            |fact: &Fact| matches!(fact, Fact::ClockSet { .. } | Fact::BackfillAccepted { .. });
        let set = self.disk.iter().filter(|record| is_set(&record.fact));
        if set.count() <= CLOCKS_SET {
            self.check_none_is_missing(&fired, &left_out);
        }
        fired.len()
    }

    /// Each slot since a schedule is there was run, or is told with its reason.
    fn check_none_is_missing(
        &self,
        fired: &BTreeSet<(&Name, &Arc<str>, Wall)>,
        left_out: &BTreeMap<(&Name, &Arc<str>), Vec<Passed>>,
    ) {
        let mut seen: BTreeMap<(&Name, &Arc<str>), (Wall, Wall)> = BTreeMap::new();
        for record in &self.disk {
            if let Fact::Evaluated {
                job,
                schedule,
                memory,
            } = &record.fact
            {
                let stretch = seen
                    .entry((job, schedule))
                    .or_insert((memory.at, memory.at));
                stretch.1 = stretch.1.max(memory.at);
            }
        }
        for ((job, key), (born, until)) in seen {
            if !ALWAYS_SCHEDULED.contains(&&**job) {
                continue;
            }
            let spec = self
                .schedules
                .get(&(Name::clone(job), Arc::clone(key)))
                .unwrap();
            let told = left_out
                .get(&(job, key))
                .map_or(&[][..], |told| told.as_slice());
            let mut after = born;
            for _ in 0..LOOKED_AT {
                let Some(slot) = spec.next_after(after).filter(|slot| *slot <= until) else {
                    break;
                };
                let is_told = told
                    .iter()
                    .any(|passed| (passed.first..=passed.last).contains(&slot));
                assert!(
                    is_told || fired.contains(&(job, key, slot)),
                    "nothing is known of the slot {slot:?} of {job} by {key}"
                );
                after = slot;
            }
        }
    }
}
