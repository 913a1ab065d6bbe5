//! How a fact is written: as JSON in which jobs are numbers of specifications. Every line that was
//! ever written must be read for ever, see `golden.jsonl`. Knows no table.

mod definitions;
mod written;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use definitions::WireDefinitions;
pub(super) use written::{Written, write};

use crate::engine::CapacityName;
use crate::engine::backfill::{Backfill, Ending, Went};
use crate::engine::fact::{Fact, FinalState, Slot, SubmitKey};
use crate::engine::flow::{Over, Parts, Ties};
use crate::engine::id::{BackfillId, RunId};
use crate::engine::outcome::{End, Failure, Interruption, SkipReason, StopReason};
use crate::engine::placing::Finding;
use crate::engine::schedule::memory::Memory;
use crate::engine::spec::{JobSpec, Name, Priority};
use crate::engine::time::{Mono, Now};

/// A fact as it is written. The run is in a column of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Wire {
    Opened,
    Configured(Box<WireDefinitions>),
    Accepted {
        job: i64,
        #[serde(default, skip_serializing_if = "is_default")]
        priority: Priority,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        args: Option<Arc<Value>>,
        #[serde(default, skip_serializing_if = "is_empty")]
        after: Box<[RunId]>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due: Option<Mono>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Arc<SubmitKey>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        slot: Option<Arc<Slot>>,
        #[serde(default, skip_serializing_if = "Ties::is_empty")]
        ties: Ties,
    },
    Met {
        job: i64,
        by: RunId,
        over: Over,
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        given: Map<String, Value>,
    },
    Spread {
        job: i64,
        first: RunId,
        count: u32,
    },
    Gathered {
        job: i64,
        state: FinalState,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<Arc<Value>>,
    },
    Released {
        job: i64,
    },
    Due {
        job: i64,
    },
    Started {
        job: i64,
        epoch: u32,
    },
    Began {
        job: i64,
        epoch: u32,
    },
    Stopping {
        job: i64,
        epoch: u32,
        reason: StopReason,
    },
    Unresponsive {
        job: i64,
        epoch: u32,
        reason: StopReason,
        asked: Duration,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        kept: bool,
    },
    Ended {
        job: i64,
        epoch: u32,
        state: FinalState,
        end: End,
    },
    Retrying {
        job: i64,
        epoch: u32,
        failure: Failure,
        end: End,
        due: Mono,
    },
    GivenUp {
        job: i64,
        failure: Failure,
    },
    Interrupted {
        job: i64,
        epoch: u32,
        cause: Interruption,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due: Option<Mono>,
    },
    Retried {
        job: i64,
        #[serde(default, skip_serializing_if = "is_default")]
        priority: Priority,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        args: Option<Arc<Value>>,
        epoch: u32,
        #[serde(default, skip_serializing_if = "is_empty")]
        after: Box<[RunId]>,
        #[serde(default, skip_serializing_if = "Ties::is_empty")]
        ties: Ties,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parts: Option<Box<Parts>>,
    },
    Sent {
        job: i64,
        epoch: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes: Option<u64>,
    },
    Cancelled {
        job: i64,
        reason: StopReason,
    },
    Skipped {
        job: i64,
        reason: SkipReason,
    },
    Evaluated {
        job: Name,
        schedule: Arc<str>,
        memory: Memory,
    },
    BackfillAccepted(Box<Backfill>),
    BackfillMoved {
        id: BackfillId,
        place: u8,
        went: Went,
    },
    BackfillEnded {
        backfill: Box<Backfill>,
        went: Went,
        ending: Ending,
    },
    Misplaced {
        job: Name,
        finding: Finding,
    },
    Reconsidered {
        job: Name,
    },
    ClockSet {
        by_micros: i64,
    },
    Heard {
        job: Name,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        again: bool,
    },
    Absent {
        job: Name,
        since: Now,
        within: Duration,
    },
    Announced {
        attempts: Box<[(RunId, u32)]>,
    },
    Draining,
    Leaving,
    Paused {
        what: CapacityName,
    },
    Resumed {
        what: CapacityName,
    },
}

