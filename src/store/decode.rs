//! Reads a record's payload as the fact that it tells.

use std::sync::Arc;

use super::codec::Wire;
use crate::engine::fact::Fact;
use crate::engine::id::{AttemptId, RunId};
use crate::engine::spec::JobSpec;

impl Wire {
    /// The fact about `run`. `Err(None)` where a run is there and should not be, or the other way
    /// round; `Err(Some(_))` is an error of `lookup`.
    #[expect(
        clippy::too_many_lines,
        reason = "one arm for each kind of fact, and nothing in them to split off"
    )]
    pub(super) fn into_fact<E>(
        self,
        run: Option<RunId>,
        mut lookup: impl FnMut(i64) -> Result<Arc<JobSpec>, E>,
    ) -> Result<Fact, Option<E>> {
        let Some(run) = run else {
            return match self {
                Self::Opened => Ok(Fact::Opened),
                Self::Configured(wire) => Ok(Fact::Configured {
                    definitions: Arc::new(wire.into_definitions(lookup).map_err(Some)?),
                }),
                Self::Evaluated {
                    job,
                    schedule,
                    memory,
                } => Ok(Fact::Evaluated {
                    job,
                    schedule,
                    memory,
                }),
                Self::BackfillAccepted(backfill) => Ok(Fact::BackfillAccepted {
                    backfill: Arc::from(backfill),
                }),
                Self::BackfillMoved { id, place, went } => {
                    Ok(Fact::BackfillMoved { id, place, went })
                }
                Self::BackfillEnded {
                    backfill,
                    went,
                    ending,
                } => Ok(Fact::BackfillEnded {
                    backfill: Arc::from(backfill),
                    went,
                    ending,
                }),
                Self::Misplaced { job, finding } => Ok(Fact::Misplaced { job, finding }),
                Self::Reconsidered { job } => Ok(Fact::Reconsidered { job }),
                Self::ClockSet { by_micros } => Ok(Fact::ClockSet { by_micros }),
                Self::Heard { job, again } => Ok(Fact::Heard { job, again }),
                Self::Absent { job, since, within } => Ok(Fact::Absent { job, since, within }),
                Self::Announced { attempts } => {
                    let attempt = |&(run, epoch): &(RunId, u32)| AttemptId { run, epoch };
                    let attempts = attempts.iter().map(attempt).collect();
                    Ok(Fact::Announced { attempts })
                }
                Self::Draining => Ok(Fact::Draining),
                Self::Leaving => Ok(Fact::Leaving),
                Self::Paused { what } => Ok(Fact::Paused { what }),
                Self::Resumed { what } => Ok(Fact::Resumed { what }),
                Self::Accepted { .. }
                | Self::Released { .. }
                | Self::Due { .. }
                | Self::Met { .. }
                | Self::Spread { .. }
                | Self::Gathered { .. }
                | Self::Started { .. }
                | Self::Began { .. }
                | Self::Stopping { .. }
                | Self::Unresponsive { .. }
                | Self::Ended { .. }
                | Self::Retrying { .. }
                | Self::GivenUp { .. }
                | Self::Interrupted { .. }
                | Self::Retried { .. }
                | Self::Sent { .. }
                | Self::Cancelled { .. }
                | Self::Skipped { .. } => Err(None),
            };
        };
        let mut job = |id| lookup(id).map_err(Some);
        Ok(match self {
            Self::Opened
            | Self::Configured(_)
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
            | Self::Resumed { .. } => return Err(None),
            Self::Accepted {
                job: id,
                priority,
                args,
                after,
                due,
                key,
                ties,
                slot,
            } => Fact::Accepted {
                run,
                job: job(id)?,
                priority,
                args,
                after,
                ties,
                due,
                key,
                slot,
            },
            Self::Met {
                job: id,
                by,
                over,
                given,
            } => Fact::Met {
                run,
                job: job(id)?,
                by,
                over,
                given,
            },
            Self::Spread {
                job: id,
                first,
                count,
            } => Fact::Spread {
                run,
                job: job(id)?,
                first,
                count,
            },
            Self::Gathered {
                job: id,
                state,
                result,
            } => Fact::Gathered {
                run,
                job: job(id)?,
                state,
                result,
            },
            Self::Released { job: id } => Fact::Released { run, job: job(id)? },
            Self::Due { job: id } => Fact::Due { run, job: job(id)? },
            Self::Started { job: id, epoch } => {
                let job = job(id)?;
                Fact::Started { run, job, epoch }
            }
            Self::Sent {
                job: id,
                epoch,
                bytes,
            } => Fact::Sent {
                run,
                job: job(id)?,
                epoch,
                bytes,
            },
            Self::Began { job: id, epoch } => {
                let job = job(id)?;
                Fact::Began { run, job, epoch }
            }
            Self::Stopping {
                job: id,
                epoch,
                reason,
            } => Fact::Stopping {
                run,
                job: job(id)?,
                epoch,
                reason,
            },
            Self::Unresponsive {
                job: id,
                epoch,
                reason,
                asked,
                kept,
            } => Fact::Unresponsive {
                run,
                job: job(id)?,
                epoch,
                reason,
                asked,
                kept,
            },
            Self::Ended {
                job: id,
                epoch,
                state,
                end,
            } => Fact::Ended {
                run,
                job: job(id)?,
                epoch,
                state,
                end,
            },
            Self::Retrying {
                job: id,
                epoch,
                failure,
                end,
                due,
            } => Fact::Retrying {
                run,
                job: job(id)?,
                epoch,
                failure,
                end,
                due,
            },
            Self::GivenUp { job: id, failure } => {
                let job = job(id)?;
                Fact::GivenUp { run, job, failure }
            }
            Self::Interrupted {
                job: id,
                epoch,
                cause,
                due,
            } => Fact::Interrupted {
                run,
                job: job(id)?,
                epoch,
                cause,
                due,
            },
            Self::Retried {
                job: id,
                priority,
                args,
                epoch,
                after,
                ties,
                parts,
            } => Fact::Retried {
                run,
                job: job(id)?,
                priority,
                args,
                epoch,
                after,
                ties,
                parts,
            },
            Self::Cancelled { job: id, reason } => {
                let job = job(id)?;
                Fact::Cancelled { run, job, reason }
            }
            Self::Skipped { job: id, reason } => {
                let job = job(id)?;
                Fact::Skipped { run, job, reason }
            }
        })
    }
}
