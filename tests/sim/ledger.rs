//! What the jobs themselves write down, on a disk that never fails: each start and each end. And what
//! clients were told.

use std::collections::{BTreeMap, BTreeSet};

use twolane::engine::fact::Fact;
use twolane::engine::id::{AttemptId, RunId};
use twolane::engine::outcome::Failure;
use twolane::engine::spec::{JobSpec, Lane, OnCrash};

use crate::definitions::largest;
use crate::lanes::Did;

/// What an attempt holds, and how much of it.
type Holds = BTreeMap<String, u32>;

/// The jobs' and the clients' books.
#[derive(Default)]
pub(crate) struct Ledger {
    /// Starts, with what the attempt has done in the end.
    pub(crate) attempts: BTreeMap<AttemptId, Option<Did>>,
    /// What executes, with the capacities that it holds.
    executing: BTreeMap<AttemptId, Holds>,
    /// Attempts that do not stop, whose places others were given.
    replaced: BTreeSet<AttemptId>,
    /// Runs whose acceptance a client was told of.
    pub(crate) acknowledged: Vec<RunId>,
    /// The run that clients were told of for each key.
    pub(crate) keys: BTreeMap<String, RunId>,
    /// Runs that somebody has asked to retry, by themselves or with their graph.
    pub(crate) asked: BTreeSet<RunId>,
    /// Those of them that are on record as retried.
    retried: BTreeSet<RunId>,
    /// Attempts that are on record as failed, so that another one follows.
    failed: BTreeSet<AttemptId>,
}

impl Ledger {
    /// The next fact on the disk.
    pub(crate) fn record(&mut self, fact: &Fact) {
        if let Fact::Retried { run, .. } = fact {
            assert!(
                self.asked.contains(run),
                "nobody has asked for a retry of {run}"
            );
            self.retried.insert(*run);
        }
        if let Fact::Retrying {
            run,
            job,
            epoch,
            failure,
            ..
        } = fact
        {
            let (run, epoch) = (*run, *epoch);
            let is_known = !matches!(failure, Failure::Crash | Failure::Crashes(_));
            assert!(
                is_known || job.on_crash != OnCrash::Fail,
                "{run}: nobody knows whether it was done"
            );
            self.failed.insert(AttemptId { run, epoch });
        }
    }

    pub(crate) fn start(&mut self, attempt: AttemptId, job: &JobSpec) {
        let earlier = self.attempts.range(first(attempt.run)..=last(attempt.run));
        for (other, did) in earlier {
            assert!(
                other.epoch < attempt.epoch,
                "epochs grow: {other} before {attempt}"
            );
            let is_over = *did == Some(Did::Nothing) || self.failed.contains(other);
            if job.on_crash == OnCrash::Fail && !is_over {
                let by_hand = self.retried.contains(&attempt.run);
                assert!(by_hand, "{attempt} starts what must not be done twice");
            }
        }
        let overlapping = self.executing.keys().find(|other| other.run == attempt.run);
        assert_eq!(
            overlapping, None,
            "{attempt} overlaps another attempt of its run"
        );
        let holds = job.limits.iter().chain(job.resources.iter());
        let holds = holds.chain(job.pool.iter().map(|name| (name, 1)));
        let mut holds: Holds = holds.map(|(name, n)| (name.to_string(), n)).collect();
        if job.lane == Lane::Cpu {
            holds.insert("cpu".to_owned(), job.weight());
        }
        for (name, amount) in &holds {
            let held = self.executing.values().filter_map(|held| held.get(name));
            let held = held.sum::<u32>() + amount;
            let given = if name == "cpu" { self.given() } else { 0 };
            let most = largest(name) + given;
            assert!(held <= most, "{name} is exceeded by {attempt}");
        }
        self.attempts.insert(attempt, None);
        self.executing.insert(attempt, holds);
    }

    /// Another attempt is to have the place of this one, which does not stop.
    pub(crate) fn replace(&mut self, attempt: AttemptId) {
        self.replaced.insert(attempt);
    }

    /// Places of the cpu lane that are given to others: no more than it has.
    fn given(&self) -> u32 {
        let of = |attempt| self.executing.get(attempt)?.get("cpu");
        let stuck: u32 = self.replaced.iter().filter_map(of).sum();
        stuck.min(largest("cpu"))
    }

    pub(crate) fn end(&mut self, attempt: AttemptId, did: Did) {
        self.executing.remove(&attempt);
        self.replaced.remove(&attempt);
        self.attempts.insert(attempt, Some(did));
    }

    /// Whether nothing of it was ever done.
    pub(crate) fn is_unbegun(&self, attempt: AttemptId) -> bool {
        matches!(self.attempts.get(&attempt), None | Some(Some(Did::Nothing)))
    }

    pub(crate) fn crash(&mut self) {
        self.executing.clear();
        self.replaced.clear();
    }

    pub(crate) fn key(&mut self, key: &str, run: RunId) {
        let before = self.keys.insert(key.to_owned(), run);
        assert!(
            before.is_none_or(|before| before == run),
            "key {key} has one run"
        );
    }
}

const fn first(run: RunId) -> AttemptId {
    AttemptId { run, epoch: 0 }
}

const fn last(run: RunId) -> AttemptId {
    AttemptId {
        run,
        epoch: u32::MAX,
    }
}
