//! `twolane schema`: prints the JSON Schema of a kind of file, for editors.

use clap::{Args, ValueEnum};

use super::Exit;
use super::out::Out;
use crate::config::schema;

/// The command's arguments.
#[derive(Args, Debug)]
pub(super) struct Schema {
    /// Of which kind of file
    #[arg(value_enum, default_value_t = Kind::Jobs)]
    kind: Kind,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// Job files
    Jobs,
    /// twolane.toml
    Settings,
}

pub(super) fn run(args: &Schema, out: &mut Out) -> Exit {
    let schema = match args.kind {
        Kind::Jobs => schema::jobs(),
        Kind::Settings => schema::settings(),
    };
    out.line(format_args!("{schema:#}"))
}
