//! Why a run is not running: exactly what it waits for, and who has it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Engine;
use super::amounts::Rate;
use super::capacity::{CapacityName, Need};
use super::flow::Parts;
use super::id::RunId;
use super::outcome::{Failure, SkipReason, StopReason};
use super::run::{Run, RunState, StateKind};
use super::spec::{Name, TaskSpec};
use super::time::{Mono, Rough};

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
        /// The capacities that lack what it needs.
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
    /// It waits for somebody to say how it ends.
    Awaited {
        /// What it waits for, in its job's words.
        what: Arc<str>,
        /// For how long.
        elapsed: Duration,
    },
    /// It was asked to stop, and something of it may still run.
    Stopping {
        /// Why.
        reason: StopReason,
    },
    /// It was asked to stop, and something of it still runs though its time for that is over.
    Unresponsive {
        /// Why it was asked to stop.
        reason: StopReason,
        /// For how long it has been so.
        elapsed: Duration,
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

/// A capacity that lacks what a run needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Which one.
    pub capacity: CapacityName,
    /// How many of its places the run needs.
    pub need: u32,
    /// Its places.
    pub size: u32,
    /// What is wrong with it.
    pub why: Why,
    /// The run that what comes free is kept for, and how much that needs.
    pub kept: Option<(RunId, u32)>,
}

