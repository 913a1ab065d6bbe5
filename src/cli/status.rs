//! `twolane status`: the daemon as a whole.

use clap::Args;

use super::Exit;
use super::out::Out;
use super::people::{ago, table};
use super::remote::{Remote, failed, print_json};
use crate::api::wire;

/// The command's arguments.
#[derive(Args, Debug)]
pub(super) struct Status {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Status, remote: &Remote, out: &mut Out) -> Exit {
    let status: wire::Status = match remote.client.get("/status") {
        Ok(status) => status,
        Err(error) => return failed(&error),
    };
    if args.json {
        return print_json(out, &status);
    }
    let draining = if status.draining {
        ", draining: nothing starts"
    } else {
        ""
    };
    out.line(format_args!(
        "twolane {}, process {}, started {}{draining}",
        status.version,
        status.pid,
        ago(&status.started)
    ));
    if let Some(trouble) = &status.trouble {
        out.line(format_args!("the store is in trouble: {trouble}"));
    }
    let counts = status.runs.iter().filter(|(_, count)| **count > 0);
    let counts: Vec<String> = counts
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    let counts = if counts.is_empty() {
        "none".to_owned()
    } else {
        counts.join(", ")
    };
    out.line(format_args!(
        "runs: {counts}; {} of at most {} not over",
        status.unfinished, status.max_runs
    ));
    out.line(format_args!(
        "jobs: {}; facts: {}; waiting for the disk: {} of at most {} batches\n",
        status.jobs, status.records, status.uncommitted, status.max_uncommitted
    ));
    let rows = status.capacities.iter().map(|capacity| {
        let paused = if capacity.paused { "paused" } else { "" };
        vec![
            format!("{} {}", capacity.kind, capacity.name),
            capacity.used.to_string(),
            capacity.size.to_string(),
            paused.to_owned(),
        ]
    });
    out.line(format_args!(
        "{}",
        table(&["WHAT", "USED", "PLACES", ""], rows.collect(), &[1, 2])
    ))
}
