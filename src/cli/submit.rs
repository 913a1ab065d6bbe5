//! `twolane submit`: runs of defined jobs, of jobs that are brought along, or a batch of them.

mod sent;

use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::ask::{self, Asked, json_object, told};
use super::moments::{duration, here, moment, now, written};
use super::out::{Out, complain, tell};
use super::{Exit, wait};
use crate::api::client::{Client, ClientError};
use crate::api::wire;
use crate::engine::fill::escape;
use crate::logging::harmless;
use sent::Counted;

const EXAMPLES: &str = "\
Examples:
  twolane submit nightly
  twolane submit resize --arg file=a.png --arg width=300 --wait
  twolane submit --lane cpu --name thumbs --timeout 5m -- convert a.png b.png
  twolane submit report --at 23:30 --priority 5 --key report-2026-11-21
  run=$(twolane submit nightly) && twolane logs -f $run
  jq -c '{job: \"resize\", args: {file: .}}' files.json | twolane submit --batch -";

/// The command's arguments.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Submit {
    /// The job
    #[arg(value_name = "JOB", conflicts_with_all = ["batch", "command"])]
    job: Option<String>,
    /// An argument: JSON where it is, else text; can be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = argument, conflicts_with = "batch")]
    arg: Vec<(String, String)>,
    /// All arguments, as a JSON object; --arg adds to them
    #[arg(long, value_name = "JSON", value_parser = json_object, conflicts_with = "batch")]
    args: Option<Value>,
    /// How urgent, -10 to 10, instead of the job's own
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        conflicts_with = "batch"
    )]
    priority: Option<i64>,
    /// When it may start: RFC 3339, +10m from now, or the next HH:MM[:SS], a day or a day and time of local time
    #[arg(long, value_name = "TIME", conflicts_with = "batch")]
    at: Option<String>,
    /// With the same key it is accepted only once, however often it is sent
    #[arg(long, value_name = "KEY", conflicts_with = "batch")]
    key: Option<String>,
    /// Wait until it is over; the exit code tells how it ended
    #[arg(long, conflicts_with = "batch")]
    wait: bool,
    /// Submit one JSON object a line of this file, `-` for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["task", "command"])]
    batch: Option<PathBuf>,
    /// A job of its own: what would stand in a job file, as a JSON object
    #[arg(long, value_name = "JSON", value_parser = json_object, conflicts_with = "command")]
    task: Option<Value>,
    /// The name of a job of its own; the command's own where none is given
    #[arg(long, value_name = "NAME", conflicts_with_all = ["job", "batch"])]
    name: Option<String>,
    /// Where a command runs
    #[arg(long, value_parser = ["io", "cpu"], requires = "command")]
    lane: Option<String>,
    /// How long a command may take, as in `90s` or `5m`
    #[arg(long, value_name = "DURATION", requires = "command")]
    timeout: Option<String>,
    /// Print the API's JSON
    #[arg(long)]
    json: bool,
    /// A program and its arguments, as a job of its own, which begins in this directory
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

pub(super) fn run(args: &Submit, client: &Client, out: &mut Out) -> Asked {
    if let Some(file) = &args.batch {
        return batch(args, file, client, out);
    }
    let submit = match read(args) {
        Ok(submit) => submit,
        Err(message) => {
            complain(&message);
            return Ok(Exit::Usage);
        }
    };
    let submitted: wire::Submitted = client
        .post("/runs", &submit)
        .map_err(|error| open(advised(error, args, client), args))?;
    if let Some(at) = &args.at
        && !submitted.again
        && submit.at.as_deref().is_some_and(has_passed)
    {
        tell(&format!(
            "note: `--at {}` has passed: it starts as soon as it can\n",
            harmless(at)
        ));
    }
    let exit = print(&submitted, args.json, out)?;
    if !args.wait || exit != Exit::Success {
        return Ok(exit);
    }
    let what = wait::What {
        json: args.json,
        accepted: true,
        ..wait::What::default()
    };
    wait::wait(&[submitted.run], &what, client, out)
}

