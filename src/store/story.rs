//! What became of one run, as its records tell it. Knows no table.

use std::sync::Arc;

use serde_json::Value;

use super::fold::{Entry, state_after};
use crate::engine::fact::{Fact, FinalState, Record, Slot, SubmitKey};
use crate::engine::flow::{Parts, Ties};
use crate::engine::id::RunId;
use crate::engine::outcome::{End, Failure, Interruption, Outcome, StopReason};
use crate::engine::spec::{JobSpec, Priority};
use crate::engine::time::{Mono, Now, Wall};
use crate::engine::{StateKind, complete, merged};

/// What became of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Story {
    /// Its number.
    pub run: RunId,
    /// The job that it was accepted with.
    pub job: Arc<JobSpec>,
    /// How urgent it is.
    pub priority: Priority,
    /// Its arguments.
    pub args: Option<Arc<Value>>,
    /// What its caller called the submission.
    pub key: Option<Arc<SubmitKey>>,
    /// The slot that it is for, if it is for one.
    pub slot: Option<Arc<Slot>>,
    /// The runs that it comes after.
    pub after: Box<[RunId]>,
    /// What else ties it to others.
    pub ties: Ties,
    /// What it was spread into, if it was.
    pub parts: Option<Box<Parts>>,
    /// Where it stands.
    pub state: StateKind,
    /// Why it stands there, in words, where there is more to say than the state.
    pub reason: Option<String>,
    /// When it was accepted.
    pub accepted: Wall,
    /// When it was over; `None` if it is not.
    pub ended: Option<Wall>,
    /// When it may be queued at the earliest.
    pub due: Option<Mono>,
    /// Its attempts, the first one first.
    pub attempts: Vec<AttemptStory>,
    /// What it gave, if it succeeded.
    pub result: Option<Arc<Value>>,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
    /// All its records.
    pub facts: Vec<Record>,
}

/// What became of one attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptStory {
    /// Its number within the run, from 1.
    pub epoch: u32,
    /// When it started.
    pub started: Now,
    /// When it had left its lane; `None` while it has not.
    pub ended: Option<Now>,
    /// Why it was asked to stop, if it was.
    pub stopped: Option<StopReason>,
    /// How it ended; `None` while it has not.
    pub outcome: Option<AttemptEnd>,
}

impl AttemptStory {
    /// When its own code began, as its lane has measured it: a command may wait in the lane until its process can be
    /// made. When it was started where that is not known, as while it runs or after a crash.
    #[must_use]
    pub fn begun(&self) -> Mono {
        match &self.outcome {
            Some(AttemptEnd::Left(end)) => end.measures.began.mono.max(self.started.mono),
            Some(AttemptEnd::Interrupted(_)) | None => self.started.mono,
        }
    }

    const fn begin(epoch: u32, started: Now) -> Self {
        Self {
            epoch,
            started,
            ended: None,
            stopped: None,
            outcome: None,
        }
    }
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq)]
pub enum AttemptEnd {
    /// It left its lane, which reported this.
    Left(End),
    /// It was cut short.
    Interrupted(Interruption),
}

impl Story {
    /// The story that `facts` tell, which are all about one run, in their order. `None` if there are
    /// none.
    pub(super) fn tell(facts: Vec<Record>) -> Option<(Self, Entry)> {
        let first = facts.first()?;
        let (run, job) = first.fact.run()?;
        let mut entry = Entry::begin(first, &job.name);
        let mut story = Self {
            run,
            job: Arc::clone(job),
            priority: job.priority,
            args: None,
            key: None,
            slot: None,
            after: Box::default(),
            ties: Ties::default(),
            parts: None,
            state: entry.state,
            reason: None,
            accepted: first.at.wall,
            ended: None,
            due: None,
            attempts: Vec::new(),
            result: None,
            failure: None,
            facts: Vec::new(),
        };
        for record in &facts {
            entry.step(record);
            story.step(record, entry.due);
        }
        story.ended = entry.ended.map(Wall);
        story.facts = facts;
        Some((story, entry))
    }

