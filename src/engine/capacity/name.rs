//! What capacities are called.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::engine::spec::{Lane, Name};

/// What a capacity is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapacityName {
    /// A lane as a whole.
    Lane(Lane),
    /// A named part of a lane.
    Pool(Name),
    /// A named semaphore.
    Limit(Name),
    /// Something that is declared, of which jobs take parts.
    Resource(Name),
    /// All runs of one job: there is no end of places, but it can be paused.
    Job(Name),
    /// The schedules of one job: no capacity of any run, but they can be paused.
    Schedule(Name),
}

impl fmt::Display for CapacityName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lane(lane) => write!(f, "lane `{lane}`"),
            Self::Pool(name) => write!(f, "pool `{name}`"),
            Self::Limit(name) => write!(f, "limit `{name}`"),
            Self::Resource(name) => write!(f, "resource `{name}`"),
            Self::Job(name) => write!(f, "job `{name}`"),
            Self::Schedule(job) => write!(f, "schedule of `{job}`"),
        }
    }
}