/// How the first `--arg` that is JSON and no text is one, for a job that wants that.
pub(super) fn as_text(given: &[(String, String)]) -> Option<String> {
    let is_scalar = |text: &str| {
        let value = serde_json::from_str(text).unwrap_or_default();
        matches!(value, Value::Number(_) | Value::Bool(_)) || text == "null"
    };
    let (key, text) = given.iter().find(|(_, text)| is_scalar(text))?;
    Some(format!(
        "hint: `--arg {key}={text}` is no text, but `--arg '{key}=\"{text}\"'` is one"
    ))
}

/// What to do about a refusal, where that is known.
fn cure(problem: &wire::Problem, args: &Submit, client: &Client) -> Option<String> {
    match &*problem.kind {
        "urn:twolane:arguments" => as_text(&args.arg),
        "urn:twolane:unknown-job" => {
            let known = client.get("/jobs").ok()?;
            Some(ask::meant(args.job.as_ref()?, &known))
        }
        _ => None,
    }
}

/// A refusal says what to do about it.
fn advised(mut error: ClientError, args: &Submit, client: &Client) -> ClientError {
    if let ClientError::Problem(problem) = &mut error
        && let Some(hint) = cure(problem, args, client)
    {
        problem.detail.push('\n');
        problem.detail.push_str(&hint);
    }
    error
}

/// An error after which nobody can say whether a run was accepted says how to find out.
fn open(error: ClientError, args: &Submit) -> ClientError {
    if !error.leaves_it_open() {
        return error;
    }
    let cure = if args.batch.is_some() {
        "lines without an answer may have been accepted: those with a `key` can be sent again, and \
         are not done twice"
    } else if args.key.is_some() {
        "it may have been accepted: the same `--key` asks again, and is not done twice"
    } else {
        "it may have been accepted: `twolane list` shows that; with a `--key` it could be asked for again, and would \
         not be done twice"
    };
    ClientError::Broken(format!("{error}\nhint: {cure}"))
}

/// What is to be sent; or what is wrong with the command line.
fn read(args: &Submit) -> Result<wire::Submit, String> {
    let task = match args.task.clone() {
        Some(task) => Some(task),
        None => command(args)?,
    };
    let name = args.job.as_ref().or(args.name.as_ref());
    let job = match (name, &task, args.command.first()) {
        (Some(name), Some(_), _) => name.clone(),
        (Some(name), None, _) if args.job.is_some() => name.clone(),
        (None, Some(_), Some(program)) => file_name(program),
        (None, Some(_), None) => {
            return Err("a task needs a name\nhint: add `--name NAME`".to_owned());
        }
        (Some(_) | None, None, _) => {
            return Err(
                "nothing to submit\nhint: name a job (`twolane jobs` lists them), or give \
                 `--batch FILE`, `--task JSON` or `-- COMMAND`"
                    .to_owned(),
            );
        }
    };
    let at = match &args.at {
        Some(at) => Some(written(moment(at, now(), &here())?)),
        None => None,
    };
    Ok(wire::Submit {
        job,
        args: arguments(args),
        priority: args.priority,
        at,
        key: args.key.clone(),
        task,
    })
}

/// The task of a command, if there is one.
fn command(args: &Submit) -> Result<Option<Value>, String> {
    if args.command.is_empty() {
        return Ok(None);
    }
    // Braces of a command line are what they are.
    let words: Vec<String> = args.command.iter().map(|word| escape(word)).collect();
    let mut task = json!({ "exec": words });
    let here = std::env::current_dir()
        .map_err(|error| format!("cannot tell in which directory this is: {error}"))?;
    match here.to_str() {
        Some(here) => task["directory"] = json!(here),
        None => return Err("this directory has a name that is not UTF-8".to_owned()),
    }
    if let Some(lane) = &args.lane {
        task["lane"] = json!(lane);
    }
    if let Some(timeout) = &args.timeout {
        duration(timeout).map_err(|error| format!("`--timeout {timeout}`: {error}"))?;
        task["timeout"] = json!(timeout);
    }
    Ok(Some(task))
}

/// Reads `--arg`. The value is left as it is, with its spaces.
pub(super) fn argument(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        Some(_) | None => Err("expected KEY=VALUE, as in `width=300`"),
    }
}

