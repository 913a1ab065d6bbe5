//! Somebody looks at slots of the past, and later asks for them; and what has to hold of that in the end.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "other facts say nothing of slots"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use twolane::engine::StateKind;
use twolane::engine::backfill::survey::{Again, Known, Survey};
use twolane::engine::backfill::{Backfill, Ending, Went};
use twolane::engine::fact::{Fact, Record};
use twolane::engine::id::{BackfillId, RunId};
use twolane::engine::input::{BackfillOrder, Input};
use twolane::engine::spec::Name;
use twolane::engine::time::Wall;

use super::World;
use crate::definitions::SCHEDULED;

/// About how far apart the slots of each job are, in microseconds.
const APART: [i64; SCHEDULED.len()] = [
    3_600_000_000,
    86_400_000_000,
    420_000_000,
    1_200_000_000,
    3_600_000_000,
];

impl World {
    /// Somebody looks at slots, and asks for them at once or later; or for those that were looked at before.
    pub(super) fn backfill(&mut self) {
        if self.random.chance(30)
            && let Some(order) = self.orders.pop()
        {
            return self.order(order);
        }
        let Some(order) = self.look_at_slots() else {
            return;
        };
        if self.random.chance(30) {
            self.orders.push(order);
        } else {
            self.order(order);
        }
    }

    fn order(&mut self, order: BackfillOrder) {
        let caller = self.caller(None);
        self.apply(Input::Backfill(BackfillOrder { caller, ..order }));
    }

    fn look_at_slots(&mut self) -> Option<BackfillOrder> {
        let place = usize::try_from(self.random.below(SCHEDULED.len() as u64)).unwrap();
        let ground = self.engine.ground(SCHEDULED[place])?;
        let schedule = ground.schedules.first()?;
        let decided = schedule.decided?;
        // What is answered rests on what is on the disk.
        self.commit(u64::MAX);
        let mut some = |most| i64::try_from(self.random.below(most)).unwrap() * APART[place];
        let from = Wall(decided.0 - some(60));
        let until = Wall(decided.0.min(from.0 + some(30)));
        let known = Known {
            decided: Some(decided),
            waiting: schedule.waiting.clone(),
            ran: self.ran(&ground.job.name, &schedule.schedule),
        };
        let survey = Survey::of(&schedule.spec, (from, until), &known, Again::No)?;
        let slots = survey.count() as u64;
        let at_once = 1 + u32::try_from(self.random.below(4)).unwrap();
        (slots > 0).then(|| BackfillOrder {
            job: Name::clone(&ground.job.name),
            schedule: Arc::clone(&schedule.schedule),
            from,
            until,
            at_once,
            slots,
            left_out: survey.slots.len() as u64 - slots,
            stretches: survey.stretches(),
            unseen: ground.unseen,
            caller: None,
        })
    }

    /// What the store says of the slots of a schedule.
    fn ran(&self, job: &Name, schedule: &str) -> BTreeMap<Wall, Vec<(RunId, StateKind)>> {
        let mut ran: BTreeMap<Wall, Vec<(RunId, StateKind)>> = BTreeMap::new();
        for (run, record) in self.slot_runs() {
            if let Fact::Accepted {
                job: of,
                slot: Some(slot),
                ..
            } = &record.fact
                && of.name == *job
                && *slot.schedule == *schedule
            {
                let runs = ran.entry(slot.at).or_default();
                runs.push((run, StateKind::Succeeded));
            }
        }
        ran
    }

    /// The runs of slots that are no mere record of why not, each with the record that accepted it.
    fn slot_runs(&self) -> Vec<(RunId, &Record)> {
        let skipped: BTreeSet<RunId> = self
            .disk
            .iter()
            .filter_map(|record| match &record.fact {
                Fact::Skipped { run, .. } => Some(*run),
                _ => None,
            })
            .collect();
        let runs = self.disk.iter().filter_map(|record| match &record.fact {
            Fact::Accepted {
                run, slot: Some(_), ..
            } => Some((*run, record)),
            _ => None,
        });
        runs.filter(|(run, _)| !skipped.contains(run)).collect()
    }

