//! What follows from the end of a run: for those that come after it, for the one that it is a part of, and
//! for the job that its own names.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::arguments::{missing, taken};
use super::decide::Turn;
use super::fact::{Fact, FinalState};
use super::flow::{Over, Ties, When, gathered};
use super::id::RunId;
use super::outcome::SkipReason;
use super::run::{Dependent, Run, RunState};
use super::spec::{JobSpec, Name};

/// What is still needed of a run that is over, once the fact of that has been taken in. Taken down before
/// the fact: a run that is over may be forgotten at once.
pub(super) struct Ended {
    run: RunId,
    job: Arc<JobSpec>,
    over: Over,
    result: Option<Arc<Value>>,
    dependents: Vec<Dependent>,
}

impl Ended {
    pub(super) fn of(id: RunId, run: &Run, over: Over, result: Option<Arc<Value>>) -> Self {
        Self {
            run: id,
            job: Arc::clone(&run.job),
            over,
            result,
            dependents: run.dependents().to_vec(),
        }
    }
}

/// What becomes of a run that waits for others, one of which is over.
enum Verdict {
    /// It waits on.
    Wait,
    /// It need not wait any more.
    Release,
    /// It never starts.
    Skip(SkipReason),
}

impl Turn<'_> {
    /// Releases or skips what waited for a run that is over, and what waited for that.
    pub(super) fn follow(&mut self, ended: Ended) {
        let mut over = VecDeque::from([ended]);
        while let Some(ended) = over.pop_front() {
            for dependent in &ended.dependents {
                over.extend(self.tell(*dependent, &ended));
            }
        }
    }

    /// Tells a run that another is over; gives its own end, if that follows.
    fn tell(&mut self, (id, born): Dependent, ended: &Ended) -> Option<Ended> {
        let run = self.state.runs.get(id)?;
        if run.state != RunState::Blocked || run.born != born {
            return None;
        }
        if let Some(parts) = run.parts() {
            if parts.has(ended.run) {
                let result = gathered(ended.result.as_deref());
                let given = Map::from_iter([(String::new(), result)]);
                self.met(id, ended, given);
            }
            let open = self.state.run(id).links.as_ref().map_or(0, |l| l.open);
            return (open == 0).then(|| self.gather(id)).flatten();
        }
        let given = match (ended.over, &ended.result) {
            (Over::Succeeded, result) => {
                let result = result.as_deref().unwrap_or(&Value::Null);
                taken(&run.job, run.args.as_deref(), &ended.job.name, result)
            }
            (Over::Failed | Over::Cancelled | Over::Skipped, _) => Ok(Map::new()),
        };
        let given = match given {
            Ok(given) => given,
            Err((name, why)) => return Some(self.skip(id, SkipReason::Argument { name, why })),
        };
        if !given.is_empty() || self.has_to_be_kept(run, ended) {
            self.met(id, ended, given);
        }
        match self.verdict(id, ended) {
            Verdict::Wait => None,
            Verdict::Skip(reason) => Some(self.skip(id, reason)),
            Verdict::Release => self.release(id),
        }
    }

    fn met(&mut self, id: RunId, ended: &Ended, given: Map<String, Value>) {
        let job = Arc::clone(&self.state.run(id).job);
        self.record(Fact::Met {
            run: id,
            job,
            by: ended.run,
            over: ended.over,
            given,
        });
    }

    /// Whether how the other one ended will be asked for again, when it is forgotten.
    fn has_to_be_kept(&self, run: &Run, ended: &Ended) -> bool {
        let open = run.links.as_ref().map_or(0, |links| links.open);
        let counts = !is_replaced(run, ended.run) && open > 0;
        counts
            && match run.job.when {
                When::Failure => ended.over != Over::Succeeded,
                When::Any => ended.over == Over::Succeeded,
                When::Success | When::Always => false,
            }
    }

    fn verdict(&self, id: RunId, ended: &Ended) -> Verdict {
        let run = self.state.run(id);
        let Some(links) = &run.links else {
            return Verdict::Wait;
        };
        let counts = !is_replaced(run, ended.run);
        let succeeded = counts && ended.over == Over::Succeeded;
        let failed = counts && ended.over != Over::Succeeded;
        let all_over = links.open == 0;
        let when = run.job.when;
        match when {
            When::Success if failed && !bug!("dependent-of-a-failure") => {
                Verdict::Skip(SkipReason::Dependency {
                    run: ended.run,
                    job: Name::clone(&ended.job.name),
                })
            }
            When::Success | When::Always if all_over => Verdict::Release,
            When::Failure if all_over && (failed || links.one_failed) => Verdict::Release,
            When::Any if (succeeded || links.one_succeeded) && !self.waits_for_place(links) => {
                Verdict::Release
            }
            When::Failure | When::Any if all_over => Verdict::Skip(SkipReason::Unmet(when)),
            When::Success | When::Always | When::Failure | When::Any => Verdict::Wait,
        }
    }

    /// Whether the run that it takes the place of is not over yet.
    fn waits_for_place(&self, links: &super::run::Links) -> bool {
        let replaced = links.ties.replaces;
        replaced.is_some_and(|run| self.state.is_open(run))
    }

    fn release(&mut self, id: RunId) -> Option<Ended> {
        let run = self.state.run(id);
        let job = Arc::clone(&run.job);
        if let Some((name, from)) = missing(&job, run.args.as_deref()) {
            let why = format!("is missing: `{}` did not succeed", from.job);
            let (name, why) = (Name::clone(name), why.into());
            return Some(self.skip(id, SkipReason::Argument { name, why }));
        }
        self.record(Fact::Released { run: id, job });
        None
    }

    fn skip(&mut self, id: RunId, reason: SkipReason) -> Ended {
        let run = self.state.run(id);
        let ended = Ended::of(id, run, Over::Skipped, None);
        let job = Arc::clone(&run.job);
        self.record(Fact::Skipped {
            run: id,
            job,
            reason,
        });
        ended
    }

    /// Runs the job that is to be run after this end, in the same breath.
    pub(super) fn hook(
        &mut self,
        id: RunId,
        job: &JobSpec,
        state: &FinalState,
        result: Option<&Arc<Value>>,
    ) {
        let name = match state {
            FinalState::Succeeded => &job.on_success,
            FinalState::Failed(_) => &job.on_failure,
            FinalState::Cancelled(_) => return,
        };
        let ties = Ties {
            cause: Some(id),
            ..Ties::default()
        };
        self.run_hook(name.as_ref(), ties, || told(id, job, state, result));
    }
}

