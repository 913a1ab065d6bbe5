//! Runs that are over are tried once more: one by itself, or of those that hang together the ones that did
//! not succeed, each behind what it comes after.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::action::{Answer, Refusal};
use super::arguments::{all_missing, missing};
use super::decide::Turn;
use super::fact::Fact;
use super::flow::{OnDuplicate, Over, PartEnd, Parts, Ties, gathered};
use super::id::RunId;
use super::input::Forgotten;
use super::spec::Name;
use super::submission::admit;

impl Turn<'_> {
    /// Tries one run once more, by itself.
    pub(super) fn retry(&mut self, id: RunId, known: Option<Box<Forgotten>>) -> Answer {
        if self.state.is_open(id) {
            return Answer::NotEnded(id);
        }
        let Some(known) = known.filter(|_| id.0 < self.state.next_run) else {
            return Answer::UnknownRun(id);
        };
        if let Err(refusal) = admit(self.state, 1) {
            return Answer::Refused(refusal);
        }
        // Alone it waits for nobody; a run that was spread is spread anew.
        let alone = Forgotten {
            after: Box::default(),
            parts: None,
            ..*known
        };
        match self.retry_one(id, alone) {
            Ok(()) => Answer::Retried(id),
            Err(refusal) => Answer::Refused(refusal),
        }
    }

    fn retry_one(&mut self, id: RunId, known: Forgotten) -> Result<(), Refusal> {
        let Forgotten {
            job,
            priority,
            args,
            epoch,
            after,
            ties,
            parts,
            ..
        } = known;
        if after.is_empty()
            && let Some((name, from)) = missing(&job, args.as_deref())
        {
            return Err(Refusal::NoResult {
                job: Name::clone(&job.name),
                name: Name::clone(name),
                from: Name::clone(&from.job),
            });
        }
        let mut ties = Ties {
            replaces: None,
            ..ties
        };
        if ties.part_of.is_none()
            && let Some((run, on_duplicate)) = self.state.duplicate(&job, args.as_deref())
        {
            match on_duplicate {
                OnDuplicate::Replace => ties.replaces = self.make_way(run),
                OnDuplicate::Reject | OnDuplicate::Join => {
                    let job = Name::clone(&job.name);
                    return Err(Refusal::Duplicate { job, run });
                }
            }
        }
        // What is on record may be older than what is remembered.
        let remembered = self.state.runs.get(id).map_or(0, |run| run.epoch);
        self.record(Fact::Retried {
            run: id,
            job,
            priority,
            args,
            epoch: epoch.max(remembered),
            after,
            ties,
            parts,
        });
        Ok(())
    }

    /// Tries those of `members` once more which are over and did not succeed.
    pub(super) fn retry_graph(&mut self, members: Vec<(RunId, Forgotten)>) -> Answer {
        let Some(first) = members.first().map(|(run, _)| *run) else {
            return Answer::RetriedGraph(Vec::new());
        };
        if let Some((unknown, _)) = members.iter().find(|(run, _)| run.0 >= self.state.next_run) {
            return Answer::UnknownRun(*unknown);
        }
        let all: BTreeMap<RunId, Forgotten> = members.into_iter().collect();
        // Of what is not remembered any more, as after a restart, only the records tell.
        let failed = |(run, known): (&RunId, &Forgotten)| {
            let over = match self.state.runs.get(*run) {
                Some(run) => Over::of(&run.state)?,
                None => known.over.unwrap_or(Over::Failed),
            };
            (over != Over::Succeeded).then_some(*run)
        };
        // What goes on, since somebody has tried it once more meanwhile, is left alone.
        // The parts of a run that has been spread anew since are of no concern to anybody.
        let counts = |run: &RunId| self.counts(*run, &all);
        let failed = all.iter().filter_map(failed).filter(counts);
        let mut again = with_sources(&all, failed.collect());
        again.retain(|run| !self.state.is_open(*run));
        let gave = given_by_parts(&all);
        let members: BTreeMap<RunId, Forgotten> = all
            .into_iter()
            .filter(|(run, _)| again.contains(run))
            .collect();
        if members.is_empty() {
            return Answer::AlreadyEnded(first);
        }
        if let Err(refusal) = admit(self.state, members.len()) {
            return Answer::Refused(refusal);
        }
        let order = in_order(&members);
        let mut members = members;
        let mut retried = Vec::with_capacity(order.len());
        for run in order {
            let Some(mut known) = members.remove(&run) else {
                continue;
            };
            let is_open = |run: &RunId| self.state.is_open(*run);
            // What is tried again is open by now, and so is what was tried again by itself before.
            let before: Box<[RunId]> = waits_for(&known).into_iter().filter(is_open).collect();
            let parts = known.parts.take();
            known.parts = parts.and_then(|parts| kept(parts, &before, &gave));
            known.after = match known.parts {
                Some(_) => before,
                // Where it is spread anew, its old parts are of no concern.
                None => known.after.iter().copied().filter(is_open).collect(),
            };
            match self.retry_one(run, known) {
                Ok(()) => retried.push(run),
                // What comes first is the first that is tried: nothing has changed yet.
                Err(refusal) if retried.is_empty() => return Answer::Refused(refusal),
                Err(_) => {}
            }
        }
        Answer::RetriedGraph(retried)
    }

    /// Whether a run of a graph is none of the parts in whose place others are.
    fn counts(&self, run: RunId, all: &BTreeMap<RunId, Forgotten>) -> bool {
        let Some(whole) = all[&run].ties.part_of else {
            return true;
        };
        // What is open is not among those that are over.
        let parts = match self.state.runs.get(whole) {
            Some(open) if self.state.is_open(whole) => open.parts(),
            Some(_) | None => match all.get(&whole) {
                Some(known) => known.parts.as_deref(),
                None => return true,
            },
        };
        parts.is_some_and(|parts| parts.has(run))
    }
}

