//! What a job says of the way of its runs: how often they are tried, what they are spread into and given,
//! which are alone, and what is run after them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::diagnostic::{Diagnostic, Report};
use super::job::Draft;
use super::keys::FAILURES;
use super::names::nearest;
use super::read::{Span, Table, list};
use crate::engine::HOOK_ARGUMENTS;
use crate::engine::flow::{FanOut, OnDuplicate, Origin, SPREAD_BOUND, Unique, UniqueBy, When};
use crate::engine::retry::{BASE, Backoff, MAX, RetrySpec};
use crate::engine::spec::{JobSpec, Name, ParamSpec};

/// The keys that name a job to be run after a run, or for want of one.
const HOOKS: [&str; 3] = ["on_failure", "on_success", "on_absent"];

/// What `retry` says; the outer `None`, reported, where that makes no sense.
pub(super) fn retry(
    report: &mut Report,
    source: usize,
    table: &Table,
) -> Option<Option<Box<RetrySpec>>> {
    let (Some(field), Some(retry)) = (table.get("retry"), table.table("retry")) else {
        // A value that is no table has been reported.
        return Some(None);
    };
    let Some(attempts) = retry.natural("attempts") else {
        if !retry.strange && retry.get("attempts").is_none() {
            report.push(
                Diagnostic::at(source, field.value.clone(), "`retry` lacks `attempts`")
                    .hint("write it like `retry = { attempts = 3 }`"),
            );
        }
        return None;
    };
    let base = retry.duration("base").unwrap_or(BASE);
    let max = retry.duration("max").unwrap_or(MAX.max(base));
    if base > max
        && let Some(field) = retry.get("max")
    {
        let message = format!("the longest pause, {max:?}, is shorter than the first, {base:?}");
        report.push(
            Diagnostic::at(source, field.value.clone(), message)
                .hint("`base` is the first pause and `max` the longest"),
        );
        return None;
    }
    let kinds = retry.texts("on");
    for (kind, span) in kinds {
        if FAILURES.contains(&kind.as_str()) {
            continue;
        }
        let hint = match nearest(kind, FAILURES.iter().copied()) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("there are {}", list(FAILURES.iter().copied())),
        };
        let message = format!("no attempt fails with `{kind}`");
        report.push(Diagnostic::at(source, span.clone(), message).hint(hint));
        return None;
    }
    Some(Some(Box::new(RetrySpec {
        attempts,
        backoff: match retry.text("backoff") {
            Some("fixed") => Backoff::Fixed,
            _ => Backoff::Exponential,
        },
        base,
        max,
        jitter: retry.boolean("jitter").unwrap_or(true),
        on_exit: retry
            .integers("on_exit")
            .iter()
            .filter_map(|code| i32::try_from(*code).ok())
            .collect(),
        on: kinds
            .iter()
            .map(|(kind, _)| Name::from(kind.as_str()))
            .collect(),
    })))
}

/// What has to have become of the runs that it comes after.
pub(super) fn when(table: &Table) -> When {
    [When::Failure, When::Always, When::Any]
        .into_iter()
        .find(|when| table.text("when") == Some(when.as_str()))
        .unwrap_or_default()
}

/// Of which runs there is only one.
pub(super) fn unique(table: &Table) -> Option<Unique> {
    let unique = table.table("unique")?;
    Some(Unique {
        by: match unique.text("by") {
            Some("job") => UniqueBy::Job,
            _ => UniqueBy::Args,
        },
        on_duplicate: match unique.text("on_duplicate") {
            Some("replace") => OnDuplicate::Replace,
            Some("join") => OnDuplicate::Join,
            _ => OnDuplicate::Reject,
        },
    })
}

/// Whether this parameter is the one of `foreach`.
pub(super) fn takes_list(table: &Table, param: &str) -> bool {
    table.text("foreach") == Some(param)
}

/// Where an argument comes from; the outer `None`, reported, where that makes no sense.
pub(super) fn origin(report: &mut Report, source: usize, param: &Table) -> Option<Option<Origin>> {
    let (Some(field), Some(from)) = (param.get("from"), param.table("from")) else {
        return Some(None);
    };
    let Some(job) = from.text("job") else {
        if !from.strange && from.get("job").is_none() {
            report.push(
                Diagnostic::at(source, field.value.clone(), "`from` lacks `job`")
                    .hint("write it like `from = { job = \"scan\", path = \"/files\" }`"),
            );
        }
        return None;
    };
    let path = from.text("path").unwrap_or_default();
    if !path.is_empty() && !path.starts_with('/') {
        let span = from.get("path").map_or(&field.value, |path| &path.value);
        report.push(
            Diagnostic::at(source, span.clone(), format!("{path:?} is no JSON pointer"))
                .hint(format!("it begins with a slash, as in \"/{path}\"")),
        );
        return None;
    }
    Some(Some(Origin {
        job: Name::from(job),
        path: path.to_owned(),
    }))
}

