//! `twolane reload`: the daemon reads its configuration again.

use clap::Args;
use serde_json::json;

use super::Exit;
use super::ask::{self, Asked};
use super::out::{Out, complain};
use crate::api::client::Client;
use crate::api::wire::Reloaded;
use crate::logging::harmless;

/// The command's arguments.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  twolane reload --dry-run\n  twolane check && twolane reload")]
pub(super) struct Reload {
    /// Only tell what would change, and what comes next of the schedules before and after
    #[arg(long)]
    dry_run: bool,
    /// Print the API's JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Reload, client: &Client, out: &mut Out) -> Asked {
    let route = if args.dry_run {
        "/reload/preview"
    } else {
        "/reload"
    };
    let reloaded: Reloaded = client.post(route, &json!({}))?;
    let mut exit = Exit::Success;
    if args.json {
        exit = ask::json(out, &reloaded)?;
    } else {
        let lines = reloaded.lines.iter().flat_map(|line| line.lines());
        for line in lines {
            exit = out.line(format_args!("{}", harmless(line)));
        }
        if reloaded.reloaded && reloaded.lines.is_empty() {
            exit = out.line(format_args!("nothing has changed"));
        }
    }
    if reloaded.reloaded {
        return Ok(exit);
    }
    complain(
        "the configuration was rejected: the daemon goes on with the one it has\n\
         hint: mend what is listed, see that `twolane check` is content, and reload again",
    );
    Ok(Exit::Config)
}
