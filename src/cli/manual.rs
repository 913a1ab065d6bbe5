//! `twolane completions` and `twolane man`: what shells and manuals want to know of the commands.

use std::fs;
use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::out::{Out, complain};
use super::{Cli, Exit};

/// The arguments of `completions`.
#[derive(Args, Debug)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

/// The arguments of `man`.
#[derive(Args, Debug)]
pub(super) struct Man {
    /// A directory for a page for each command; without one the first page is printed
    directory: Option<PathBuf>,
}

pub(super) fn completions(args: &Completions, out: &mut Out) -> Exit {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "twolane", &mut text);
    out.line(format_args!(
        "{}",
        String::from_utf8_lossy(&text).trim_end()
    ))
}

pub(super) fn man(args: &Man, out: &mut Out) -> Exit {
    let command = Cli::command();
    let Some(directory) = &args.directory else {
        let mut page = Vec::new();
        return match clap_mangen::Man::new(command).render(&mut page) {
            Ok(()) => out.line(format_args!(
                "{}",
                String::from_utf8_lossy(&page).trim_end()
            )),
            Err(error) => unable(&error),
        };
    };
    let made =
        fs::create_dir_all(directory).and_then(|()| clap_mangen::generate_to(command, directory));
    match made {
        Ok(()) => out.line(format_args!("wrote the pages to {}", directory.display())),
        Err(error) => unable(&error),
    }
}

fn unable(error: &std::io::Error) -> Exit {
    complain(&format!("cannot write the manual: {error}"));
    Exit::System
}
