//! One `[jobs.NAME]` table as a job, as far as it can be told without the rest of the configuration.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::command::Commands;
use super::diagnostic::{Diagnostic, Report};
use super::flow;
use super::keys::{AUTO, TaskKind};
use super::names::nearest;
use super::read::{Field, Span, Table, list};
use super::schedule::schedules;
use super::tasks::{self, files};
use super::zones::Zones;
use crate::engine::amounts::Amounts;
use crate::engine::command::GRACE;
use crate::engine::spec::{
    JobSpec, Lane, Messages, Name, OnCrash, ParamKind, ParamSpec, Priority, Start, TEARDOWN,
    TaskSpec,
};

/// A job whose references to others are not looked up yet.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) source: usize,
    pub(super) name: Span,
    pub(super) table: Table,
    /// `None`: it is no job, and that has been reported. What it refers to is looked up all the same.
    pub(super) spec: Option<JobSpec>,
}

/// What a job may name that files do not define.
pub(super) struct Surroundings<'a> {
    pub(super) handlers: &'a BTreeMap<String, Lane>,
    /// The directory that relative paths are taken from.
    pub(super) directory: &'a Path,
    pub(super) zones: &'a Zones,
}

/// Makes a table a job, and reports what keeps it from being one.
pub(super) fn draft(
    report: &mut Report,
    source: usize,
    name: (&str, &Span),
    table: &Table,
    surroundings: &Surroundings<'_>,
) -> Draft {
    Draft {
        source,
        name: name.1.clone(),
        table: table.clone(),
        spec: spec(report, source, name, table, surroundings),
    }
}

fn spec(
    report: &mut Report,
    source: usize,
    name: (&str, &Span),
    table: &Table,
    surroundings: &Surroundings<'_>,
) -> Option<JobSpec> {
    let (name, name_span) = name;
    let task = one_task(report, source, (name, name_span), table)
        .and_then(|(kind, field)| task(report, source, table, (kind, field), surroundings));
    let lane = lane(report, source, table, task.as_ref(), surroundings.handlers);
    let params = params(report, source, table);
    let schedules = schedules(report, source, table, surroundings.zones);
    if let (Some(TaskSpec::File(task)), Some(params)) = (&task, &params) {
        files::placeholders(report, source, table, task, params);
    }
    let retry = flow::retry(report, source, table);
    let known = params.as_ref();
    let fan_out = known.and_then(|params| flow::fan_out(report, source, table, params));
    let mut commands = Commands {
        report,
        source,
        table,
        beside: surroundings,
    };
    // Where it is not known what the task is, nobody can say which keys go with it.
    let around = match &task {
        Some(task) => commands.around(task),
        None => None,
    };
    let around = around?;
    let isolate = isolate(report, source, table, task.as_ref());
    let (lane, auto) = lane?;
    Some(JobSpec {
        name: Name::from(name),
        task: task?,
        lane,
        auto,
        pool: table.text("pool").map(Name::from),
        cpus: table.natural("cpus"),
        limits: amounts(table, "limits"),
        resources: amounts(table, "resources"),
        priority: table
            .integer("priority")
            .and_then(Priority::new)
            .unwrap_or_default(),
        delay: table.duration("delay").unwrap_or(Duration::ZERO),
        timeout: table.duration("timeout"),
        run_timeout: table.duration("run_timeout"),
        start_within: table.duration("start_within"),
        retry: retry?,
        grace: table.duration("grace").unwrap_or(GRACE),
        teardown_timeout: table.duration("teardown_timeout").unwrap_or(TEARDOWN),
        isolate: isolate?,
        setup: around.setup,
        teardown: around.teardown,
        after: names(table, "after"),
        when: flow::when(table),
        fan_out: fan_out?,
        unique: flow::unique(table),
        on_failure: table.text("on_failure").map(Name::from),
        on_success: table.text("on_success").map(Name::from),
        expect_within: table.duration("expect_within"),
        on_absent: table.text("on_absent").map(Name::from),
        start: match table.text("start") {
            Some(_) => Start::Boot,
            None => Start::OnDemand,
        },
        schedules: schedules?,
        on_crash: match table.text("on_crash") {
            Some("fail") => OnCrash::Fail,
            _ => OnCrash::Retry,
        },
        params: params?,
        messages: messages(table),
    })
}

