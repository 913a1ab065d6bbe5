//! Job files as a whole: all of them read, each table made a job, everything looked up, every
//! mistake told.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::check::{self, Names};
use super::diagnostic::{Complaint, Diagnostic, Report, Source};
use super::flow;
use super::job::{Draft, Surroundings, draft};
use super::keys::JOB_FILE;
use super::machine::Machine;
use super::pipes;
use super::read::{Span, Table, read};
use super::settings::Settings;
use super::unfilled;
use super::zones::Zones;
use crate::engine::spec::{Definitions, ENDED_KEPT, JobSpec, Lane, LimitSpec, Name, PoolSpec};

/// The largest file that is read, in bytes: a hundred thousand jobs, and no disk image by mistake.
const LARGEST: u64 = 16 << 20;

/// What job files are read against.
#[derive(Clone, Copy, Debug)]
pub struct JobContext<'a> {
    /// Settings that become part of the definitions.
    pub settings: &'a Settings,
    /// The names that `call` may use, each with its lane.
    pub handlers: &'a BTreeMap<String, Lane>,
    /// How many threads the cpu lane has.
    pub cpu_workers: u32,
    /// The machine that they are for, where it is to be told what jobs name and it does not have.
    pub machine: Option<&'a Machine>,
}

/// Job files that are valid.
#[derive(Clone, Debug, PartialEq)]
pub struct Jobs {
    /// What they define.
    pub definitions: Definitions,
    /// The jobs in the order of the files, and within each as they stand there.
    pub order: Vec<Name>,
    /// The jobs that others read from, or that are run after the end of others: by themselves they run only
    /// when they are named.
    pub by_others: BTreeSet<Name>,
}

/// Reads job files from disk. Without any there are no jobs, which is valid.
#[must_use]
pub fn load_jobs(files: &[PathBuf], context: &JobContext<'_>) -> (Option<Jobs>, Report) {
    let mut report = Report::default();
    let texts: Vec<Option<Source>> = files
        .iter()
        .map(|path| from_disk(&mut report, path))
        .collect();
    let complete = texts.iter().all(Option::is_some);
    read_all(
        report,
        texts.into_iter().flatten().collect(),
        complete,
        context,
    )
}

/// Reads job files that are in memory.
#[must_use]
pub fn read_jobs(sources: Vec<Source>, context: &JobContext<'_>) -> (Option<Jobs>, Report) {
    read_all(Report::default(), sources, true, context)
}

/// The text of a file; `None`, reported, if it cannot be had.
pub(super) fn from_disk(report: &mut Report, path: &Path) -> Option<Source> {
    match text_of(path) {
        Ok(text) => Some(Source {
            path: path.to_owned(),
            text,
        }),
        Err(complaint) => {
            report.push(complaint.about(path.display().to_string()));
            None
        }
    }
}

