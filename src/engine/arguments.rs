//! Whether the arguments of a run are what its job declares.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::action::Refusal;
use super::spec::{JobSpec, Name, TaskSpec};

/// The arguments of a run of `job`, with the defaults of those that are not given. A `call` that
/// declares no parameters takes whatever it is given; its function knows what to make of it.
pub(super) fn arguments(
    job: &JobSpec,
    given: Option<&Arc<Value>>,
) -> Result<Option<Arc<Value>>, Refusal> {
    let name = || Name::clone(&job.name);
    let object = match given.map(|given| &**given) {
        None => None,
        Some(Value::Object(object)) => Some(object),
        Some(_) => return Err(Refusal::ArgumentsNoObject(name())),
    };
    if job.params.is_empty() && matches!(job.task, TaskSpec::Call { .. }) {
        return Ok(given.map(Arc::clone));
    }
    for key in object.into_iter().flat_map(Map::keys) {
        if !job.params.contains_key(&**key) {
            let known: Vec<String> = job.params.keys().map(|name| format!("`{name}`")).collect();
            return Err(Refusal::UnknownArgument {
                job: name(),
                name: key.as_str().into(),
                known: match known[..] {
                    [] => "none".to_owned(),
                    _ => known.join(", "),
                },
            });
        }
    }
    let mut whole = Map::new();
    for (param, spec) in &job.params {
        let kind = spec.kind.as_str();
        let value = object.and_then(|object| object.get(&**param));
        let value = match (value, &spec.default) {
            (Some(value), _) if spec.kind.fits(value) => value,
            (Some(_), _) => {
                return Err(Refusal::WrongArgument {
                    job: name(),
                    name: Name::clone(param),
                    kind,
                });
            }
            (None, Some(default)) => default,
            (None, None) => {
                return Err(Refusal::MissingArgument {
                    job: name(),
                    name: Name::clone(param),
                    kind,
                });
            }
        };
        whole.insert(param.to_string(), value.clone());
    }
    Ok((!whole.is_empty()).then(|| Arc::new(Value::Object(whole))))
}
