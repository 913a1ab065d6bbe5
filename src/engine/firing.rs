//! What becomes of slots whose time has come: a run, a place in line, or a record of why not.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::calendar::ScheduleId;
use super::decide::Turn;
use super::fact::{Fact, Slot};
use super::flow::Ties;
use super::input::{Submission, SubmitItem};
use super::outcome::{SkipReason, StopReason, Unrun, Why};
use super::schedule::memory::Memory;
use super::schedule::spec::Moment;
use super::schedule::{Missed, MissedPolicy, Overlap, Passed, SCHEDULED, ScheduleSpec};
use super::spec::{Definitions, JobSpec, Name};
use super::submission::{Source, plan};
use super::time::Wall;

/// How late a slot may be to count as run in its time: what a busy machine or a restart costs, and less
/// than anybody would call missed.
const LATE: Duration = Duration::from_secs(60);

/// By how much the two clocks have to differ from what they differed by before, for the clock to count as
/// set: more than a leap second.
const SET: i64 = 2_000_000;

/// Why slots could have been missed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The daemon was down or behind, the machine slept, or the clock was set.
    Absence,
    /// The schedule was paused.
    Pause,
}

impl Turn<'_> {
    /// Notices that the wall clock was set or that the machine slept: since the last record it has gone on by
    /// another time than the monotonic clock.
    pub(super) fn notice_clock(&mut self) {
        let last = self.state.last;
        if self.state.calendar.entries().is_empty() || self.state.next_record == 1 {
            return;
        }
        let past = i64::try_from(self.now.mono.since(last.mono).as_micros()).unwrap_or(i64::MAX);
        let expected = last.wall.0.saturating_add(past);
        let by_micros = self.now.wall.0.saturating_sub(expected);
        if by_micros.saturating_abs() >= SET {
            self.record(Fact::ClockSet { by_micros });
            // On record for each of them: of what was, only the last that is on record of a schedule counts.
            for (id, memory) in self.state.calendar.set_back(self.now.wall) {
                self.remember(id, memory);
            }
        }
    }

    /// Decides on all slots whose time has come. Each decision moves its schedule on, so this ends.
    pub(super) fn fire_schedules(&mut self) {
        while let Some((begins, id)) = self.state.calendar.first()
            && begins <= self.now.wall
            && !self.state.draining
            && !self.held
        {
            self.evaluate(id, Cause::Absence);
        }
    }

    /// Begins runs of slots that wait for nothing any more.
    pub(super) fn begin_waiting(&mut self) {
        while let Some(job) = self.state.calendar.ready().cloned()
            && !self.state.draining
            && !self.held
        {
            let calendar = &self.state.calendar;
            let first = calendar.of_job(&job).filter_map(|id| {
                let memory = calendar.entries()[id].memory.as_ref()?;
                Some((*memory.waiting.first()?, id, memory.clone()))
            });
            let Some((slot, id, mut memory)) = first.min_by_key(|(slot, id, _)| (*slot, *id))
            else {
                return;
            };
            memory.waiting.remove(0);
            self.remember(id, memory);
            self.begin(id, slot);
        }
    }

    /// Puts definitions in force. What waits of schedules that are no more will not come, nor will what has come
    /// of them and was not decided on.
    pub(super) fn configure(&mut self, definitions: Arc<Definitions>) {
        let kept: BTreeSet<(&Name, String)> = definitions
            .jobs
            .values()
            .flat_map(|job| job.schedules.iter().map(|s| (&job.name, s.to_string())))
            .collect();
        let now = self.now.wall;
        let entries = self.state.calendar.entries().iter();
        let gone =
            entries.filter(|entry| !kept.contains(&(&entry.job.name, entry.key.to_string())));
        let gone: Vec<(Arc<JobSpec>, Arc<str>, Passed)> = gone
            .flat_map(|entry| {
                let left = entry.left(now).into_iter();
                left.map(|slots| (Arc::clone(&entry.job), Arc::clone(&entry.key), slots))
            })
            .collect();
        for (job, key, slots) in gone {
            self.leave_out(&job, &key, slots, Why::Removed);
        }
        self.reconsider(&definitions);
        self.record(Fact::Configured { definitions });
        self.end_removed_backfills();
        self.expect_new();
        // On record for themselves: that they began, and when, outlives the definitions.
        let born: Vec<ScheduleId> = (0..self.state.calendar.entries().len())
            .filter(|id| {
                let memory = &self.state.calendar.entries()[*id].memory;
                *memory == Some(Memory::born(now))
            })
            .collect();
        for id in born {
            self.remember(id, Memory::born(now));
        }
    }

    /// Decides on the slots of a schedule until now, or until those begin that were decided on before.
    pub(super) fn evaluate(&mut self, id: ScheduleId, cause: Cause) {
        let entry = &self.state.calendar.entries()[id];
        let (spec, job, key) = (
            Arc::clone(&entry.spec),
            Arc::clone(&entry.job),
            Arc::clone(&entry.key),
        );
        let Some(mut memory) = entry.memory.clone() else {
            return;
        };
        let now = Wall(self.now.wall.0.saturating_sub(entry.jitter));
        if now <= memory.at {
            return;
        }
        let (after, until) = (memory.at, memory.open_until(now));
        let due = due(&spec, (after, until), now, cause);
        let decided_from = match &due.missed {
            Some(missed) => missed.last,
            None => after,
        };
        memory.pass((decided_from, until), now);
        self.remember(id, memory);
        if let Some(missed) = due.missed {
            let why = match cause {
                Cause::Absence => Why::Missed,
                Cause::Pause => Why::Paused,
            };
            self.leave_out(&job, &key, missed, why);
        }
        let many = due.slots.len() > 1;
        for slot in due.slots {
            self.fire(id, slot, many);
        }
    }

    /// Decides on one slot. One of several that are made up for waits rather than being skipped.
    fn fire(&mut self, id: ScheduleId, slot: Wall, one_of_many: bool) {
        let entry = &self.state.calendar.entries()[id];
        let (spec, job, key) = (
            Arc::clone(&entry.spec),
            Arc::clone(&entry.job),
            Arc::clone(&entry.key),
        );
        let skip = |turn: &mut Self, why| turn.leave_out(&job, &key, Passed::one(slot), why);
        if let Some(text) = spec.blackout_at(slot) {
            return skip(self, Why::Blackout(text.into()));
        }
        let before = self.state.calendar.open(&job.name).next();
        let waiting = entry
            .memory
            .as_ref()
            .map_or(0, |memory| memory.waiting.len());
        if (before.is_none() && waiting == 0)
            || spec.overlap == Overlap::Allow
            || bug!("overlap-ignored")
        {
            return self.begin(id, slot);
        }
        match (spec.overlap, before) {
            (Overlap::Skip, Some(run)) if !one_of_many => skip(self, Why::Overlap(run)),
            (Overlap::Queue | Overlap::Skip | Overlap::Allow, _) => {
                if waiting >= Overlap::WAITING {
                    return skip(self, Why::Full(Overlap::WAITING));
                }
                self.line_up(id, slot);
            }
            (Overlap::Latest, _) => self.only(id, slot),
            (Overlap::Replace, _) => {
                self.only(id, slot);
                let open: Vec<_> = self.state.calendar.open(&job.name).collect();
                for run in open {
                    self.cancel_for(run, StopReason::Replaced(None));
                }
            }
        }
    }

    /// Puts a slot behind those of its schedule that wait.
    fn line_up(&mut self, id: ScheduleId, slot: Wall) {
        let entry = &self.state.calendar.entries()[id];
        if let Some(mut memory) = entry.memory.clone() {
            memory.waiting.push(slot);
            self.remember(id, memory);
        }
    }

    /// Puts a slot in the place of those of its schedule that wait.
    fn only(&mut self, id: ScheduleId, slot: Wall) {
        let entry = &self.state.calendar.entries()[id];
        let (job, key) = (Arc::clone(&entry.job), Arc::clone(&entry.key));
        let Some(mut memory) = entry.memory.clone() else {
            return;
        };
        let before = std::mem::replace(&mut memory.waiting, vec![slot]);
        self.remember(id, memory);
        for old in before {
            self.leave_out(&job, &key, Passed::one(old), Why::Superseded);
        }
    }

    /// Begins the run of a slot, with all that its job comes after.
    fn begin(&mut self, id: ScheduleId, at: Wall) {
        let entry = &self.state.calendar.entries()[id];
        let (job, key) = (Arc::clone(&entry.job), Arc::clone(&entry.key));
        let submission = self.submission_of(&job, at);
        match plan(self.state, &submission) {
            Ok(plan) => {
                if let [Source::There(run), ..] = plan.runs[..] {
                    let why = format!("run {run} of this unique job does it already");
                    return self.leave_out(&job, &key, Passed::one(at), Why::Refused(why.into()));
                }
                let slot = Slot {
                    schedule: key,
                    at,
                    backfill: None,
                };
                self.accept(&submission, plan, Some(&Arc::new(slot)));
            }
            Err(refusal) => {
                self.leave_out(
                    &job,
                    &key,
                    Passed::one(at),
                    Why::Refused(refusal.to_string().into()),
                );
            }
        }
    }

    /// What is asked for where a slot of a job is run: the job, which is told the slot, and all that it comes after.
    pub(super) fn submission_of(&self, job: &JobSpec, slot: Wall) -> Submission {
        let mut items: Vec<SubmitItem> = vec![SubmitItem::of(&job.name)];
        if !job.after.is_empty() {
            let names = self.state.definitions.with_all_before(&job.name);
            let others = names.into_iter().filter(|name| **name != job.name);
            items.extend(others.map(SubmitItem::of));
        }
        let logical = Value::String(Moment(slot).to_string());
        let args = Map::from_iter([(SCHEDULED.to_owned(), logical)]);
        items[0].args = Some(Arc::new(Value::Object(args)));
        Submission {
            items,
            key: None,
            caller: None,
        }
    }

    /// Puts on record that slots do not run: a run that never starts.
    fn leave_out(&mut self, job: &Arc<JobSpec>, key: &Arc<str>, slots: Passed, why: Why) {
        let run = super::id::RunId(self.state.next_run);
        let slot = Slot {
            schedule: Arc::clone(key),
            at: slots.first,
            backfill: None,
        };
        self.record(Fact::Accepted {
            run,
            job: Arc::clone(job),
            priority: job.priority,
            args: None,
            after: Box::default(),
            due: None,
            key: None,
            ties: Ties::default(),
            slot: Some(Arc::new(slot)),
        });
        let reason = SkipReason::Slots(Box::new(Unrun { why, slots }));
        self.record(Fact::Skipped {
            run,
            job: Arc::clone(job),
            reason,
        });
    }

    pub(super) fn remember(&mut self, id: ScheduleId, memory: Memory) {
        let entry = &self.state.calendar.entries()[id];
        self.record(Fact::Evaluated {
            job: Name::clone(&entry.job.name),
            schedule: Arc::clone(&entry.key),
            memory,
        });
    }
}

