//! `twolane timeline`: which attempt ran when, in which lane.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Exit;
use super::ask::{Asked, json, path};
use super::count::count;
use super::gantt;
use super::moments::here;
use super::out::{Out, complain};
use super::past::{From, Past, earlier, is_backwards, is_on_record, nothing_of, present};
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
    #[arg(long, value_name = "TIME", value_parser = earlier, default_value = "1h")]
    since: String,
    /// Up to then; up to now where nothing is said
    #[arg(long, value_name = "TIME", value_parser = earlier)]
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
    /// Write a picture into this file, `-` for standard output
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    from: From,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Timeline, past: &Past<'_>, out: &mut Out) -> Asked {
    if is_backwards(Some(&args.since), args.until.as_ref()) {
        return Ok(Exit::Usage);
    }
    let query = TimelineQuery {
        job: args.job.clone(),
        since: Some(args.since.clone()),
        until: args.until.clone(),
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
    if let Some(job) = args
        .job
        .as_ref()
        .filter(|_| told.bars.is_empty() && !args.json)
        && !is_on_record(job, &args.from, past)?
    {
        return Ok(nothing_of(job));
    }
    let chart = gantt::Chart::of(&told, args.fit, &here());
    if args.json {
        return json(out, &told);
    }
    if let Some(file) = &args.svg {
        return Ok(draw(&chart, told.bars.len(), file, out));
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

/// Writes the picture, and says so where it is not the answer itself.
fn draw(chart: &gantt::Chart, bars: usize, file: &Path, out: &mut Out) -> Exit {
    let svg = chart.svg();
    if file == Path::new("-") {
        return out.line(format_args!("{}", svg.trim_end()));
    }
    if let Err(error) = std::fs::write(file, svg) {
        complain(&format!("cannot write {}: {error}", file.display()));
        return Exit::System;
    }
    let file = file.display();
    out.line(format_args!("{} drawn into {file}", count(bars, "attempt")))
}
