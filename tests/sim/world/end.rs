//! What has to hold when all is over.

use twolane::engine::fact::{Fact, FinalState};
use twolane::engine::id::AttemptId;

use super::World;
use crate::definitions::OFTEN;
use crate::lanes::Did;

impl World {
    pub(super) fn check_end(&self) {
        let status = self.engine.status();
        assert!(status.capacities.iter().all(|c| c.used == 0), "{status:?}");
        for run in &self.ledger.acknowledged {
            assert!(
                self.model.is_over(*run),
                "run {run} was accepted, and is lost"
            );
        }
        for (run, stage) in &self.model.runs {
            assert!(
                self.model.is_over(*run),
                "run {run} is {stage:?} in the end"
            );
        }
        // Who has looked at slots and not asked for them waits for nothing.
        assert!(self.asked.is_empty(), "{:?} are told nothing", self.asked);
        self.sends.check_end();
        self.check_rate();
        for record in &self.disk {
            if let Fact::Ended {
                run,
                job,
                epoch,
                state: FinalState::Succeeded,
                ..
            } = &record.fact
                && !job.task.is_future()
            {
                let attempt = AttemptId {
                    run: *run,
                    epoch: *epoch,
                };
                let said = self.ledger.attempts.get(&attempt);
                let did = Some(&Some(Did::ItsWork));
                assert_eq!(said, did, "{attempt} succeeded by its own word");
            }
        }
    }

    /// In no window is a limit taken more often than its rate and what was saved up allow, also across
    /// crashes.
    fn check_rate(&self) {
        let starts = self.disk.iter().filter_map(|record| {
            let Fact::Started { job, .. } = &record.fact else {
                return None;
            };
            let mut limits = job.limits.iter();
            let (_, amount) = limits.find(|(name, _)| &***name == "often")?;
            Some((u128::from(record.at.mono.0), u128::from(amount)))
        });
        let starts: Vec<(u128, u128)> = starts.collect();
        for (index, (from, _)) in starts.iter().enumerate() {
            let mut taken = 0;
            for (to, amount) in &starts[index..] {
                taken += amount;
                let earned = (to - from) * u128::from(OFTEN.tokens) / u128::from(OFTEN.per.nanos());
                assert!(
                    taken <= earned + u128::from(OFTEN.burst),
                    "{taken} within {} ns",
                    to - from
                );
            }
        }
    }
}
