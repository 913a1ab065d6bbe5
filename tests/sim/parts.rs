//! Runs that are spread into parts, by the promise alone: one for each value, in order; the whole has succeeded when all
//! of them have, and then gives what they gave.

use std::collections::BTreeMap;

use serde_json::Value;
use twolane::engine::fact::{Fact, FinalState};
use twolane::engine::flow::{FanOut, Over};
use twolane::engine::id::RunId;
use twolane::engine::spec::JobSpec;

use crate::model::Stage;

/// The unfinished runs that are spread.
#[derive(Default)]
pub(crate) struct Wholes {
    open: BTreeMap<RunId, Whole>,
    /// How many were spread by a list that they were given.
    pub(crate) given: u64,
    /// How many had nothing to be spread into.
    pub(crate) empty: u64,
}

struct Whole {
    /// What each part is told.
    values: Vec<Value>,
    /// The first part, where there are some.
    first: Option<RunId>,
    /// The parts whose ends are on its record, and whether they succeeded: what is tried again by itself after that
    /// changes nothing for the whole.
    met: BTreeMap<RunId, bool>,
}

impl Wholes {
    /// The next fact, and where runs stood before it.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the others say nothing of parts"
    )]
    pub(crate) fn take(&mut self, fact: &Fact, runs: &BTreeMap<RunId, Stage>) {
        match fact {
            Fact::Accepted {
                run,
                job,
                args,
                ties,
                ..
            } => match ties.part_of {
                Some(whole) => self.check_part(*run, whole, args.as_deref()),
                None => self.enter(*run, job, args.as_deref()),
            },
            Fact::Retried {
                run,
                job,
                args,
                ties,
                parts,
                ..
            } if ties.part_of.is_none() => {
                self.enter(*run, job, args.as_deref());
                if let (Some(whole), Some(parts)) = (self.open.get_mut(run), parts) {
                    whole.first = Some(parts.first);
                    for (part, end) in parts.runs().zip(&parts.ends) {
                        let succeeded = end.over.map(|over| over == Over::Succeeded);
                        let stands = runs.get(&part) == Some(&Stage::Succeeded);
                        assert!(succeeded != Some(true) || stands, "part {part} of {run}");
                        whole
                            .met
                            .extend(succeeded.map(|succeeded| (part, succeeded)));
                    }
                }
            }
            Fact::Met { run, by, over, .. } => {
                if let Some(whole) = self.open.get_mut(run) {
                    let succeeded = *over == Over::Succeeded;
                    let has_succeeded = runs.get(by) == Some(&Stage::Succeeded);
                    assert_eq!(succeeded, has_succeeded, "{run} met {by}");
                    whole.met.insert(*by, succeeded);
                }
            }
            Fact::Spread {
                run,
                job,
                first,
                count,
            } => {
                let whole = self.open.get_mut(run).expect("it can be spread");
                assert_eq!(whole.values.len(), *count as usize, "parts of {run}");
                whole.first = Some(*first);
                self.given += u64::from(matches!(job.fan_out, Some(FanOut::Each(_))));
            }
            Fact::Gathered {
                run, state, result, ..
            } => {
                self.check_whole(*run, state, result.as_deref(), runs);
                self.open.remove(run);
            }
            Fact::Cancelled { run, .. } | Fact::Skipped { run, .. } => {
                self.open.remove(run);
            }
            _ => {}
        }
    }

    /// The parts of an unfinished run.
    pub(crate) fn parts(&self, run: RunId) -> impl Iterator<Item = RunId> + use<> {
        let whole = self.open.get(&run);
        let parts = whole.and_then(|whole| {
            let first = whole.first?.0;
            Some(first..first + whole.values.len() as u64)
        });
        parts.into_iter().flatten().map(RunId)
    }

    fn enter(&mut self, run: RunId, job: &JobSpec, args: Option<&Value>) {
        let values = match &job.fan_out {
            None => return,
            Some(FanOut::Matrix(lists)) => lists["n"].clone(),
            Some(FanOut::Each(name)) => {
                let list = args.and_then(|args| args[&**name].as_array());
                list.expect("it was given a list").clone()
            }
        };
        let whole = Whole {
            values,
            first: None,
            met: BTreeMap::new(),
        };
        self.open.insert(run, whole);
    }

    fn check_part(&self, part: RunId, whole: RunId, args: Option<&Value>) {
        let whole = &self.open[&whole];
        let first = whole.first.expect("it has been spread");
        let place = usize::try_from(part.0 - first.0).unwrap();
        let told = args.map(|args| &args["n"]);
        assert_eq!(told, whole.values.get(place), "part {part}");
    }

    fn check_whole(
        &mut self,
        run: RunId,
        state: &FinalState,
        result: Option<&Value>,
        runs: &BTreeMap<RunId, Stage>,
    ) {
        let whole = &self.open[&run];
        let succeeded = *state == FinalState::Succeeded;
        if whole.first.is_none() {
            // There was nothing to be spread into, or no room for so much.
            assert_eq!(succeeded, whole.values.is_empty(), "{run}: {state:?}");
            self.empty += u64::from(succeeded);
            return;
        }
        let parts: Vec<RunId> = self.parts(run).collect();
        let has_succeeded = |part: &RunId| {
            let stands = || runs.get(part) == Some(&Stage::Succeeded);
            whole.met.get(part).copied().unwrap_or_else(stands)
        };
        assert_eq!(
            succeeded,
            parts.iter().all(has_succeeded),
            "{run}: {state:?}"
        );
        // Each attempt gives the number of its run.
        let gave = succeeded.then(|| parts.iter().map(|part| part.0).collect::<Value>());
        assert_eq!(gave.as_ref(), result, "what the parts of {run} gave");
    }
}
