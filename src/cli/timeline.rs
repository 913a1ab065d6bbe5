//! `twolane timeline`: which attempt ran when, in which lane.

use std::path::PathBuf;

use clap::Args;
use jiff::tz::TimeZone;

use super::Exit;
use super::ask::{Asked, json, path};
use super::gantt;
use super::out::{Out, complain};
use super::past::{From, Past, moment, present};
use crate::api::past::{TimelineQuery, timeline};
use crate::api::wire::Timeline as Told;

const EXAMPLES: &str = "\
Examples:
  twolane timeline --since 10m
  twolane timeline --since 23:30 --until 23:45 --job nightly
  twolane timeline --since 1d --svg day.svg";

/// Columns where there is no terminal to ask.
const COLUMNS: usize = 100;

/// The command's arguments.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Timeline {
    /// From then on: `10m`, `23:30`, or a moment such as 2026-11-21T23:30:00Z
    #[arg(long, value_name = "TIME", default_value = "1h")]
    since: String,
    /// Up to then; up to now where nothing is said
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only this job
    #[arg(long, value_name = "JOB")]
    job: Option<String>,
    /// Look at the last so many runs, 1 to 5000
    #[arg(long, value_name = "N", default_value_t = 500)]
    limit: usize,
    /// From the first begin to the last end, instead of the whole time
    #[arg(long)]
    fit: bool,
    /// Write a picture into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    from: From,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Timeline, past: &Past<'_>, out: &mut Out) -> Asked {
    let query = TimelineQuery {
        job: args.job.clone(),
        since: moment(Some(&args.since))?,
        until: moment(args.until.as_ref())?,
        limit: Some(args.limit),
    };
    let pairs = [
        ("job", query.job.clone()),
        ("since", query.since.clone()),
        ("until", query.until.clone()),
        ("limit", Some(args.limit.to_string())),
    ];
    let told: Told = past.ask(
        &args.from,
        |client| client.get(&path("/timeline", &pairs)),
        |reader, _| timeline(reader, &query, present()),
    )?;
    let chart = gantt::Chart::of(&told, args.fit, &TimeZone::system());
    if let Some(file) = &args.svg
        && let Err(error) = std::fs::write(file, chart.svg())
    {
        complain(&format!("cannot write {}: {error}", file.display()));
        return Ok(Exit::System);
    }
    if args.json {
        return json(out, &told);
    }
    if let Some(file) = &args.svg {
        return Ok(out.line(format_args!(
            "{} attempts drawn into {}",
            told.bars.len(),
            file.display()
        )));
    }
    let width = out.width().unwrap_or(COLUMNS);
    let mut exit = Exit::Success;
    for line in chart.lines(width) {
        exit = out.line(format_args!("{line}"));
    }
    if told.more {
        exit = out.line(format_args!(
            "and more: narrow it with --since, --until or --job, or raise --limit"
        ));
    }
    Ok(exit)
}