/// What is wrong with a capacity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is paused, whoever holds it.
    Paused,
    /// It never has as much as the run needs.
    TooSmall {
        /// The most that it can have.
        most: u32,
    },
    /// It has not as many places free.
    Places {
        /// How many are.
        free: u32,
        /// The runs that hold it (the first ones), each with how many of its places.
        holders: Vec<(RunId, u32)>,
        /// How many more.
        more: usize,
    },
    /// It was taken as often as its rate allows for now.
    Tokens {
        /// The rate.
        rate: Rate,
        /// How many it has saved up.
        left: u32,
        /// How long until there are enough, if nobody takes any meanwhile; `None` while more is kept for
        /// another run than it can save up beside what is needed here.
        ready: Option<Duration>,
    },
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
                missing: self.missing(id, run, (*ticket, *since), now).collect(),
                ahead: self
                    .state
                    .capacities
                    .ahead(run.class, run.priority, *since, *ticket),
                draining: self.state.draining,
            },
            RunState::Running { since, .. } => {
                let elapsed = now.since(*since);
                if let TaskSpec::Future { what } = &run.job.task {
                    let what = Arc::clone(what);
                    Explanation::Awaited { what, elapsed }
                } else {
                    Explanation::Running { elapsed }
                }
            }
            RunState::Stopping { reason, .. } => Explanation::Stopping { reason: *reason },
            RunState::Unresponsive { reason, from, .. } => Explanation::Unresponsive {
                reason: *reason,
                elapsed: now.since(*from),
            },
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

    /// The capacities that lack what a run in line needs.
    fn missing(
        &self,
        id: RunId,
        run: &Run,
        place: (u64, Mono),
        now: Mono,
    ) -> impl Iterator<Item = Missing> {
        let (ticket, since) = place;
        let entry = (run.priority, ticket, since, id);
        let capacities = &self.state.capacities;
        let needs = capacities.class(run.class).needs.iter();
        needs.filter_map(move |need| {
            let kept = capacities.claim_ahead(need.capacity, run.class, entry);
            let capacity = capacities.capacity(need.capacity);
            let why = self.why(*need, kept.map_or(0, |(_, amount)| amount), now)?;
            Some(Missing {
                capacity: capacity.name.clone(),
                need: capacity.takes(need.amount),
                size: capacity.size,
                why,
                kept,
            })
        })
    }

    /// What is wrong with a capacity, for who needs so much of it beside what is kept for others.
    fn why(&self, need: Need, kept: u32, now: Mono) -> Option<Why> {
        let capacity = self.state.capacities.capacity(need.capacity);
        if capacity.paused {
            return Some(Why::Paused);
        }
        if capacity.is_too_small(need.amount) {
            let most = capacity.most();
            return Some(Why::TooSmall { most });
        }
        let (room, tokens) = capacity.has(need.amount, kept, now);
        match &capacity.bucket {
            _ if !room => Some(self.places(need)),
            Some(bucket) if !tokens => {
                let ready = capacity.ready_at(need.amount, kept, now);
                Some(Why::Tokens {
                    rate: bucket.rate(),
                    left: bucket.available(now),
                    ready: ready.map(|at| at.since(now)),
                })
            }
            _ => None,
        }
    }

    fn places(&self, need: Need) -> Why {
        let capacities = &self.state.capacities;
        let capacity = capacities.capacity(need.capacity);
        // As long as all are replaced, none of those that do not leave a lane is in anybody's way.
        let all_replaced =
            capacity.unresponsive > 0 && capacity.unresponsive == capacity.replaced();
        let mut holders = self.state.active.iter().filter_map(|id| {
            let run = self.state.run(*id);
            if all_replaced && run.state.kind() == StateKind::Unresponsive {
                return None;
            }
            let class = capacities.class(run.class);
            Some((*id, capacity.takes(class.needs_of(need.capacity)?)))
        });
        Why::Places {
            free: capacity.free(),
            holders: holders.by_ref().take(NAMED).collect(),
            more: holders.count(),
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotDue { remaining, failed } => {
                let remaining = Rough(*remaining);
                match failed {
                    None => write!(f, "it is due in {remaining}"),
                    Some((failed, of)) => write!(
                        f,
                        "it is tried again in {remaining}: {failed} of {of} attempts have failed"
                    ),
                }
            }
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
            Self::Running { elapsed } => {
                write!(f, "it has been running for {}", Rough(*elapsed))
            }
            Self::Awaited { what, elapsed } => write!(
                f,
                "it has been waiting for {} until somebody says how it ends (`twolane complete`): {what}",
                Rough(*elapsed)
            ),
            Self::Stopping { reason } => {
                write!(
                    f,
                    "it was asked to stop {reason}, and has not left its lane yet"
                )
            }
            Self::Unresponsive { reason, elapsed } => write!(
                f,
                "it was asked to stop {reason}, and has been unresponsive for {}: its time to leave \
                 its lane is over, and something of it still runs",
                Rough(*elapsed)
            ),
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
        write!(f, "{joint}{missing}")?;
    }
    match (missing.is_empty(), ahead) {
        (true, 0) => f.write_str("it starts next"),
        (true, _) => write!(f, "about {ahead} with the same needs go first"),
        (false, 0) => f.write_str("; it is the first in line"),
        (false, _) => write!(f, "; about {ahead} with the same needs go first"),
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            capacity,
            need,
            size,
            why,
            kept,
        } = self;
        match why {
            Why::Paused => return write!(f, "{capacity} is paused"),
            Why::TooSmall { most } => {
                return write!(
                    f,
                    "{capacity} never has more than {most} and it needs {need}: it cannot start until that \
                     is changed"
                );
            }
            Why::Places {
                free,
                holders,
                more,
            } => {
                let single = *need == 1 && holders.iter().all(|(_, amount)| *amount == 1);
                if single && *free == 0 {
                    write!(f, "{capacity} is full: {size} of {size}")?;
                } else {
                    write!(
                        f,
                        "{capacity} has {free} of {size} free and it needs {need}"
                    )?;
                }
                for (index, (run, amount)) in holders.iter().enumerate() {
                    let joint = match (index, single && *free == 0) {
                        (0, true) => " held by",
                        (0, false) => ": held by",
                        _ => ",",
                    };
                    write!(f, "{joint} run {run}")?;
                    if !single {
                        write!(f, " ({amount})")?;
                    }
                }
                write_more(f, *more)?;
            }
            Why::Tokens { rate, left, ready } => {
                write!(f, "{capacity} may be taken {rate}, and ")?;
                match (need, ready.map(Rough)) {
                    (1, Some(ready)) => write!(f, "the next time is in {ready}")?,
                    (_, Some(ready)) => {
                        write!(
                            f,
                            "has saved up {left} of {need}: the rest comes in {ready}"
                        )?;
                    }
                    (_, None) => write!(f, "has saved up {left}")?,
                }
            }
        }
        let how = match why {
            Why::Tokens { .. } => "kept",
            Why::Places { .. } | Why::Paused | Why::TooSmall { .. } => "and kept free",
        };
        match kept {
            Some((run, 1)) => write!(f, ", {how} for run {run}"),
            Some((run, amount)) => write!(f, ", {how} for run {run}, which needs {amount}"),
            None => Ok(()),
        }
    }
}

fn write_more(f: &mut fmt::Formatter<'_>, more: usize) -> fmt::Result {
    match more {
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}
