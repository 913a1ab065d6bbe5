//! The schema of a job that comes along with a request: a table of a job file, with the names that are in
//! force and no others. What it takes, the reader takes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::narrow::narrow;
use super::{Shape, closed};
use crate::config::command::{OF_COMMANDS, OF_THE_TASK};
use crate::config::keys::{FAILURES, JOB, MOST, TaskKind};
use crate::engine::spec::{Definitions, Lane, LimitSpec, Name};

/// The schema of what stands in `[jobs.NAME]`, for a document in which it stands at `root` (as in
/// `#/components/schemas/Task`); with the functions that are registered and the pools and limits of
/// `definitions`.
#[must_use]
pub fn submitted(
    root: &str,
    handlers: &BTreeMap<String, Lane>,
    definitions: &Definitions,
) -> Value {
    let shape = Shape { root };
    let mut forms = Vec::new();
    for form in all(handlers) {
        let pools: Vec<&str> = definitions
            .pools
            .iter()
            .filter(|(_, pool)| pool.lane == form.lane)
            .map(|(name, _)| &**name)
            .collect();
        if form.said == Said::Pool && pools.is_empty() {
            continue;
        }
        forms.push(of(shape, &form, &pools, definitions));
    }
    json!({
        "description": "What would stand in the table of a job file",
        "anyOf": forms,
        "$defs": shape.definitions(),
    })
}

/// How a job says which lane is its own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    /// It may leave it out.
    Task,
    /// It has to.
    Key,
    /// By its pool alone.
    Pool,
}

/// A task on a lane.
struct Form<'a> {
    task: TaskKind,
    lane: Lane,
    said: Said,
    handler: Option<&'a str>,
    /// Whether something is run before or after it, where it is no command itself.
    around: bool,
}

impl Form<'_> {
    fn is_command(&self) -> bool {
        matches!(self.task, TaskKind::Exec | TaskKind::Shell)
    }

    /// Whether a key of the job has no meaning here.
    fn lacks(&self, key: &str) -> bool {
        let around = ["setup", "teardown"].contains(&key) || OF_COMMANDS.contains(&key);
        !self.is_command() && (OF_THE_TASK.contains(&key) || (around && !self.around))
    }
}

fn all(handlers: &BTreeMap<String, Lane>) -> Vec<Form<'_>> {
    let mut forms = Vec::new();
    let mut push = |task, lane, said, handler| {
        let is_command = matches!(task, TaskKind::Exec | TaskKind::Shell);
        // Of a future nothing executes, so there is nothing to be before or after.
        let once = is_command || task == TaskKind::Future;
        for around in if once { &[false][..] } else { &[false, true] } {
            forms.push(Form {
                task,
                lane,
                said,
                handler,
                around: *around,
            });
        }
    };
    for task in TaskKind::ALL {
        match task {
            TaskKind::Sleep
            | TaskKind::Read
            | TaskKind::Exec
            | TaskKind::Shell
            | TaskKind::Write
            | TaskKind::Copy => {
                push(task, Lane::Io, Said::Task, None);
                push(task, Lane::Cpu, Said::Key, None);
                push(task, Lane::Cpu, Said::Pool, None);
            }
            TaskKind::Compute | TaskKind::Hash | TaskKind::Compress | TaskKind::Decompress => {
                push(task, Lane::Cpu, Said::Task, None)
            }
            TaskKind::Future | TaskKind::Http => push(task, Lane::Io, Said::Task, None),
            TaskKind::Call => {
                for (name, lane) in handlers {
                    push(task, *lane, Said::Task, Some(name.as_str()));
                }
            }
        }
    }
    forms
}

