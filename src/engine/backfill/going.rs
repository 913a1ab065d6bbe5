//! How backfills come to be, go on and end: which slot is run next, and what is recorded of that. Each run is
//! accepted in one batch with the record of how far its backfill has come, so that no crash can come between.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{AT_ONCE_BOUND, Backfill, Ending, PLACES, Went};
use crate::engine::action::{Answer, Refusal};
use crate::engine::calendar::ScheduleId;
use crate::engine::decide::Turn;
use crate::engine::fact::{Fact, Slot};
use crate::engine::id::{BackfillId, RunId};
use crate::engine::input::{BackfillOrder, Submission};
use crate::engine::spec::Name;
use crate::engine::submission::{Plan, Source, plan};
use crate::engine::time::Wall;

/// What becomes of the next slot of a backfill.
enum Next {
    /// There is none.
    None,
    /// Not yet: there is no room, or a run of a job of which there may be only one is not over.
    Wait,
    /// None will be accepted, for this reason.
    Refused(Refusal),
    /// It is run.
    Run(Wall, Submission, Plan),
}

impl Turn<'_> {
    /// Accepts a backfill.
    pub(in crate::engine) fn backfill(&mut self, order: BackfillOrder) -> Answer {
        match self.check_backfill(&order) {
            Ok((id, place)) => {
                let new = BackfillId(self.state.backfills.newest.0 + 1);
                // They are no slots of the schedule any more, should the clock be set back.
                let entry = &self.state.calendar.entries()[id];
                if let Some(mut memory) = entry.memory.clone() {
                    memory.give_away((Wall(order.from.0.saturating_sub(1)), order.until));
                    self.remember(id, memory);
                }
                self.record(Fact::BackfillAccepted {
                    backfill: Arc::new(Backfill {
                        id: new,
                        place,
                        job: order.job,
                        schedule: order.schedule,
                        from: order.from,
                        until: order.until,
                        at_once: order.at_once.clamp(1, AT_ONCE_BOUND),
                        slots: order.slots,
                        left_out: order.left_out,
                        stretches: order.stretches,
                        accepted: self.now.wall,
                    }),
                });
                Answer::Backfilling(new)
            }
            Err(refusal) => Answer::Refused(refusal),
        }
    }

    /// Whether it can be accepted: with which schedule, at which place.
    fn check_backfill(&self, order: &BackfillOrder) -> Result<(ScheduleId, u8), Refusal> {
        let job = || Name::clone(&order.job);
        if self.state.draining {
            return Err(Refusal::Draining);
        }
        let Some((defined, _)) = self.state.jobs.get(&order.job) else {
            return Err(Refusal::UnknownJob(job()));
        };
        let schedule = &order.schedule;
        let found = self.state.calendar.find(&order.job, schedule);
        let found = found.ok_or_else(|| Refusal::UnknownSchedule {
            job: job(),
            schedule: Arc::clone(schedule),
        })?;
        let memory = self.state.calendar.entries()[found].memory.as_ref();
        // With the clock set back since the look, its schedule may have run some of them.
        let is_seen = order.unseen > self.state.clock_set;
        if !is_seen
            || memory.is_none_or(|memory| order.until > memory.at)
            || order.from > order.until
        {
            return Err(Refusal::Undecided(job()));
        }
        let backfills = &self.state.backfills;
        let stretch = (order.from, order.until);
        let meets = |other: &Backfill| other.meets(&order.job, schedule, stretch);
        let going = backfills.going.values().map(|going| &going.backfill);
        let going = going.filter(|other| meets(other)).map(|other| other.id);
        // What it has run at last was not known when the slots were looked at.
        let since = backfills.over.values();
        let since = since.filter(|ended| ended.record >= order.unseen && meets(&ended.backfill));
        if let Some(other) = going.chain(since.map(|ended| ended.backfill.id)).next() {
            return Err(Refusal::Backfilling(other));
        }
        let place = backfills.place().ok_or(Refusal::TooManyBackfills {
            bound: PLACES.into(),
        })?;
        let submission = self.submission_of(defined, order.from);
        match plan(self.state, &submission) {
            // It will wait for that.
            Ok(_) | Err(Refusal::Full { .. } | Refusal::Duplicate { .. }) => Ok((found, place)),
            Err(refusal) => Err(refusal),
        }
    }

    /// Runs no more slots of a backfill, and takes those of its runs out of the line that have not started.
    pub(in crate::engine) fn cancel_backfill(&mut self, id: BackfillId) -> Answer {
        if !self.state.backfills.going.contains_key(&id) {
            return if id.0 > 0 && id <= self.state.backfills.newest {
                Answer::BackfillOver(id)
            } else {
                Answer::UnknownBackfill(id)
            };
        }
        let runs = self.state.backfills.runs_of(id);
        let waiting = runs.into_iter().filter(|run| self.waits(*run));
        let members: BTreeSet<RunId> = waiting.flat_map(|run| self.state.graph_of(run)).collect();
        self.cancel_all_that_wait(members);
        self.end_backfill(id, Ending::Cancelled);
        Answer::BackfillCancelled(id)
    }

    /// Ends the backfills whose schedules are no more.
    pub(in crate::engine) fn end_removed_backfills(&mut self) {
        let gone = self.state.backfills.going.values().filter(|going| {
            let backfill = &going.backfill;
            let found = self.state.calendar.find(&backfill.job, &backfill.schedule);
            found.is_none()
        });
        let gone: Vec<BackfillId> = gone.map(|going| going.backfill.id).collect();
        for id in gone {
            self.end_backfill(id, Ending::Removed);
        }
    }

    /// Lets each backfill go on: puts on record how its runs have ended, and makes as many more as it may have.
    /// Each turn of the inner loop makes a run or is the last, so this ends.
    pub(in crate::engine) fn go_on_with_backfills(&mut self) {
        let ids: Vec<BackfillId> = self.state.backfills.going.keys().copied().collect();
        for id in ids {
            while let Some(going) = self.state.backfills.going.get(&id) {
                let went = going.now();
                let has_room = going.open < going.backfill.at_once || bug!("backfill-unbounded");
                let next = match has_room {
                    true => self.next_of(&going.backfill, went.at),
                    false => Next::Wait,
                };
                match next {
                    Next::None if going.open == 0 => self.end_backfill(id, Ending::Done),
                    Next::Refused(why) => {
                        self.end_backfill(id, Ending::Refused(why.to_string().into()));
                    }
                    Next::Run(slot, submission, plan) => {
                        self.begin_of_backfill(id, slot, (&submission, plan));
                        continue;
                    }
                    Next::None | Next::Wait if went != going.went => self.moved(id, went),
                    Next::None | Next::Wait => {}
                }
                break;
            }
        }
    }

    /// What is to become of the next slot of a backfill that has come as far as `at`.
    fn next_of(&self, backfill: &Backfill, at: Wall) -> Next {
        let calendar = &self.state.calendar;
        let Some(schedule) = calendar.find(&backfill.job, &backfill.schedule) else {
            // Definitions that are not in force yet end it, or bring it.
            return Next::Wait;
        };
        let spec = &calendar.entries()[schedule].spec;
        let Some(slot) = backfill.next_slot(spec, at) else {
            return Next::None;
        };
        if self.state.draining || self.held {
            return Next::Wait;
        }
        let Some((job, _)) = self.state.jobs.get(&backfill.job) else {
            return Next::Wait;
        };
        let submission = self.submission_of(job, slot);
        match plan(self.state, &submission) {
            Err(Refusal::Full { .. } | Refusal::Duplicate { .. } | Refusal::Draining) => Next::Wait,
            Err(refusal) => Next::Refused(refusal),
            Ok(plan) => {
                // A run that is there already is none of this slot, and none is to make way.
                let is_taken = matches!(plan.runs.first(), Some(Source::There(_)));
                if is_taken || plan.new.iter().any(|new| new.replaces.is_some()) {
                    return Next::Wait;
                }
                if !self.has_room_for_parts(&plan) {
                    return Next::Wait;
                }
                Next::Run(slot, submission, plan)
            }
        }
    }

    /// Whether the first of the runs can be spread now, if it is to be: one that does not find room for its
    /// parts fails, which would go through all slots.
    fn has_room_for_parts(&self, plan: &Plan) -> bool {
        let first = plan.new.iter().find(|new| new.item == 0);
        let parts = first.and_then(|new| {
            let fan_out = new.job.fan_out.as_ref()?;
            Some(fan_out.count(new.args.as_deref()))
        });
        let most = usize::try_from(self.state.definitions.max_runs).unwrap_or(usize::MAX);
        // More than there ever is room for fails whenever it is tried.
        parts.is_none_or(|parts| parts > most || self.state.live() + plan.new.len() + parts <= most)
    }

    fn begin_of_backfill(
        &mut self,
        id: BackfillId,
        at: Wall,
        (submission, plan): (&Submission, Plan),
    ) {
        let going = &self.state.backfills.going[&id];
        let schedule = Arc::clone(&going.backfill.schedule);
        let mut went = going.now();
        went.at = at;
        went.begun += 1;
        self.moved(id, went);
        let slot = Slot {
            schedule,
            at,
            backfill: Some(id),
        };
        self.accept(submission, plan, Some(&Arc::new(slot)));
    }

    fn moved(&mut self, id: BackfillId, went: Went) {
        let place = self.state.backfills.going[&id].backfill.place;
        self.record(Fact::BackfillMoved { id, place, went });
    }

    fn end_backfill(&mut self, id: BackfillId, ending: Ending) {
        let going = &self.state.backfills.going[&id];
        let (backfill, went) = (Arc::new(going.backfill.bare()), going.now());
        self.record(Fact::BackfillEnded {
            backfill,
            went,
            ending,
        });
    }
}