fn is_default(priority: &Priority) -> bool {
    *priority == Priority::default()
}

fn is_empty(after: &[RunId]) -> bool {
    after.is_empty()
}

impl Wire {
    /// `fact`, with each job replaced by the number that `intern` gives it.
    #[expect(
        clippy::too_many_lines,
        reason = "one arm for each kind of fact, and nothing in them to split off"
    )]
    pub(super) fn of<E>(
        fact: &Fact,
        mut intern: impl FnMut(&Arc<JobSpec>) -> Result<i64, E>,
    ) -> Result<Self, E> {
        if let Some((_, job)) = fact.run() {
            let job = intern(job)?;
            return Ok(Self::of_run(fact, job));
        }
        Ok(match fact {
            Fact::Configured { definitions } => {
                Self::Configured(Box::new(WireDefinitions::of(definitions, intern)?))
            }
            Fact::Evaluated {
                job,
                schedule,
                memory,
            } => Self::Evaluated {
                job: Name::clone(job),
                schedule: Arc::clone(schedule),
                memory: memory.clone(),
            },
            Fact::BackfillAccepted { backfill } => {
                Self::BackfillAccepted(Box::new(Backfill::clone(backfill)))
            }
            &Fact::BackfillMoved { id, place, went } => Self::BackfillMoved { id, place, went },
            Fact::BackfillEnded {
                backfill,
                went,
                ending,
            } => Self::BackfillEnded {
                backfill: Box::new(Backfill::clone(backfill)),
                went: *went,
                ending: ending.clone(),
            },
            Fact::Misplaced { job, finding } => Self::Misplaced {
                job: Name::clone(job),
                finding: *finding,
            },
            Fact::Reconsidered { job } => Self::Reconsidered {
                job: Name::clone(job),
            },
            &Fact::ClockSet { by_micros } => Self::ClockSet { by_micros },
            Fact::Heard { job, again } => Self::Heard {
                job: Name::clone(job),
                again: *again,
            },
            Fact::Absent { job, since, within } => Self::Absent {
                job: Name::clone(job),
                since: *since,
                within: *within,
            },
            Fact::Announced { attempts } => Self::Announced {
                attempts: attempts.iter().map(|it| (it.run, it.epoch)).collect(),
            },
            Fact::Draining => Self::Draining,
            Fact::Leaving => Self::Leaving,
            Fact::Paused { what } => Self::Paused { what: what.clone() },
            Fact::Resumed { what } => Self::Resumed { what: what.clone() },
            Fact::Opened
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
            | Fact::Retried { .. }
            | Fact::Sent { .. }
            | Fact::Cancelled { .. }
            | Fact::Skipped { .. } => Self::Opened,
        })
    }

    #[expect(
        clippy::too_many_lines,
        reason = "one arm for each kind of fact, and nothing in them to split off"
    )]
    fn of_run(fact: &Fact, job: i64) -> Self {
        match fact {
            Fact::Accepted {
                priority,
                args,
                after,
                ties,
                due,
                key,
                slot,
                ..
            } => Self::Accepted {
                job,
                priority: *priority,
                args: args.clone(),
                after: after.clone(),
                due: *due,
                key: key.clone(),
                slot: slot.clone(),
                ties: ties.clone(),
            },
            Fact::Met {
                by, over, given, ..
            } => Self::Met {
                job,
                by: *by,
                over: *over,
                given: given.clone(),
            },
            &Fact::Spread { first, count, .. } => Self::Spread { job, first, count },
            Fact::Gathered { state, result, .. } => Self::Gathered {
                job,
                state: state.clone(),
                result: result.clone(),
            },
            Fact::Released { .. } => Self::Released { job },
            Fact::Due { .. } => Self::Due { job },
            &Fact::Started { epoch, .. } => Self::Started { job, epoch },
            &Fact::Began { epoch, .. } => Self::Began { job, epoch },
            &Fact::Stopping { epoch, reason, .. } => Self::Stopping { job, epoch, reason },
            &Fact::Unresponsive {
                epoch,
                reason,
                asked,
                kept,
                ..
            } => Self::Unresponsive {
                job,
                epoch,
                reason,
                asked,
                kept,
            },
            Fact::Ended {
                epoch, state, end, ..
            } => Self::Ended {
                job,
                epoch: *epoch,
                state: state.clone(),
                end: end.clone(),
            },
            Fact::Retrying {
                epoch,
                failure,
                end,
                due,
                ..
            } => Self::Retrying {
                job,
                epoch: *epoch,
                failure: failure.clone(),
                end: end.clone(),
                due: *due,
            },
            Fact::GivenUp { failure, .. } => Self::GivenUp {
                job,
                failure: failure.clone(),
            },
            Fact::Interrupted {
                epoch, cause, due, ..
            } => Self::Interrupted {
                job,
                epoch: *epoch,
                cause: cause.clone(),
                due: *due,
            },
            Fact::Retried {
                priority,
                args,
                epoch,
                after,
                ties,
                parts,
                ..
            } => Self::Retried {
                job,
                priority: *priority,
                args: args.clone(),
                epoch: *epoch,
                after: after.clone(),
                ties: ties.clone(),
                parts: parts.clone(),
            },
            &Fact::Sent { epoch, bytes, .. } => Self::Sent { job, epoch, bytes },
            &Fact::Cancelled { reason, .. } => Self::Cancelled { job, reason },
            Fact::Skipped { reason, .. } => Self::Skipped {
                job,
                reason: reason.clone(),
            },
            Fact::Opened
            | Fact::Configured { .. }
            | Fact::Draining
            | Fact::Leaving
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
            | Fact::Resumed { .. } => Self::Opened,
        }
    }

    /// The numbers of the specifications that it refers to.
    pub(super) fn specs(&self) -> Vec<i64> {
        match self {
            Self::Opened
            | Self::Draining
            | Self::Leaving
            | Self::Evaluated { .. }
            | Self::Misplaced { .. }
            | Self::Reconsidered { .. }
            | Self::BackfillAccepted(_)
            | Self::BackfillMoved { .. }
            | Self::BackfillEnded { .. }
            | Self::ClockSet { .. }
            | Self::Heard { .. }
            | Self::Absent { .. }
            | Self::Announced { .. }
            | Self::Paused { .. }
            | Self::Resumed { .. } => Vec::new(),
            Self::Configured(definitions) => definitions.jobs.values().copied().collect(),
            Self::Accepted { job, .. }
            | Self::Released { job }
            | Self::Due { job }
            | Self::Met { job, .. }
            | Self::Spread { job, .. }
            | Self::Gathered { job, .. }
            | Self::Started { job, .. }
            | Self::Began { job, .. }
            | Self::Stopping { job, .. }
            | Self::Unresponsive { job, .. }
            | Self::Ended { job, .. }
            | Self::Retrying { job, .. }
            | Self::GivenUp { job, .. }
            | Self::Interrupted { job, .. }
            | Self::Retried { job, .. }
            | Self::Sent { job, .. }
            | Self::Cancelled { job, .. }
            | Self::Skipped { job, .. } => vec![*job],
        }
    }

    /// The same as [`Fact::stands_for`], without a look at the jobs.
    pub(super) fn stands_for(&self) -> Option<String> {
        // The definitions are many, and name jobs: they are not built for a name.
        if matches!(self, Self::Configured(_)) {
            return Some("configured".into());
        }
        let fact = self.clone().into_fact(None, |_| Err(())).ok()?;
        fact.stands_for()
    }
}
