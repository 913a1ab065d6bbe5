//! `twolane list`: runs, newest first.

use clap::Args;
use jiff::Timestamp;

use super::Exit;
use super::ask::{Asked, json, meant, path};
use super::moments::{ago, now, took};
use super::out::{Out, complain};
use super::table::Table;
use crate::api::client::Client;
use crate::api::wire::{Jobs, Run, Runs};
use crate::logging::harmless;

/// Shown where nothing else is asked for: they fit on a screen.
const NEWEST: u64 = 20;

/// The most that is asked for at once.
const PAGE: u64 = 500;

const EXAMPLES: &str = "\
Examples:
  twolane list
  twolane list --state failed --state cancelled --job nightly
  twolane list --all --json | jq -r 'select(.run_seconds > 60) | .run'";

/// The command's arguments.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct List {
    /// Only runs in this state; can be repeated
    #[arg(long, value_name = "STATE", value_parser = [
        "scheduled", "blocked", "queued", "running", "stopping", "unresponsive",
        "succeeded", "failed", "cancelled", "skipped",
    ])]
    state: Vec<String>,
    /// Only those that never started, with the slots of schedules that were not run; as `--state skipped`
    #[arg(long)]
    skipped: bool,
    /// Only runs of this job
    #[arg(long, value_name = "JOB")]
    job: Option<String>,
    /// Only runs that are not over
    #[arg(long)]
    live: bool,
    /// All that the daemon still has, instead of the newest 20
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// The newest so many
    #[arg(long, value_name = "N", default_value_t = NEWEST)]
    limit: u64,
    /// Print one JSON object a run
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &List, client: &Client, out: &mut Out) -> Asked {
    let mut left = if args.all { u64::MAX } else { args.limit };
    let mut before = None;
    let mut runs = Vec::new();
    let mut exit = Exit::Success;
    let mut any = false;
    while left > 0 && !out.is_gone() && exit == Exit::Success {
        let skipped = args.skipped.then(|| "skipped".to_owned());
        let states: Vec<String> = args.state.iter().cloned().chain(skipped).collect();
        let states = (!states.is_empty()).then(|| states.join(","));
        let query = [
            ("state", states),
            ("job", args.job.clone()),
            ("live", args.live.then(|| "true".to_owned())),
            ("before", before.map(|before: u64| before.to_string())),
            ("limit", Some(left.min(PAGE).to_string())),
        ];
        let page: Runs = client.get(&path("/runs", &query))?;
        left = left.saturating_sub(page.runs.len() as u64);
        any |= !page.runs.is_empty();
        if args.json {
            for run in &page.runs {
                exit = json(out, run)?;
            }
        } else {
            runs.extend(page.runs);
        }
        // A page that does not lead on is the last, whatever it says.
        match page.before {
            Some(next) if before.is_none_or(|before| next < before) => before = Some(next),
            Some(_) | None => break,
        }
    }
    if !any
        && left > 0
        && let Some(job) = &args.job
    {
        exit = known(job, client)?;
    }
    if args.json || exit != Exit::Success {
        return Ok(exit);
    }
    if runs.is_empty() {
        return Ok(out.line(format_args!("no runs")));
    }
    Ok(table(&runs, now()).print(out))
}

/// A job of which there is nothing to list may be none at all, and never have been, which is told.
fn known(job: &str, client: &Client) -> Asked {
    let query = [
        ("job", Some(job.to_owned())),
        ("limit", Some("1".to_owned())),
    ];
    let runs: Runs = client.get(&path("/runs", &query))?;
    if !runs.runs.is_empty() {
        return Ok(Exit::Success);
    }
    let jobs: Jobs = client.get("/jobs")?;
    if jobs.jobs.iter().any(|known| known.job == job) {
        return Ok(Exit::Success);
    }
    complain(&format!(
        "there is no job `{0}`, and no run of a `{0}` on record\n{1}",
        harmless(job),
        meant(job, &jobs)
    ));
    Ok(Exit::NotFound)
}

pub(super) fn table(runs: &[Run], now: Timestamp) -> Table {
    let header = [
        "RUN", "STATE", "JOB", "LANE", "ACCEPTED", "WAIT", "RUN TIME", "WHAT",
    ];
    let mut table = Table::new(&header, &[0, 5, 6]);
    for run in runs {
        let result = run.result.as_ref().filter(|result| !result.is_null());
        let backfill = run.backfill.map(|id| format!("of backfill {id}"));
        let said = run
            .reason
            .clone()
            .or_else(|| result.map(ToString::to_string));
        let what: Vec<String> = backfill.into_iter().chain(said).collect();
        table.row([
            run.run.to_string(),
            run.state.clone(),
            run.job.clone(),
            run.lane.clone(),
            ago(&run.accepted, now),
            took(run.wait_seconds),
            took(run.run_seconds),
            what.join(": "),
        ]);
    }
    table
}
