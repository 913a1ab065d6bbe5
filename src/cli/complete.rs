//! `twolane complete`: brings what a run of a `future` job waits for.

use clap::Args;
use serde_json::Value;

use super::Exit;
use super::out::{Out, complain};
use super::remote::{Remote, failed, print_json};
use crate::api::wire;

/// The command's arguments.
#[derive(Args, Debug)]
pub(super) struct Complete {
    /// The run's number
    run: u64,
    /// The result that it succeeds with, as JSON; none unless said
    #[arg(long, value_name = "JSON", conflicts_with = "error")]
    result: Option<String>,
    /// It fails, for this reason
    #[arg(long, value_name = "WHY")]
    error: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Complete, remote: &Remote, out: &mut Out) -> Exit {
    let result: Option<Value> = match args.result.as_deref().map(serde_json::from_str) {
        None => None,
        Some(Ok(value)) => Some(value),
        Some(Err(error)) => {
            complain(&format!("`--result` is no JSON: {error}"));
            return Exit::Usage;
        }
    };
    let with = wire::Complete {
        result,
        error: args.error.clone(),
    };
    let told = remote
        .client
        .post(&format!("/runs/{}/complete", args.run), &with);
    let changed: wire::Changed = match told {
        Ok(changed) => changed,
        Err(error) => return failed(&error),
    };
    if args.json {
        return print_json(out, &changed);
    }
    out.line(format_args!("run {} is {}", changed.run, changed.state))
}
