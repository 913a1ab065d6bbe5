//! `twolane status`: the daemon as a whole, in numbers.

use clap::Args;

use super::Exit;
use super::ask::{Asked, json};
use super::moments::{ago, now};
use super::out::Out;
use super::table::Table;
use crate::api::client::Client;
use crate::api::wire;
use crate::logging::harmless;

/// The command's arguments.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  twolane status\n  twolane status --json | jq .unfinished")]
pub(super) struct Status {
    /// Print the API's JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Status, client: &Client, out: &mut Out) -> Asked {
    let status: wire::Status = client.get("/status")?;
    if args.json {
        return json(out, &status);
    }
    Ok(tell(&status, out))
}

fn tell(status: &wire::Status, out: &mut Out) -> Exit {
    out.line(format_args!(
        "twolane {}, process {}, started {}{}",
        harmless(&status.version),
        status.pid,
        ago(&status.started, now()),
        if status.draining {
            ", draining: nothing starts any more"
        } else {
            ""
        }
    ));
    if let Some(trouble) = &status.trouble {
        out.line(format_args!("trouble: {}", harmless(trouble)));
    }
    let runs: Vec<String> = status
        .runs
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(state, count)| format!("{count} {}", harmless(state)))
        .collect();
    let runs = if runs.is_empty() {
        "none".to_owned()
    } else {
        runs.join(", ")
    };
    out.line(format_args!(
        "runs: {runs} ({} of {} unfinished)",
        status.unfinished, status.max_runs
    ));
    out.line(format_args!(
        "jobs: {} defined; facts: {}, {} of {} batches uncommitted",
        status.jobs, status.records, status.uncommitted, status.max_uncommitted
    ));
    tell_beside(status, out);
    let mut table = Table::new(&["KIND", "NAME", "USED", "SIZE", "RATE", "PAUSED"], &[2, 3]);
    for capacity in &status.capacities {
        table.row([
            capacity.kind.clone(),
            capacity.name.clone(),
            capacity.used.to_string(),
            match (&capacity.rate, capacity.size) {
                (Some(_), u32::MAX) => "-".to_owned(),
                (_, size) => size.to_string(),
            },
            capacity.rate.as_ref().map_or_else(String::new, |rate| {
                format!(
                    "{}, {} of {} left",
                    harmless(&rate.rate),
                    rate.left,
                    rate.burst
                )
            }),
            if capacity.paused { "paused" } else { "" }.to_owned(),
        ]);
    }
    let printed = table.print(out);
    for lane in status
        .capacities
        .iter()
        .filter(|lane| lane.unresponsive > 0)
    {
        out.line(format_args!(
            "lane {}: {} unresponsive, {} of them replaced: they were asked to stop and do not leave it",
            harmless(&lane.name),
            lane.unresponsive,
            lane.replaced
        ));
    }
    printed
}

fn tell_beside(status: &wire::Status, out: &mut Out) {
    if status.absent > 0 {
        out.line(format_args!(
            "absent: {} of which no success came in time (`twolane jobs`)",
            status.absent
        ));
    }
    if status.backfills > 0 {
        out.line(format_args!(
            "backfills: {} go on (`twolane backfill --list`)",
            status.backfills
        ));
    }
}
