//! `twolane send`: something for a command that reads, or a handler that receives.

use clap::Args;
use serde_json::Value;

use super::Exit;
use super::ask::{Asked, json};
use super::out::{Out, complain};
use crate::api::client::Client;
use crate::api::wire;

/// The command's arguments.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  twolane send 42 yes\n  twolane send 42 '{\"width\": 300}'\n  \
    twolane send 42 'last line' --end"
)]
pub(super) struct Send {
    /// The run
    #[arg(value_name = "RUN")]
    run: u64,
    /// What is sent, in order: JSON where it is, else text. A command gets each as a line
    #[arg(value_name = "VALUE", required_unless_present = "end")]
    values: Vec<String>,
    /// Say that nothing more comes: a command reads the end of its input
    #[arg(long)]
    end: bool,
    /// Print the API's JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Send, client: &Client, out: &mut Out) -> Asked {
    let values = args.values.iter().map(|text| wire::Send {
        value: Some(serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()))),
        end: false,
    });
    let end = args.end.then_some(wire::Send {
        value: None,
        end: true,
    });
    let mut exit = Exit::Success;
    for body in values.chain(end) {
        let sent: wire::Sent = client.post(&format!("/runs/{}/send", args.run), &body)?;
        if args.json {
            exit = json(out, &sent)?;
        }
        if !sent.delivered {
            let run = sent.run;
            complain(&format!(
                "run {run} has not taken it so far; it waits there, and is gone if the run ends before"
            ));
            exit = Exit::TimedOut;
        }
    }
    Ok(exit)
}
