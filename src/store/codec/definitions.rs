//! How definitions are written.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::spec::{Definitions, JobSpec, LimitSpec, Name, PoolSpec};

/// Definitions as they are written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::store) struct WireDefinitions {
    /// The numbers of the specifications of its jobs.
    pub(super) jobs: BTreeMap<Name, i64>,
    pools: BTreeMap<Name, PoolSpec>,
    limits: BTreeMap<Name, LimitSpec>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    resources: BTreeMap<Name, u32>,
    io_concurrency: u32,
    cpu_workers: u32,
    aging: Duration,
    max_runs: u64,
    ended_kept: usize,
}

impl WireDefinitions {
    pub(super) fn of<E>(
        definitions: &Definitions,
        mut intern: impl FnMut(&Arc<JobSpec>) -> Result<i64, E>,
    ) -> Result<Self, E> {
        let jobs = definitions.jobs.iter();
        Ok(Self {
            jobs: jobs
                .map(|(name, job)| Ok((Arc::clone(name), intern(job)?)))
                .collect::<Result<_, E>>()?,
            pools: definitions.pools.clone(),
            limits: definitions.limits.clone(),
            resources: definitions.resources.clone(),
            io_concurrency: definitions.io_concurrency,
            cpu_workers: definitions.cpu_workers,
            aging: definitions.aging,
            max_runs: definitions.max_runs,
            ended_kept: definitions.ended_kept,
        })
    }

    pub(in crate::store) fn into_definitions<E>(
        self,
        mut lookup: impl FnMut(i64) -> Result<Arc<JobSpec>, E>,
    ) -> Result<Definitions, E> {
        let jobs = self.jobs.into_iter();
        Ok(Definitions {
            jobs: jobs
                .map(|(name, id)| Ok((name, lookup(id)?)))
                .collect::<Result<_, E>>()?,
            pools: self.pools,
            limits: self.limits,
            resources: self.resources,
            io_concurrency: self.io_concurrency,
            cpu_workers: self.cpu_workers,
            aging: self.aging,
            max_runs: self.max_runs,
            ended_kept: self.ended_kept,
        })
    }
}
