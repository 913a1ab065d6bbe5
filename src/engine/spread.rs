//! A run that is spread into parts: a run for each, and when all are over, what they gave together.

use std::sync::Arc;

use serde_json::Value;

use super::decide::Turn;
use super::fact::{Fact, FinalState};
use super::flow::{Over, SPREAD_BOUND, Ties};
use super::follow::Ended;
use super::id::RunId;
use super::outcome::{Failure, StopReason};
use super::run::Run;

/// Whether a run, once its turn comes, is spread instead of started.
pub(super) fn is_spread(run: &Run) -> bool {
    run.job.fan_out.is_some() && run.part_of().is_none()
}

impl Turn<'_> {
    /// Spreads a run whose turn has come.
    pub(super) fn spread(&mut self, id: RunId) {
        let run = self.state.run(id);
        if run.parts().is_some() {
            // It is tried once more, and all of its parts have succeeded by now.
            if let Some(ended) = self.gather(id) {
                self.follow(ended);
            }
            return;
        }
        let (job, priority) = (Arc::clone(&run.job), run.priority);
        let args = run.args.clone();
        let graph = run.ties().and_then(|ties| ties.graph).unwrap_or(id);
        let Some(fan_out) = &job.fan_out else {
            return;
        };
        let count = fan_out.count(args.as_deref());
        let room = self.state.definitions.max_runs;
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        let room = room.saturating_sub(self.state.live());
        if count > SPREAD_BOUND.min(room) {
            let bound = SPREAD_BOUND.min(room);
            let why =
                format!("it would be spread into {count} runs, and there is room for {bound}");
            let state = FinalState::Failed(Failure::Error(why.into()));
            return self.gathered(id, state, None);
        }
        if count == 0 {
            let nothing = Arc::new(Value::Array(Vec::new()));
            return self.gathered(id, FinalState::Succeeded, Some(nothing));
        }
        let first = RunId(self.state.next_run);
        self.record(Fact::Spread {
            run: id,
            job: Arc::clone(&job),
            first,
            count: u32::try_from(count).unwrap_or(u32::MAX),
        });
        for (index, args) in fan_out.items(args.as_deref()).into_iter().enumerate() {
            self.record(Fact::Accepted {
                run: RunId(first.0 + index as u64),
                job: Arc::clone(&job),
                priority,
                args: Some(Arc::new(Value::Object(args))),
                after: Box::default(),
                ties: Ties {
                    graph: Some(graph),
                    part_of: Some(id),
                    ..Ties::default()
                },
                due: None,
                key: None,
                slot: None,
            });
        }
    }

    /// All parts of a run are over: so is the run.
    pub(super) fn gather(&mut self, id: RunId) -> Option<Ended> {
        let parts = self.state.run(id).parts()?;
        let (failed, cancelled) = parts.unsuccessful();
        let all = parts.ends.len();
        let (state, result) = match failed {
            0 => {
                let results = parts.ends.iter().map(|end| end.result.clone()).collect();
                (FinalState::Succeeded, Some(Arc::new(Value::Array(results))))
            }
            failed if failed == cancelled => (
                FinalState::Cancelled(self.why_parts_were_cancelled(id)),
                None,
            ),
            failed => {
                let why =
                    format!("{failed} of the {all} runs that it was spread into did not succeed");
                (FinalState::Failed(Failure::Error(why.into())), None)
            }
        };
        Some(self.end_spread(id, state, result))
    }

    /// Why all parts of a run were cancelled: because that is being done, or because another run waits for
    /// its place; else somebody wanted it.
    fn why_parts_were_cancelled(&self, id: RunId) -> StopReason {
        match self.parts_cancelled {
            Some((whole, reason)) if whole == id => reason,
            _ => match self.state.waits_for_place_of(id) {
                Some(run) => StopReason::Replaced(Some(run)),
                None => StopReason::Request,
            },
        }
    }

    fn gathered(&mut self, id: RunId, state: FinalState, result: Option<Arc<Value>>) {
        let ended = self.end_spread(id, state, result);
        self.follow(ended);
    }

    fn end_spread(&mut self, id: RunId, state: FinalState, result: Option<Arc<Value>>) -> Ended {
        let run = self.state.run(id);
        let ended = Ended::of(id, run, Over::of_final(&state), result.clone());
        let job = Arc::clone(&run.job);
        self.record(Fact::Gathered {
            run: id,
            job: Arc::clone(&job),
            state: state.clone(),
            result: result.clone(),
        });
        if state == FinalState::Succeeded {
            self.succeeded(&job.name);
        }
        self.hook(id, &job, &state, result.as_ref());
        ended
    }
}
