//! `twolane stop`: the daemon leaves, as on SIGTERM.

use clap::Args;
use serde_json::{Value, json};

use super::ask::{self, Asked};
use super::out::Out;
use crate::api::client::Client;

/// The command's arguments.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  twolane stop")]
pub(super) struct Stop {
    /// Print the API's JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Stop, client: &Client, out: &mut Out) -> Asked {
    let answer: Value = client.post("/stop", &json!({}))?;
    if args.json {
        return ask::json(out, &answer);
    }
    Ok(out.line(format_args!(
        "stopping: nothing starts any more, and the daemon leaves as on SIGTERM"
    )))
}
