//! `twolane wait`: until runs are over.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::Exit;
use super::list::what_came;
use super::out::Out;
use super::remote::{Remote, failed, print_json};
use crate::api::client::ClientError;
use crate::api::wire;
use crate::clock::Clock;
use crate::config::parse_duration;
use crate::logging::harmless;

/// The command's arguments.
#[derive(Args, Debug)]
pub(super) struct Wait {
    /// The runs' numbers
    #[arg(required = true)]
    runs: Vec<u64>,
    /// Wait no longer than this, as in 90s; exit code 9 if something is not over then
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    timeout: Option<Duration>,
    /// Print JSON, an object a line
    #[arg(long)]
    json: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}

pub(super) fn run(args: &Wait, remote: &Remote, out: &mut Out) -> Exit {
    until_over(remote, &args.runs, args.timeout, args.json, out)
}

/// Waits; prints each run as it ends, and those that have not when the time is over.
pub(super) fn until_over(
    remote: &Remote,
    runs: &[u64],
    timeout: Option<Duration>,
    json: bool,
    out: &mut Out,
) -> Exit {
    let waiting = Waiting {
        remote,
        pending: runs.iter().copied().collect(),
        json,
        exit: Exit::Success,
    };
    waiting
        .wait(timeout, out)
        .unwrap_or_else(|error| failed(&error))
}

struct Waiting<'a> {
    remote: &'a Remote,
    pending: BTreeSet<u64>,
    json: bool,
    exit: Exit,
}

impl Waiting<'_> {
    fn wait(mut self, timeout: Option<Duration>, out: &mut Out) -> Result<Exit, ClientError> {
        let clock = Clock::start();
        let until = timeout.map(|timeout| clock.mono().plus(timeout));
        // From before the first look, so that no end falls between that and the stream.
        let status: wire::Status = self.remote.client.get("/status")?;
        let mut after = status.records;
        for run in self.pending.clone() {
            self.look(run, out)?;
        }
        while !self.pending.is_empty() {
            let left = until.map(|until| until.since(clock.mono()));
            let Some(run) = self.next_end(&mut after, left)? else {
                return Ok(self.pending(out));
            };
            self.look(run, out)?;
        }
        Ok(self.exit)
    }

    /// The next of the runs that may be over; `None` if the time is over.
    fn next_end(
        &self,
        after: &mut u64,
        left: Option<Duration>,
    ) -> Result<Option<u64>, ClientError> {
        let path = format!("/events?after={after}");
        let mut found = None;
        self.remote.client.lines(&path, left, |line| {
            let data = line.strip_prefix("data: ");
            let event: Option<wire::Event> = data.and_then(|data| serde_json::from_str(data).ok());
            let Some(event) = event else {
                return ControlFlow::Continue(());
            };
            *after = event.number;
            found = event.run.filter(|run| self.pending.contains(run));
            let ends = ["finished", "failed", "cancelled", "skipped"];
            if found.is_some() && ends.contains(&event.event.as_str()) {
                return ControlFlow::Break(());
            }
            found = None;
            ControlFlow::Continue(())
        })?;
        if found.is_none() && left.is_none() {
            return Err(ClientError::Broken("the daemon has left".to_owned()));
        }
        Ok(found)
    }

    /// Looks where a run stands, and prints it if it is over.
    fn look(&mut self, run: u64, out: &mut Out) -> Result<(), ClientError> {
        let story: wire::RunStory = self.remote.client.get(&format!("/runs/{run}"))?;
        let found = story.run;
        if !["succeeded", "failed", "cancelled", "skipped"].contains(&found.state.as_str()) {
            return Ok(());
        }
        self.pending.remove(&run);
        if found.state != "succeeded" {
            self.exit = Exit::RunFailed;
        }
        if self.json {
            print_json(out, &found);
        } else {
            let came = harmless(&what_came(&found));
            let colon = if came.is_empty() { "" } else { ": " };
            out.line(format_args!(
                "done: {run} {} {}{colon}{came}",
                found.job, found.state
            ));
        }
        Ok(())
    }

    /// Prints what is not over.
    fn pending(&self, out: &mut Out) -> Exit {
        for run in &self.pending {
            if self.json {
                print_json(out, &json!({ "run": run, "pending": true }));
            } else {
                out.line(format_args!("pending: {run}"));
            }
        }
        Exit::TimedOut
    }
}
