//! `twolane cancel`: takes runs out of the line, or asks what executes to stop.

use clap::Args;

use super::Exit;
use super::out::Out;
use super::remote::{Remote, failed, print_json, worse};
use crate::api::wire;

/// The command's arguments.
#[derive(Args, Debug)]
pub(super) struct Cancel {
    /// The runs' numbers
    #[arg(required = true)]
    runs: Vec<u64>,
    /// Print JSON, an object a line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Cancel, remote: &Remote, out: &mut Out) -> Exit {
    let mut exit = Exit::Success;
    for run in &args.runs {
        let nothing = serde_json::Value::Null;
        let told = remote.client.post(&format!("/runs/{run}/cancel"), &nothing);
        let now = match told {
            Ok(changed) => print(&changed, args.json, out),
            Err(error) => failed(&error),
        };
        exit = worse(exit, now);
    }
    exit
}

fn print(changed: &wire::Changed, json: bool, out: &mut Out) -> Exit {
    if json {
        return print_json(out, changed);
    }
    out.line(format_args!("run {} {}", changed.run, changed.state))
}
