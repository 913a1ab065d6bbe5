//! `twolane jobs`: the jobs that are defined, and what there is of each.

use clap::Args;

use super::Exit;
use super::out::Out;
use super::people::{seconds, table};
use super::remote::{Remote, failed, print_json};
use crate::api::wire;

/// The command's arguments.
#[derive(Args, Debug)]
pub(super) struct JobsArgs {
    /// Print JSON, an object a line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &JobsArgs, remote: &Remote, out: &mut Out) -> Exit {
    let jobs: wire::Jobs = match remote.client.get("/jobs") {
        Ok(jobs) => jobs,
        Err(error) => return failed(&error),
    };
    if args.json {
        let printed = jobs.jobs.iter().map(|job| print_json(out, job));
        return printed
            .into_iter()
            .find(|exit| *exit != Exit::Success)
            .unwrap_or(Exit::Success);
    }
    if jobs.jobs.is_empty() {
        return out.line(format_args!("no jobs"));
    }
    let rows = jobs.jobs.iter().map(|job| {
        let params: Vec<String> = job
            .params
            .iter()
            .map(|(name, kind)| format!("{name}: {kind}"))
            .collect();
        vec![
            job.job.clone(),
            job.lane.clone(),
            job.task.clone(),
            job.pool.clone().unwrap_or_default(),
            job.limits.join(", "),
            seconds(job.timeout_seconds),
            job.running.to_string(),
            job.queued.to_string(),
            if job.paused {
                "paused".to_owned()
            } else {
                String::new()
            },
            job.after.join(", "),
            params.join(", "),
        ]
    });
    let header = [
        "JOB",
        "LANE",
        "TASK",
        "POOL",
        "LIMITS",
        "TIMEOUT",
        "RUNNING",
        "QUEUED",
        "",
        "AFTER",
        "ARGUMENTS",
    ];
    out.line(format_args!(
        "{}",
        table(&header, rows.collect(), &[5, 6, 7])
    ))
}
