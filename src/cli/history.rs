//! `twolane history`: how the newest runs of each job went.

use clap::Args;
use jiff::Timestamp;

use super::Exit;
use super::ask::{Asked, json, path};
use super::moments::{ago, now, took};
use super::out::Out;
use super::past::{From, Past, earlier, nothing_of};
use super::table::Table;
use crate::api::past::{HistoryQuery, history};
use crate::api::wire::{History as Told, JobHistory, Spread};
use crate::logging::harmless;

const EXAMPLES: &str = "\
Examples:
  twolane history
  twolane history nightly
  twolane history --since 7d --json | jq -r '.jobs[] | select(.success_rate < 0.9) | .job'";

/// The command's arguments.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct History {
    /// Only this job, with its last runs; without it, a line for each
    #[arg(value_name = "JOB")]
    job: Option<String>,
    /// Look at the newest so many runs of the job, 1 to 10000; of all jobs together it is never more than
    /// 10000
    #[arg(long, value_name = "N", default_value_t = 1000)]
    last: usize,
    /// Only runs accepted since then: `7d`, `23:30`, or a moment such as 2026-11-21T23:30:00Z
    #[arg(long, value_name = "TIME", value_parser = earlier)]
    since: Option<String>,
    #[command(flatten)]
    from: From,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &History, past: &Past<'_>, out: &mut Out) -> Asked {
    let since = args.since.clone();
    let query = HistoryQuery {
        job: args.job.clone(),
        last: Some(args.last),
        since: since.clone(),
    };
    let pairs = [
        ("job", args.job.clone()),
        ("last", Some(args.last.to_string())),
        ("since", since),
    ];
    let told: Told = past.ask(
        &args.from,
        |client| client.get(&path("/history", &pairs)),
        |reader, _| history(reader, &query),
    )?;
    if args.json {
        return json(out, &told);
    }
    match (&args.job, told.jobs.first()) {
        (Some(job), None) => Ok(nothing_of(job)),
        (Some(_), Some(job)) => Ok(one(job, now(), out)),
        (None, None) => Ok(out.line(format_args!("no runs"))),
        (None, Some(_)) => Ok(all(&told, now(), out)),
    }
}

/// A line for each job.
fn all(told: &Told, now: Timestamp, out: &mut Out) -> Exit {
    let header = [
        "JOB", "RUNS", "SUCCESS", "FAILED", "P50", "P95", "MAX", "WAIT P95", "LAST", "STATE",
    ];
    let mut table = Table::new(&header, &[1, 2, 3, 4, 5, 6, 7]);
    for job in &told.jobs {
        let (p50, p95, max) = words(job.run_seconds);
        let (_, wait, _) = words(job.wait_seconds);
        let last = job.last.first();
        let more = if job.more { "+" } else { "" };
        table.row([
            job.job.clone(),
            format!("{}{more}", job.looked_at),
            percent(job.success_rate),
            job.states.get("failed").unwrap_or(&0).to_string(),
            p50,
            p95,
            max,
            wait,
            last.map(|run| ago(&run.accepted, now)).unwrap_or_default(),
            last.map(|run| run.state.clone()).unwrap_or_default(),
        ]);
    }
    let exit = table.print(out);
    if told.more {
        return out.line(format_args!(
            "and more jobs: `twolane history JOB` tells of one"
        ));
    }
    exit
}

/// Everything about one job.
fn one(job: &JobHistory, now: Timestamp, out: &mut Out) -> Exit {
    let since = job.since.as_ref().map(|since| ago(since, now));
    let of = if job.more { "the newest " } else { "" };
    let (name, runs) = (harmless(&job.job), job.looked_at);
    out.line(format_args!(
        "{name}: {of}{runs} runs, the oldest accepted {}",
        since.unwrap_or_default()
    ));
    let counts = |counts: &std::collections::BTreeMap<String, u64>| {
        let words = counts
            .iter()
            .map(|(word, count)| format!("{count} {}", harmless(word)));
        words.collect::<Vec<_>>().join(", ")
    };
    let spread = |spread| {
        let (p50, p95, max) = words(spread);
        if p50.is_empty() {
            return String::new();
        }
        format!("p50 {p50}, p95 {p95}, max {max}")
    };
    let further = job.further_attempts;
    let fields = [
        ("success", percent(job.success_rate)),
        ("states", counts(&job.states)),
        ("failures", counts(&job.failures)),
        (
            "retried",
            match further {
                0 => String::new(),
                further => format!("{further} further attempts"),
            },
        ),
        ("ran", spread(job.run_seconds)),
        ("waited", spread(job.wait_seconds)),
    ];
    for (field, value) in fields {
        if !value.is_empty() {
            out.line(format_args!("  {field:9} {value}"));
        }
    }
    out.line(format_args!("last runs:"));
    super::list::table(&job.last, now).print(out)
}

fn words(spread: Option<Spread>) -> (String, String, String) {
    let of = |value: fn(Spread) -> f64| took(spread.map(value));
    (of(|it| it.p50), of(|it| it.p95), of(|it| it.max))
}

/// A rate as people read it; what is not all is never shown as all.
fn percent(rate: Option<f64>) -> String {
    match rate {
        None => String::new(),
        Some(1.0) => "100%".to_owned(),
        Some(rate) => format!("{:.1}%", (rate * 1000.0).floor() / 10.0),
    }
}
