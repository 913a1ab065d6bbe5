//! The schedules in force: one ordered table of what comes next, and what has become of slots so far.
//! Changed only as facts are taken in.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::by_name::ByName;
use super::id::RunId;
use super::schedule::memory::Memory;
use super::schedule::{Passed, ScheduleSpec};
use super::spec::{Definitions, JobSpec, Name};
use super::time::Wall;

/// A schedule by its place in the order of jobs.
pub(super) type ScheduleId = usize;

/// A schedule in force.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) job: Arc<JobSpec>,
    /// What it is told by, see [`ScheduleSpec`].
    pub(super) key: Arc<str>,
    pub(super) spec: Arc<ScheduleSpec>,
    /// By how much runs begin after their slots, in microseconds.
    pub(super) jitter: i64,
    /// `None`: it is defined and was never put in force, so it has no slots.
    pub(super) memory: Option<Memory>,
    /// Where it stands in the table of what comes next: when the run of its next slot begins.
    next: Option<Wall>,
}

impl Entry {
    /// The slots until `now` that nothing has become of: those that wait, and those that were not decided on, be
    /// it that the schedule was paused, that nobody was there, or that their runs were to begin later.
    pub(super) fn left(&self, now: Wall) -> Vec<Passed> {
        let Some(mut memory) = self.memory.clone() else {
            return Vec::new();
        };
        let mut left: Vec<Passed> = memory.waiting.iter().copied().map(Passed::one).collect();
        // Each step goes on to the end of a stretch, so this ends.
        while memory.at < now {
            let (after, until) = (memory.at, memory.open_until(now));
            left.extend(self.spec.passed(after, until));
            memory.pass((after, until), now);
        }
        left
    }
}

/// All schedules.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Calendar {
    entries: Vec<Entry>,
    by_job: ByName<Range<ScheduleId>>,
    next: BTreeSet<(Wall, ScheduleId)>,
    /// Memories of schedules that are not defined, by job and key: a recovery brings them before the
    /// definitions.
    stray: BTreeMap<(Name, Arc<str>), Memory>,
    /// Unfinished runs of slots, by job.
    open: BTreeMap<Name, BTreeSet<RunId>>,
    /// Jobs with slots that wait, and no unfinished run of a slot.
    ready: BTreeSet<Name>,
    /// Jobs whose schedules are paused.
    paused: BTreeSet<Name>,
}

impl Calendar {
    /// Puts the schedules of `definitions` in force. Those that were before go on as they were; others begin
    /// at `at`, if that is given.
    pub(super) fn configure(&mut self, definitions: &Definitions, at: Option<Wall>) {
        let mut memories = std::mem::take(&mut self.stray);
        for entry in self.entries.drain(..) {
            if let Some(memory) = entry.memory {
                memories.insert((Name::clone(&entry.job.name), entry.key), memory);
            }
        }
        self.by_job.clear();
        self.next.clear();
        self.ready.clear();
        for job in definitions.jobs.values() {
            let first = self.entries.len();
            for spec in &job.schedules {
                let key: Arc<str> = spec.to_string().into();
                let known = memories.remove(&(Name::clone(&job.name), Arc::clone(&key)));
                self.entries.push(Entry {
                    job: Arc::clone(job),
                    key,
                    spec: Arc::clone(spec),
                    jitter: micros(spec.jitter_of(&job.name)),
                    memory: known.or_else(|| at.map(Memory::born)),
                    next: None,
                });
            }
            if self.entries.len() > first {
                let range = first..self.entries.len();
                self.by_job.insert(Name::clone(&job.name), range.clone());
                for id in range {
                    self.plan(id);
                }
                self.look(&job.name);
            }
        }
    }

    /// The schedules in force, in their order.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The schedules of a job.
    pub(super) fn of_job(&self, job: &Name) -> Range<ScheduleId> {
        self.by_job.get(job).cloned().unwrap_or(0..0)
    }

    pub(super) fn find(&self, job: &Name, key: &str) -> Option<ScheduleId> {
        self.of_job(job).find(|id| *self.entries[*id].key == *key)
    }

    /// What comes next: when, and which schedule.
    pub(super) fn first(&self) -> Option<(Wall, ScheduleId)> {
        self.next.first().copied()
    }

    /// A job with slots that wait and nothing to wait for.
    pub(super) fn ready(&self) -> Option<&Name> {
        self.ready.first()
    }

