//! `twolane events`: what was decided, and what is being decided.

use std::time::Duration;

use clap::Args;
use jiff::tz::TimeZone;

use super::Exit;
use super::ask::{Asked, json, path};
use super::moments::{here, local};
use super::out::{Out, complain};
use super::show::words;
use crate::api::client::{Client, ClientError, Next};
use crate::api::wire::{Event, Status};
use crate::logging::harmless;

/// Without following, how long the next event may let itself be waited for. All are there already;
/// only events that the daemon has decided and not yet committed come a little later.
const LULL: Duration = Duration::from_secs(5);

/// The command's arguments.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  twolane events -f\n  \
    twolane events --after 1200 --json | jq -r 'select(.event == \"failed\") | .run'")]
pub(super) struct Events {
    /// Those with a greater number; without it all that the daemon has, with -f only those to come
    #[arg(long, value_name = "N")]
    after: Option<u64>,
    /// Go on with those to come
    #[arg(short, long)]
    follow: bool,
    /// Print one JSON object an event
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Events, client: &Client, out: &mut Out) -> Asked {
    let status: Status = client.get("/status")?;
    let last = status.records;
    let after = match (args.after, args.follow) {
        (Some(after), _) => after,
        (None, false) => 0,
        (None, true) => last,
    };
    if !args.follow && after >= last {
        return Ok(Exit::Success);
    }
    let zone = here();
    let mut events = client.stream(&path("/events", &[("after", Some(after.to_string()))]))?;
    let limit = (!args.follow).then_some(LULL);
    loop {
        let line = match events.next(limit)? {
            Next::Line(line) => line,
            Next::Late => return Ok(Exit::Success),
            Next::End if args.follow => {
                complain("the daemon has ended the events: it is leaving\nhint: `twolane status`");
                return Ok(Exit::NoDaemon);
            }
            Next::End => return Ok(Exit::Success),
        };
        let event = read(&line)?;
        let exit = if args.json {
            json(out, &event)?
        } else {
            out.line(format_args!("{}", text(&event, &zone)))
        };
        let done = !args.follow && event.number >= last;
        if done || exit != Exit::Success || out.is_gone() {
            return Ok(exit);
        }
    }
}

/// An event from what the stream carries.
pub(super) fn read(line: &str) -> Result<Event, ClientError> {
    serde_json::from_str(line)
        .map_err(|error| ClientError::Broken(format!("an event makes no sense: {error}")))
}

fn text(event: &Event, zone: &TimeZone) -> String {
    let run = event
        .run
        .map(|run| format!(" run {run}"))
        .unwrap_or_default();
    let job = event
        .job
        .as_ref()
        .map(|job| format!(" of {}", harmless(job)));
    format!(
        "{} {}{run}{} {}",
        event.number,
        local(&event.at, zone),
        job.unwrap_or_default(),
        words(event)
    )
}
