//! Runs of which there is only one at a time, by the promise alone: while one is not over, another one like it never
//! begins. It is refused and leaves nothing, is given the one that is there, or takes its place when nothing of that
//! runs any more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use twolane::engine::action::Refusal;
use twolane::engine::fact::Fact;
use twolane::engine::flow::{Ties, UniqueBy};
use twolane::engine::id::RunId;
use twolane::engine::outcome::SkipReason;
use twolane::engine::spec::{JobSpec, Name};

/// What two of them have in common.
type Key = (Name, Option<String>);

/// The unfinished ones.
#[derive(Default)]
pub(crate) struct Alone {
    open: BTreeMap<RunId, Key>,
    /// Those of them of which something runs: an attempt, or the parts.
    executing: BTreeSet<RunId>,
    /// One that is on record, and may be so only to say that it does not run.
    doubtful: Option<RunId>,
    /// How many were refused.
    pub(crate) refused: u64,
    /// How many have taken the place of one that ran.
    pub(crate) replaced: u64,
    /// How many were brought by another one's end, and skipped.
    pub(crate) skipped: u64,
}

impl Alone {
    /// The next fact.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the others neither begin nor end anything"
    )]
    pub(crate) fn take(&mut self, fact: &Fact) {
        if let Some(doubtful) = self.doubtful.take() {
            let is_skipped = matches!(fact, Fact::Skipped { run, reason: SkipReason::Duplicate(there), .. }
                if *run == doubtful && self.open.contains_key(there));
            assert!(is_skipped, "run {doubtful} is beside another one like it");
            self.skipped += 1;
        }
        match fact {
            Fact::Accepted {
                run,
                job,
                args,
                ties,
                ..
            } => {
                let is_alone = self.enter(*run, job, args.as_deref(), ties);
                self.doubtful = (!is_alone).then_some(*run);
            }
            Fact::Retried {
                run,
                job,
                args,
                ties,
                parts,
                ..
            } => {
                let is_alone = self.enter(*run, job, args.as_deref(), ties);
                assert!(is_alone, "run {run} is tried again beside one like it");
                if parts.is_some() {
                    self.begin(*run);
                }
            }
            Fact::Started { run, .. } | Fact::Spread { run, .. } => self.begin(*run),
            Fact::Retrying { run, .. } | Fact::Interrupted { run, .. } => {
                self.executing.remove(run);
            }
            Fact::Ended { run, .. }
            | Fact::Gathered { run, .. }
            | Fact::GivenUp { run, .. }
            | Fact::Cancelled { run, .. }
            | Fact::Skipped { run, .. } => {
                self.open.remove(run);
                self.executing.remove(run);
            }
            _ => {}
        }
    }

    /// One is on record; gives whether there is none like it, but for that whose place it takes.
    fn enter(&mut self, run: RunId, job: &JobSpec, args: Option<&Value>, ties: &Ties) -> bool {
        // A part is one of several.
        let (Some(unique), None) = (job.unique, ties.part_of) else {
            return true;
        };
        let args = match unique.by {
            UniqueBy::Job => None,
            UniqueBy::Args => args.map(Value::to_string),
        };
        let key = (Name::clone(&job.name), args);
        let others = self.open.iter().filter(|(_, other)| **other == key);
        let others: Vec<RunId> = others.map(|(other, _)| *other).collect();
        if let Some(replaced) = ties.replaces {
            let is_there = others.contains(&replaced) && self.executing.contains(&replaced);
            assert!(is_there, "run {run} waits for the place of {replaced}");
            self.replaced += 1;
        }
        self.open.insert(run, key);
        others.iter().all(|other| Some(*other) == ties.replaces)
    }

    /// Something of it runs.
    fn begin(&mut self, run: RunId) {
        let Some(key) = self.open.get(&run) else {
            return;
        };
        let is_like = |other: &&RunId| **other != run && self.open.get(other) == Some(key);
        let other = self.executing.iter().find(is_like);
        assert_eq!(other, None, "run {run} runs beside one like it");
        self.executing.insert(run);
    }

    /// Somebody is told that nothing was accepted.
    pub(crate) fn refuse(&mut self, refusal: &Refusal, jobs: &BTreeMap<RunId, Arc<JobSpec>>) {
        if let Refusal::Duplicate { job, run } = refusal {
            let there = jobs.get(run).map(|job| &job.name);
            assert_eq!(there, Some(job), "run {run} is in the way");
            self.refused += 1;
        }
    }
}
