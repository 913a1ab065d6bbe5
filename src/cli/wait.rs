//! `twolane wait`: until runs are over.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;

use super::Exit;
use super::ask::{Asked, json, path};
use super::events::read;
use super::moments::duration;
use super::out::{Out, complain};
use super::table;
use crate::api::client::{Client, ClientError, Next};
use crate::api::wire::{Changed, EVENT_RUNS_BOUND, Event, RunStory, Status};
use crate::clock::Clock;
use crate::engine::time::Mono;
use crate::logging::harmless;

/// The command's arguments.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  twolane wait 42 && echo well\n  \
    twolane wait 41 42 43 --any --timeout 10m")]
pub(super) struct Wait {
    /// The runs
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<u64>,
    /// For so long at most; then the exit code is 9
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    timeout: Option<Duration>,
    /// Until one of them is over, instead of all
    #[arg(long)]
    any: bool,
    /// Print one JSON object a run: its number and state
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Wait, client: &Client, out: &mut Out) -> Asked {
    let what = What {
        any: args.any,
        json: args.json,
        timeout: args.timeout,
        accepted: false,
    };
    wait(&args.runs, &what, client, out)
}

/// How to wait.
#[derive(Clone, Copy, Default)]
pub(super) struct What {
    pub(super) any: bool,
    pub(super) json: bool,
    pub(super) timeout: Option<Duration>,
    /// The runs are known to be there.
    pub(super) accepted: bool,
}

/// Waits for runs and prints each as it ends.
pub(super) fn wait(runs: &[u64], what: &What, client: &Client, out: &mut Out) -> Asked {
    let clock = Clock::start();
    let deadline = what.timeout.map(|timeout| clock.mono().plus(timeout));
    let mut waiting = Waiting {
        pending: runs.iter().map(|run| (*run, String::new())).collect(),
        exit: Exit::Success,
        ended: false,
        json: what.json,
        out,
    };
    let asked = until_over(runs, what, client, (&mut waiting, clock, deadline));
    asked.map_err(|error| waiting.lost(error, what))
}

/// Waits for runs, until that deadline if there is one.
fn until_over(
    runs: &[u64],
    what: &What,
    client: &Client,
    (waiting, clock, deadline): (&mut Waiting<'_>, Clock, Option<Mono>),
) -> Asked {
    loop {
        // Events from before the look at the runs, so that no end falls between the two.
        let status: Status = client.get("/status")?;
        for run in runs {
            if waiting.pending.contains_key(run) {
                let run: RunStory = client.get(&format!("/runs/{run}"))?;
                let run = &run.run;
                waiting.look(
                    run.run,
                    &run.state,
                    run.reason.as_deref(),
                    run.teardown.as_deref(),
                )?;
            }
        }
        if waiting.is_done(what.any) {
            return Ok(waiting.exit);
        }
        let after = Some(status.records.to_string());
        let pending: Vec<String> = waiting.pending.keys().map(ToString::to_string).collect();
        // Of more than these the events of all runs tell.
        let alone = (pending.len() <= EVENT_RUNS_BOUND).then(|| pending.join(","));
        let mut events = client.stream(&path("/events", &[("after", after), ("run", alone)]))?;
        let mut heard = false;
        loop {
            let next = match left(deadline, clock) {
                Some(Duration::ZERO) => Next::Late,
                left => events.next(left)?,
            };
            match next {
                Next::Line(line) => waiting.hear(&read(&line)?)?,
                Next::Late => return waiting.give_up(what),
                // The daemon leaves, or this was too slow for it: the next look tells.
                Next::End => break,
            }
            heard = true;
            if waiting.is_done(what.any) || waiting.out.is_gone() {
                return Ok(waiting.exit);
            }
        }
        if !heard {
            return Err(waiting.unheard());
        }
    }
}

/// The time until the deadline, if there is one.
fn left(deadline: Option<Mono>, clock: Clock) -> Option<Duration> {
    deadline.map(|deadline| deadline.since(clock.mono()))
}

struct Waiting<'a> {
    /// The states of those that are not over.
    pending: BTreeMap<u64, String>,
    exit: Exit,
    /// One was over.
    ended: bool,
    json: bool,
    out: &'a mut Out,
}

impl Waiting<'_> {
    /// The daemon does not answer any more: what it has accepted is not gone with that.
    fn lost(&self, error: ClientError, what: &What) -> ClientError {
        let seen = self.ended || self.pending.values().any(|state| !state.is_empty());
        if !(seen || what.accepted) || error.is_not_found() {
            return error;
        }
        let runs: Vec<String> = self.pending.keys().map(ToString::to_string).collect();
        let runs = runs.join(" ");
        ClientError::Broken(format!(
            "{error}\nhint: what is accepted is kept; when the daemon is back, `twolane wait {runs}` goes on waiting"
        ))
    }

    /// Takes in the state of a run; prints it if it is over.
    fn look(
        &mut self,
        run: u64,
        state: &str,
        reason: Option<&str>,
        teardown: Option<&str>,
    ) -> Result<(), ClientError> {
        if !table::is_over(state) {
            self.pending.insert(run, state.to_owned());
            return Ok(());
        }
        self.pending.remove(&run);
        self.ended = true;
        if state != "succeeded" {
            self.exit = Exit::RunFailed;
        }
        let reason = reason.filter(|_| state != "succeeded");
        let teardown = teardown.map(|why| format!("its teardown failed: {why}"));
        let parts: Vec<&str> = reason.into_iter().chain(teardown.as_deref()).collect();
        let told = (!parts.is_empty()).then(|| parts.join("; "));
        self.print("done", run, state, told.as_deref())
    }

    /// Takes in an event, if it is about one of the runs.
    fn hear(&mut self, event: &Event) -> Result<(), ClientError> {
        match (event.run, &event.state) {
            (Some(run), Some(state)) if self.pending.contains_key(&run) => self.look(
                run,
                state,
                event.reason.as_deref(),
                event.teardown.as_deref(),
            ),
            (Some(_) | None, Some(_) | None) => Ok(()),
        }
    }

    /// Asking again would only ask for ever.
    fn unheard(&self) -> ClientError {
        let runs: Vec<String> = self.pending.keys().map(ToString::to_string).collect();
        ClientError::Broken(format!(
            "the daemon ended its events while this waited for {}\nhint: they are not lost: see \
             `twolane status`, and wait again",
            runs.join(", ")
        ))
    }

    fn is_done(&self, any: bool) -> bool {
        self.pending.is_empty() || (any && self.ended)
    }

    fn give_up(&mut self, what: &What) -> Asked {
        for (run, state) in std::mem::take(&mut self.pending) {
            self.print("pending", run, &state, None)?;
        }
        let limit = what.timeout.map(crate::config::write_duration);
        complain(&format!(
            "not over after {}\nhint: `twolane explain RUN` tells what a run waits for",
            limit.unwrap_or_default()
        ));
        Ok(Exit::TimedOut)
    }

    fn print(
        &mut self,
        what: &str,
        run: u64,
        state: &str,
        reason: Option<&str>,
    ) -> Result<(), ClientError> {
        if self.json {
            let state = state.to_owned();
            return json(
                self.out,
                &Changed {
                    run,
                    state,
                    with: Vec::new(),
                },
            )
            .map(|_| ());
        }
        let reason = reason.map(|reason| format!(": {}", harmless(reason)));
        let state = table::state(self.out, state);
        self.out.line(format_args!(
            "{what}: {run} {state}{}",
            reason.unwrap_or_default()
        ));
        Ok(())
    }
}
