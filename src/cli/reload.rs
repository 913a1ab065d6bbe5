//! `twolane reload`: has the daemon read its configuration again, and tells what came of it.

use clap::Args;

use super::Exit;
use super::out::{Out, complain};
use super::remote::{Remote, failed, print_json};
use crate::api::wire;

/// The command's arguments.
#[derive(Args, Debug)]
pub(super) struct Reload {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Reload, remote: &Remote, out: &mut Out) -> Exit {
    let nothing = serde_json::Value::Null;
    let told: wire::Reloaded = match remote.client.post("/reload", &nothing) {
        Ok(told) => told,
        Err(error) => return failed(&error),
    };
    let exit = if told.reloaded {
        Exit::Success
    } else {
        Exit::Config
    };
    if args.json {
        print_json(out, &told);
    } else if told.reloaded {
        for line in &told.lines {
            out.line(format_args!("{line}"));
        }
    } else {
        let lines = told.lines.join("\n");
        complain(&format!(
            "the configuration has mistakes, and what was in force stays in force:\n{lines}"
        ));
    }
    exit
}
