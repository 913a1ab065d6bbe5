//! `twolane events`: what is decided, as it is committed.

use std::ops::ControlFlow;

use clap::Args;

use super::Exit;
use super::out::Out;
use super::remote::{Remote, failed};
use crate::api::wire;
use crate::logging::harmless;

/// The command's arguments.
#[derive(Args, Debug)]
pub(super) struct Events {
    /// Begin behind this number; 0 for all there is. Unless said, what comes from now on
    #[arg(long)]
    after: Option<u64>,
    /// Print JSON, an object a line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Events, remote: &Remote, out: &mut Out) -> Exit {
    let after = args
        .after
        .map_or(String::new(), |after| format!("?after={after}"));
    let mut exit = Exit::Success;
    let told = remote
        .client
        .lines(&format!("/events{after}"), None, |line| {
            let Some(data) = line.strip_prefix("data: ") else {
                return ControlFlow::Continue(());
            };
            exit = match serde_json::from_str::<wire::Event>(data) {
                Ok(event) if !args.json => out.line(format_args!("{}", text(&event))),
                Ok(_) | Err(_) => out.line(format_args!("{data}")),
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

fn text(event: &wire::Event) -> String {
    let run = match (event.run, &event.job) {
        (Some(run), Some(job)) => format!(" run {run} {job}:"),
        _ => String::new(),
    };
    let reason = event
        .reason
        .as_ref()
        .map_or(String::new(), |why| format!(" ({})", harmless(why)));
    format!(
        "{:>7} {}{run} {}{reason}",
        event.number, event.at, event.event
    )
}