    #[expect(
        clippy::too_many_lines,
        reason = "one arm for each kind of fact, and nothing in them to split off"
    )]
    fn step(&mut self, record: &Record, due: Option<i64>) {
        if let Some(state) = state_after(record, due) {
            self.state = state;
            self.reason = None;
        }
        match &record.fact {
            Fact::Accepted {
                priority,
                args,
                after,
                ties,
                due,
                key,
                slot,
                ..
            } => {
                self.priority = *priority;
                self.args.clone_from(args);
                self.after.clone_from(after);
                self.ties.clone_from(ties);
                self.due = *due;
                self.key.clone_from(key);
                self.slot.clone_from(slot);
            }
            Fact::Started { epoch, job, .. } => {
                // It may have been moved to the other lane while it waited.
                self.job = Arc::clone(job);
                self.attempts.push(AttemptStory::begin(*epoch, record.at));
            }
            Fact::Stopping { reason, .. } | Fact::Unresponsive { reason, .. } => {
                self.reason = Some(reason.to_string());
                if let Some(attempt) = self.attempts.last_mut() {
                    attempt.stopped = Some(*reason);
                }
            }
            Fact::Ended { state, end, .. } => {
                self.leave(record.at, AttemptEnd::Left(end.clone()));
                self.finish(state, Some(end));
                if let (FinalState::Succeeded, Outcome::Succeeded(result)) = (state, &end.outcome) {
                    self.result = Some(Arc::clone(result));
                }
            }
            Fact::Retrying { failure, end, .. } => {
                self.leave(record.at, AttemptEnd::Left(end.clone()));
                self.reason = Some(format!("to be tried again: {failure}"));
            }
            Fact::GivenUp { failure, .. } => {
                self.reason = Some(failure.to_string());
                self.failure = Some(failure.clone());
            }
            Fact::Interrupted { epoch, cause, .. } => {
                if *cause == Interruption::Unsure {
                    // The start is not on record.
                    self.attempts.push(AttemptStory::begin(*epoch, record.at));
                }
                self.leave(record.at, AttemptEnd::Interrupted(cause.clone()));
                self.reason = Some(cause.to_string());
            }
            Fact::Met {
                by, over, given, ..
            } => match &mut self.parts {
                Some(parts) => {
                    let result = given.values().next().cloned().unwrap_or_default();
                    parts.take(*by, *over, result);
                }
                None if given.is_empty() => {}
                None => self.args = Some(merged(self.args.as_ref(), given)),
            },
            Fact::Spread { first, count, .. } => {
                self.parts = Some(Box::new(Parts::new(*first, *count as usize)));
                self.reason = Some(format!("spread into {count} runs, from {first} on"));
            }
            Fact::Gathered { state, result, .. } => {
                self.finish(state, None);
                self.result.clone_from(result);
            }
            Fact::Released { job, .. } => self.args = complete(job, self.args.as_ref()),
            Fact::Retried {
                priority,
                args,
                after,
                ties,
                parts,
                ..
            } => {
                self.priority = *priority;
                self.args.clone_from(args);
                self.after.clone_from(after);
                self.ties.clone_from(ties);
                self.parts.clone_from(parts);
                (self.result, self.failure) = (None, None);
            }
            Fact::Cancelled { reason, .. } => self.reason = Some(reason.to_string()),
            Fact::Skipped { reason, .. } => self.reason = Some(reason.to_string()),
            Fact::Opened
            | Fact::Configured { .. }
            | Fact::Due { .. }
            | Fact::Began { .. }
            | Fact::Draining
            | Fact::Leaving
            | Fact::Sent { .. }
            | Fact::Evaluated { .. }
            | Fact::Misplaced { .. }
            | Fact::Reconsidered { .. }
            | Fact::BackfillAccepted { .. }
            | Fact::BackfillMoved { .. }
            | Fact::BackfillEnded { .. }
            | Fact::ClockSet { .. }
            | Fact::Heard { .. }
            | Fact::Absent { .. }
            | Fact::Announced { .. }
            | Fact::Paused { .. }
            | Fact::Resumed { .. } => {}
        }
    }

    fn leave(&mut self, at: Now, outcome: AttemptEnd) {
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.ended = Some(at);
            attempt.outcome = Some(outcome);
        }
    }

    fn finish(&mut self, state: &FinalState, end: Option<&End>) {
        match state {
            FinalState::Succeeded => {}
            FinalState::Failed(failure) => {
                let words = end.map_or_else(|| failure.to_string(), |end| end.reason(failure));
                self.reason = Some(words);
                self.failure = Some(failure.clone());
            }
            FinalState::Cancelled(reason) => self.reason = Some(reason.to_string()),
        }
    }

    /// The epoch of its last attempt; 0 if it had none.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        let last = self.attempts.last().map_or(0, |attempt| attempt.epoch);
        // A run that was retried after it had been removed knows its epoch from there.
        self.facts
            .iter()
            .fold(last, |epoch, record| match &record.fact {
                Fact::Retried { epoch: known, .. } => epoch.max(*known),
                Fact::Opened
                | Fact::Configured { .. }
                | Fact::Accepted { .. }
                | Fact::Released { .. }
                | Fact::Due { .. }
                | Fact::Met { .. }
                | Fact::Spread { .. }
                | Fact::Gathered { .. }
                | Fact::Started { .. }
                | Fact::Began { .. }
                | Fact::Stopping { .. }
                | Fact::Unresponsive { .. }
                | Fact::Ended { .. }
                | Fact::Retrying { .. }
                | Fact::GivenUp { .. }
                | Fact::Interrupted { .. }
                | Fact::Cancelled { .. }
                | Fact::Skipped { .. }
                | Fact::Draining
                | Fact::Leaving
                | Fact::Sent { .. }
                | Fact::Evaluated { .. }
                | Fact::Misplaced { .. }
                | Fact::Reconsidered { .. }
                | Fact::BackfillAccepted { .. }
                | Fact::BackfillMoved { .. }
                | Fact::BackfillEnded { .. }
                | Fact::ClockSet { .. }
                | Fact::Heard { .. }
                | Fact::Absent { .. }
                | Fact::Announced { .. }
                | Fact::Paused { .. }
                | Fact::Resumed { .. } => epoch,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::outcome::Measures;

    #[test]
    fn an_attempt_has_begun_when_its_lane_says_so() {
        let now = |seconds: u64| Now {
            wall: Wall(0),
            mono: Mono(seconds * 1_000_000),
        };
        let measured = |began: u64| {
            let measures = Measures {
                began: now(began),
                ..Measures::default()
            };
            AttemptEnd::Left(End {
                outcome: Outcome::Stopped,
                teardown: None,
                words: None,
                measures,
            })
        };
        let cases = [
            // Its process could be made 16 s after it was handed to its lane.
            (Some(measured(20)), 20),
            (Some(measured(4)), 4),
            // Nothing was measured.
            (Some(measured(0)), 4),
            (None, 4),
        ];
        for (outcome, begun) in cases {
            let attempt = AttemptStory {
                outcome,
                ..AttemptStory::begin(1, now(4))
            };
            assert_eq!(attempt.begun(), now(begun).mono, "{:?}", attempt.outcome);
        }
    }
}
