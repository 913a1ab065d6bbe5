//! The `call` task: a Rust function that was registered under a name.

use serde_json::Value;

use super::super::context::Context;
use super::super::handlers::{Handler, HandlerResult, Handlers, describe, is_stop};
use super::{Done, TaskError, TaskResult};
use crate::engine::spec::Lane;

/// On the io lane.
pub(super) async fn run_io(
    context: Context,
    handlers: &Handlers,
    name: &str,
    own: &Value,
    of_run: Option<&Value>,
) -> TaskResult {
    match handlers.get(name) {
        Some(Handler::Io(handler)) => settle(handler(context, merge(own, of_run)).await),
        Some(other @ Handler::Cpu(_)) => Err(wrong_lane(name, Lane::Io, other.lane())),
        None => Err(unknown(name)),
    }
}

/// On the cpu lane.
pub(super) fn run_cpu(
    context: &Context,
    handlers: &Handlers,
    name: &str,
    own: &Value,
    of_run: Option<&Value>,
) -> TaskResult {
    match handlers.get(name) {
        Some(Handler::Cpu(handler)) => settle(handler(context, merge(own, of_run))),
        Some(other @ Handler::Io(_)) => Err(wrong_lane(name, Lane::Cpu, other.lane())),
        None => Err(unknown(name)),
    }
}

fn settle(result: HandlerResult) -> TaskResult {
    match result {
        Ok(value) => Ok(Done::with(value)),
        Err(error) if is_stop(&error) => Err(TaskError::Stopped),
        Err(error) => Err(TaskError::failed(describe(&error))),
    }
}

/// The job's arguments with the run's in their place, key by key.
fn merge(own: &Value, of_run: Option<&Value>) -> Value {
    match (own, of_run) {
        (own, None | Some(Value::Null)) => own.clone(),
        (Value::Object(own), Some(Value::Object(of_run))) => {
            let mut merged = own.clone();
            merged.extend(of_run.clone());
            Value::Object(merged)
        }
        (_, Some(of_run)) => of_run.clone(),
    }
}

fn unknown(name: &str) -> TaskError {
    TaskError::failed(format!(
        "no handler is registered as `{name}` in this program"
    ))
}

fn wrong_lane(name: &str, lane: Lane, its: Lane) -> TaskError {
    TaskError::failed(format!(
        "the handler `{name}` is registered for the {its} lane, and the job runs on the {lane} lane: \
         give the job `lane = \"{its}\"`"
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arguments_of_the_run_take_precedence_key_by_key() {
        let check = |own: Value, of_run: Option<Value>, expected: Value| {
            assert_eq!(merge(&own, of_run.as_ref()), expected);
        };
        check(json!({"a": 1}), None, json!({"a": 1}));
        check(
            json!({"a": 1, "b": {"x": 1}}),
            Some(json!({"b": {"y": 2}, "c": 3})),
            json!({"a": 1, "b": {"y": 2}, "c": 3}),
        );
        check(Value::Null, Some(json!({"a": 1})), json!({"a": 1}));
        check(json!({"a": 1}), Some(Value::Null), json!({"a": 1}));
    }
}
