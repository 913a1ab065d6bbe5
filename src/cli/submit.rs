//! `twolane submit`: asks the daemon for runs.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};

use super::Exit;
use super::out::{Out, complain};
use super::remote::{Remote, failed, print_json, worse};
use super::wait;
use crate::api::wire;

/// The command's arguments.
#[derive(Args, Debug)]
pub(super) struct Submit {
    /// The job
    #[arg(required_unless_present_any = ["batch", "task", "command"], value_name = "JOB")]
    job: Option<String>,
    /// An argument, as in `--arg width=80`; the value is JSON where it can be, else text
    #[arg(long = "arg", value_name = "NAME=VALUE", value_parser = super::key_value)]
    args: Vec<(String, String)>,
    /// All arguments, as a JSON object
    #[arg(long = "args", value_name = "JSON", conflicts_with = "args")]
    object: Option<String>,
    /// How urgent, -10 to 10, instead of the job's own
    #[arg(long, allow_negative_numbers = true)]
    priority: Option<i64>,
    /// When it may start at the earliest, as in 2026-12-24T18:00:00Z
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// A key: sending it again under the same one gives the same run
    #[arg(long)]
    key: Option<String>,
    /// Wait until the run is over; exit 0 only if it succeeded
    #[arg(long)]
    wait: bool,
    /// Ask for many: a file (or - for standard input) with a JSON object a line, as in {"job":"resize","args":{"n":1}}
    #[arg(long, value_name = "FILE", conflicts_with_all = ["job", "wait"])]
    batch: Option<PathBuf>,
    /// A job of its own: what would stand in its table of a job file, as JSON
    #[arg(long, value_name = "JSON", conflicts_with = "command")]
    task: Option<String>,
    /// The name of a job of its own
    #[arg(long)]
    name: Option<String>,
    /// The lane of a job of its own
    #[arg(long)]
    lane: Option<String>,
    /// The longest that it may take
    #[arg(long, value_name = "DURATION")]
    timeout: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// A command as a job of its own
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

pub(super) fn run(args: &Submit, remote: &Remote, out: &mut Out) -> Exit {
    if let Some(file) = &args.batch {
        return batch(file, remote, out);
    }
    let submit = match submission(args) {
        Ok(submit) => submit,
        Err(text) => {
            complain(&text);
            return Exit::Usage;
        }
    };
    let submitted: wire::Submitted = match remote.client.post("/runs", &submit) {
        Ok(submitted) => submitted,
        Err(error) => return failed(&error),
    };
    let printed = if args.json {
        print_json(out, &submitted)
    } else if out.is_terminal() {
        let again = if submitted.again { ", as before" } else { "" };
        out.line(format_args!(
            "run {} {}{again}",
            submitted.run, submitted.state
        ))
    } else {
        out.line(format_args!("{}", submitted.run))
    };
    if !args.wait || printed != Exit::Success {
        return printed;
    }
    wait::until_over(remote, &[submitted.run], None, args.json, out)
}

/// What is asked for, or what is wrong with it.
fn submission(args: &Submit) -> Result<wire::Submit, String> {
    let arguments = match &args.object {
        Some(text) => {
            let value = serde_json::from_str(text)
                .map_err(|error| format!("`--args` is no JSON object: {error}"))?;
            Some(value)
        }
        None if args.args.is_empty() => None,
        None => {
            let pairs = args.args.iter().map(|(name, text)| {
                let value =
                    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str()));
                (name.clone(), value)
            });
            Some(Value::Object(pairs.collect()))
        }
    };
    let task = task(args)?;
    let job = args.job.clone().or_else(|| args.name.clone());
    let first = args.command.first().map(|path| {
        let name = path.rsplit('/').next().unwrap_or(path);
        name.replace(
            |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-' | '.'),
            "_",
        )
    });
    Ok(wire::Submit {
        job: job.or(first).unwrap_or_else(|| "ad-hoc".to_owned()),
        args: arguments,
        priority: args.priority,
        at: args.at.clone(),
        key: args.key.clone(),
        task,
    })
}

fn task(args: &Submit) -> Result<Option<Value>, String> {
    let mut table: Map<String, Value> = match &args.task {
        Some(text) => serde_json::from_str(text)
            .map_err(|error| format!("`--task` is no JSON object: {error}"))?,
        None if args.command.is_empty() => Map::new(),
        None => Map::from_iter([("exec".to_owned(), json!(args.command))]),
    };
    let is_own = !table.is_empty();
    for (key, value) in [("lane", &args.lane), ("timeout", &args.timeout)] {
        if let Some(value) = value {
            if !is_own {
                return Err(format!(
                    "`--{key}` is for a job of its own: with `--task` or `-- COMMAND`"
                ));
            }
            table.insert(key.to_owned(), Value::from(value.as_str()));
        }
    }
    Ok(is_own.then_some(Value::Object(table)))
}

fn batch(file: &PathBuf, remote: &Remote, out: &mut Out) -> Exit {
    let lines: Box<dyn BufRead + Send> = if file.as_os_str() == "-" {
        Box::new(BufReader::new(std::io::stdin()))
    } else {
        match File::open(file) {
            Ok(file) => Box::new(BufReader::new(file)),
            Err(error) => {
                complain(&format!("cannot read {}: {error}", file.display()));
                return Exit::System;
            }
        }
    };
    let mut exit = Exit::Success;
    let sent = remote.client.batch(lines, |line| {
        if line.contains("\"urn:twolane:") {
            exit = Exit::Refused;
        }
        let printed = out.line(format_args!("{line}"));
        if printed == Exit::Success {
            ControlFlow::Continue(())
        } else {
            exit = printed;
            ControlFlow::Break(())
        }
    });
    match sent {
        Ok(()) => exit,
        Err(error) => worse(failed(&error), exit),
    }
}