fn of(shape: Shape<'_>, form: &Form<'_>, pools: &[&str], definitions: &Definitions) -> Value {
    let mut required = vec![form.task.key()];
    let mut properties = serde_json::Map::new();
    let others = TaskKind::ALL.map(TaskKind::key);
    for key in JOB {
        if form.lacks(key.name) || (key.name != form.task.key() && others.contains(&key.name)) {
            continue;
        }
        let (name, mut schema) = shape.property(key);
        match key.name {
            "lane" if form.said == Said::Pool => continue,
            "lane" => schema["enum"] = json!([form.lane.as_str()]),
            "pool" if pools.is_empty() => continue,
            "pool" => schema = json!({ "enum": pools }),
            "limits" => {
                let known: Vec<&str> = definitions.limits.keys().map(|name| &**name).collect();
                let most = |limit: &LimitSpec| {
                    let burst = limit.rate.map_or(u32::MAX, |rate| rate.burst);
                    limit.size.unwrap_or(u32::MAX).min(burst).min(MOST)
                };
                let limits = definitions.limits.iter();
                let each = amounts(limits.map(|(name, limit)| (name, most(limit))));
                schema = json!({ "anyOf": [names(&known), each] });
            }
            "resources" => {
                let totals = definitions.resources.iter();
                schema = amounts(totals.map(|(name, total)| (name, *total)));
            }
            "cpus" if form.lane != Lane::Cpu => continue,
            // It comes alone, so there is none.
            // Nor is there another one to read from; and a terminal does not go with all that can be read.
            // And it runs when it is asked for.
            "stdin_from" | "pty" | "schedule" => continue,
            // What these say has to fit other keys, or other jobs.
            "when" | "foreach" | "matrix" | "on_failure" | "on_success" | "on_absent"
            | "secrets" => continue,
            "isolate" if !may_be_isolated(form.task) => continue,
            "retry" => schema = retry(),
            "params" => schema = params(schema),
            "after" => schema = names(&[]),
            "call" => schema = call(shape, form.handler.unwrap_or_default()),
            _ => {}
        }
        if key.name == form.task.key()
            && let Some(narrower) = narrow(form.task)
        {
            schema = narrower;
        }
        properties.insert(name, schema);
    }
    match form.said {
        Said::Task => {}
        Said::Key => required.push("lane"),
        Said::Pool => required.push("pool"),
    }
    let mut schema = closed(properties, required);
    if form.around {
        schema["anyOf"] = json!([{ "required": ["setup"] }, { "required": ["teardown"] }]);
    }
    schema
}

/// Whether such a task can run in a process of its own.
fn may_be_isolated(task: TaskKind) -> bool {
    match task {
        TaskKind::Exec
        | TaskKind::Shell
        | TaskKind::Http
        | TaskKind::Sleep
        | TaskKind::Future
        // Not every program is made for that.
        | TaskKind::Call => false,
        TaskKind::Read
        | TaskKind::Compute
        | TaskKind::Hash
        | TaskKind::Compress
        | TaskKind::Decompress
        | TaskKind::Write
        | TaskKind::Copy => true,
    }
}

/// Without its two pauses, of which the first may not be the longer one.
fn retry() -> Value {
    let properties = json!({
        "attempts": { "type": "integer", "minimum": 1, "maximum": 1000 },
        "backoff": { "enum": ["exponential", "fixed"] },
        "jitter": { "type": "boolean" },
        "on_exit": {
            "type": "array",
            "items": { "type": "integer", "minimum": 0, "maximum": 255 },
            "minItems": 1,
        },
        "on": { "type": "array", "items": { "enum": FAILURES }, "minItems": 1 },
    });
    let properties = properties.as_object().cloned().unwrap_or_default();
    closed(properties, vec!["attempts"])
}

/// Without results of other jobs, of which there are none, and without lists for `foreach`.
fn params(mut schema: Value) -> Value {
    let tables = schema["additionalProperties"]["anyOf"].as_array_mut();
    for table in tables.into_iter().flatten() {
        if let Some(properties) = table["properties"].as_object_mut() {
            properties.remove("from");
        }
        table["properties"]["default"] = table["properties"]["default"]["anyOf"][0].take();
    }
    schema
}

/// One of these names, or a list of them.
fn names(known: &[&str]) -> Value {
    if known.is_empty() {
        return json!({ "type": "array", "maxItems": 0 });
    }
    json!({ "anyOf": [{ "enum": known }, { "type": "array", "items": { "enum": known } }] })
}

/// So many of these at most.
fn amounts<'a>(known: impl Iterator<Item = (&'a Name, u32)>) -> Value {
    let number = |most| json!({ "type": "integer", "minimum": 1, "maximum": most });
    let known = known.map(|(name, most)| (name.to_string(), number(most)));
    closed(known.collect(), Vec::new())
}

fn call(shape: Shape<'_>, handler: &str) -> Value {
    let args = json!({ "type": "object", "additionalProperties": shape.any() });
    json!({ "anyOf": [
        { "const": handler },
        {
            "type": "object",
            "properties": { "handler": { "const": handler }, "args": args },
            "required": ["handler"],
            "additionalProperties": false,
        },
    ] })
}
