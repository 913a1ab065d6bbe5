//! What comes next of several schedules, in the order of time.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::spec::ScheduleSpec;
use crate::engine::spec::{JobSpec, Name};
use crate::engine::time::Wall;

/// A slot of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coming<'a> {
    /// Whose.
    pub job: &'a Name,
    /// Of which of its schedules.
    pub schedule: &'a ScheduleSpec,
    /// The slot.
    pub slot: Wall,
    /// When its run begins: the slot and the jitter of the job.
    pub begins: Wall,
}

/// The slots of all schedules of some jobs after an instant, by the time at which their runs begin.
pub struct Upcoming<'a> {
    schedules: Vec<(&'a Name, &'a ScheduleSpec, i64)>,
    next: BTreeMap<(Wall, usize), Wall>,
}

impl<'a> Upcoming<'a> {
    /// Those whose runs begin after `after`.
    pub fn after(jobs: impl IntoIterator<Item = &'a Arc<JobSpec>>, after: Wall) -> Self {
        let mut upcoming = Self {
            schedules: Vec::new(),
            next: BTreeMap::new(),
        };
        for job in jobs {
            for schedule in &job.schedules {
                let jitter = schedule.jitter_of(&job.name).as_micros();
                let jitter = i64::try_from(jitter).unwrap_or(0);
                upcoming.schedules.push((&job.name, schedule, jitter));
                let index = upcoming.schedules.len() - 1;
                upcoming.look(index, Wall(after.0.saturating_sub(jitter)));
            }
        }
        upcoming
    }

    fn look(&mut self, index: usize, after: Wall) {
        let (_, schedule, jitter) = self.schedules[index];
        if let Some(slot) = schedule.next_after(after) {
            let begins = Wall(slot.0.saturating_add(jitter));
            self.next.insert((begins, index), slot);
        }
    }
}

impl<'a> Iterator for Upcoming<'a> {
    type Item = Coming<'a>;

    fn next(&mut self) -> Option<Coming<'a>> {
        let ((begins, index), slot) = self.next.pop_first()?;
        self.look(index, slot);
        let (job, schedule, _) = self.schedules[index];
        Some(Coming {
            job,
            schedule,
            slot,
            begins,
        })
    }
}
