//! Attempts that begin before their start is on the disk.

use twolane::engine::action::Action;

use super::World;

impl World {
    /// Lets an attempt begin whose announcement is on the disk.
    pub(super) fn begins_unrecorded(&mut self, action: &Action) -> bool {
        let Action::Start(order) = action else {
            return false;
        };
        let is_replace = |action: &Action| matches!(action, Action::Replace { .. });
        let mut held = self.outbox.iter().flat_map(|batch| &batch.actions);
        let early = order
            .announced
            .is_some_and(|by| by <= self.disk.len() as u64)
            && !held.any(is_replace);
        if early {
            self.unrecorded += 1;
            assert!(
                self.model.announced.contains(&order.attempt),
                "{} starts after its announcement is on the disk",
                order.attempt
            );
            self.ledger.start(order.attempt, &order.job);
            self.lanes
                .start(order, self.now, &mut self.random, &self.swarm);
        }
        early
    }
}
