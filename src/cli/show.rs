//! `twolane show`: everything about a run, with its history.

use clap::Args;
use jiff::Timestamp;

use super::Exit;
use super::ask::{Asked, each, json};
use super::moments::{ago, mebibytes, now, took};
use super::out::Out;
use super::table;
use crate::api::client::Client;
use crate::api::wire::{Event, Run, RunStory};
use crate::logging::harmless;

/// The command's arguments.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  twolane show 42\n  twolane show 42 --json | jq .result")]
pub(super) struct Show {
    /// The runs
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<u64>,
    /// Print the API's JSON, one object a run
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Show, client: &Client, out: &mut Out) -> Asked {
    each(&args.runs, |run| {
        let story: RunStory = client.get(&format!("/runs/{run}"))?;
        if args.json {
            return json(out, &story);
        }
        Ok(tell(&story, now(), out))
    })
}

fn tell(story: &RunStory, now: Timestamp, out: &mut Out) -> Exit {
    let run = &story.run;
    let state = table::state(out, &run.state);
    let reason = run
        .reason
        .as_ref()
        .map(|reason| format!(": {}", harmless(reason)));
    let job = harmless(&run.job);
    out.line(format_args!(
        "run {} of {job} {state}{}",
        run.run,
        reason.unwrap_or_default()
    ));
    for (name, value) in fields(run, now) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            out.line(format_args!("  {name:9} {}", harmless(&value)));
        }
    }
    let mut exit = out.line(format_args!("history:"));
    for event in &story.history {
        let line = format!("  {:>12}  {}", ago(&event.at, now), words(event));
        exit = out.line(format_args!("{}", table::cut(&line, out.width())));
    }
    exit
}

/// What is known of a run, in the order in which people ask for it.
fn fields(run: &Run, now: Timestamp) -> [(&'static str, Option<String>); 22] {
    let when = |at: &String| format!("{} ({at})", ago(at, now));
    let json = |value: &Option<serde_json::Value>| value.as_ref().map(ToString::to_string);
    let slot = run.slot.as_ref().map(|slot| {
        let schedule = run.schedule.as_deref().unwrap_or_default();
        let by = run.backfill.map(|id| format!(", by backfill {id}"));
        format!("{slot} of {schedule}{}", by.unwrap_or_default())
    });
    let after: Vec<String> = run.after.iter().map(ToString::to_string).collect();
    [
        (
            "task",
            Some(format!("{} on {}", run.task, lane(&run.lane, run.auto))),
        ),
        ("pool", run.pool.clone()),
        (
            "priority",
            (run.priority != 0).then(|| run.priority.to_string()),
        ),
        ("key", run.key.clone()),
        ("after", Some(after.join(", "))),
        ("part of", run.part_of.map(|run| run.to_string())),
        (
            "parts",
            run.parts
                .map(|(first, last)| format!("runs {first} to {last}")),
        ),
        (
            "because",
            run.cause.map(|run| format!("of the end of run {run}")),
        ),
        ("slot", slot),
        ("args", json(&run.args)),
        ("by", run.by.clone()),
        ("accepted", Some(when(&run.accepted))),
        ("started", run.started.as_ref().map(when)),
        ("ended", run.ended.as_ref().map(when)),
        ("waited", Some(took(run.wait_seconds))),
        ("ran", Some(took(run.run_seconds))),
        ("cpu", Some(took(run.cpu_seconds))),
        ("held", run.held_seconds.map(|held| took(Some(held)))),
        ("memory", run.memory_bytes.map(mebibytes)),
        (
            "attempts",
            (run.attempts > 1).then(|| run.attempts.to_string()),
        ),
        ("result", json(&run.result)),
        (
            "teardown",
            run.teardown.as_ref().map(|why| format!("failed: {why}")),
        ),
    ]
}

/// A lane as people are told of it.
pub(super) fn lane(lane: &str, auto: bool) -> String {
    let how = if auto { " (auto)" } else { "" };
    format!("{}{how}", harmless(lane))
}

/// What happened, on one line.
pub(super) fn words(event: &Event) -> String {
    let mut line = harmless(&event.event);
    if let Some(attempt) = event.attempt.filter(|attempt| *attempt > 1) {
        line.push_str(&format!(" (attempt {attempt})"));
    }
    if let Some(state) = &event.state
        && *state != event.event
    {
        line.push_str(&format!(", {}", harmless(state)));
    }
    if let Some(reason) = &event.reason {
        line.push_str(&format!(": {}", harmless(reason)));
    }
    if let Some(why) = &event.teardown {
        line.push_str(&format!("; its teardown failed: {}", harmless(why)));
    }
    // That the daemon does by itself what it is there for needs no words.
    if let Some(by) = event.by.as_ref().filter(|by| *by != "daemon") {
        line.push_str(&format!(", by {}", harmless(by)));
    }
    line
}
