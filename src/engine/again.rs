//! Runs that are over are tried once more: one by itself, or of those that hang together the ones that did
//! not succeed, each behind what it comes after.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::action::{Answer, Refusal};
use super::arguments::{all_missing, missing};
use super::decide::Turn;
use super::fact::Fact;
use super::flow::{OnDuplicate, Over, Parts, Ties, When, gathered};
use super::id::RunId;
use super::input::Forgotten;
use super::spec::Name;
use super::submission::admit;
use super::ties::unique_key;

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
        match self.hinders(&alone) {
            None => {
                self.before_hooks(|turn| turn.retry_one(id, alone));
                Answer::Retried(id)
            }
            Some(refusal) => Answer::Refused(refusal),
        }
    }

    /// Why a run may not be tried once more.
    fn hinders(&self, known: &Forgotten) -> Option<Refusal> {
        let Forgotten { job, args, .. } = known;
        if known.after.is_empty()
            && let Some((name, from)) = missing(job, args.as_deref())
        {
            return Some(Refusal::NoResult {
                job: Name::clone(&job.name),
                name: Name::clone(name),
                from: Name::clone(&from.job),
            });
        }
        match self.duplicate_of(known)? {
            // Parts that are kept would not wait until the place is free.
            (_, OnDuplicate::Replace) if known.parts.is_none() => None,
            (run, OnDuplicate::Reject | OnDuplicate::Join | OnDuplicate::Replace) => {
                let job = Name::clone(&job.name);
                Some(Refusal::Duplicate { job, run })
            }
        }
    }

    /// The unfinished run beside which this one may not be; a part may be beside the others.
    fn duplicate_of(&self, known: &Forgotten) -> Option<(RunId, OnDuplicate)> {
        let alone = known.ties.part_of.is_none();
        alone
            .then(|| self.state.duplicate(&known.job, known.args.as_deref()))
            .flatten()
    }

    /// Tries a run once more that nothing [hinders](Self::hinders).
    fn retry_one(&mut self, id: RunId, known: Forgotten) {
        let duplicate = self.duplicate_of(&known);
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
        let ties = Ties {
            replaces: duplicate.and_then(|(run, _)| self.make_way(run, Some(id))),
            ..ties
        };
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
    }

    /// Tries those of `members` once more which are over and did not succeed: all of them, or none.
    pub(super) fn retry_graph(&mut self, members: Vec<(RunId, Forgotten)>) -> Answer {
        let Some(first) = members.first().map(|(run, _)| *run) else {
            return Answer::RetriedGraph(Vec::new());
        };
        if let Some((unknown, _)) = members.iter().find(|(run, _)| run.0 >= self.state.next_run) {
            return Answer::UnknownRun(*unknown);
        }
        let all: BTreeMap<RunId, Forgotten> = members.into_iter().collect();
        let graph = all[&first].ties.graph.unwrap_or(first);
        let mut again = with_sources(&all, self.to_be_retried(&all));
        // What goes on, since somebody has tried it once more meanwhile, is left alone.
        again.retain(|run| !self.state.is_open(*run));
        let gave = given_by_parts(&all);
        let mut members: BTreeMap<RunId, Forgotten> = all
            .into_iter()
            .filter(|(run, _)| again.contains(run))
            .collect();
        if members.is_empty() {
            let going = self.state.graphs.get(&graph).into_iter().flatten();
            let going = going.chain([&first]).find(|run| self.state.is_open(**run));
            return going.map_or(Answer::NothingFailed(first), |run| Answer::NotEnded(*run));
        }
        if let Err(refusal) = admit(self.state, members.len()) {
            return Answer::Refused(refusal);
        }
        let order = in_order(&members);
        // What is tried again is open by then, and so is what was tried again by itself before.
        let is_open = |run: &RunId| again.contains(run) || self.state.is_open(*run);
        for known in members.values_mut() {
            let before: Box<[RunId]> = waits_for(known).into_iter().filter(is_open).collect();
            let parts = known.parts.take();
            known.parts = parts.and_then(|parts| kept(parts, &before, &gave));
            known.after = match known.parts {
                Some(_) => before,
                // Where it is spread anew, its old parts are of no concern.
                None => known.after.iter().copied().filter(is_open).collect(),
            };
        }
        let known = |run: &RunId| members.get(run);
        if let Some(refusal) = order.iter().filter_map(known).find_map(|k| self.hinders(k)) {
            return Answer::Refused(refusal);
        }
        if let Some(refusal) = twice(members.values()) {
            return Answer::Refused(refusal);
        }
        self.before_hooks(|turn| {
            for run in &order {
                if let Some(known) = members.remove(run) {
                    turn.retry_one(*run, known);
                }
            }
        });
        Answer::RetriedGraph(order)
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
        parts.is_some_and(|parts| parts.has(run) || bug!("old-part-counts"))
    }

    /// Those that did not succeed, without those that have not begun because what they wait for has not
    /// become of the runs that they come after, where that will not change.
    fn to_be_retried(&self, all: &BTreeMap<RunId, Forgotten>) -> Vec<RunId> {
        // Of what is not remembered any more, as after a restart, only the records tell.
        let over = |run: RunId, known: &Forgotten| match self.state.runs.get(run) {
            Some(there) => Over::of(&there.state),
            None => Some(known.over.unwrap_or(Over::Failed)),
        };
        let may_have_succeeded = |o: Option<Over>| o.is_none_or(|o| o == Over::Succeeded);
        let mut again: BTreeSet<RunId> = BTreeSet::new();
        for run in in_order(all) {
            let Some(known) = all.get(&run) else {
                continue;
            };
            let did_not_succeed = over(run, known).is_some_and(|o| o != Over::Succeeded);
            let has_begun = known.epoch > 0 || known.parts.is_some();
            // `None` where that is still to come, or nothing is known of it.
            let became = |before: &RunId| match all.get(before) {
                Some(other) if !again.contains(before) && self.counts(*before, all) => {
                    over(*before, other)
                }
                _ => None,
            };
            let mut before = known.after.iter().map(became);
            let may_run = match known.job.when {
                When::Success => before.all(may_have_succeeded),
                When::Failure => before.any(|o| o != Some(Over::Succeeded)),
                When::Any => before.any(may_have_succeeded),
                When::Always => true,
            };
            // The parts of a run that has been spread anew since are of no concern to anybody.
            let counts = did_not_succeed && self.counts(run, all);
            if counts && (has_begun || known.after.is_empty() || may_run) {
                again.insert(run);
            }
        }
        again.into_iter().collect()
    }
}

/// Whether there may be only one at a time of two of these, which are tried once more together.
fn twice<'a>(members: impl Iterator<Item = &'a Forgotten>) -> Option<Refusal> {
    let mut seen = BTreeSet::new();
    let mut alone = members.filter(|known| known.ties.part_of.is_none());
    let again = alone.find(|known| {
        let key = unique_key(&known.job, known.args.as_deref());
        key.is_some_and(|key| !seen.insert(key))
    })?;
    Some(Refusal::Twice(Name::clone(&again.job.name)))
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
        } else if !parts.has_succeeded(run) && !bug!("unseen-part-succeeds") {
            return None;
        }
    }
    Some(parts)
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
