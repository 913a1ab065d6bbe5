//! Clients ask for runs, under a key or not.

use std::sync::Arc;

use serde_json::{Value, json};
use twolane::engine::action::{Action, Answer, Refusal};
use twolane::engine::fact::{Fact, SubmitKey};
use twolane::engine::id::{CallerId, RunId};
use twolane::engine::input::{Input, Submission, SubmitItem};
use twolane::engine::spec::{Name, Priority};
use twolane::engine::time::Wall;

use super::World;
use crate::definitions::JOBS;

impl World {
    pub(super) fn submit(&mut self) {
        let mut names = vec![self.random.of(&self.swarm.jobs)];
        // What it comes after has to come with it.
        let first = Name::from(names[0]);
        let before = self.engine.definitions().with_all_before(&first);
        let others = before.into_iter().filter(|name| **name != first);
        names.extend(others.filter_map(|name| JOBS.into_iter().find(|job| **job == **name)));
        // What is announced are those that stand behind each other in a line.
        let in_line = ["short", "reads"].contains(&names[0]);
        if in_line {
            names = vec![names[0]; 15];
        }
        let key = self
            .random
            .chance(30)
            .then(|| format!("key {}", self.random.below(20)));
        if let Some(run) = key.as_ref().and_then(|key| self.stored_key(key)) {
            // Who asks looks into the store first.
            self.ledger.key(key.as_ref().unwrap(), run);
            return;
        }
        let items = names.into_iter().map(|name| {
            let level = i64::try_from(self.random.below(20)).unwrap() - 10;
            let later = i64::try_from(self.random.below(3_000_000)).unwrap();
            let at = self
                .random
                .chance(10)
                .then(|| Wall(self.clock().wall.0 + later));
            SubmitItem {
                args: self.arguments(name),
                // Only a line of one priority is long.
                priority: Priority::new(level).filter(|_| !in_line),
                at,
                ..SubmitItem::of(&Name::from(name))
            }
        });
        let items: Vec<SubmitItem> = items.collect();
        let caller = self.caller(key.clone());
        let key = key.map(|key| {
            Arc::new(SubmitKey {
                text: key.into(),
                digest: "same".into(),
            })
        });
        self.apply(Input::Submit(Submission { items, key, caller }));
        self.check_refused(&first, caller);
    }

    /// The arguments of a run of a job that takes some.
    fn arguments(&mut self, job: &str) -> Option<Arc<Value>> {
        let args = match job {
            "same" => json!({"n": self.random.below(3)}),
            "listed" => {
                let count = self.random.below(5);
                json!({"n": (0..count).map(|_| self.random.below(9)).collect::<Vec<_>>()})
            }
            _ => return None,
        };
        Some(Arc::new(args))
    }

    /// Of what was refused just now, because there is one like it, nothing is on record.
    fn check_refused(&self, job: &Name, asked: Option<CallerId>) {
        let Some(batch) = self.outbox.back() else {
            return;
        };
        let is_refused = batch.actions.iter().any(|action| {
            matches!(action, Action::Answer { caller, answer: Answer::Refused(Refusal::Duplicate { .. }) }
                if Some(*caller) == asked)
        });
        let made = batch.records.iter().find(|record| {
            matches!(&record.fact, Fact::Accepted { job: of, ties, slot: None, .. }
                if of.name == *job && ties.cause.is_none() && ties.part_of.is_none())
        });
        // The job of what does not come in time is run in the same breath.
        let made = made.filter(|_| is_refused && **job != *"io");
        assert_eq!(made, None, "it was refused");
    }

    /// What the table of keys in the store says.
    pub(super) fn stored_key(&self, wanted: &str) -> Option<RunId> {
        self.disk.iter().find_map(|record| {
            let Fact::Accepted { run, key, .. } = &record.fact else {
                return None;
            };
            let key = key.as_ref()?;
            (&*key.text == wanted).then_some(*run)
        })
    }
}
