//! What somebody sends to a running attempt: handed over when it is on record that it was sent.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Turn;
use crate::engine::By;
use crate::engine::StateKind;
use crate::engine::action::Answer;
use crate::engine::id::{CallerId, RunId};
use crate::engine::input::Input;
use crate::inbox::{Refused, Reply, Told};

/// What waits for the commit, by the number under which the engine answers.
pub(super) type Sending = BTreeMap<CallerId, What>;

/// What is handed over, with `None` that nothing more comes; and who is told what became of it.
pub(super) struct What {
    value: Option<Value>,
    reply: Reply,
}

impl Turn {
    /// Takes in something for the attempt that is in its lane. What it is, is no part of the state and is
    /// not recorded; that somebody sent it is.
    pub(super) fn send(
        &mut self,
        run: RunId,
        value: Option<Value>,
        (by, reply): (Option<By>, Reply),
    ) {
        let refused = match self.engine.run(run) {
            None => Some(Refused::Unknown),
            Some(view) if view.job.task.is_future() => Some(Refused::TakesNothing),
            Some(view) if view.state.kind() == StateKind::Running => None,
            Some(view) => Some(Refused::NotRunning(view.state.kind().as_str())),
        };
        if let Some(refused) = refused {
            return reply(Told::Sent(Err(refused)));
        }
        if let Some(unable) = self.unable() {
            return reply(Told::Unable(unable));
        }
        let bytes = value.as_ref().map(|value| value.to_string().len() as u64);
        let caller = self.callers.number();
        self.sending.insert(caller, What { value, reply });
        let caller = Some(caller);
        self.apply_for(by, Input::Send { run, bytes, caller });
    }

    /// It is on record: hands it over. Who sent it is told when it is taken.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "whatever else the engine says, the run no longer takes anything"
    )]
    pub(super) fn deliver(&self, answer: Answer, what: What) {
        let What { value, reply } = what;
        let told: Box<dyn FnOnce(Result<(), Refused>) + Send> =
            Box::new(move |told| reply(Told::Sent(told)));
        match answer {
            Answer::Send(attempt) => self.lanes.send(attempt, value, told),
            Answer::NotWaiting(_, state) => told(Err(Refused::NotRunning(state.as_str()))),
            Answer::TakesNothing(_) => told(Err(Refused::TakesNothing)),
            // It ended in the very moment in which it was asked for.
            _ => told(Err(Refused::Ended)),
        }
    }
}