/// Texts of its own for the log.
fn messages(table: &Table) -> Messages {
    let messages = table.table("messages");
    let message = |key: &str| messages.and_then(|table| table.text(key)).map(Arc::from);
    Messages {
        started: message("started"),
        progress: message("progress"),
        finished: message("finished"),
        failed: message("failed"),
        cancelled: message("cancelled"),
    }
}

/// Whether the task is to run in a process of its own; `None`, reported, where that makes no sense.
fn isolate(
    report: &mut Report,
    source: usize,
    table: &Table,
    task: Option<&TaskSpec>,
) -> Option<bool> {
    let wanted = table.boolean("isolate").unwrap_or(false);
    let (Some(task), Some(field), true) = (task, table.get("isolate"), wanted) else {
        return Some(false);
    };
    let why = match task {
        TaskSpec::Command(_) => "runs in a process of its own as it is",
        TaskSpec::Sleep { .. } | TaskSpec::Http(_) => "waits, and can always be stopped",
        TaskSpec::Future { .. } => "executes nothing",
        TaskSpec::Read { .. }
        | TaskSpec::Compute { .. }
        | TaskSpec::Call { .. }
        | TaskSpec::File(_) => return Some(true),
    };
    let message = format!("`{}` {why}, so there is nothing to isolate", task.kind());
    report.push(Diagnostic::at(source, field.key.clone(), message).hint(
        "take `isolate` out; it is for tasks that compute, work on files, or call a handler",
    ));
    None
}

/// The arguments that a run may be given.
fn params(report: &mut Report, source: usize, table: &Table) -> Option<BTreeMap<Name, ParamSpec>> {
    let mut params = BTreeMap::new();
    let mut good = true;
    for (name, (span, param)) in table.named("params") {
        let kind = match (param.get("type"), param.text("type")) {
            (Some(_), word) => ParamKind::ALL
                .into_iter()
                .find(|k| Some(k.as_str()) == word),
            (None, _) => {
                report.push(
                    Diagnostic::at(
                        source,
                        span.clone(),
                        format!("parameter `{name}` lacks `type`"),
                    )
                    .hint(format!("write it like `{name} = {{ type = \"integer\" }}`")),
                );
                None
            }
        };
        let default = param.free("default").cloned();
        match (kind, default) {
            (Some(kind), Some(default))
                if !flow::takes_list(table, name) && !kind.fits(&default) =>
            {
                let place = param.get("default").map_or(span, |field| &field.value);
                let message = format!("the default of parameter `{name}` is no {}", kind.as_str());
                report.push(Diagnostic::at(source, place.clone(), message));
                good = false;
            }
            (Some(kind), default) => {
                let from = flow::origin(report, source, param);
                good &= from.is_some();
                let from = from.flatten();
                let spec = ParamSpec {
                    kind,
                    default,
                    from,
                };
                params.insert(Name::from(name.as_str()), spec);
            }
            (None, _) => good = false,
        }
    }
    good.then_some(params)
}

fn names(table: &Table, key: &str) -> Vec<Name> {
    let mut names: Vec<Name> = table
        .texts(key)
        .iter()
        .map(|(name, _)| Name::from(name.as_str()))
        .collect();
    names.sort();
    names.dedup();
    names
}

fn amounts(table: &Table, key: &str) -> Amounts {
    let amounts = table.amounts(key).into_iter();
    amounts
        .map(|amount| (Name::from(amount.name), amount.number.unwrap_or(1)))
        .collect()
}

