//! `twolane retry`: runs that are over and are tried once more.

use clap::Args;
use serde_json::json;

use super::ask::{Asked, change, each, path};
use super::out::Out;
use crate::api::client::Client;

/// The command's arguments.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  twolane retry 42\n  \
    twolane list --state failed --job thumbs --all --json | jq .run | xargs twolane retry")]
pub(super) struct Retry {
    /// The runs
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<u64>,
    /// Of all that hang together with them, try those once more that did not succeed
    #[arg(long)]
    graph: bool,
    /// Print the API's JSON, one object a run
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Retry, client: &Client, out: &mut Out) -> Asked {
    each(&args.runs, |run| {
        let verb = path("retry", &[("graph", args.graph.then(|| "true".to_owned()))]);
        change(client, out, (run, &verb), &json!({}), args.json)
    })
}
