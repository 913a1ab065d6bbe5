//! `twolane logs`: what a run said.

use std::ops::ControlFlow;

use clap::Args;

use super::Exit;
use super::out::Out;
use super::remote::{Remote, failed};
use crate::api::wire;
use crate::logging::harmless;

/// The command's arguments.
#[derive(Args, Debug)]
pub(super) struct Logs {
    /// The run's number
    run: u64,
    /// Go on until the run is over
    #[arg(long, short)]
    follow: bool,
    /// Only lines with a higher number
    #[arg(long, default_value_t = 0)]
    after: u64,
    /// Print JSON, an object a line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Logs, remote: &Remote, out: &mut Out) -> Exit {
    let follow = if args.follow {
        "&follow=true"
    } else {
        "&limit=100000"
    };
    let path = format!("/runs/{}/log?after={}{follow}", args.run, args.after);
    let mut exit = Exit::Success;
    let told = remote.client.lines(&path, None, |line| {
        exit = match serde_json::from_str::<wire::LogLine>(line) {
            Ok(said) if !args.json => out.line(format_args!("{}", text(&said))),
            Ok(_) | Err(_) => out.line(format_args!("{line}")),
        };
        if exit == Exit::Success {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    });
    match told {
        Ok(()) => exit,
        Err(error) => failed(&error),
    }
}

fn text(line: &wire::LogLine) -> String {
    let part = line
        .fraction
        .map_or(String::new(), |part| format!("{:>4.0} % ", part * 100.0));
    let stream = match line.stream.as_str() {
        "err" => "! ",
        "dropped" => "-- ",
        _ => "",
    };
    format!("{} {stream}{part}{}", line.at, harmless(&line.text))
        .trim_end()
        .to_owned()
}
