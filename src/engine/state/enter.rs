//! Runs that come into the table.

use std::sync::Arc;

use super::State;
use crate::engine::fact::{Fact, Record};
use crate::engine::run::{Begun, Run, RunState};

impl State {
    pub(super) fn accept(&mut self, record: &Record) {
        let Fact::Accepted {
            run: id,
            job,
            priority,
            args,
            after,
            ties,
            due,
            key,
            slot,
        } = &record.fact
        else {
            return;
        };
        let class = self.class_of(job);
        let mut run = Run {
            job: Arc::clone(job),
            args: args.clone(),
            links: None,
            // Any state that owns nothing will do until the run is put into its own one below.
            state: RunState::Blocked,
            accepted: record.at.wall,
            due: *due,
            class,
            epoch: 0,
            crashes: 0,
            failures: 0,
            begun: Begun::No,
            born: record.number,
            priority: *priority,
        };
        if !after.is_empty() || !ties.is_empty() {
            let links = run.links_mut();
            links.after = after.clone();
            links.ties = ties.clone();
        }
        self.next_run = self.next_run.max(id.0 + 1);
        self.insert(*id, run);
        self.tie(*id);
        if let Some(key) = key {
            self.remember(key, *id);
        }
        match slot.as_ref().map(|slot| slot.backfill) {
            Some(Some(backfill)) => self.backfills.opened(backfill, *id),
            Some(None) => self.calendar.opened(&job.name, *id),
            None => {}
        }
        if after.is_empty() && ties.replaces.is_none() {
            self.wait(*id, *due, record.at);
        }
    }

    /// Takes in that a run which was over is tried once more, be it forgotten or not.
    pub(super) fn retry(&mut self, record: &Record) {
        let Fact::Retried {
            run: id,
            job,
            priority,
            args,
            epoch,
            after,
            ties,
            parts,
        } = &record.fact
        else {
            return;
        };
        let class = self.class_of(job);
        if let Some(old) = self.runs.remove(*id) {
            self.counts[old.state.kind() as usize] -= 1;
            self.finished.retain(|other| other != id);
        }
        let mut run = Run {
            job: Arc::clone(job),
            args: args.clone(),
            links: None,
            state: RunState::Blocked,
            accepted: record.at.wall,
            due: None,
            class,
            epoch: *epoch,
            crashes: 0,
            failures: 0,
            begun: Begun::No,
            born: record.number,
            priority: *priority,
        };
        if !after.is_empty() || !ties.is_empty() || parts.is_some() {
            let links = run.links_mut();
            links.after = after.clone();
            links.ties = ties.clone();
            links.parts.clone_from(parts);
        }
        self.insert(*id, run);
        self.tie(*id);
        if after.is_empty() && ties.replaces.is_none() {
            self.wait(*id, None, record.at);
        }
    }
}