/// What a run is spread into; the outer `None`, reported, where that makes no sense.
pub(super) fn fan_out(
    report: &mut Report,
    source: usize,
    table: &Table,
    params: &BTreeMap<Name, ParamSpec>,
) -> Option<Option<FanOut>> {
    let mut refuse = |span: &Span, message: String, hint: &str| {
        let diagnostic = Diagnostic::at(source, span.clone(), message);
        report.push(diagnostic.hint(hint));
        None
    };
    let (each, matrix) = (table.get("foreach"), table.get("matrix"));
    if let (Some(_), Some(matrix)) = (each, matrix) {
        let message = "a job has `foreach` or `matrix`, not both".to_owned();
        return refuse(
            &matrix.key,
            message,
            "put the list of `foreach` into `matrix`",
        );
    }
    if let (Some(field), Some(name)) = (each, table.text("foreach")) {
        if !params.contains_key(name) {
            let message = format!("there is no parameter `{name}`");
            let hint = format!("declare it, as in `params.{name} = {{ type = \"text\" }}`");
            return refuse(&field.value, message, &hint);
        }
        return Some(Some(FanOut::Each(Name::from(name))));
    }
    let (Some(field), Some(Value::Object(matrix))) = (matrix, table.free("matrix")) else {
        return Some(None);
    };
    let mut lists = BTreeMap::new();
    for (name, values) in matrix {
        let Some(param) = params.get(name.as_str()) else {
            let message = format!("`matrix` has `{name}`, and there is no such parameter");
            let hint = format!("declare it, as in `params.{name} = {{ type = \"text\" }}`");
            return refuse(&field.value, message, &hint);
        };
        let Some(values) = values.as_array().filter(|values| !values.is_empty()) else {
            let message = format!("`matrix.{name}` has to be a list with something in it");
            let hint = "write it like `matrix = { size = [80, 800] }`";
            return refuse(&field.value, message, hint);
        };
        if let Some(wrong) = values.iter().find(|value| !param.kind.fits(value)) {
            let kind = param.kind.as_str();
            let message =
                format!("`matrix.{name}` has {wrong}, and the parameter has to be {kind}");
            return refuse(&field.value, message, "change one of them");
        }
        lists.insert(Name::from(name.as_str()), values.clone());
    }
    let fan_out = FanOut::Matrix(lists);
    let count = fan_out.count(None);
    if count > SPREAD_BOUND {
        let message = format!("`matrix` has {count} combinations; it may have {SPREAD_BOUND}");
        return refuse(&field.value, message, "make it several jobs");
    }
    Some(Some(fan_out))
}

/// Looks at what a job says of others, once all are known.
pub(super) fn references(
    report: &mut Report,
    own: &str,
    draft: &Draft,
    jobs: &BTreeMap<&str, &JobSpec>,
) {
    let Some(spec) = &draft.spec else {
        return;
    };
    let source = draft.source;
    if let Some(field) = draft.table.get("when")
        && spec.after.is_empty()
    {
        let message =
            "`when` says what has to have become of the jobs in `after`, and there is none";
        report.push(
            Diagnostic::at(source, field.key.clone(), message)
                .hint("name them, as in `after = [\"fetch\"]`, or take `when` out"),
        );
    }
    for (name, (_, param)) in draft.table.named("params") {
        let (Some(field), Some(from)) = (param.get("from"), param.table("from")) else {
            continue;
        };
        let Some(job) = from.text("job") else {
            continue;
        };
        if !spec.after.iter().any(|before| **before == *job) {
            let message =
                format!("`{name}` comes from the result of `{job}`, which is not in `after`");
            report.push(
                Diagnostic::at(source, field.value.clone(), message)
                    .hint(format!("write `after = [\"{job}\"]`")),
            );
        }
    }
    if let (Some(field), None) = (
        draft.table.get("on_absent"),
        draft.table.get("expect_within"),
    ) {
        let message = "`on_absent` says nothing without `expect_within`";
        let hint = "say in what time a run has to succeed, as in `expect_within = \"26h\"`";
        report.push(Diagnostic::at(source, field.key.clone(), message).hint(hint));
    }
    for key in HOOKS {
        let (Some(field), Some(name)) = (draft.table.get(key), draft.table.text(key)) else {
            continue;
        };
        let Some(hook) = jobs.get(name) else {
            let known = jobs.keys().copied();
            let hint = match nearest(name, known) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!("define it with `[jobs.{name}]`"),
            };
            let message = format!("there is no job `{name}`");
            report.push(Diagnostic::at(source, field.value.clone(), message).hint(hint));
            continue;
        };
        if let Some((message, hint)) = unfit(own, name, hook) {
            report.push(Diagnostic::at(source, field.value.clone(), message).hint(hint));
        }
    }
}

