//! Commands that read from other jobs' commands: found by name, and put into the jobs that read.

use std::collections::{BTreeMap, BTreeSet};

use super::diagnostic::{Diagnostic, Report};
use super::job::Draft;
use super::names::nearest;
use super::read::{Span, list};
use crate::engine::command::{CommandSpec, Stage, Stdin};
use crate::engine::spec::{JobSpec, Lane, Name, ParamSpec, TaskSpec};

/// Gives each job that reads from another one what it reads from. Reports those that cannot.
pub(super) fn connect(report: &mut Report, drafts: &mut [(String, Draft)]) {
    let specs: BTreeMap<String, (JobSpec, Option<(String, Span)>)> = drafts
        .iter()
        .filter_map(|(name, draft)| Some((name.clone(), (draft.spec.clone()?, reads_from(draft)))))
        .collect();
    for (name, draft) in drafts {
        let Some((from, span)) = reads_from(draft) else {
            continue;
        };
        match chain(&specs, name, &from) {
            Ok(chain) => {
                if let Some(spec) = &mut draft.spec {
                    put(spec, chain);
                }
            }
            Err((message, hint)) => {
                report.push(Diagnostic::at(draft.source, span, message).hint(hint));
                draft.spec = None;
            }
        }
    }
}

/// The jobs that others read from.
pub(super) fn feeding(drafts: &[(String, Draft)]) -> BTreeSet<Name> {
    let from = drafts.iter().filter_map(|(_, draft)| reads_from(draft));
    from.map(|(name, _)| Name::from(name)).collect()
}

fn reads_from(draft: &Draft) -> Option<(String, Span)> {
    let name = draft.table.text("stdin_from")?.to_owned();
    Some((name, draft.table.get("stdin_from")?.value.clone()))
}

type Specs = BTreeMap<String, (JobSpec, Option<(String, Span)>)>;

/// The jobs that `name` reads from, the first one first; or what is wrong, and what to do.
fn chain<'a>(
    specs: &'a Specs,
    name: &str,
    from: &str,
) -> Result<Vec<&'a JobSpec>, (String, String)> {
    let mut chain = Vec::new();
    let mut seen = vec![name.to_owned()];
    let mut next = Some(from.to_owned());
    while let Some(from) = next {
        if seen.contains(&from) {
            let path = list(seen.iter().map(String::as_str).chain([&*from]));
            let hint = "take `stdin_from` out of one of them".to_owned();
            return Err((
                format!("commands read from each other in a circle: {path}"),
                hint,
            ));
        }
        let Some((spec, before)) = specs.get(&from) else {
            let known = specs.keys().map(String::as_str);
            let hint = nearest(&from, known).map_or_else(
                || "name a job whose task is `exec` or `shell`".to_owned(),
                |nearest| format!("did you mean `{nearest}`?"),
            );
            return Err((format!("there is no job `{from}` to read from"), hint));
        };
        let TaskSpec::Command(command) = &spec.task else {
            let kind = spec.task.kind();
            let message = format!("`{from}` cannot be read from: its task is `{kind}`");
            return Err((
                message,
                "name a job whose task is `exec` or `shell`".to_owned(),
            ));
        };
        if command.pty || spec.setup.is_some() || spec.teardown.is_some() {
            let message =
                format!("`{from}` cannot be read from: it has `pty`, `setup` or `teardown`");
            return Err((message, "give those to the job that reads".to_owned()));
        }
        chain.push(spec);
        seen.push(from);
        next = before.as_ref().map(|(name, _)| name.clone());
    }
    chain.reverse();
    Ok(chain)
}

/// Puts the commands into the job that reads from them, with their parameters. Where one of them computes,
/// the run takes a place of the cpu lane.
fn put(job: &mut JobSpec, chain: Vec<&JobSpec>) {
    let TaskSpec::Command(own) = &mut job.task else {
        return;
    };
    let mut params: BTreeMap<Name, ParamSpec> = BTreeMap::new();
    let mut computes = false;
    for spec in chain {
        let TaskSpec::Command(command) = &spec.task else {
            continue;
        };
        let CommandSpec {
            step,
            stdin,
            success_exit,
            ..
        } = &**command;
        if own.from.is_empty() {
            own.stdin = Stdin::clone(stdin);
        }
        params.extend(spec.params.clone());
        computes |= spec.lane == Lane::Cpu;
        own.from.push(Stage {
            job: Name::clone(&spec.name),
            lane: spec.lane,
            step: step.clone(),
            success_exit: success_exit.clone(),
        });
    }
    params.extend(std::mem::take(&mut job.params));
    job.params = params;
    if computes && job.pool.is_none() && job.lane == Lane::Io && !job.auto {
        own.lane = Some(Lane::Io);
        job.lane = Lane::Cpu;
    }
}
