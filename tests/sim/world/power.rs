//! The daemon goes down, in good order or not, and comes back with what is on the disk, on which there is room then.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use twolane::engine::fact::Fact;
use twolane::engine::id::RunId;
use twolane::engine::input::Input;
use twolane::engine::spec::Definitions;
use twolane::engine::{Engine, JobView, Recovery, RunState};

use super::World;
use super::room::Room;
use crate::in_force::in_force;
use crate::lanes::Did;
use crate::swarm::Step;

impl World {
    /// The plug is pulled. Of what was on its way to the disk, a beginning may have arrived.
    pub(super) fn crash(&mut self) {
        self.say(&"the plug is pulled");
        let arrived = self.random.below(3);
        for _ in 0..arrived {
            if self.room == Room::Nothing {
                break;
            }
            if let Some(batch) = self.outbox.pop_front() {
                self.write(&batch.records);
            }
        }
        self.outbox.clear();
        self.room = Room::Everything;
        self.asked.clear();
        self.sending.clear();
        self.sends.crash();
        self.model.crash();
        self.orders.clear();
        let waited: Vec<_> = self.lanes.unbegun(self.now).collect();
        for attempt in waited {
            self.ledger.end(attempt, Did::Nothing);
        }
        self.stale = self.lanes.crash();
        self.ledger.crash();
        let down = 5_000.max(self.swarm.pace);
        self.now += self.random.below(down);
        self.recover();
    }

    /// The daemon is told to end, by a signal or by somebody who asks it to leave, and comes back. What runs may have
    /// some time to end by itself.
    pub(super) fn shut_down(&mut self) {
        let is_recorded = self.room != Room::Nothing;
        if is_recorded && self.random.chance(60) {
            self.leaves += 1;
            self.apply(Input::Leave);
        }
        self.apply(Input::Drain);
        if self.random.chance(50) {
            let while_it_drains = self.random.below(6);
            for _ in 0..while_it_drains {
                self.commit(1);
                self.now += self.random.below(600);
                self.attempts_leave();
                self.arrive();
                self.apply(Input::Tick);
                if self.takes(Step::Send) {
                    self.send();
                }
            }
            self.apply(Input::Drain);
        }
        let durable = !is_recorded || self.random.chance(70);
        if !durable {
            self.cancel_waiting();
        }
        self.apply(Input::StopRunning { durable });
        for _ in 0..3 {
            self.commit(u64::MAX);
            self.now += 600;
            if self.takes(Step::Cancel) && self.random.chance(30) {
                self.cancel();
            }
            self.attempts_leave();
            self.arrive();
        }
        self.commit(u64::MAX);
        assert_eq!(self.model.leaves, self.leaves, "each is on the disk, once");
        self.crash();
    }

    /// What the store gives: the last definitions, what is paused, and all about the runs that are not
    /// over, since they were last tried by hand.
    fn recover(&mut self) {
        let last_retry: BTreeMap<RunId, u64> = self
            .disk
            .iter()
            .filter_map(|record| {
                let Fact::Retried { run, .. } = &record.fact else {
                    return None;
                };
                Some((*run, record.number))
            })
            .collect();
        let in_force = in_force(&self.disk);
        let records = self.disk.iter().filter(|record| match record.fact.run() {
            None => in_force.contains(&record.number),
            Some((run, _)) => {
                let since = last_retry.get(&run).copied().unwrap_or(0);
                !self.model.is_over(run) && record.number >= since
            }
        });
        let recovery = Recovery {
            next_run: self
                .model
                .runs
                .keys()
                .next_back()
                .map_or(1, |run| run.0 + 1),
            next_record: self.disk.len() as u64 + 1,
            last: self.disk.last().map(|record| record.at).unwrap_or_default(),
            held: true,
            live_only: true,
        };
        let first = Arc::new(Definitions::empty(3));
        self.engine = Engine::recover(Arc::clone(&first), records, recovery).unwrap();
        for (run, due) in &self.model.without_room {
            let state = self.engine.run(*run).map(|view| view.state);
            let waits = Some(RunState::Scheduled { due: *due });
            assert_eq!(state, waits, "run {run} is tried again when it was to be");
        }
        if self.random.chance(5) {
            // Whoever takes in all that there ever was knows the same of the jobs.
            let all = Recovery {
                live_only: false,
                ..recovery
            };
            let all = Engine::recover(first, self.disk.iter(), all).unwrap();
            assert_eq!(known(&self.engine), known(&all));
        }
        self.open();
    }

    pub(super) fn open(&mut self) {
        let mut unbegun = BTreeSet::new();
        // What had begun is known as long as the machine runs on.
        if self.random.chance(60) {
            let orders = self.engine.active_orders();
            let orders = orders.filter(|order| !order.job.task.is_future());
            let attempts = orders.map(|order| order.attempt);
            unbegun.extend(attempts.filter(|attempt| self.ledger.is_unbegun(*attempt)));
        }
        self.apply(Input::Settle { unbegun });
        let executing = self.lanes.executing().count();
        assert_eq!(executing, 0, "nothing starts before all is settled");
        let definitions = self.in_force();
        if *self.engine.definitions() != definitions {
            self.apply(Input::Configure(definitions));
        }
        self.apply(Input::Open);
    }
}

/// What is known of each job beside its runs.
fn known(engine: &Engine) -> Vec<JobView> {
    let of_runs_nothing = |job: JobView| JobView {
        running: 0,
        queued: 0,
        ..job
    };
    engine.jobs().map(of_runs_nothing).collect()
}
