//! What is paused and what goes on again: capacities, and the schedules of a job.

use super::action::Answer;
use super::capacity::CapacityName;
use super::decide::Turn;
use super::fact::Fact;
use super::firing::Cause;
use super::spec::Name;

impl Turn<'_> {
    /// Pauses something, or lets it go on again.
    pub(super) fn set_paused(&mut self, what: CapacityName, paused: bool) -> Answer {
        let changed = if let CapacityName::Schedule(job) = &what {
            self.pause_schedules(job, paused)
        } else {
            let before = self.state.capacities.find(&what).map(|found| found.paused);
            if before == Some(!paused) {
                self.record_paused(what.clone(), paused);
            }
            before.map(|before| before != paused)
        };
        match (changed, paused) {
            (None, _) => Answer::UnknownCapacity(what),
            (Some(changed), true) => Answer::Paused(what, changed),
            (Some(changed), false) => Answer::Resumed(what, changed),
        }
    }

    fn record_paused(&mut self, what: CapacityName, paused: bool) {
        self.record(if paused {
            Fact::Paused { what }
        } else {
            Fact::Resumed { what }
        });
    }

    /// Pauses the schedules of a job, or lets them go on; whether that was otherwise before, `None` if there are none.
    fn pause_schedules(&mut self, job: &Name, paused: bool) -> Option<bool> {
        let ids = self.state.calendar.of_job(job);
        let was = self.state.calendar.is_paused(job);
        if ids.is_empty() && !was {
            return None;
        }
        if was == paused {
            return Some(false);
        }
        self.record_paused(CapacityName::Schedule(Name::clone(job)), paused);
        if paused {
            return Some(true);
        }
        for id in ids {
            let entry = &self.state.calendar.entries()[id];
            if entry.memory.is_some() && !self.state.draining {
                self.evaluate(id, Cause::Pause);
            }
        }
        Some(true)
    }
}
