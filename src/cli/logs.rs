//! `twolane logs`: what a run has said.

use std::ops::ControlFlow;

use clap::Args;

use super::Exit;
use super::ask::{Asked, json, path};
use super::out::{Out, complain};
use crate::api::client::{Client, ClientError};
use crate::api::wire::{LogLine, Runs};
use crate::logging::harmless;

/// The command's arguments.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  twolane logs 42\n  twolane logs -f")]
pub(super) struct Logs {
    /// The run; without it, the newest
    #[arg(value_name = "RUN")]
    run: Option<u64>,
    /// Go on until the run is over
    #[arg(short, long)]
    follow: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Logs, client: &Client, out: &mut Out) -> Asked {
    let run = match args.run {
        Some(run) => run,
        None => {
            let runs: Runs = client.get("/runs?limit=1")?;
            let Some(run) = runs.runs.first() else {
                complain("the daemon has no run yet, so none has said anything");
                return Ok(Exit::NotFound);
            };
            run.run
        }
    };
    let mut after = 0;
    loop {
        let query = [
            ("after", (after > 0).then(|| after.to_string())),
            ("follow", args.follow.then(|| "true".to_owned())),
        ];
        let (mut exit, mut wrong) = (Exit::Success, None);
        let before = after;
        client.lines(&path(&format!("/runs/{run}/log"), &query), |text| {
            match print(text, args.json, out) {
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

/// Prints a line; its number goes with the exit code.
fn print(text: &str, as_json: bool, out: &mut Out) -> Result<(u64, Exit), ClientError> {
    let line: LogLine = serde_json::from_str(text).map_err(|error| {
        ClientError::Broken(format!("a line of the log makes no sense: {error}"))
    })?;
    if as_json {
        return json(out, &line).map(|exit| (line.number, exit));
    }
    let said = harmless(&line.text);
    let exit = match (line.stream.as_str(), line.fraction) {
        ("progress", Some(fraction)) => {
            out.line(format_args!("[{:3.0}%] {said}", fraction * 100.0))
        }
        ("dropped", _) => out.line(format_args!("[missing] {said}")),
        (_, _) => out.line(format_args!("{said}")),
    };
    Ok((line.number, exit))
}