/// Those of `again`, with what has to go before them although it succeeded: whatever gave no result of which
/// one of them takes an argument.
fn with_sources(all: &BTreeMap<RunId, Forgotten>, again: Vec<RunId>) -> BTreeSet<RunId> {
    let mut found = BTreeSet::new();
    let mut open = again;
    while let Some(run) = open.pop() {
        if !found.insert(run) {
            continue;
        }
        let Some(known) = all.get(&run) else {
            continue;
        };
        let lacks = all_missing(&known.job, known.args.as_deref());
        let sources: BTreeSet<&Name> = lacks.map(|(_, from)| &from.job).collect();
        let before = known.after.iter().copied();
        open.extend(before.filter(|run| {
            let job = all.get(run).map(|known| &known.job.name);
            job.is_some_and(|job| sources.contains(job))
        }));
    }
    found
}

/// What each part that has succeeded gave.
fn given_by_parts(all: &BTreeMap<RunId, Forgotten>) -> BTreeMap<RunId, Value> {
    let parts = all
        .iter()
        .filter(|(_, known)| known.ties.part_of.is_some() && known.over == Some(Over::Succeeded));
    parts
        .map(|(run, known)| (*run, gathered(known.result.as_deref())))
        .collect()
}

/// The parts of a run that is tried once more: `open` ones end anew, and what the others gave is kept, also
/// where they gave it when they were tried once more by themselves. `None` where one is neither.
fn kept(
    mut parts: Box<Parts>,
    open: &[RunId],
    gave: &BTreeMap<RunId, Value>,
) -> Option<Box<Parts>> {
    for run in parts.runs() {
        if open.contains(&run) {
            parts.forget(run);
        } else if let Some(result) = gave.get(&run) {
            parts.take(run, Over::Succeeded, result.clone());
        }
    }
    let succeeded = |end: &PartEnd| matches!(end.over, None | Some(Over::Succeeded));
    parts.ends.iter().all(succeeded).then_some(parts)
}

/// What a run waited for: what it came after, and its parts.
fn waits_for(known: &Forgotten) -> Vec<RunId> {
    let parts = known.parts.iter().flat_map(|parts| parts.runs());
    known.after.iter().copied().chain(parts).collect()
}

/// The members, each behind those that it waits for.
fn in_order(members: &BTreeMap<RunId, Forgotten>) -> Vec<RunId> {
    let mut done: BTreeSet<RunId> = BTreeSet::new();
    let mut order = Vec::with_capacity(members.len());
    for start in members.keys() {
        let mut path = vec![(*start, false)];
        while let Some((run, entered)) = path.pop() {
            let Some(known) = members.get(&run).filter(|_| !done.contains(&run)) else {
                continue;
            };
            if entered {
                done.insert(run);
                order.push(run);
                continue;
            }
            path.push((run, true));
            path.extend(waits_for(known).into_iter().map(|before| (before, false)));
        }
    }
    order
}
