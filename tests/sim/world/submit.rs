//! Clients ask for runs, under a key or not.

use std::sync::Arc;

use twolane::engine::fact::{Fact, SubmitKey};
use twolane::engine::id::RunId;
use twolane::engine::input::{Input, Submission, SubmitItem};
use twolane::engine::spec::{Name, Priority};
use twolane::engine::time::Wall;

use super::World;

impl World {
    pub(super) fn submit(&mut self) {
        let mut names = vec![self.random.of(&self.swarm.jobs)];
        if names[0] == "then" {
            names.extend(["cpu", "io"]);
        }
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
