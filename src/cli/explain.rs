//! `twolane explain`: what exactly a run waits for.

use clap::Args;

use super::Exit;
use super::out::Out;
use super::remote::{Remote, failed, print_json};
use crate::api::wire;
use crate::logging::harmless;

/// The command's arguments.
#[derive(Args, Debug)]
pub(super) struct Explain {
    /// The run's number
    run: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Explain, remote: &Remote, out: &mut Out) -> Exit {
    let told: Result<wire::Explained, _> =
        remote.client.get(&format!("/runs/{}/explain", args.run));
    match told {
        Ok(explained) if args.json => print_json(out, &explained),
        Ok(explained) => out.line(format_args!(
            "run {} ({}): {}",
            explained.run,
            explained.state,
            harmless(&explained.text)
        )),
        Err(error) => failed(&error),
    }
}
