//! What the jobs themselves write down, on a disk that never fails: each start and each end. And what
//! clients were told.

use std::collections::BTreeMap;

use twolane::engine::id::{AttemptId, RunId};
use twolane::engine::spec::{JobSpec, OnCrash};

use crate::definitions::largest;

/// The jobs' and the clients' books.
#[derive(Default)]
pub(crate) struct Ledger {
    /// Starts, with whether the attempt did its work.
    pub(crate) attempts: BTreeMap<AttemptId, Option<bool>>,
    /// What executes, with the capacities that it holds.
    executing: BTreeMap<AttemptId, Vec<String>>,
    /// Runs whose acceptance a client was told of.
    pub(crate) acknowledged: Vec<RunId>,
    /// The run that clients were told of for each key.
    pub(crate) keys: BTreeMap<String, RunId>,
    /// Runs that were retried by hand.
    pub(crate) retried: Vec<RunId>,
}

impl Ledger {
    pub(crate) fn start(&mut self, attempt: AttemptId, job: &JobSpec) {
        let earlier = self.attempts.range(first(attempt.run)..=last(attempt.run));
        for (other, _) in earlier {
            assert!(
                other.epoch < attempt.epoch,
                "epochs grow: {other} before {attempt}"
            );
            if job.on_crash == OnCrash::Fail {
                let by_hand = self.retried.contains(&attempt.run);
                assert!(by_hand, "{attempt} starts what must not be done twice");
            }
        }
        let overlapping = self.executing.keys().find(|other| other.run == attempt.run);
        assert_eq!(
            overlapping, None,
            "{attempt} overlaps another attempt of its run"
        );
        let holds = job.limits.iter().chain(&job.pool);
        let holds: Vec<String> = holds.map(ToString::to_string).collect();
        for name in &holds {
            let held = self.executing.values().filter(|held| held.contains(name));
            assert!(
                held.count() < largest(name),
                "{name} is exceeded by {attempt}"
            );
        }
        self.attempts.insert(attempt, None);
        self.executing.insert(attempt, holds);
    }

    pub(crate) fn end(&mut self, attempt: AttemptId, did_its_work: bool) {
        self.executing.remove(&attempt);
        self.attempts.insert(attempt, Some(did_its_work));
    }

    pub(crate) fn crash(&mut self) {
        self.executing.clear();
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