fn file_name(program: &str) -> String {
    let name = Path::new(program).file_name();
    name.map_or(program.to_owned(), |name| {
        name.to_string_lossy().into_owned()
    })
}

fn arguments(args: &Submit) -> Option<Value> {
    if args.arg.is_empty() {
        return args.args.clone();
    }
    let mut all = match &args.args {
        Some(Value::Object(all)) => all.clone(),
        Some(_) | None => Map::new(),
    };
    all.extend(values(&args.arg));
    Some(Value::Object(all))
}

/// What each `--arg` gives: JSON where it is, else text.
pub(super) fn values(given: &[(String, String)]) -> Map<String, Value> {
    let value =
        |text: &String| serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()));
    let values = given.iter().map(|(key, text)| (key.clone(), value(text)));
    values.collect()
}

fn has_passed(moment: &str) -> bool {
    moment.parse::<Timestamp>().is_ok_and(|at| at < now())
}

/// For programs the number alone; for people a sentence.
fn print(submitted: &wire::Submitted, as_json: bool, out: &mut Out) -> Asked {
    if as_json {
        return ask::json(out, submitted);
    }
    if !out.is_terminal() {
        return Ok(out.line(format_args!("{}", submitted.run)));
    }
    let again = if submitted.again {
        " (accepted before, under the same key)"
    } else {
        ""
    };
    let with: Vec<String> = submitted.with.iter().map(ToString::to_string).collect();
    let with = if with.is_empty() {
        String::new()
    } else {
        format!(", with {} that it comes after", with.join(", "))
    };
    let state = harmless(&submitted.state);
    Ok(out.line(format_args!("run {} {state}{with}{again}", submitted.run)))
}

/// Sends a file line by line while the answers come in, one a line.
fn batch(args: &Submit, file: &Path, client: &Client, out: &mut Out) -> Asked {
    let from: Box<dyn Read + Send> = if file == Path::new("-") {
        Box::new(io::stdin())
    } else {
        match File::open(file) {
            Ok(_) if file.is_dir() => {
                complain(&format!(
                    "cannot read the batch `{}`: it is a directory",
                    file.display()
                ));
                return Ok(Exit::System);
            }
            Ok(file) => Box::new(file),
            Err(error) => {
                complain(&format!(
                    "cannot read the batch `{}`: {error}",
                    file.display()
                ));
                return Ok(Exit::System);
            }
        }
    };
    let mut exit = Exit::Success;
    let mut number = 0_u64;
    let (from, sent) = Counted::new(from);
    client
        .post_lines("/runs", Box::new(from), |line| {
            number += 1;
            let answer = answer(line, number, args.json, out);
            // A problem is that of one line.
            let is_last = match &answer {
                Ok(exit) => *exit == Exit::System,
                Err(ClientError::Problem(_)) => false,
                Err(ClientError::Broken(_) | ClientError::NoDaemon { .. }) => true,
            };
            let one = told(if is_last {
                answer.map_err(|error| open(error, args))
            } else {
                answer
            });
            if exit == Exit::Success {
                exit = one;
            }
            if is_last || out.is_gone() {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })
        .map_err(|error| open(error, args))?;
    let is_whole = sent.lines() == Some(number) || bug!("batch-half-answered");
    if exit == Exit::Success && !out.is_gone() && !is_whole {
        let lines = sent
            .lines()
            .map_or("more".to_owned(), |lines| lines.to_string());
        let told = format!("the answer to the batch ended after {number} of {lines} lines");
        return Err(open(ClientError::Broken(told), args));
    }
    Ok(exit)
}

/// One answer of a batch: a run, or a problem with that line.
fn answer(line: &str, number: u64, as_json: bool, out: &mut Out) -> Asked {
    if let Ok(submitted) = serde_json::from_str::<wire::Submitted>(line) {
        return print(&submitted, as_json, out);
    }
    let mut problem: wire::Problem = serde_json::from_str(line).map_err(|error| {
        ClientError::Broken(format!(
            "the answer to line {number} makes no sense: {error}"
        ))
    })?;
    if as_json {
        ask::json(out, &problem)?;
    }
    problem.detail = format!("line {number}: {}", problem.detail);
    Err(ClientError::Problem(problem))
}
