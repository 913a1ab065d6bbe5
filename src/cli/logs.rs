//! `twolane logs`: what a run has said, or lines out of what many have.

use std::cell::RefCell;
use std::ops::ControlFlow;

use clap::Args;

use super::Exit;
use super::ask::{Asked, json, path};
use super::moments::{here, local};
use super::out::{Out, complain, tell};
use super::past::{From, Past, earlier, is_backwards, is_on_record, nothing_of, present};
use crate::api::client::{Client, ClientError};
use crate::api::past::{SearchQuery, newest_run, run_log, search};
use crate::api::wire::{Found, LogLine, Runs};
use crate::logging::{harmless, harmless_in_color};

const EXAMPLES: &str = "\
Examples:
  twolane logs 42
  twolane logs -f
  twolane logs 42 --raw > output
  twolane logs --job nightly --since 1d --level warn
  twolane logs --since 23:30 --until 23:45 --text 'connection refused'";

/// The command's arguments.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Logs {
    /// The run; without it and without anything to look for, the newest
    #[arg(value_name = "RUN")]
    run: Option<u64>,
    /// Go on until the run is over
    #[arg(short, long, conflicts_with_all = ["job", "since", "until", "level", "text", "state_dir"])]
    follow: bool,
    /// Look into the logs of this job's runs
    #[arg(long, value_name = "JOB")]
    job: Option<String>,
    /// Only what was said since then: `10m`, `23:30`, `2026-11-21`, or a moment such as 2026-11-21T23:30:00Z
    #[arg(long, value_name = "TIME", value_parser = earlier)]
    since: Option<String>,
    /// Only what was said until then
    #[arg(long, value_name = "TIME", value_parser = earlier)]
    until: Option<String>,
    /// Only lines of this level or a graver one. A line may name its own (`<3>`, `ERROR`, `level=warn`);
    /// else standard error is `warn` and all other output `info`
    #[arg(long, value_parser = ["debug", "info", "warn", "error"])]
    level: Option<String>,
    /// Only lines with this in them; capital letters are the same as small ones
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// The newest so many lines of those that are looked for, 1 to 10000
    #[arg(long, value_name = "N", default_value_t = 1000)]
    limit: usize,
    #[command(flatten)]
    from: From,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// Print what is kept of what it wrote as it wrote it, with escapes and colours: its output on standard output, its
    /// errors on standard error, and no progress. Of a line the first 16 KiB are kept, and bytes that are no UTF-8 are
    /// replaced; where lines are missing, standard error says so
    #[arg(long, conflicts_with_all = ["json", "job", "since", "until", "level", "text"])]
    raw: bool,
}

/// How lines are printed.
#[derive(Clone, Copy)]
enum Form {
    Words,
    Json,
    Raw,
}

impl Logs {
    const fn form(&self) -> Form {
        match (self.json, self.raw) {
            (true, _) => Form::Json,
            (false, true) => Form::Raw,
            (false, false) => Form::Words,
        }
    }

    /// Whether lines are looked for, in the logs of many runs or of one.
    const fn is_search(&self) -> bool {
        self.job.is_some()
            || self.since.is_some()
            || self.until.is_some()
            || self.level.is_some()
            || self.text.is_some()
    }
}

pub(super) fn run(args: &Logs, past: &Past<'_>, out: &mut Out) -> Asked {
    if args.is_search() {
        return look_for(args, past, out);
    }
    let newest = |client: &Client| -> Result<Option<u64>, ClientError> {
        let runs: Runs = client.get("/runs?limit=1")?;
        Ok(runs.runs.first().map(|run| run.run))
    };
    let run = match args.run {
        Some(run) => Some(run),
        None => past.ask(&args.from, newest, |reader, _| newest_run(reader))?,
    };
    let Some(run) = run else {
        complain("the daemon has no run yet, so none has said anything");
        return Ok(Exit::NotFound);
    };
    // Both sides print as they read; the one that is not asked prints nothing.
    let (shared, form) = (RefCell::new(out), args.form());
    past.ask(
        &args.from,
        |client| told(args, run, client, &mut shared.borrow_mut()),
        |reader, logs| {
            let lines = run_log(reader, logs, run, 0, usize::MAX)?;
            let mut exit = Exit::Success;
            for line in lines {
                exit = print(&line, form, &mut shared.borrow_mut()).unwrap_or(Exit::System);
            }
            Ok(exit)
        },
    )
}

