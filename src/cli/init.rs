//! `twolane init`: writes a commented configuration to start from.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use super::Exit;
use super::out::{Out, complain};
use crate::config::starter;

/// The command's arguments.
#[derive(Args, Debug)]
pub(super) struct Init {
    /// Where to
    #[arg(default_value = ".", value_name = "DIRECTORY")]
    directory: PathBuf,
}

pub(super) fn run(args: &Init, out: &mut Out) -> Exit {
    let files = starter();
    let there: Vec<String> = files
        .iter()
        .map(|(name, _)| args.directory.join(name))
        .filter(|path| path.symlink_metadata().is_ok())
        .map(|path| format!("`{}`", path.display()))
        .collect();
    if !there.is_empty() {
        complain(&format!(
            "nothing written: {} already there\nhint: name another directory, as in `twolane init fresh`",
            there.join(", ")
        ));
        return Exit::System;
    }
    for (name, text) in files {
        let path = args.directory.join(name);
        if let Err(error) = write(&path, text) {
            complain(&format!("cannot write `{}`: {error}", path.display()));
            return Exit::System;
        }
        out.line(format_args!("wrote {}", path.display()));
    }
    let config = args.directory.join("twolane.toml");
    out.line(format_args!(
        "next: twolane check --config {0}\n      twolane serve --config {0}",
        config.display()
    ))
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())
}