/// What becomes of slots whose time has come.
struct Due {
    /// Those that are to be run, oldest first.
    slots: Vec<Wall>,
    /// Those before them that are not.
    missed: Option<Passed>,
}

/// Which of the slots that are after `after` and not after `until` are run at `now`.
fn due(spec: &ScheduleSpec, (after, until): (Wall, Wall), now: Wall, cause: Cause) -> Due {
    let none = Due {
        slots: Vec::new(),
        missed: None,
    };
    let Some(last) = spec.last_until(after, until) else {
        return none;
    };
    let age = |slot: Wall| Duration::from_micros(u64::try_from(now.0 - slot.0).unwrap_or(0));
    // Where the stretch does not reach until now, later slots have been decided on.
    let in_time = cause == Cause::Absence && until == now && age(last) <= LATE;
    let Missed {
        policy,
        window,
        max,
    } = spec.missed;
    let counts = |slot: Wall| window.is_none_or(|window| age(slot) <= window);
    let most = match policy {
        _ if bug!("backlog-all-at-once") => usize::MAX,
        MissedPolicy::Skip => usize::from(in_time),
        MissedPolicy::Latest => usize::from(in_time || counts(last)),
        MissedPolicy::All => max as usize,
    };
    let mut slots = Vec::new();
    let mut before = until;
    while slots.len() < most
        && let Some(slot) = spec.last_until(after, before)
        && (counts(slot) || (in_time && slot == last))
    {
        slots.push(slot);
        before = Wall(slot.0 - 1);
    }
    slots.reverse();
    Due {
        missed: spec.passed(after, before),
        slots,
    }
}