fn text_of(path: &Path) -> Result<String, Complaint> {
    let unable = |error: std::io::Error| {
        let complaint = Complaint::new(format!("cannot read this file: {error}"));
        if error.kind() != std::io::ErrorKind::PermissionDenied {
            return complaint;
        }
        complaint.hint(
            "whom the daemon runs as has to be able to read it, as with `chmod go+r`, or `chgrp` and `chmod g+r`",
        )
    };
    // A pipe would have us wait for its writer, for ever if there is none.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .map_err(unable)?;
    let metadata = file.metadata().map_err(unable)?;
    if metadata.is_dir() {
        return Err(Complaint::new("this is a directory, not a file")
            .hint("name the files in it, as in `jobs.d/*.toml`"));
    }
    if !metadata.is_file() {
        return Err(
            Complaint::new("this is a pipe or a device, not a regular file")
                .hint("save what it says in a file"),
        );
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(unable)?;
    if bytes.len() as u64 > LARGEST {
        let message = format!("this file is larger than {} MiB", LARGEST >> 20);
        return Err(Complaint::new(message).hint("split it into several files"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            + 1;
        let message = format!("this file is not UTF-8 text, from line {line} on (byte {at})");
        Complaint::new(message).hint("save it as UTF-8")
    })
}

/// A file is like this where a shell or an editor has begun to write it anew, or was cut short.
fn nothing_in(path: &Path) -> Diagnostic {
    Complaint::new("this file is empty, so it defines nothing")
        .hint("where that is meant, a comment in it says so")
        .about(path.display().to_string())
        .warning()
}

/// All that the files define, as far as it is good.
struct Found {
    /// Also those whose name was taken: what they refer to is looked up all the same.
    jobs: (Names, Vec<(String, Draft)>),
    pools: (Names, BTreeMap<Name, PoolSpec>),
    limits: (Names, BTreeMap<Name, LimitSpec>),
    resources: (Names, BTreeMap<Name, u32>),
}

fn read_all(
    mut report: Report,
    sources: Vec<Source>,
    complete: bool,
    context: &JobContext<'_>,
) -> (Option<Jobs>, Report) {
    let mut found = Found {
        jobs: (Names::of("job"), Vec::new()),
        pools: (Names::of("pool"), BTreeMap::new()),
        limits: (Names::of("limit"), BTreeMap::new()),
        resources: (Names::of("resource"), BTreeMap::new()),
    };
    let mut complete = complete;
    let zones = Zones::default();
    for source in sources {
        if source.text.is_empty() {
            report.push(nothing_in(&source.path));
        }
        let directory = directory_of(&source.path);
        let index = report.add_source(source);
        match read(&mut report, index, JOB_FILE) {
            Some(table) => {
                let surroundings = Surroundings {
                    handlers: context.handlers,
                    directory: &directory,
                    zones: &zones,
                };
                take(
                    &mut report,
                    &mut found,
                    index,
                    &table,
                    &surroundings,
                    context,
                );
            }
            None => complete = false,
        }
    }
    // A name may be defined in what could not be read, so nothing is said of those.
    if complete {
        let (jobs, drafts) = &mut found.jobs;
        for (name, draft) in drafts {
            let known = check::Known {
                jobs,
                pools: &found.pools,
                limits: &found.limits,
                resources: &found.resources,
                cpu_workers: context.cpu_workers,
            };
            check::references(&mut report, name, draft, &known);
        }
    }
    if complete {
        flow_references(&mut report, &found.jobs.1);
    }
    check::circles(&mut report, &found.jobs.1);
    flow::circles(&mut report, &found.jobs.1);
    let mut by_others = pipes::feeding(&found.jobs.1);
    by_others.extend(flow::hooks(&found.jobs.1));
    unfilled::look(&mut report, &found.jobs.1);
    if let Some(machine) = context.machine {
        machine.look(&mut report, &found.jobs.1);
    }
    if complete {
        pipes::connect(&mut report, &mut found.jobs.1);
    }
    report.sort();
    let jobs = (report.errors() == 0).then(|| finish(found, by_others, context));
    (jobs, report)
}

/// Looks at what jobs say of others' results and ends.
fn flow_references(report: &mut Report, drafts: &[(String, Draft)]) {
    let specs = drafts.iter();
    let specs = specs.filter_map(|(name, draft)| Some((&**name, draft.spec.as_ref()?)));
    let specs: BTreeMap<&str, &JobSpec> = specs.collect();
    for (name, draft) in drafts {
        flow::references(report, name, draft, &specs);
    }
}

/// Takes in what one file defines.
fn take(
    report: &mut Report,
    found: &mut Found,
    source: usize,
    table: &Table,
    surroundings: &Surroundings<'_>,
    context: &JobContext<'_>,
) {
    for (name, (span, table)) in table.named("jobs") {
        found.jobs.0.add(report, source, name, span);
        let draft = draft(report, source, (name, span), table, surroundings);
        found.jobs.1.push((name.clone(), draft));
    }
    for (name, (span, table)) in table.named("pools") {
        found.pools.0.add(report, source, name, span);
        if let Some(pool) = check::pool(report, source, (name, span), table) {
            let size = match pool.lane {
                Lane::Io => context.settings.lanes.io.concurrency,
                Lane::Cpu => context.cpu_workers,
            };
            let place = table.get("size").map_or(span, |field| &field.value);
            check::oversized(report, (source, place), name, pool, size);
            found.pools.1.insert(Name::from(name.as_str()), pool);
        }
    }
    for (name, (span, table)) in table.named("limits") {
        found.limits.0.add(report, source, name, span);
        if let Some(limit) = check::limit(report, source, (name, span), table) {
            found.limits.1.insert(Name::from(name.as_str()), limit);
        }
    }
    for total in table.amounts("resources") {
        found
            .resources
            .0
            .add(report, source, &total.name, &total.at);
        let name = Name::from(total.name);
        found
            .resources
            .1
            .extend(total.number.map(|number| (name, number)));
    }
}

fn finish(found: Found, by_others: BTreeSet<Name>, context: &JobContext<'_>) -> Jobs {
    let settings = context.settings;
    let mut drafts: Vec<Draft> = found.jobs.1.into_iter().map(|(_, draft)| draft).collect();
    drafts.sort_by_key(|draft| (draft.source, draft.name.start));
    let specs: Vec<JobSpec> = drafts.into_iter().filter_map(|draft| draft.spec).collect();
    let order: Vec<Name> = specs.iter().map(|spec| Name::clone(&spec.name)).collect();
    let jobs = specs
        .into_iter()
        .map(|spec| (Name::clone(&spec.name), Arc::new(spec)));
    Jobs {
        definitions: Definitions {
            jobs: jobs.collect(),
            pools: found.pools.1,
            limits: found.limits.1,
            resources: found.resources.1,
            io_concurrency: settings.lanes.io.concurrency,
            cpu_workers: context.cpu_workers,
            aging: settings.queue.aging,
            max_runs: settings.queue.max_runs,
            ended_kept: ENDED_KEPT,
        },
        order,
        by_others,
    }
}

/// The directory of a file, absolute as far as that can be told.
fn directory_of(path: &Path) -> PathBuf {
    let directory = path.parent().unwrap_or(Path::new(""));
    let here = if directory.as_os_str().is_empty() {
        Path::new(".")
    } else {
        directory
    };
    std::path::absolute(here).unwrap_or_else(|_| here.to_owned())
}

/// Where the key at the end of a path stands.
pub(super) fn places(table: &Table, path: &[&str]) -> Option<Span> {
    let (last, front) = path.split_last()?;
    let table = front
        .iter()
        .try_fold(table, |table, key| table.table(key))?;
    table.get(last).map(|field| field.key.clone())
}
