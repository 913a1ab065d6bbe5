//! Runs that are over are tried once more: one by itself, or of a graph what did not succeed. What has to be known
//! of them is read from the disk, on which not all may be that the engine knows by now.

use std::collections::BTreeMap;

use twolane::engine::fact::Fact;
use twolane::engine::id::RunId;
use twolane::engine::input::{Forgotten, Input};

use super::World;
use crate::known::{learn, nothing};

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
            if let Some((run, job)) = record.fact.run() {
                let known = all.entry(run).or_insert_with(|| nothing(job));
                check_met(known, &record.fact);
                learn(known, &record.fact);
            }
        }
        all
    }
}

/// What one run is told of the end of another one.
fn check_met(known: &Forgotten, fact: &Fact) {
    if let Fact::Met { by, given, .. } = fact {
        match &known.parts {
            Some(parts) => assert!(parts.has(*by), "only its parts are gathered"),
            None => assert!(given.is_empty(), "no job here takes another one's result"),
        }
    }
}
