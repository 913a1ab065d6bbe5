//! `twolane list`: runs, newest first.

use clap::Args;

use super::Exit;
use super::out::Out;
use super::people::{ago, seconds, table};
use super::remote::{Remote, failed, print_json};
use crate::api::wire;

/// The command's arguments.
#[derive(Args, Debug)]
pub(super) struct List {
    /// Only runs in this state
    #[arg(long)]
    state: Option<String>,
    /// Only runs of this job
    #[arg(long)]
    job: Option<String>,
    /// Only runs that are not over
    #[arg(long)]
    live: bool,
    /// How many
    #[arg(long, short = 'n', default_value_t = 20)]
    limit: usize,
    /// Only runs with a lower number: the next page
    #[arg(long, value_name = "RUN")]
    before: Option<u64>,
    /// Print JSON, an object a line
    #[arg(long)]
    json: bool,
}

/// The most on one page of the API.
const PAGE: usize = 1000;

pub(super) fn run(args: &List, remote: &Remote, out: &mut Out) -> Exit {
    let mut runs = Vec::new();
    let mut before = args.before;
    while runs.len() < args.limit {
        let page = PAGE.min(args.limit - runs.len());
        let found: wire::Runs = match remote.client.get(&path(args, page, before)) {
            Ok(found) => found,
            Err(error) => return failed(&error),
        };
        runs.extend(found.runs);
        before = found.before;
        if before.is_none() {
            break;
        }
    }
    if args.json {
        let printed = runs.iter().map(|run| print_json(out, run));
        return printed
            .into_iter()
            .find(|exit| *exit != Exit::Success)
            .unwrap_or(Exit::Success);
    }
    if runs.is_empty() {
        return out.line(format_args!("no runs"));
    }
    let header = [
        "RUN",
        "JOB",
        "LANE",
        "STATE",
        "ACCEPTED",
        "WAIT",
        "RUN TIME",
        "TRY",
        "WHAT CAME OF IT",
    ];
    let rows = runs.iter().map(row).collect();
    out.line(format_args!("{}", table(&header, rows, &[0, 5, 6, 7])))
}

fn path(args: &List, limit: usize, before: Option<u64>) -> String {
    let mut path = format!("/runs?limit={limit}");
    if let Some(state) = &args.state {
        path.push_str(&format!("&state={}", encoded(state)));
    }
    if let Some(job) = &args.job {
        path.push_str(&format!("&job={}", encoded(job)));
    }
    if args.live {
        path.push_str("&live=true");
    }
    if let Some(before) = before {
        path.push_str(&format!("&before={before}"));
    }
    path
}

/// A text as part of a query.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

fn row(run: &wire::Run) -> Vec<String> {
    vec![
        run.run.to_string(),
        run.job.clone(),
        run.lane.clone(),
        run.state.clone(),
        ago(&run.accepted),
        seconds(run.wait_seconds),
        seconds(run.run_seconds),
        run.attempts.to_string(),
        what_came(run),
    ]
}

/// The reason or the result of a run, in a few words.
pub(super) fn what_came(run: &wire::Run) -> String {
    let text = match (&run.reason, &run.result) {
        (Some(reason), _) => reason.clone(),
        (None, Some(result)) if !result.is_null() => result.to_string(),
        (None, _) => return String::new(),
    };
    text.lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(80)
        .collect()
}
