//! The way down, carried out.

use super::{Turn, report};
use crate::daemon::EndSignal;
use crate::daemon::shutdown::Step;
use crate::engine::By;
use crate::engine::input::Input;

impl Turn {
    pub(super) fn deadline(&mut self) {
        let now = self.clock.mono();
        if let Some(step) = self.shutdown.tick(now) {
            self.step_down(step);
        }
        if !self.outbox.is_full() {
            self.apply(Input::Tick);
        }
    }

    pub(super) fn end(&mut self, signal: EndSignal, by: By) {
        self.asked.get_or_insert(signal);
        self.asked_by = Some(by);
        let step = self.shutdown.ask(self.clock.mono(), self.patience);
        self.step_down(step);
    }

    fn step_down(&mut self, step: Step) {
        report::step_down(step, &self.engine, self.patience);
        let by = self.asked_by.clone();
        match step {
            Step::Drain => self.apply_for(by, Input::Drain),
            Step::Stop => {
                self.apply_for(by.clone(), Input::Drain);
                if self.until_done {
                    // Without a store, nobody will be there to start what waits.
                    self.apply_for(by.clone(), Input::CancelWaiting);
                }
                let durable = self.log.is_durable();
                self.apply_for(by, Input::StopRunning { durable });
            }
            Step::Leave => {}
        }
    }

    /// On the way down nobody waits for what somebody may bring one day: where nothing else is left, it goes.
    /// Its run is there again with the next daemon.
    pub(in crate::daemon) fn let_futures_go(&mut self) {
        if self.shutdown.waits() && self.engine.waits_for_futures_only() {
            let step = self.shutdown.hurry(self.clock.mono());
            self.step_down(step);
        }
    }
}
