//! Whether the arguments of a run are what its job declares.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::action::Refusal;
use super::flow::{Origin, SPREAD_BOUND};
use super::schedule::SCHEDULED;
use super::spec::{JobSpec, Name, ParamKind, ParamSpec, TaskSpec};

/// The arguments of a run of `job`, with the defaults of those that are not given. What comes from the
/// result of another run is left out until that is there. A `call` that declares no parameters takes
/// whatever it is given; its function knows what to make of it.
pub(super) fn arguments(
    job: &JobSpec,
    given: Option<&Arc<Value>>,
) -> Result<Option<Arc<Value>>, Refusal> {
    let object = match given.map(|given| &**given) {
        None => None,
        Some(Value::Object(object)) => Some(object),
        Some(_) => return Err(Refusal::ArgumentsNoObject(Name::clone(&job.name))),
    };
    if job.params.is_empty() && matches!(job.task, TaskSpec::Call { .. }) {
        return Ok(given.map(Arc::clone));
    }
    // A scheduled job is told its slot, whether it has a parameter for that or not.
    let is_slot = |key: &str| key == SCHEDULED && !job.schedules.is_empty();
    for key in object.into_iter().flat_map(Map::keys) {
        let known = job.params.contains_key(&**key) || is_slot(key);
        if !known || is_given_by_itself(job, key) {
            return Err(unknown(job, key));
        }
    }
    let mut whole = Map::new();
    if let Some((key, slot)) = object.and_then(|object| object.get_key_value(SCHEDULED))
        && is_slot(key)
    {
        whole.insert(key.clone(), slot.clone());
    }
    for (param, spec) in &job.params {
        let value = object.and_then(|object| object.get(&**param));
        if let Some(value) = argument(job, param, spec, value)? {
            whole.insert(param.to_string(), value.clone());
        }
    }
    let whole = (!whole.is_empty()).then(|| Arc::new(Value::Object(whole)));
    let count = job
        .fan_out
        .as_ref()
        .map_or(0, |fan_out| fan_out.count(whole.as_deref()));
    if count > SPREAD_BOUND {
        return Err(Refusal::TooMany {
            job: Name::clone(&job.name),
            count,
            bound: SPREAD_BOUND,
        });
    }
    Ok(whole)
}

/// The value of one argument; `None` where it is not there yet.
fn argument<'a>(
    job: &'a JobSpec,
    param: &Name,
    spec: &'a ParamSpec,
    given: Option<&'a Value>,
) -> Result<Option<&'a Value>, Refusal> {
    let kind = kind(job, param, spec);
    match (given, &spec.default) {
        (Some(value), _) if fits(job, param, spec, value) => Ok(Some(value)),
        (Some(_), _) => Err(Refusal::WrongArgument {
            job: Name::clone(&job.name),
            name: Name::clone(param),
            kind,
        }),
        (None, _) if spec.from.is_some() || is_given_by_itself(job, param) => Ok(None),
        (None, Some(default)) => Ok(Some(default)),
        (None, None) => Err(Refusal::MissingArgument {
            job: Name::clone(&job.name),
            name: Name::clone(param),
            kind,
        }),
    }
}

fn is_given_by_itself(job: &JobSpec, param: &str) -> bool {
    job.fan_out.as_ref().is_some_and(|fan| fan.gives(param))
}

fn takes_list(job: &JobSpec, param: &str) -> bool {
    let fan_out = job.fan_out.as_ref();
    fan_out.is_some_and(|fan_out| fan_out.takes_list(param))
}

/// What the argument of a job has to be that is run for each element of it.
const fn kind_of_each(kind: ParamKind) -> &'static str {
    match kind {
        ParamKind::Text => "a list of texts",
        ParamKind::Integer => "a list of integers",
        ParamKind::Number => "a list of numbers",
        ParamKind::Boolean => "a list of booleans",
        ParamKind::Any => "a list",
    }
}

