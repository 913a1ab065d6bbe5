//! What is paused and what goes on again: capacities, and the schedules of a job.

use super::action::Answer;
use super::capacity::CapacityName;
use super::decide::Turn;
use super::fact::Fact;
use super::firing::Cause;
use super::spec::Name;

impl Turn<'_> {
    pub(super) fn pause(&mut self, what: CapacityName) -> Answer {
        if let CapacityName::Schedule(job) = &what {
            return match self.pause_schedules(job, true) {
                Some(changed) => Answer::Paused(what, changed),
                None => Answer::UnknownCapacity(what),
            };
        }
        match self.state.capacities.find(&what) {
            None => Answer::UnknownCapacity(what),
            Some(capacity) if capacity.paused => Answer::Paused(what, false),
            Some(_) => {
                let named = what.clone();
                self.record(Fact::Paused { what });
                Answer::Paused(named, true)
            }
        }
    }

    pub(super) fn resume(&mut self, what: CapacityName) -> Answer {
        if let CapacityName::Schedule(job) = &what {
            return match self.pause_schedules(job, false) {
                Some(changed) => Answer::Resumed(what, changed),
                None => Answer::UnknownCapacity(what),
            };
        }
        match self.state.capacities.find(&what) {
            None => Answer::UnknownCapacity(what),
            Some(capacity) if !capacity.paused => Answer::Resumed(what, false),
            Some(_) => {
                let named = what.clone();
                self.record(Fact::Resumed { what });
                Answer::Resumed(named, true)
            }
        }
    }

    /// Pauses the schedules of a job; whether there are any.
    fn pause_schedules(&mut self, job: &Name, paused: bool) -> Option<bool> {
        let ids = self.state.calendar.of_job(job);
        let was = self.state.calendar.is_paused(job);
        if ids.is_empty() && !was {
            return None;
        }
        if was == paused {
            return Some(false);
        }
        let what = CapacityName::Schedule(Name::clone(job));
        if paused {
            self.record(Fact::Paused { what });
            return Some(true);
        }
        self.record(Fact::Resumed { what });
        for id in ids {
            let entry = &self.state.calendar.entries()[id];
            if entry.memory.is_some() && !self.state.draining {
                self.evaluate(id, Cause::Pause);
            }
        }
        Some(true)
    }
}
