//! A daemon without a store ends: nobody will be there to start what waits, so all of that is cancelled, and nothing
//! else. Here it comes back all the same, with what it said last.

use std::collections::BTreeMap;

use twolane::engine::fact::Fact;
use twolane::engine::id::RunId;
use twolane::engine::input::Input;
use twolane::engine::outcome::StopReason;

use super::World;
use crate::model::Stage;

impl World {
    pub(super) fn cancel_waiting(&mut self) {
        // What is due at this instant is no part of it.
        self.apply(Input::Tick);
        self.commit(u64::MAX);
        let (before, records) = (self.model.runs.clone(), self.disk.len());
        self.apply(Input::CancelWaiting);
        self.commit(u64::MAX);
        let mut waiting: BTreeMap<RunId, Stage> = before;
        waiting.retain(|_, stage| *stage == Stage::Waiting);
        for record in &self.disk[records..] {
            // A backfill tells of its runs.
            if let Fact::BackfillMoved { .. } | Fact::BackfillEnded { .. } = &record.fact {
                continue;
            }
            let Fact::Cancelled {
                run,
                reason: StopReason::Shutdown,
                ..
            } = &record.fact
            else {
                panic!("only what waits is cancelled: {:?}", record.fact);
            };
            self.waiting_cancelled += u64::from(waiting.remove(run).is_some());
        }
        assert!(waiting.is_empty(), "{:?} wait for nobody", waiting.keys());
    }
}
