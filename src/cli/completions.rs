//! `twolane completions`: a script that lets a shell complete commands and options.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::out::{Out, complain};
use super::{Cli, Exit};

/// The command's arguments.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    twolane completions bash > /etc/bash_completion.d/twolane\n  \
    twolane completions fish > ~/.config/fish/completions/twolane.fish")]
pub(super) struct Completions {
    /// For which shell
    shell: Shell,
}

pub(super) fn run(args: &Completions, out: &mut Out) -> Exit {
    let mut script = Vec::new();
    generate(args.shell, &mut Cli::command(), "twolane", &mut script);
    match String::from_utf8(script) {
        Ok(script) => out.line(format_args!("{}", script.trim_end())),
        Err(error) => {
            complain(&format!(
                "cannot write the script for {}: {error}",
                args.shell
            ));
            Exit::System
        }
    }
}
