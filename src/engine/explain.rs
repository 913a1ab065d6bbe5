//! Why a run is not running: exactly what it waits for, and who has it.

use std::fmt;
use std::time::Duration;

use super::Engine;
use super::capacity::CapacityName;
use super::flow::Parts;
use super::id::RunId;
use super::outcome::{Failure, SkipReason, StopReason};
use super::run::{Run, RunState, StateKind};
use super::spec::Name;
use super::time::Mono;

/// At most this many holders or dependencies are named; the rest is counted.
const NAMED: usize = 10;

/// What a run waits for, or what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Explanation {
    /// Its time has not come.
    NotDue {
        /// How long until then.
        remaining: Duration,
        /// Of a run that is tried again, how many of how many attempts have failed.
        failed: Option<(u16, u16)>,
    },
    /// Runs that it comes after have not succeeded yet.
    Blocked {
        /// Which (the first ones), their jobs and where they stand.
        by: Vec<(RunId, Name, StateKind)>,
        /// How many more.
        more: usize,
        /// Of a run that was spread, how many parts it has; those are what it waits for.
        parts: Option<usize>,
    },
    /// It waits in line.
    Queued {
        /// The capacities that have no place free.
        missing: Vec<Missing>,
        /// About how many runs with the same needs go first.
        ahead: usize,
        /// Nothing starts because the daemon shuts down.
        draining: bool,
    },
    /// It is in its lane.
    Running {
        /// For how long.
        elapsed: Duration,
    },
    /// It was asked to stop, and something of it may still run.
    Stopping {
        /// Why.
        reason: StopReason,
    },
    /// It did its work.
    Succeeded,
    /// It did not.
    Failed(Failure),
    /// It was cancelled.
    Cancelled(StopReason),
    /// It will never start.
    Skipped(SkipReason),
}

/// A capacity without a free place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Which one.
    pub capacity: CapacityName,
    /// Its places.
    pub size: u32,
    /// It is paused, whoever holds it.
    pub paused: bool,
    /// The runs that hold it (the first ones).
    pub holders: Vec<RunId>,
    /// How many more.
    pub more: usize,
}

impl Engine {
    /// Why the run stands where it stands; `None` if it is not known (any more).
    #[must_use]
    pub fn explain(&self, id: RunId, now: Mono) -> Option<Explanation> {
        let run = self.state.runs.get(id)?;
        Some(match &run.state {
            RunState::Scheduled { due } => Explanation::NotDue {
                remaining: due.since(now),
                failed: run
                    .job
                    .retry
                    .as_ref()
                    .filter(|_| run.failures > 0)
                    .map(|retry| (run.failures, retry.attempts)),
            },
            RunState::Blocked => self.explain_blocked(run),
            RunState::Queued { since, ticket } => Explanation::Queued {
                missing: self.missing(run),
                ahead: self
                    .state
                    .capacities
                    .ahead(run.class, run.priority, *since, *ticket),
                draining: self.state.draining,
            },
            RunState::Running { since, .. } => Explanation::Running {
                elapsed: now.since(*since),
            },
            RunState::Stopping { reason, .. } => Explanation::Stopping { reason: *reason },
            RunState::Succeeded => Explanation::Succeeded,
            RunState::Failed(failure) => Explanation::Failed(failure.clone()),
            RunState::Cancelled(reason) => Explanation::Cancelled(*reason),
            RunState::Skipped(reason) => Explanation::Skipped(reason.clone()),
        })
    }

    fn explain_blocked(&self, run: &Run) -> Explanation {
        let replaced = run.ties().and_then(|ties| ties.replaces);
        let parts = run.parts().into_iter().flat_map(Parts::runs);
        let all = run.after().iter().copied().chain(replaced).chain(parts);
        let mut open = all.filter_map(|id| {
            let run = self.state.runs.get(id)?;
            (!run.state.kind().is_final())
                .then(|| (id, Name::clone(&run.job.name), run.state.kind()))
        });
        let by: Vec<_> = open.by_ref().take(NAMED).collect();
        Explanation::Blocked {
            by,
            more: open.count(),
            parts: run.parts().map(|parts| parts.ends.len()),
        }
    }

    fn missing(&self, run: &Run) -> Vec<Missing> {
        let capacities = &self.state.capacities;
        let needs = &capacities.class(run.class).needs;
        needs
            .iter()
            .map(|need| (*need, capacities.capacity(*need)))
            .filter(|(_, capacity)| capacity.is_full())
            .map(|(need, capacity)| {
                let mut holders = self.state.active.iter().copied().filter(|id| {
                    let class = self.state.run(*id).class;
                    capacities.class(class).needs.contains(&need)
                });
                Missing {
                    capacity: capacity.name.clone(),
                    size: capacity.size,
                    paused: capacity.paused,
                    holders: holders.by_ref().take(NAMED).collect(),
                    more: holders.count(),
                }
            })
            .collect()
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotDue { remaining, failed } => match failed {
                None => write!(f, "it is due in {remaining:?}"),
                Some((failed, of)) => write!(
                    f,
                    "it is tried again in {remaining:?}: {failed} of {of} attempts have failed"
                ),
            },
            Self::Blocked { by, more, parts } => {
                match parts {
                    Some(parts) => {
                        write!(f, "it was spread into {parts} runs and waits for ")?;
                    }
                    None => f.write_str("it comes after ")?,
                }
                for (index, (run, job, state)) in by.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}run {run} of `{job}` ({})", state.as_str())?;
                }
                write_more(f, *more)
            }
            Self::Queued {
                missing,
                ahead,
                draining,
            } => write_queued(f, missing, *ahead, *draining),
            Self::Running { elapsed } => write!(f, "it has been running for {elapsed:?}"),
            Self::Stopping { reason } => {
                write!(
                    f,
                    "it was asked to stop {reason}, and has not left its lane yet"
                )
            }
            Self::Succeeded => f.write_str("it has succeeded"),
            Self::Failed(failure) => write!(f, "it has failed: {failure}"),
            Self::Cancelled(reason) => write!(f, "it was cancelled {reason}"),
            Self::Skipped(reason) => write!(f, "it was skipped: {reason}"),
        }
    }
}

fn write_queued(
    f: &mut fmt::Formatter<'_>,
    missing: &[Missing],
    ahead: usize,
    draining: bool,
) -> fmt::Result {
    if draining {
        return f.write_str("nothing starts any more because the daemon shuts down");
    }
    for (index, missing) in missing.iter().enumerate() {
        let joint = if index == 0 { "" } else { "; " };
        let Missing { capacity, size, .. } = missing;
        if missing.paused {
            write!(f, "{joint}{capacity} is paused")?;
            continue;
        }
        write!(f, "{joint}{capacity} is full: {size} of {size} held by")?;
        for (index, run) in missing.holders.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma} run {run}")?;
        }
        write_more(f, missing.more)?;
    }
    match (missing.is_empty(), ahead) {
        (true, 0) => f.write_str("it starts next"),
        (true, _) => write!(f, "about {ahead} with the same needs go first"),
        (false, 0) => f.write_str("; it is the first in line"),
        (false, _) => write!(f, "; about {ahead} with the same needs go first"),
    }
}

fn write_more(f: &mut fmt::Formatter<'_>, more: usize) -> fmt::Result {
    match more {
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}