    pub(super) fn cancel_backfill(&mut self) {
        let ids = self.engine.backfills();
        let most = ids.last().map_or(0, |view| view.backfill.id.0);
        let id = BackfillId(self.random.below(most + 2));
        let caller = self.caller(None);
        self.apply(Input::CancelBackfill { id, caller });
    }

    /// Nothing fails any more: each that goes on comes to its end, while the schedules go on.
    pub(super) fn finish_backfills(&mut self) {
        for round in 0.. {
            if self.engine.status().backfills == 0 {
                break;
            }
            assert!(round < 20_000, "{:?}", self.engine.backfills());
            self.commit(u64::MAX);
            self.attempts_leave();
            self.arrive();
            self.complete_all();
            self.lanes.let_go(self.now);
            self.now = self.next().unwrap_or(self.now + 1);
            self.apply(Input::Tick);
        }
    }

    /// By the facts on the disk: each backfill has run its slots, in order, each once, none that had run before,
    /// and never more of them at a time than it may; and has told how they ended.
    pub(super) fn check_backfills(&self) {
        let mut going: BTreeMap<BackfillId, Kept<'_>> = BTreeMap::new();
        let mut of_run: BTreeMap<RunId, BackfillId> = BTreeMap::new();
        let runs: BTreeSet<RunId> = self.slot_runs().into_iter().map(|(run, _)| run).collect();
        let mut ran: BTreeSet<(&Name, &Arc<str>, Wall)> = BTreeSet::new();
        for record in &self.disk {
            match &record.fact {
                Fact::BackfillAccepted { backfill } => {
                    going.insert(backfill.id, Kept::new(backfill));
                }
                Fact::Accepted {
                    run,
                    job,
                    slot: Some(slot),
                    ..
                } if runs.contains(run) || slot.backfill.is_some() => {
                    let is_first = ran.insert((&job.name, &slot.schedule, slot.at));
                    let Some(id) = slot.backfill else {
                        continue;
                    };
                    assert!(is_first, "backfill {id} runs {slot:?} again");
                    of_run.insert(*run, id);
                    let kept = going.get_mut(&id).expect("one that goes on");
                    kept.slots.push(slot.at);
                    kept.open += 1;
                    assert!(kept.open <= kept.backfill.at_once, "too many of {id}");
                }
                Fact::BackfillEnded {
                    backfill,
                    went,
                    ending,
                } => {
                    let kept = going.remove(&backfill.id).expect("one that goes on");
                    self.check_end_of(&kept, went, ending);
                }
                Fact::Ended { run, .. }
                | Fact::GivenUp { run, .. }
                | Fact::Cancelled { run, .. }
                | Fact::Skipped { run, .. } => {
                    if let Some(id) = of_run.remove(run)
                        && let Some(kept) = going.get_mut(&id)
                    {
                        kept.open -= 1;
                    }
                }
                _ => {}
            }
        }
        assert!(going.is_empty(), "{:?} never end", going.keys());
    }

    fn check_end_of(&self, kept: &Kept<'_>, went: &Went, ending: &Ending) {
        let backfill = kept.backfill;
        let key = (Name::clone(&backfill.job), Arc::clone(&backfill.schedule));
        let spec = &self.schedules[&key];
        let mut expected = Vec::new();
        let mut after = Wall(backfill.from.0 - 1);
        while let Some(slot) = spec.next_after(after).filter(|it| *it <= backfill.until) {
            let mut gaps = backfill.stretches.iter();
            if !gaps.any(|(from, to)| (*from..=*to).contains(&slot)) {
                expected.push(slot);
            }
            after = slot;
        }
        let begun = kept.slots.len();
        assert_eq!(kept.slots, expected[..begun], "{backfill}: {ending}");
        assert_eq!(
            (went.begun, went.unfinished()),
            (begun as u64, u64::from(kept.open))
        );
        if *ending == Ending::Done {
            assert_eq!((begun, kept.open), (expected.len(), 0), "{backfill}");
        }
    }
}

/// What is kept of one that goes on.
struct Kept<'a> {
    backfill: &'a Backfill,
    slots: Vec<Wall>,
    open: u32,
}

impl<'a> Kept<'a> {
    const fn new(backfill: &'a Backfill) -> Self {
        Self {
            backfill,
            slots: Vec::new(),
            open: 0,
        }
    }
}