/// The one key that says what the job executes.
fn one_task<'a>(
    report: &mut Report,
    source: usize,
    name: (&str, &Span),
    table: &'a Table,
) -> Option<(TaskKind, &'a Field)> {
    let mut tasks: Vec<(TaskKind, &Field)> = TaskKind::ALL
        .into_iter()
        .filter_map(|task| Some((task, table.get(task.key())?)))
        .collect();
    tasks.sort_by_key(|(_, field)| field.key.start);
    match tasks[..] {
        [one] => Some(one),
        // An unknown key was most likely meant to be the task, and has been reported.
        [] if table.strange => None,
        [] => {
            let (name, span) = name;
            report.push(
                Diagnostic::at(
                    source,
                    span.clone(),
                    format!("job `{name}` has nothing to do"),
                )
                .hint(format!(
                    "add one of {}, as in `sleep = \"20s\"`",
                    list(TaskKind::ALL.map(TaskKind::key))
                )),
            );
            None
        }
        [(first, first_field), (second, second_field), ..] => {
            let (name, first, second) = (name.0, first.key(), second.key());
            let message = format!("job `{name}` has two things to do, `{first}` and `{second}`");
            report.push(
                Diagnostic::at(source, second_field.key.clone(), message)
                    .also(source, first_field.key.clone(), "the first one")
                    .hint("make it two jobs; `after` puts one behind the other"),
            );
            None
        }
    }
}

fn task(
    report: &mut Report,
    source: usize,
    table: &Table,
    task: (TaskKind, &Field),
    surroundings: &Surroundings<'_>,
) -> Option<TaskSpec> {
    let (kind, field) = task;
    let key = kind.key();
    match kind {
        TaskKind::Sleep => Some(TaskSpec::Sleep {
            duration: table.duration(key)?,
        }),
        TaskKind::Read => Some(TaskSpec::Read {
            path: surroundings.directory.join(table.text(key)?),
        }),
        TaskKind::Exec | TaskKind::Shell => {
            let mut commands = Commands {
                report,
                source,
                table,
                beside: surroundings,
            };
            let command = commands.task(key)?;
            Some(TaskSpec::Command(Box::new(command)))
        }
        TaskKind::Compute => compute(report, source, table.table(key)?, field),
        TaskKind::Future => Some(TaskSpec::Future {
            what: table.text(key)?.into(),
        }),
        TaskKind::Http => tasks::http::http(report, source, table, field, surroundings.directory),
        TaskKind::Hash
        | TaskKind::Compress
        | TaskKind::Decompress
        | TaskKind::Write
        | TaskKind::Copy => {
            let place = files::Place {
                source,
                kind,
                table: table.table(key)?,
                field,
            };
            files::task(report, &place, surroundings.directory).map(TaskSpec::File)
        }
        TaskKind::Call => call(
            report,
            source,
            table.table(key)?,
            field,
            surroundings.handlers,
        ),
    }
}

fn compute(report: &mut Report, source: usize, table: &Table, field: &Field) -> Option<TaskSpec> {
    let missing: Vec<&str> = ["outer", "inner"]
        .into_iter()
        .filter(|key| table.get(key).is_none())
        .collect();
    if !missing.is_empty() {
        if !table.strange {
            report.push(
                Diagnostic::at(
                    source,
                    field.value.clone(),
                    format!("`compute` lacks {}", list(missing)),
                )
                .hint("write it like `compute = { outer = 1_000, inner = 500 }`"),
            );
        }
        return None;
    }
    let (outer, inner): (u64, u64) = (table.natural("outer")?, table.natural("inner")?);
    let report_every = match table.get("report_every") {
        Some(_) => Some(table.natural("report_every")?),
        None => None,
    };
    Some(TaskSpec::Compute {
        outer,
        inner,
        report_every,
    })
}

