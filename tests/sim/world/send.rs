//! Clients send to running attempts. What a lane does with it is its own; here it is whose hands it comes into.

use twolane::engine::action::Answer;
use twolane::engine::id::RunId;
use twolane::engine::input::Input;

use super::World;
use crate::model::Stage;

impl World {
    /// Mostly to a run that takes something, as far as the disk tells.
    pub(super) fn send(&mut self) {
        let takes = |(run, stage): (&RunId, &Stage)| {
            let takes = matches!(stage, Stage::Running(_)) && self.jobs[run].task.takes_input();
            takes.then_some(*run)
        };
        let taking: Vec<RunId> = self.model.runs.iter().filter_map(takes).collect();
        let run = if taking.is_empty() || self.random.chance(10) {
            self.any_run()
        } else {
            self.random.of(&taking)
        };
        let caller = self.caller(None);
        let bytes = self.sends.ask(run);
        self.sending.extend(caller.map(|caller| (caller, bytes)));
        let bytes = Some(bytes);
        self.apply(Input::Send { run, bytes, caller });
    }

    /// What is to become of something that was sent.
    pub(super) fn sent(&mut self, bytes: u64, answer: &Answer) {
        let Answer::Send(attempt) = answer else {
            return self.sends.refuse(bytes);
        };
        let has_begun = self.ledger.attempts.contains_key(attempt);
        assert!(has_begun, "{attempt} is in its lane before it is sent to");
        let is_there = self.lanes.executing().any(|other| other == *attempt);
        self.sends.hand_over(*attempt, bytes, is_there);
    }
}
