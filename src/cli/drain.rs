//! `twolane drain`: nothing starts any more, and the daemon leaves when nothing runs but what waits for `complete`.

use clap::Args;
use serde_json::{Value, json};

use super::ask::{self, Asked};
use super::out::Out;
use crate::api::client::Client;

/// The command's arguments.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  twolane drain")]
pub(super) struct Drain {
    /// Print the API's JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Drain, client: &Client, out: &mut Out) -> Asked {
    let answer: Value = client.post("/drain", &json!({}))?;
    if args.json {
        return ask::json(out, &answer);
    }
    Ok(out.line(format_args!(
        "draining: nothing starts any more, and the daemon leaves when nothing runs"
    )))
}
