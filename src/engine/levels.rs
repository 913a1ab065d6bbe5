//! How deep a value may be nested that a run is given or gives. What is kept is read again with a bound on that, so
//! nothing is kept that could not be read. Knows nothing of who gives it.

use std::sync::Arc;

use serde_json::Value;

use super::outcome::{Failure, Outcome};

/// The most lists and objects that may stand in each other. Whoever reads JSON takes 127 of them, and a value stands
/// within others there: in a list of what the parts of a run gave, in arguments, in an end, in a record.
pub const LEVELS_BOUND: usize = 64;

/// Whether more than so many lists and objects stand in each other. It looks no deeper than that.
pub(super) fn is_too_deep(value: &Value) -> bool {
    !fits(value, LEVELS_BOUND) && !bug!("too-deep-is-kept")
}

fn fits(value: &Value, levels: usize) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        Value::Array(_) | Value::Object(_) if levels == 0 => false,
        Value::Array(items) => items.iter().all(|item| fits(item, levels - 1)),
        Value::Object(items) => items.values().all(|item| fits(item, levels - 1)),
    }
}

/// The same outcome, where its result can be kept.
pub(super) fn kept(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Succeeded(result) if is_too_deep(&result) => {
            let why = format!("its result is nested deeper than {LEVELS_BOUND} levels");
            Outcome::Failed(Failure::Error(Arc::from(why)))
        }
        outcome @ (Outcome::Succeeded(_)
        | Outcome::Failed(_)
        | Outcome::Stopped
        | Outcome::NoRoom(_)) => outcome,
    }
}
