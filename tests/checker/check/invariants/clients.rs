//! What clients were told (C) against the store (E).

use std::collections::BTreeMap;

use twolane::engine::id::RunId;

use super::{At, Evidence, Expectations};

/// **I1.** Each request that was acknowledged as a run is on record as that run, under the same key and of the same
/// job.
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
}

/// **I12.** Each request was acknowledged, or refused and is then not on record, or what became of it is unknown. The
/// same key is the same run, and what is on record under a key was asked for.
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
}