/// What the argument has to be.
fn kind(job: &JobSpec, param: &str, spec: &ParamSpec) -> &'static str {
    if takes_list(job, param) {
        kind_of_each(spec.kind)
    } else {
        spec.kind.as_str()
    }
}

fn fits(job: &JobSpec, param: &str, spec: &ParamSpec, value: &Value) -> bool {
    if !takes_list(job, param) {
        return spec.kind.fits(value);
    }
    let list = value.as_array();
    list.is_some_and(|list| list.iter().all(|value| spec.kind.fits(value)))
}

fn unknown(job: &JobSpec, key: &str) -> Refusal {
    let known = job.params.keys();
    let known = known.filter(|name| !is_given_by_itself(job, name));
    let known: Vec<String> = known.map(|name| format!("`{name}`")).collect();
    Refusal::UnknownArgument {
        job: Name::clone(&job.name),
        name: key.into(),
        known: match known[..] {
            [] => "none".to_owned(),
            _ => known.join(", "),
        },
    }
}

/// What `result` of a run of `other` gives to a run of `job` that has `args`.
///
/// # Errors
/// The argument that cannot be had from it, and what is wrong.
pub(super) fn taken(
    job: &JobSpec,
    args: Option<&Value>,
    other: &Name,
    result: &Value,
) -> Result<Map<String, Value>, (Name, Arc<str>)> {
    let mut given = Map::new();
    for (param, spec) in &job.params {
        let Some(Origin { job: from, path }) = &spec.from else {
            continue;
        };
        if from != other || args.is_some_and(|args| args.get(&**param).is_some()) {
            continue;
        }
        let value = result.pointer(path).filter(|value| !value.is_null());
        match value {
            Some(value) if fits(job, param, spec, value) => {
                given.insert(param.to_string(), value.clone());
            }
            None if spec.default.is_some() => {}
            None => {
                let why = match path.as_str() {
                    "" => format!("is missing: `{from}` gave no result"),
                    path => format!("is missing: the result of `{from}` has no {path:?}"),
                };
                return Err((Name::clone(param), why.into()));
            }
            Some(_) => {
                let kind = kind(job, param, spec);
                let why =
                    format!("has to be {kind}, and the result of `{from}` has something else");
                return Err((Name::clone(param), why.into()));
            }
        }
    }
    Ok(given)
}

/// The arguments of a run that starts, with the defaults of those that no result has given.
pub(crate) fn complete(job: &JobSpec, args: Option<&Arc<Value>>) -> Option<Arc<Value>> {
    let missing = |(param, spec): (&Name, &ParamSpec)| {
        spec.from.as_ref()?;
        let there = args.is_some_and(|args| args.get(&**param).is_some());
        let default = spec.default.clone().filter(|_| !there)?;
        Some((param.to_string(), default))
    };
    let defaults: Map<String, Value> = job.params.iter().filter_map(missing).collect();
    if defaults.is_empty() {
        return args.map(Arc::clone);
    }
    Some(merged(args, &defaults))
}

/// The arguments together with others.
pub(crate) fn merged(args: Option<&Arc<Value>>, more: &Map<String, Value>) -> Arc<Value> {
    let mut map = match args.map(|args| &**args) {
        Some(Value::Object(map)) => map.clone(),
        _ => Map::new(),
    };
    map.extend(more.clone());
    Arc::new(Value::Object(map))
}

/// The first argument that is not there, though it has to be.
pub(super) fn missing<'a>(
    job: &'a JobSpec,
    args: Option<&Value>,
) -> Option<(&'a Name, &'a Origin)> {
    all_missing(job, args).next()
}

/// The arguments that are not there, though they have to be.
pub(super) fn all_missing<'a>(
    job: &'a JobSpec,
    args: Option<&Value>,
) -> impl Iterator<Item = (&'a Name, &'a Origin)> {
    job.params.iter().filter_map(move |(param, spec)| {
        let from = spec.from.as_ref()?;
        let there = args.is_some_and(|args| args.get(&**param).is_some());
        (!there && spec.default.is_none()).then_some((param, from))
    })
}
