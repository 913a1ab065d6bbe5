//! Whether a submission can be accepted as it stands, and in which order its runs come to be.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::action::Refusal;
use super::arguments::arguments;
use super::input::{JobRef, Submission};
use super::spec::{JobSpec, Name};
use super::state::State;

/// An item that has been found good.
pub(super) struct Planned {
    /// Index of the item in the submission.
    pub(super) item: usize,
    pub(super) job: Arc<JobSpec>,
    /// Its arguments, with the defaults of those that were not given.
    pub(super) args: Option<Arc<Value>>,
    /// Indexes of the items whose runs have to succeed first.
    pub(super) after: Vec<usize>,
}

/// Whether there is room for so many more runs.
pub(super) fn admit(state: &State, runs: usize) -> Result<(), Refusal> {
    if state.draining {
        return Err(Refusal::Draining);
    }
    let bound = state.definitions.max_runs;
    if (state.live() + runs) as u64 > bound {
        return Err(Refusal::Full { bound });
    }
    Ok(())
}

/// The items of `submission`, each behind all that it comes after.
pub(super) fn plan(state: &State, submission: &Submission) -> Result<Vec<Planned>, Refusal> {
    if submission.items.is_empty() {
        return Err(Refusal::Empty);
    }
    admit(state, submission.items.len())?;
    if let [item] = &submission.items[..] {
        // The common case, without the tables.
        let job = find(state, &item.job)?;
        return match job.after.first() {
            Some(needs) => Err(missing(job, needs)),
            None => Ok(vec![Planned {
                item: 0,
                job: Arc::clone(job),
                args: arguments(job, item.args.as_ref())?,
                after: Vec::new(),
            }]),
        };
    }
    in_order(resolve(state, submission)?)
}

fn find<'a>(state: &'a State, job: &'a JobRef) -> Result<&'a Arc<JobSpec>, Refusal> {
    match job {
        JobRef::AdHoc(job) => Ok(job),
        JobRef::Named(name) => match state.jobs.get(name) {
            Some((job, _)) => Ok(job),
            None => Err(Refusal::UnknownJob(Name::clone(name))),
        },
    }
}

fn missing(job: &JobSpec, needs: &Name) -> Refusal {
    Refusal::MissingDependency {
        job: Name::clone(&job.name),
        needs: Name::clone(needs),
    }
}

/// Finds for each item the items that it comes after.
fn resolve(state: &State, submission: &Submission) -> Result<Vec<Planned>, Refusal> {
    let mut places: BTreeMap<&Name, (usize, usize)> = BTreeMap::new();
    for (index, item) in submission.items.iter().enumerate() {
        places.entry(item.job.name()).or_insert((index, 0)).1 += 1;
    }
    let mut planned = Vec::with_capacity(submission.items.len());
    for (index, item) in submission.items.iter().enumerate() {
        let job = find(state, &item.job)?;
        let mut after = Vec::with_capacity(job.after.len());
        for needs in &job.after {
            match places.get(needs) {
                Some((place, 1)) => after.push(*place),
                Some(_) => return Err(Refusal::AmbiguousDependency(Name::clone(needs))),
                None => return Err(missing(job, needs)),
            }
        }
        planned.push(Planned {
            item: index,
            job: Arc::clone(job),
            args: arguments(job, item.args.as_ref())?,
            after,
        });
    }
    Ok(planned)
}

/// Sorts so that each item stands behind all that it comes after, and otherwise as it was.
fn in_order(planned: Vec<Planned>) -> Result<Vec<Planned>, Refusal> {
    if planned
        .iter()
        .all(|plan| plan.after.iter().all(|before| *before < plan.item))
    {
        return Ok(planned);
    }
    let mut open: Vec<usize> = planned.iter().map(|plan| plan.after.len()).collect();
    let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); planned.len()];
    for plan in &planned {
        for before in &plan.after {
            dependents[*before].push(plan.item);
        }
    }
    let mut ready: std::collections::BTreeSet<usize> =
        (0..planned.len()).filter(|item| open[*item] == 0).collect();
    let mut rest: Vec<Option<Planned>> = planned.into_iter().map(Some).collect();
    let mut sorted = Vec::with_capacity(rest.len());
    while let Some(item) = ready.pop_first() {
        sorted.extend(rest[item].take());
        for dependent in &dependents[item] {
            open[*dependent] -= 1;
            if open[*dependent] == 0 {
                ready.insert(*dependent);
            }
        }
    }
    match rest.into_iter().flatten().next() {
        Some(stuck) => Err(Refusal::Circle(Name::clone(&stuck.job.name))),
        None => Ok(sorted),
    }
}