fn is_replaced(run: &Run, other: RunId) -> bool {
    run.ties().and_then(|ties| ties.replaces) == Some(other)
}

/// All that there is to tell the hook of a run that is over.
fn told(
    id: RunId,
    job: &JobSpec,
    state: &FinalState,
    result: Option<&Arc<Value>>,
) -> [(&'static str, Value); HOOK_ARGUMENTS.len()] {
    let (word, error, kind) = match state {
        FinalState::Succeeded => ("succeeded", None, None),
        FinalState::Failed(why) => ("failed", Some(why.to_string()), Some(why.kind())),
        FinalState::Cancelled(why) => ("cancelled", Some(why.to_string()), None),
    };
    [
        ("job", json!(&*job.name)),
        ("run", json!(id.0)),
        ("state", json!(word)),
        ("error", json!(error.unwrap_or_default())),
        ("error_kind", json!(kind.unwrap_or_default())),
        (
            "result",
            result.map_or(Value::Null, |result| Value::clone(result)),
        ),
    ]
}

/// The arguments that a hook gives, and what each is.
pub const HOOK_ARGUMENTS: [(&str, super::spec::ParamKind); 6] = {
    use super::spec::ParamKind::{Any, Integer, Text};
    [
        ("job", Text),
        ("run", Integer),
        ("state", Text),
        ("error", Text),
        ("error_kind", Text),
        ("result", Any),
    ]
};
