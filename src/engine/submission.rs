//! Whether a submission can be accepted as it stands, and in which order its runs come to be.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::action::Refusal;
use super::arguments::arguments;
use super::flow::OnDuplicate;
use super::id::RunId;
use super::input::{JobRef, Submission, SubmitItem};
use super::levels::is_too_deep;
use super::spec::{JobSpec, Name};
use super::state::State;
use super::ties::{UniqueKey, unique_key};

/// What is to be done.
pub(super) struct Plan {
    /// The runs to be made, each behind all that it comes after.
    pub(super) new: Vec<Planned>,
    /// For each item of the submission its run.
    pub(super) runs: Vec<Source>,
}

/// An item that has been found good.
pub(super) struct Planned {
    /// Its place among those that are made, in the order of the items.
    pub(super) place: usize,
    /// Index of the item in the submission.
    pub(super) item: usize,
    pub(super) job: Arc<JobSpec>,
    /// Its arguments, with the defaults of those that were not given.
    pub(super) args: Option<Arc<Value>>,
    /// The runs that it comes after.
    pub(super) after: Vec<Source>,
    /// The run whose place it takes.
    pub(super) replaces: Option<RunId>,
}

/// A run that is there or is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// There is one, and it will do.
    There(RunId),
    /// It is made, at this place.
    New(usize),
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

/// What is to be done for `submission`.
pub(super) fn plan(state: &State, submission: &Submission) -> Result<Plan, Refusal> {
    if submission.items.is_empty() {
        return Err(Refusal::Empty);
    }
    admit(state, submission.items.len())?;
    if let [item] = &submission.items[..] {
        // The common case, without the tables.
        let job = find(state, &item.job)?;
        if let Some(needs) = job.after.first() {
            return Err(missing(job, needs));
        }
    }
    resolve(state, submission)
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

/// Finds for each item what it comes after, and what is there already.
fn resolve(state: &State, submission: &Submission) -> Result<Plan, Refusal> {
    let items = &submission.items;
    let mut runs: Vec<Source> = Vec::with_capacity(items.len());
    let mut new: Vec<Planned> = Vec::with_capacity(items.len());
    let mut seen: BTreeMap<UniqueKey, Source> = BTreeMap::new();
    for (index, item) in items.iter().enumerate() {
        let job = find(state, &item.job)?;
        if item.args.as_deref().is_some_and(is_too_deep) {
            return Err(Refusal::ArgumentsTooDeep(job.name.clone()));
        }
        let args = arguments(job, item.args.as_ref())?;
        let (source, replaces) = place(state, &mut seen, new.len(), (job, args.as_deref()))?;
        runs.push(source);
        if source == Source::New(new.len()) {
            new.push(Planned {
                place: new.len(),
                item: index,
                job: Arc::clone(job),
                args,
                after: Vec::new(),
                replaces,
            });
        }
    }
    if new.iter().all(|plan| plan.job.after.is_empty()) {
        return Ok(Plan { new, runs });
    }
    connect(items, &runs, &mut new)?;
    let new = in_order(new)?;
    Ok(Plan { new, runs })
}

/// Whether a run is made, and in whose place.
fn place(
    state: &State,
    seen: &mut BTreeMap<UniqueKey, Source>,
    next: usize,
    (job, args): (&Arc<JobSpec>, Option<&Value>),
) -> Result<(Source, Option<RunId>), Refusal> {
    let made = Source::New(next);
    let Some((unique, key)) = job.unique.zip(unique_key(job, args)) else {
        return Ok((made, None));
    };
    if let Some(before) = seen.get(&key) {
        return match unique.on_duplicate {
            OnDuplicate::Reject => Err(Refusal::Twice(Name::clone(&job.name))),
            OnDuplicate::Replace | OnDuplicate::Join => Ok((*before, None)),
        };
    }
    let (source, replaces) = match state.duplicate(job, args) {
        None => (made, None),
        Some((run, OnDuplicate::Replace)) => (made, Some(run)),
        Some((run, OnDuplicate::Join)) => (Source::There(run), None),
        Some((run, OnDuplicate::Reject)) => {
            return Err(Refusal::Duplicate {
                job: Name::clone(&job.name),
                run,
            });
        }
    };
    seen.insert(key, source);
    Ok((source, replaces))
}

/// Finds for each run that is made the ones that it comes after.
fn connect(items: &[SubmitItem], runs: &[Source], new: &mut [Planned]) -> Result<(), Refusal> {
    let mut places: BTreeMap<&Name, (Source, bool)> = BTreeMap::new();
    for (item, run) in items.iter().zip(runs) {
        let place = places.entry(item.job.name()).or_insert((*run, true));
        place.1 &= place.0 == *run;
    }
    for plan in new {
        let job = Arc::clone(&plan.job);
        for needs in &job.after {
            match places.get(needs) {
                Some((place, true)) => plan.after.push(*place),
                Some(_) => return Err(Refusal::AmbiguousDependency(Name::clone(needs))),
                None => return Err(missing(&job, needs)),
            }
        }
    }
    Ok(())
}

/// Sorts so that each item stands behind all that it comes after, and otherwise as it was.
fn in_order(planned: Vec<Planned>) -> Result<Vec<Planned>, Refusal> {
    let before = |plan: &Planned| -> Vec<usize> {
        let after = plan.after.iter();
        let new = after.filter_map(|source| match source {
            Source::New(place) => Some(*place),
            Source::There(_) => None,
        });
        new.collect()
    };
    let sorted = |plan: &Planned| before(plan).iter().all(|before| *before < plan.place);
    if planned.iter().all(sorted) {
        return Ok(planned);
    }
    let mut open: Vec<usize> = planned.iter().map(|plan| before(plan).len()).collect();
    let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); planned.len()];
    for plan in &planned {
        for before in before(plan) {
            dependents[before].push(plan.place);
        }
    }
    let mut ready: std::collections::BTreeSet<usize> = (0..planned.len())
        .filter(|place| open[*place] == 0)
        .collect();
    let mut rest: Vec<Option<Planned>> = planned.into_iter().map(Some).collect();
    let mut sorted = Vec::with_capacity(rest.len());
    while let Some(place) = ready.pop_first() {
        sorted.extend(rest[place].take());
        for dependent in &dependents[place] {
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
