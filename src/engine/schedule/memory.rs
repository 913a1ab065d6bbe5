//! What has become of a schedule's slots so far: enough to decide on each of them once, whatever the daemon and
//! the clock do.

use serde::{Deserialize, Serialize};

use super::spec::ScheduleSpec;
use crate::engine::time::Wall;

/// Stretches of decided slots that are told apart, of which each clock that is set can make one.
const STRETCHES: usize = 16;

/// How far a schedule has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Up to here slots have been looked at. It goes back when the clock is set back.
    pub at: Wall,
    /// Stretches of time, each after its first instant and until its second, whose slots are not decided
    /// on again when the clock is set back. Slots that were missed are not among them: should the time
    /// come again, they can be run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub done: Vec<(Wall, Wall)>,
    /// Slots that wait until a run is over, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<Wall>,
}

impl Memory {
    /// That of a schedule that begins at `at`: slots before are none of its own.
    #[must_use]
    pub const fn born(at: Wall) -> Self {
        Self {
            at,
            done: Vec::new(),
            waiting: Vec::new(),
        }
    }

    /// Slots after `self.at` and until here are decided on next: until `until`, or until those begin that have
    /// been decided on before.
    #[must_use]
    pub fn open_until(&self, until: Wall) -> Wall {
        let next = self.done.iter().find(|(_, to)| *to > self.at);
        next.map_or(until, |(from, _)| until.min((*from).max(self.at)))
    }

    /// Takes in that slots until `until` are decided on, and that those after `from` are not to be decided
    /// on again. At `now`, which is not before that, goes over what had been decided on before.
    pub fn pass(&mut self, (from, until): (Wall, Wall), now: Wall) {
        self.give_away((from, until));
        self.at = until;
        let within = |(from, to): &&(Wall, Wall)| *from <= until && *to > until;
        if let Some((_, to)) = self.done.iter().find(within) {
            self.at = (*to).min(now);
        }
    }

    /// Takes in that slots after `from` and until `until` are not to be decided on again, whatever the clock does.
    pub fn give_away(&mut self, (from, until): (Wall, Wall)) {
        if from >= until {
            return;
        }
        let after = self.done.partition_point(|(_, to)| *to < from);
        let mut whole = (from, until);
        while let Some(next) = self.done.get(after)
            && next.0 <= whole.1
        {
            whole = (whole.0.min(next.0), whole.1.max(next.1));
            self.done.remove(after);
        }
        self.done.insert(after, whole);
        self.bound(after);
    }

    /// Makes one of the two stretches that are nearest to each other where there are too many, but of none the
    /// one that goes on from `here`, nor of those on both sides of where it has come to: what lies between would
    /// not be run, and the time for it is coming.
    fn bound(&mut self, here: usize) {
        if self.done.len() <= STRETCHES {
            return;
        }
        let gaps = self.done.windows(2).map(|two| two[1].0.0 - two[0].1.0);
        let is_next = |index: usize| {
            let (before, after) = (self.done[index].1, self.done[index + 1].0);
            before <= self.at && self.at < after
        };
        let others = gaps
            .enumerate()
            .filter(|(index, _)| *index != here && !is_next(*index));
        if let Some((index, _)) = others.min_by_key(|(_, gap)| *gap) {
            let (_, to) = self.done.remove(index + 1);
            self.done[index].1 = to;
        }
    }

    /// Takes in that the clock was set, and shows `now`.
    pub fn clock_set(&mut self, now: Wall) {
        self.at = self.at.min(now);
    }

    /// The slot that is to be decided on next.
    #[must_use]
    pub fn next(&self, schedule: &ScheduleSpec) -> Option<Wall> {
        let mut after = self.at;
        loop {
            let slot = schedule.next_after(after)?;
            let decided = self
                .done
                .iter()
                .find(|(from, to)| *from < slot && slot <= *to);
            match decided {
                Some((_, to)) => after = *to,
                None => return Some(slot),
            }
        }
    }
}