/// Prints the log of a run as a daemon tells it.
fn told(args: &Logs, run: u64, client: &Client, out: &mut Out) -> Asked {
    let mut after = 0;
    loop {
        let query = [
            ("after", (after > 0).then(|| after.to_string())),
            ("follow", args.follow.then(|| "true".to_owned())),
        ];
        let (mut exit, mut wrong) = (Exit::Success, None);
        let before = after;
        client.lines(&path(&format!("/runs/{run}/log"), &query), |text| {
            match read(text).and_then(|line| Ok((line.number, print(&line, args.form(), out)?))) {
                Ok((number, printed)) => (after, exit) = (after.max(number), printed),
                Err(error) => wrong = Some(error),
            }
            if wrong.is_some() || exit != Exit::Success || out.is_gone() {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        if let Some(error) = wrong {
            return Err(error);
        }
        // Without following, an answer is a page: the last one is empty.
        if args.follow || after == before || exit != Exit::Success || out.is_gone() {
            return Ok(exit);
        }
    }
}

/// Prints the lines that fit.
fn look_for(args: &Logs, past: &Past<'_>, out: &mut Out) -> Asked {
    if is_backwards(args.since.as_ref(), args.until.as_ref()) {
        return Ok(Exit::Usage);
    }
    let query = SearchQuery {
        run: args.run,
        job: args.job.clone(),
        since: args.since.clone(),
        until: args.until.clone(),
        level: args.level.clone(),
        text: args.text.clone(),
        limit: Some(args.limit),
    };
    let pairs = [
        ("run", query.run.map(|run| run.to_string())),
        ("job", query.job.clone()),
        ("since", query.since.clone()),
        ("until", query.until.clone()),
        ("level", query.level.clone()),
        ("text", query.text.clone()),
        ("limit", Some(args.limit.to_string())),
    ];
    let found: Found = past.ask(
        &args.from,
        |client| client.get(&path("/logs", &pairs)),
        |reader, logs| search(reader, logs, &query, present()),
    )?;
    if let (true, Some(job)) = (found.lines.is_empty(), &args.job)
        && !is_on_record(job, &args.from, past)?
    {
        return Ok(nothing_of(job));
    }
    let zone = here();
    let mut exit = Exit::Success;
    for found in &found.lines {
        exit = if args.json {
            json(out, found)?
        } else {
            let (at, job) = (local(&found.line.at, &zone), harmless(&found.job));
            let level = harmless(&found.level);
            let text = words(&found.line, out.is_colored());
            out.line(format_args!("{at} {level:5} {} {job}: {text}", found.run))
        };
        if exit != Exit::Success || out.is_gone() {
            return Ok(exit);
        }
    }
    if found.more {
        let runs = found.runs;
        tell(&format!(
            "there is more than this, in {runs} logs: narrow it with --job, --since, --until or --text, \
             or raise --limit\n"
        ));
    }
    Ok(exit)
}

fn read(text: &str) -> Result<LogLine, ClientError> {
    serde_json::from_str(text)
        .map_err(|error| ClientError::Broken(format!("a line of the log makes no sense: {error}")))
}

fn print(line: &LogLine, form: Form, out: &mut Out) -> Asked {
    match (form, line.stream.as_str()) {
        (Form::Json, _) => json(out, line),
        (Form::Words, _) => {
            let words = words(line, out.is_colored());
            Ok(out.line(format_args!("{words}")))
        }
        (Form::Raw, "out") => Ok(out.line(format_args!("{}", line.text))),
        (Form::Raw, stream) => {
            match stream {
                "err" => tell(&format!("{}\n", line.text)),
                "dropped" => tell(&format!("[missing] {}\n", line.text)),
                _ => {}
            }
            Ok(Exit::Success)
        }
    }
}

/// What a line says, with its own colours where those are wanted.
fn words(line: &LogLine, in_color: bool) -> String {
    let said = if in_color {
        harmless_in_color(&line.text)
    } else {
        harmless(&line.text)
    };
    match (line.stream.as_str(), line.fraction) {
        ("progress", Some(fraction)) => format!("[{:3.0}%] {said}", fraction * 100.0),
        ("dropped", _) => format!("[missing] {said}"),
        (_, _) => said,
    }
}
