//! What a job says of the way of its runs: how often they are tried.

use super::diagnostic::{Diagnostic, Report};
use super::keys::FAILURES;
use super::names::nearest;
use super::read::{Table, list};
use crate::engine::retry::{BASE, Backoff, MAX, RetrySpec};
use crate::engine::spec::Name;

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