fn call(
    report: &mut Report,
    source: usize,
    table: &Table,
    field: &Field,
    handlers: &BTreeMap<String, Lane>,
) -> Option<TaskSpec> {
    let Some(named) = table.get("handler") else {
        if !table.strange {
            report.push(
                Diagnostic::at(source, field.value.clone(), "`call` lacks `handler`")
                    .hint("write it like `call = { handler = \"resize\", args = { width = 80 } }`"),
            );
        }
        return None;
    };
    let handler = table.text("handler")?;
    if !handlers.contains_key(handler) {
        let hint = match nearest(handler, handlers.keys().map(String::as_str)) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None if handlers.is_empty() => {
                "this program has no handlers; a program of your own registers them through the \
                 library, see `twolane::App`"
                    .to_owned()
            }
            None => format!(
                "registered are {}",
                list(handlers.keys().map(String::as_str))
            ),
        };
        report.push(
            Diagnostic::at(
                source,
                named.value.clone(),
                format!("there is no handler `{handler}`"),
            )
            .hint(hint),
        );
        return None;
    }
    Some(TaskSpec::Call {
        handler: Name::from(handler),
        args: table
            .free("args")
            .cloned()
            .unwrap_or_else(|| Value::Object(Map::new())),
    })
}

/// The lane: what the job says, or what its task is for; and whether the job finds it by itself. What
/// pools say is looked at later.
fn lane(
    report: &mut Report,
    source: usize,
    table: &Table,
    task: Option<&TaskSpec>,
    handlers: &BTreeMap<String, Lane>,
) -> Option<(Lane, bool)> {
    let word = match table.get("lane") {
        Some(_) => Some(table.text("lane")?),
        None => None,
    };
    let auto = word == Some(AUTO);
    let said = word.and_then(lane_named);
    let task = task?;
    if task.fits_either_lane() {
        return Some((said.unwrap_or(Lane::Io), auto));
    }
    let (fixed, why, hint) = only_lane(task, handlers)?;
    // What computes may be left to be found out, and so may a function that waits, if it blocks after all.
    let may_move = match task {
        TaskSpec::Compute { .. } => true,
        TaskSpec::Call { .. } => fixed == Lane::Io,
        TaskSpec::Sleep { .. }
        | TaskSpec::Read { .. }
        | TaskSpec::Command(_)
        | TaskSpec::Future { .. }
        | TaskSpec::Http(_)
        | TaskSpec::File(_) => false,
    };
    if auto && may_move {
        return Some((Lane::Io, true));
    }
    match (word, table.get("lane")) {
        (Some(word), Some(field)) if word != fixed.as_str() => {
            report.push(Diagnostic::at(source, field.value.clone(), why).hint(hint));
            None
        }
        _ => Some((fixed, false)),
    }
}

/// The lane of a task that has but one, why that is so, and what to do about it.
fn only_lane(
    task: &TaskSpec,
    handlers: &BTreeMap<String, Lane>,
) -> Option<(Lane, String, &'static str)> {
    let kind = task.kind();
    let waits = || {
        (
            Lane::Io,
            format!("`{kind}` waits, and would keep a core from the cpu lane's other jobs"),
            "leave `lane` out, or write `lane = \"io\"`",
        )
    };
    let computes = || {
        (
            Lane::Cpu,
            format!("`{kind}` computes, and would keep the io lane's other jobs waiting"),
            "leave `lane` out, or write `lane = \"cpu\"`",
        )
    };
    match task {
        TaskSpec::Future { .. } | TaskSpec::Http(_) => Some(waits()),
        TaskSpec::Call { handler, .. } => {
            let lane = *handlers.get(&**handler)?;
            let why = format!("handler `{handler}` is registered for the {lane} lane");
            Some((lane, why, "leave `lane` out"))
        }
        TaskSpec::Compute { .. }
        | TaskSpec::Sleep { .. }
        | TaskSpec::Read { .. }
        | TaskSpec::Command(_)
        | TaskSpec::File(_) => Some(computes()),
    }
}

/// The lane of this name.
pub(super) fn lane_named(name: &str) -> Option<Lane> {
    Lane::ALL.into_iter().find(|lane| lane.as_str() == name)
}
