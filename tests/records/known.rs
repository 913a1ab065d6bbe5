//! What has to be known of a run to try it once more, as the store finds it in its records.

use std::sync::Arc;

use serde_json::Value;
use twolane::engine::fact::{Fact, FinalState};
use twolane::engine::flow::{Over, Parts, Ties};
use twolane::engine::input::Forgotten;
use twolane::engine::outcome::Outcome;
use twolane::engine::spec::{JobSpec, Priority};

/// What is known of a run of `job` before its first record.
pub(crate) fn nothing(job: &Arc<JobSpec>) -> Forgotten {
    Forgotten {
        job: Arc::clone(job),
        priority: Priority::default(),
        args: None,
        epoch: 0,
        after: Box::default(),
        ties: Ties::default(),
        parts: None,
        over: None,
        result: None,
    }
}

/// Takes in what the next record of the run says.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the others do not change what has to be known"
)]
pub(crate) fn learn(known: &mut Forgotten, fact: &Fact) {
    if let Some((_, job)) = fact.run() {
        known.job = Arc::clone(job);
    }
    match fact {
        Fact::Accepted {
            priority,
            args,
            after,
            ties,
            ..
        } => {
            (known.priority, known.args) = (*priority, args.clone());
            (known.after, known.ties) = (after.clone(), ties.clone());
        }
        Fact::Retried {
            priority,
            args,
            after,
            ties,
            parts,
            ..
        } => {
            (known.priority, known.args) = (*priority, args.clone());
            (known.after, known.ties) = (after.clone(), ties.clone());
            known.parts.clone_from(parts);
            (known.over, known.result) = (None, None);
        }
        Fact::Started { epoch, .. } | Fact::Interrupted { epoch, .. } => known.epoch = *epoch,
        Fact::Spread { first, count, .. } => {
            known.parts = Some(Box::new(Parts::new(*first, *count as usize)));
        }
        Fact::Met {
            by, over, given, ..
        } => {
            if let Some(parts) = &mut known.parts {
                let result = given.values().next().cloned().unwrap_or_default();
                parts.take(*by, *over, result);
            } else if !given.is_empty() {
                let mut args = known.args.as_deref().cloned().unwrap_or_default();
                for (name, value) in given {
                    args[name] = Value::clone(value);
                }
                known.args = Some(Arc::new(args));
            }
        }
        Fact::Gathered { state, result, .. } => {
            (known.over, known.result) = (Some(ended(state)), result.clone());
        }
        Fact::Ended { state, end, .. } => {
            known.over = Some(ended(state));
            known.result = match &end.outcome {
                Outcome::Succeeded(result) => Some(Arc::clone(result)),
                _ => None,
            };
        }
        Fact::GivenUp { .. } => known.over = Some(Over::Failed),
        Fact::Cancelled { .. } => known.over = Some(Over::Cancelled),
        Fact::Skipped { .. } => known.over = Some(Over::Skipped),
        _ => {}
    }
}

const fn ended(state: &FinalState) -> Over {
    match state {
        FinalState::Succeeded => Over::Succeeded,
        FinalState::Failed(_) => Over::Failed,
        FinalState::Cancelled(_) => Over::Cancelled,
    }
}
