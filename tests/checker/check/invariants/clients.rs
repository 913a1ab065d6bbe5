//! What clients were told (C) against the store (E).

use std::collections::{BTreeMap, BTreeSet};

use twolane::engine::id::RunId;

use super::{At, Evidence, Expectations};
use crate::check::clients::Answer;
use crate::check::facts::Run;

/// **I1.** Each request that was acknowledged as a run is on record as that run, under the same key, or none, and of the
/// same job.
pub(super) fn i1_acknowledged_is_on_record(evidence: &Evidence, _: &Expectations, at: &mut At<'_>) {
    for (key, requests) in &evidence.clients.requests {
        for id in requests.runs() {
            let Some(run) = evidence.log.runs.get(&id) else {
                at.tell(|| format!("{key} was acknowledged as run {id}, which is not on record"));
                continue;
            };
            if run.key.as_deref() != Some(key) {
                let other = &run.key;
                at.tell(|| format!("{key} was acknowledged as run {id}, whose key is {other:?}"));
            }
            if *run.job.name != requests.job {
                let (asked, is) = (&requests.job, &run.job.name);
                at.tell(|| format!("{key} asked for a run of {asked}, and run {id} is of {is}"));
            }
        }
    }
    for (job, id) in keyless(evidence) {
        let is_there = |run: &Run| *run.job.name == *job && run.key.is_none();
        if !evidence.log.runs.get(&id).is_some_and(is_there) {
            at.tell(|| {
                format!(
                    "run {id} of {job} was acknowledged without a key, and is not on record as that"
                )
            });
        }
    }
}

/// What was acknowledged without a key: the jobs, and the runs.
fn keyless(evidence: &Evidence) -> impl Iterator<Item = (&str, RunId)> {
    let told = evidence.clients.keyless.iter();
    told.filter_map(|(job, answer)| match answer {
        Answer::Run(run) => Some((&**job, *run)),
        Answer::Refused(_) | Answer::Unknown => None,
    })
}

/// **I12.** Each request was acknowledged, or refused and is then not on record, or what became of it is unknown. The
/// same key is the same run, and what is on record under a key was asked for. Without a key each request is a run of its
/// own, and there are no more of those than were asked for.
pub(super) fn i12_each_answer_is_true(evidence: &Evidence, _: &Expectations, at: &mut At<'_>) {
    let mut by_key: BTreeMap<&str, RunId> = BTreeMap::new();
    for (id, run) in &evidence.log.runs {
        let Some(key) = &run.key else { continue };
        if let Some(other) = by_key.insert(key, *id) {
            at.tell(|| format!("{key} is run {other} and run {id}"));
        }
        if !evidence.clients.requests.contains_key(&**key) {
            at.tell(|| format!("nobody asked for {key}, which is run {id}"));
        }
    }
    for (key, requests) in &evidence.clients.requests {
        let mut runs: Vec<RunId> = requests.runs().collect();
        runs.sort_unstable();
        runs.dedup();
        if runs.len() > 1 {
            at.tell(|| format!("{key} was acknowledged as runs {runs:?}"));
        }
        if requests.is_refused()
            && let Some(id) = by_key.get(&**key)
        {
            at.tell(|| format!("{key} was refused, and is run {id}"));
        }
    }
    let mut seen = BTreeSet::new();
    for (job, id) in keyless(evidence) {
        if !seen.insert(id) {
            at.tell(|| {
                format!("two requests without a key were acknowledged as run {id} of {job}")
            });
        }
    }
    for (job, count) in asked_for_by_none(evidence) {
        at.tell(|| format!("{count} runs of {job} have no key, more than were asked for so"));
    }
}

/// How many runs without a key there are of each job of which there are more than were asked for and not refused.
fn asked_for_by_none(evidence: &Evidence) -> BTreeMap<&str, usize> {
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for run in evidence.log.runs.values() {
        if run.key.is_none() && run.slot.is_none() && !run.is_consequence {
            *count.entry(&run.job.name).or_default() += 1;
        }
    }
    count.retain(|job, there| {
        let asked = evidence.clients.keyless.iter();
        let own = asked.filter(|(of, answer)| of == job && !matches!(answer, Answer::Refused(_)));
        *there > own.count()
    });
    count
}
