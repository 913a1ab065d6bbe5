//! `twolane jobs`: the jobs that are defined.

use clap::Args;
use jiff::Timestamp;

use super::Exit;
use super::ask::{Asked, json};
use super::moments::{ago, now, took};
use super::out::Out;
use super::show::lane;
use super::table::Table;
use crate::api::client::Client;
use crate::api::wire;
use crate::logging::harmless;

/// The command's arguments.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  twolane jobs\n  twolane jobs --json | jq -r .job")]
pub(super) struct Jobs {
    /// Print one JSON object a job
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Jobs, client: &Client, out: &mut Out) -> Asked {
    let jobs: wire::Jobs = client.get("/jobs")?;
    if args.json {
        for job in &jobs.jobs {
            let exit = json(out, job)?;
            if exit != Exit::Success || out.is_gone() {
                return Ok(exit);
            }
        }
        return Ok(Exit::Success);
    }
    if jobs.jobs.is_empty() {
        return Ok(out.line(format_args!("no jobs")));
    }
    let header = [
        "JOB", "LANE", "TASK", "RUNNING", "QUEUED", "TIMEOUT", "POOL", "DETAILS",
    ];
    let mut table = Table::new(&header, &[3, 4, 5]);
    for job in &jobs.jobs {
        table.row([
            job.job.clone(),
            lane(&job.lane, job.auto),
            job.task.clone(),
            job.running.to_string(),
            job.queued.to_string(),
            took(job.timeout_seconds),
            job.pool.clone().unwrap_or_default(),
            details(job, now()),
        ]);
    }
    Ok(table.print(out))
}

/// What only some jobs have.
fn details(job: &wire::Job, now: Timestamp) -> String {
    let mut details = Vec::new();
    if job.paused {
        details.push("paused".to_owned());
    }
    if let Some(finding) = &job.finding {
        details.push(harmless(finding));
    }
    if !job.params.is_empty() {
        let params = job
            .params
            .iter()
            .map(|(name, kind)| format!("{name}: {kind}"));
        details.push(format!("takes {}", params.collect::<Vec<_>>().join(", ")));
    }
    if !job.after.is_empty() {
        details.push(format!("after {}", job.after.join(", ")));
    }
    if !job.limits.is_empty() {
        let places = |name: &String| match job.places.get(name) {
            Some(places) if *places > 1 => format!("{name} ({places})"),
            _ => name.clone(),
        };
        let limits: Vec<String> = job.limits.iter().map(places).collect();
        details.push(format!("limits {}", limits.join(", ")));
    }
    if !job.resources.is_empty() {
        let parts = job
            .resources
            .iter()
            .map(|(name, n)| format!("{name} ({n})"));
        let parts: Vec<String> = parts.collect();
        details.push(format!("resources {}", parts.join(", ")));
    }
    if job.cpus > 1 {
        details.push(format!("cpus {}", job.cpus));
    }
    if let Some(within) = job.expect_within_seconds {
        let since = job.heard.as_ref().map(|heard| ago(heard, now));
        let since = since.unwrap_or_default();
        let within = took(Some(within));
        details.push(match job.absent {
            true => format!("ABSENT: no success since {since}, expected within {within}"),
            false => format!("expected within {within}, counted from {since}"),
        });
    }
    for (id, begun, slots) in &job.backfills {
        details.push(format!("backfill {id}: {begun} of {slots} slots run"));
    }
    for schedule in &job.schedules {
        let next = match (&schedule.next, schedule.paused) {
            (_, true) => "paused".to_owned(),
            (Some(next), false) => format!("next {}", ago(next, now)),
            (None, false) => "never".to_owned(),
        };
        let waiting = match schedule.waiting {
            0 => String::new(),
            slots => format!(", {slots} waiting"),
        };
        details.push(format!("{} ({next}{waiting})", schedule.schedule));
    }
    details.join("; ")
}
