//! `twolane cancel`: runs that are to stop, or not to start.

use clap::Args;
use serde_json::json;

use super::ask::{Asked, change, each, path};
use super::out::Out;
use crate::api::client::Client;

/// The command's arguments.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  twolane cancel 42\n  \
    twolane list --state queued --job thumbs --all --json | jq .run | xargs twolane cancel")]
pub(super) struct Cancel {
    /// The runs
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<u64>,
    /// Also cancel all that hang together with them: what they come after, what comes after them, their parts
    #[arg(long)]
    graph: bool,
    /// Print the API's JSON, one object a run
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Cancel, client: &Client, out: &mut Out) -> Asked {
    each(&args.runs, |run| {
        let verb = path(
            "cancel",
            &[("graph", args.graph.then(|| "true".to_owned()))],
        );
        change(client, out, (run, &verb), &json!({}), args.json)
    })
}
