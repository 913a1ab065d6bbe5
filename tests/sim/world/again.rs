//! Runs that are over are tried once more: one by itself, or of a graph what did not succeed. What has to be known
//! of them is read from the disk, on which not all may be that the engine knows by now.

use std::collections::BTreeMap;
use std::sync::Arc;

use twolane::engine::fact::{Fact, FinalState};
use twolane::engine::flow::{Over, PartEnd, Parts, Ties};
use twolane::engine::id::RunId;
use twolane::engine::input::{Forgotten, Input};
use twolane::engine::outcome::Outcome;
use twolane::engine::spec::Priority;

use super::World;

impl World {
    pub(super) fn retry(&mut self) {
        let run = self.any_run();
        let known = self.on_disk().remove(&run);
        let Some(known) = known.filter(|known| known.over.is_some()) else {
            return;
        };
        let caller = self.caller(None);
        self.ledger.asked.insert(run);
        let known = Some(Box::new(known));
        self.apply(Input::Retry { run, known, caller });
    }

    pub(super) fn retry_graph(&mut self) {
        let run = self.any_run();
        let mut members = self.graph_on_disk(run);
        members.retain(|(_, known)| known.over.is_some());
        let caller = self.caller(None);
        let runs = members.iter().map(|(run, _)| *run);
        self.ledger.asked.extend(runs);
        self.apply(Input::RetryGraph { members, caller });
    }

    /// Those that hang together with a run, their parts, and all that they come after.
    fn graph_on_disk(&self, run: RunId) -> Vec<(RunId, Forgotten)> {
        let mut all = self.on_disk();
        let Some(known) = all.get(&run) else {
            return Vec::new();
        };
        let first = known.ties.graph.unwrap_or(run);
        let is_member =
            |run: &RunId, known: &mut Forgotten| *run == first || known.ties.graph == Some(first);
        let mut members: Vec<_> = all.extract_if(.., is_member).collect();
        let mut looked_at = 0;
        while let Some((_, known)) = members.get(looked_at) {
            let parts = known.parts.iter().flat_map(|parts| parts.runs());
            let tied: Vec<RunId> = parts.chain(known.after.iter().copied()).collect();
            members.extend(tied.iter().filter_map(|run| all.remove_entry(run)));
            looked_at += 1;
        }
        members
    }

    /// What the records say of each run.
    fn on_disk(&self) -> BTreeMap<RunId, Forgotten> {
        let mut all = BTreeMap::new();
        for record in &self.disk {
            if let Some((run, _)) = record.fact.run() {
                let known = all.entry(run).or_insert_with(|| self.nothing_known(run));
                learn(known, &record.fact);
            }
        }
        all
    }

    fn nothing_known(&self, run: RunId) -> Forgotten {
        let (job, epoch) = self.jobs[&run].clone();
        Forgotten {
            job,
            epoch,
            priority: Priority::default(),
            args: None,
            after: Box::default(),
            ties: Ties::default(),
            parts: None,
            over: None,
            result: None,
        }
    }
}

/// Takes in what a record says of its run.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the others do not change what has to be known"
)]
fn learn(known: &mut Forgotten, fact: &Fact) {
    match fact {
        Fact::Accepted {
            priority,
            args,
            after,
            ties,
            ..
        } => {
            (known.priority, known.args) = (*priority, args.clone());
            (known.after, known.ties) = (after.clone(), ties.clone());
        }
        Fact::Retried {
            after, ties, parts, ..
        } => {
            (known.after, known.ties) = (after.clone(), ties.clone());
            known.parts.clone_from(parts);
            (known.over, known.result) = (None, None);
        }
        Fact::Spread { first, count, .. } => {
            known.parts = Some(Box::new(Parts::new(*first, *count as usize)));
        }
        Fact::Met {
            by, over, given, ..
        } => {
            if let Some(parts) = &mut known.parts {
                assert!(parts.has(*by), "only its parts are gathered");
                let at = usize::try_from(by.0 - parts.first.0).unwrap();
                let result = given.values().next().cloned().unwrap_or_default();
                let over = Some(*over);
                parts.ends[at] = PartEnd { over, result };
            } else {
                assert!(given.is_empty(), "no job here takes another one's result");
            }
        }
        Fact::Gathered { state, result, .. } => {
            (known.over, known.result) = (Some(ended(state)), result.clone());
        }
        Fact::Ended { state, end, .. } => {
            known.over = Some(ended(state));
            if let (FinalState::Succeeded, Outcome::Succeeded(result)) = (state, &end.outcome) {
                known.result = Some(Arc::clone(result));
            }
        }
        Fact::GivenUp { .. } => known.over = Some(Over::Failed),
        Fact::Cancelled { .. } => known.over = Some(Over::Cancelled),
        Fact::Skipped { .. } => known.over = Some(Over::Skipped),
        _ => {}
    }
}

const fn ended(state: &FinalState) -> Over {
    match state {
        FinalState::Succeeded => Over::Succeeded,
        FinalState::Failed(_) => Over::Failed,
        FinalState::Cancelled(_) => Over::Cancelled,
    }
}
