//! `twolane pause` and `twolane resume`: lanes, pools, limits and jobs from which nothing starts.

use clap::{Args, ValueEnum};

use super::Exit;
use super::out::Out;
use super::remote::{Remote, failed, print_json};
use crate::api::wire;

/// The commands' arguments.
#[derive(Args, Debug)]
pub(super) struct Pause {
    /// What it is
    kind: Kind,
    /// Its name
    name: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Lane,
    Pool,
    Limit,
    Job,
}

pub(super) fn run(args: &Pause, path: &str, remote: &Remote, out: &mut Out) -> Exit {
    let mut what = wire::What::default();
    let (kind, place) = match args.kind {
        Kind::Lane => ("lane", &mut what.lane),
        Kind::Pool => ("pool", &mut what.pool),
        Kind::Limit => ("limit", &mut what.limit),
        Kind::Job => ("job", &mut what.job),
    };
    *place = Some(args.name.clone());
    let told: wire::What = match remote.client.post(path, &what) {
        Ok(told) => told,
        Err(error) => return failed(&error),
    };
    if args.json {
        return print_json(out, &told);
    }
    let now = if told.paused == Some(true) {
        "is paused: nothing starts that needs it"
    } else {
        "is not paused"
    };
    out.line(format_args!("{kind} {} {now}", args.name))
}
