//! `twolane man`: the manual pages.

use std::fs;
use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_mangen::Man as Page;

use super::out::{Out, complain};
use super::{Cli, Exit};

/// The command's arguments.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  twolane man | man -l -\n  \
    twolane man /usr/local/share/man/man1")]
pub(super) struct Man {
    /// Write the pages of all commands there, instead of printing that of the whole
    #[arg(value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
}

pub(super) fn run(args: &Man, out: &mut Out) -> Exit {
    let written = match &args.directory {
        Some(directory) => fs::create_dir_all(directory)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), directory))
            .map(|()| out.line(format_args!("wrote the pages to {}", directory.display()))),
        None => {
            let mut page = Vec::new();
            Page::new(Cli::command()).render(&mut page).map(|()| {
                let page = String::from_utf8_lossy(&page);
                out.line(format_args!("{}", page.trim_end()))
            })
        }
    };
    written.unwrap_or_else(|error| {
        let place = args.directory.as_ref().map(|it| format!(" to `{}`", it.display()));
        complain(&format!(
            "cannot write the manual pages{}: {error}\nhint: name a directory that this user may write to",
            place.unwrap_or_default()
        ));
        Exit::System
    })
}
