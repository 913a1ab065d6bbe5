//! `twolane complete`: how a run of the task `future` ends, said from outside.

use clap::Args;
use serde_json::Value;

use super::ask::{Asked, change, json_value};
use super::out::Out;
use crate::api::client::Client;
use crate::api::wire;

/// The command's arguments.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  twolane complete 42 --result '{\"approved\": true}'\n  \
    twolane complete 42 --error 'the customer said no'"
)]
pub(super) struct Complete {
    /// The run
    #[arg(value_name = "RUN")]
    run: u64,
    #[command(flatten)]
    end: End,
    /// Print the API's JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct End {
    /// It succeeds, with this result
    #[arg(long, value_name = "JSON", value_parser = json_value)]
    result: Option<Value>,
    /// It fails, for this reason
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
}

pub(super) fn run(args: &Complete, client: &Client, out: &mut Out) -> Asked {
    let body = wire::Complete {
        result: args.end.result.clone(),
        error: args.end.error.clone(),
    };
    change(client, out, (args.run, "complete"), &body, args.json)
}
