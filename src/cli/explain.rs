//! `twolane explain`: why a run stands where it stands.

use clap::Args;

use super::ask::{Asked, each, json};
use super::out::Out;
use super::table;
use crate::api::client::Client;
use crate::api::wire::Explained;
use crate::logging::harmless;

/// The command's arguments.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  twolane explain 42")]
pub(super) struct Explain {
    /// The runs
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<u64>,
    /// Print the API's JSON, one object a run
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Explain, client: &Client, out: &mut Out) -> Asked {
    each(&args.runs, |run| {
        let explained: Explained = client.get(&format!("/runs/{run}/explain"))?;
        if args.json {
            return json(out, &explained);
        }
        // What became of a run says itself how it ended.
        let state = match table::is_over(&explained.state) {
            true => String::new(),
            false => format!(" {}", table::state(out, &explained.state)),
        };
        let text: Vec<String> = explained.text.lines().map(harmless).collect();
        let text = text.join("\n  ");
        Ok(out.line(format_args!("run {}{state}: {text}", explained.run)))
    })
}