    /// The unfinished runs of slots of a job, oldest first.
    pub(super) fn open(&self, job: &Name) -> impl Iterator<Item = RunId> + '_ {
        self.open.get(job).into_iter().flatten().copied()
    }

    pub(super) fn is_paused(&self, job: &Name) -> bool {
        self.paused.contains(job)
    }

    /// Takes in what has become of a schedule's slots.
    pub(super) fn remember(&mut self, job: &Name, key: &Arc<str>, memory: &Memory) {
        match self.find(job, key) {
            Some(id) => {
                self.entries[id].memory = Some(memory.clone());
                self.plan(id);
                self.look(job);
            }
            None => {
                let key = (Name::clone(job), Arc::clone(key));
                self.stray.insert(key, memory.clone());
            }
        }
    }

    /// Takes in that there is a run of a slot.
    pub(super) fn opened(&mut self, job: &Name, run: RunId) {
        self.open.entry(Name::clone(job)).or_default().insert(run);
        self.look(job);
    }

    /// Takes in that a run is over, be it one of a slot or not.
    pub(super) fn closed(&mut self, job: &Name, run: RunId) {
        if let Some(open) = self.open.get_mut(job)
            && open.remove(&run)
        {
            if open.is_empty() {
                self.open.remove(job);
            }
            self.look(job);
        }
    }

    /// The schedules that have come further than to `now`, as the clock was set back: what each is to
    /// remember.
    pub(super) fn set_back(&self, now: Wall) -> Vec<(ScheduleId, Memory)> {
        let entries = self.entries.iter().enumerate();
        let back = entries.filter_map(|(id, entry)| {
            let memory = entry.memory.as_ref().filter(|memory| memory.at > now)?;
            let mut memory = memory.clone();
            memory.clock_set(now);
            Some((id, memory))
        });
        back.collect()
    }

    /// Takes in that the schedules of a job are paused, or no more.
    pub(super) fn set_paused(&mut self, job: &Name, paused: bool) {
        if paused {
            self.paused.insert(Name::clone(job));
        } else {
            self.paused.remove(job);
        }
        for id in self.of_job(job) {
            self.plan(id);
        }
        self.look(job);
    }

    /// Puts a schedule where it belongs in the table of what comes next.
    fn plan(&mut self, id: ScheduleId) {
        let entry = &self.entries[id];
        let next = match &entry.memory {
            Some(memory) if !self.paused.contains(&entry.job.name) => memory.next(&entry.spec),
            Some(_) | None => None,
        };
        let next = next.map(|slot| Wall(slot.0.saturating_add(entry.jitter)));
        if let Some(old) = std::mem::replace(&mut self.entries[id].next, next) {
            self.next.remove(&(old, id));
        }
        if let Some(next) = next {
            self.next.insert((next, id));
        }
    }

    /// Looks whether a slot of the job waits for nothing any more.
    fn look(&mut self, job: &Name) {
        let waits = |id: ScheduleId| {
            let memory = self.entries[id].memory.as_ref();
            memory.is_some_and(|memory| !memory.waiting.is_empty())
        };
        let ready = !self.open.contains_key(job)
            && !self.paused.contains(job)
            && self.of_job(job).any(waits);
        if ready {
            self.ready.insert(Name::clone(job));
        } else {
            self.ready.remove(job);
        }
    }

    /// Whether each schedule that has a next slot stands in the table where it belongs, and nothing else does;
    /// otherwise what is wrong.
    pub(super) fn fault(&self) -> Option<String> {
        let mut expected = BTreeSet::new();
        for (id, entry) in self.entries.iter().enumerate() {
            let memory = entry.memory.as_ref();
            let paused = self.paused.contains(&entry.job.name);
            let next = memory
                .filter(|_| !paused)
                .and_then(|memory| memory.next(&entry.spec));
            let next = next.map(|slot| Wall(slot.0.saturating_add(entry.jitter)));
            if next != entry.next {
                return Some(format!(
                    "schedule {id} comes at {next:?}, not {:?}",
                    entry.next
                ));
            }
            expected.extend(next.map(|next| (next, id)));
        }
        (expected != self.next).then(|| {
            format!(
                "schedules come {expected:?}, and the table has {:?}",
                self.next
            )
        })
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
