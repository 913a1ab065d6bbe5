//! What ties the runs in the table together: who waits for whom, which hang together, which are alone.

use serde_json::Value;

use super::arguments::merged;
use super::fact::Fact;
use super::flow::{OnDuplicate, Over, UniqueBy};
use super::id::RunId;
use super::run::Run;
use super::spec::{JobSpec, Name};
use super::state::State;

impl State {
    /// Ties a run that is new in the table to those that it waits for and that wait for it, and puts it where
    /// it is looked for. What is over and forgotten holds nobody up: a recovery knows live runs only.
    pub(super) fn tie(&mut self, id: RunId) {
        let run = self.run_mut(id);
        // A part is one of several.
        if let Some(key) = unique_key(&run.job, run.args.as_deref())
            && run.part_of().is_none()
        {
            let replaced = run.ties().and_then(|ties| ties.replaces);
            let holder = self.unique.get(&key).copied();
            // One that is put on record only to say that it does not run leaves the place to who has it.
            if holder.is_none() || holder == replaced {
                self.unique.insert(key.clone(), id);
                self.run_mut(id).links_mut().unique = Some(key);
            }
        }
        let run = self.run(id);
        let Some(links) = &run.links else {
            return;
        };
        if let Some(graph) = links.ties.graph {
            self.graphs.entry(graph).or_default().insert(id);
        }
        let run = self.run(id);
        let before = run.after().to_vec();
        let (replaces, part_of) = run
            .ties()
            .map_or((None, None), |ties| (ties.replaces, ties.part_of));
        for other in before.into_iter().chain(replaces) {
            self.wait_for(id, other);
        }
        if let Some(whole) = part_of
            && self
                .runs
                .get(whole)
                .is_some_and(|run| run.parts().is_some_and(|parts| parts.has(id)))
            && !self.run(id).after().contains(&whole)
        {
            self.wait_for(whole, id);
        }
    }

    /// From here on `id` waits for the end of `other`, unless that is over.
    fn wait_for(&mut self, id: RunId, other: RunId) {
        let born = self.run(id).born;
        let is_open = |run: &&mut Run| !run.state.kind().is_final();
        let Some(run) = self.runs.get_mut(other).filter(is_open) else {
            return;
        };
        run.links_mut().dependents.push((id, born));
        self.run_mut(id).links_mut().open += 1;
    }

    /// Takes in that one of the runs that another waits for is over.
    pub(super) fn meet(&mut self, fact: &Fact) {
        let Fact::Met {
            run,
            by,
            over,
            given,
            ..
        } = fact
        else {
            return;
        };
        let run = self.run_mut(*run);
        let links = run.links_mut();
        if let Some(parts) = &mut links.parts {
            let result = given.values().next().cloned().unwrap_or_default();
            parts.take(*by, *over, result);
            return;
        }
        match over {
            Over::Succeeded => links.one_succeeded = true,
            Over::Failed | Over::Cancelled | Over::Skipped => links.one_failed = true,
        }
        if !given.is_empty() {
            run.args = Some(merged(run.args.as_ref(), given));
        }
    }

    /// The unfinished run that is the same as one of `job` with `args` would be, where there is only one of
    /// those at a time.
    pub(super) fn duplicate(
        &self,
        job: &JobSpec,
        args: Option<&Value>,
    ) -> Option<(RunId, OnDuplicate)> {
        let unique = job.unique?;
        let run = self.unique.get(&unique_key(job, args)?)?;
        Some((*run, unique.on_duplicate))
    }

    /// The run that takes the place of this one as soon as it is over.
    pub(super) fn waits_for_place_of(&self, id: RunId) -> Option<RunId> {
        // By what it was when it was accepted: its arguments may have grown since.
        let key = self.runs.get(id)?.links.as_ref()?.unique.as_ref()?;
        let next = *self.unique.get(key)?;
        let replaces = self.runs.get(next)?.ties()?.replaces;
        (replaces == Some(id)).then_some(next)
    }

    /// The unfinished runs that hang together with this one, and it itself.
    pub(super) fn graph_of(&self, id: RunId) -> Vec<RunId> {
        let run = self.runs.get(id);
        let graph = run.and_then(Run::ties).and_then(|ties| ties.graph);
        let members = self.graphs.get(&graph.unwrap_or(id));
        let members = members.map_or_else(Vec::new, |all| all.iter().copied().collect());
        if members.contains(&id) {
            return members;
        }
        std::iter::once(id).chain(members).collect()
    }

    /// Takes a run that is over away from where it was looked for.
    pub(super) fn untie(&mut self, id: RunId) {
        let run = self.run(id);
        let graph = run.ties().and_then(|ties| ties.graph);
        let key = run.links.as_ref().and_then(|links| links.unique.clone());
        let replaced = run.ties().and_then(|ties| ties.replaces);
        let replaced = replaced.filter(|run| self.is_open(*run));
        if let Some(key) = key
            && self.unique.get(&key) == Some(&id)
        {
            // The one whose place it never took is still there.
            match replaced {
                Some(replaced) => self.unique.insert(key, replaced),
                None => self.unique.remove(&key),
            };
        }
        if let Some(graph) = graph
            && let Some(members) = self.graphs.get_mut(&graph)
        {
            members.remove(&id);
            if members.is_empty() {
                self.graphs.remove(&graph);
            }
        }
    }
}

/// What two runs have in common of which there is only one at a time: the job, and the arguments as JSON
/// where those count.
pub(super) type UniqueKey = (Name, Option<String>);

/// The key of a run of `job` with `args`; `None` if there may be any number of them.
pub(super) fn unique_key(job: &JobSpec, args: Option<&Value>) -> Option<UniqueKey> {
    let args = match job.unique?.by {
        UniqueBy::Job => None,
        UniqueBy::Args => Some(args.map_or_else(String::new, ToString::to_string)),
    };
    Some((Name::clone(&job.name), args))
}