/// Why a job cannot be run after another, and what to do.
fn unfit(own: &str, name: &str, hook: &JobSpec) -> Option<(String, String)> {
    if own == name {
        let message = format!("job `{name}` would be run after itself, for ever");
        return Some((
            message,
            "name another job; `retry` tries one again".to_owned(),
        ));
    }
    if let Some(before) = hook.after.first() {
        let message = format!("job `{name}` comes after `{before}`, and would be run without that");
        return Some((message, "name a job that comes after none".to_owned()));
    }
    let given = |param: &str| HOOK_ARGUMENTS.iter().find(|(name, _)| *name == param);
    for (param, spec) in &hook.params {
        let fan_out = hook.fan_out.as_ref();
        if fan_out.is_some_and(|fan_out| fan_out.gives(param)) {
            continue;
        }
        match given(param) {
            Some((_, kind)) if spec.kind.takes(*kind) => {}
            Some((_, kind)) => {
                let (is, kind) = (spec.kind.as_str(), kind.as_str());
                let message = format!(
                    "`{name}` is given its argument `{param}` as {kind}, and it has to be {is}"
                );
                return Some((
                    message,
                    format!("write `params.{param} = {{ type = \"{kind}\" }}`"),
                ));
            }
            None if spec.default.is_some() => {}
            None => {
                let message = format!(
                    "`{name}` needs the argument `{param}`, which is not given after a run"
                );
                let known = list(HOOK_ARGUMENTS.iter().map(|(name, _)| *name));
                return Some((
                    message,
                    format!("give it a default; what is given are {known}"),
                ));
            }
        }
    }
    None
}

/// The jobs that are run after the end of others.
pub(super) fn hooks(drafts: &[(String, Draft)]) -> BTreeSet<Name> {
    let named =
        |(_, draft): &(String, Draft)| HOOKS.map(|key| draft.table.text(key).map(Name::from));
    drafts.iter().flat_map(named).flatten().collect()
}

/// Reports each circle of jobs that are run after each other, once.
pub(super) fn circles(report: &mut Report, drafts: &[(String, Draft)]) {
    let next = |draft: &Draft| -> Vec<(String, Span)> {
        let named = HOOKS.into_iter();
        let named = named.filter_map(|key| {
            let span = draft.table.get(key)?.value.clone();
            Some((draft.table.text(key)?.to_owned(), span))
        });
        named.collect()
    };
    let drafts: BTreeMap<&str, &Draft> = drafts.iter().map(|(name, d)| (&**name, d)).collect();
    let mut done: BTreeSet<String> = BTreeSet::new();
    for start in drafts.keys() {
        let mut path: Vec<String> = vec![(*start).to_owned()];
        let mut open: Vec<Vec<(String, Span)>> =
            vec![drafts.get(start).map_or_else(Vec::new, |d| next(d))];
        while let (Some(last), Some(steps)) = (path.last().cloned(), open.last_mut()) {
            let Some((name, span)) = steps.pop().filter(|_| !done.contains(&last)) else {
                done.insert(last);
                path.pop();
                open.pop();
                continue;
            };
            if name == last || done.contains(&name) {
                continue;
            }
            if let Some(begin) = path.iter().position(|other| *other == name) {
                let source = drafts.get(&*last).map_or(0, |draft| draft.source);
                let circle = path[begin..].join(" -> ");
                let message =
                    format!("jobs are run after each other in a circle: {circle} -> {name}");
                report.push(
                    Diagnostic::at(source, span, message)
                        .hint("they could go on for ever; take one of these steps away"),
                );
            } else if let Some(draft) = drafts.get(&*name) {
                open.push(next(draft));
                path.push(name);
            }
        }
    }
}
