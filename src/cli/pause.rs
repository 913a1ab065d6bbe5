//! `twolane pause`: nothing starts that needs a lane, pool, limit, resource or job.

use clap::{Args, ValueEnum};

use super::ask::{Asked, json};
use super::out::Out;
use crate::api::client::Client;
use crate::api::wire::What;
use crate::logging::harmless;

/// The command's arguments; those of `resume` are the same.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  twolane pause lane cpu\n  twolane resume job nightly")]
pub(super) struct Pause {
    /// What kind of thing
    kind: Kind,
    /// Its name
    name: String,
    /// Print the API's JSON
    #[arg(long)]
    json: bool,
}

/// What can be paused.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// `io` or `cpu`
    Lane,
    /// A pool of the configuration
    Pool,
    /// A limit of the configuration
    Limit,
    /// A resource of the configuration
    Resource,
    /// A job: its runs that execute go on, no other starts
    Job,
    /// The schedules of a job: what becomes of the slots in between is said by `missed`
    Schedule,
}

pub(super) fn run(args: &Pause, client: &Client, out: &mut Out) -> Asked {
    ask(args, "/pause", client, out)
}

/// Pauses or resumes, by the route.
pub(super) fn ask(args: &Pause, route: &str, client: &Client, out: &mut Out) -> Asked {
    let name = Some(args.name.clone());
    let (kind, body) = match args.kind {
        Kind::Lane => (
            "lane",
            What {
                lane: name,
                ..What::default()
            },
        ),
        Kind::Pool => (
            "pool",
            What {
                pool: name,
                ..What::default()
            },
        ),
        Kind::Limit => (
            "limit",
            What {
                limit: name,
                ..What::default()
            },
        ),
        Kind::Resource => (
            "resource",
            What {
                resource: name,
                ..What::default()
            },
        ),
        Kind::Job => (
            "job",
            What {
                job: name,
                ..What::default()
            },
        ),
        Kind::Schedule => (
            "schedule of",
            What {
                schedule: name,
                ..What::default()
            },
        ),
    };
    let what: What = client.post(route, &body)?;
    if args.json {
        return json(out, &what);
    }
    let is = match what.paused {
        Some(false) => "is not paused",
        Some(true) => "is paused",
        // The daemon did it and did not say more.
        None if route == "/pause" => "is paused",
        None => "is not paused",
    };
    Ok(out.line(format_args!("{kind} {} {is}", harmless(&args.name))))
}
