//! `twolane show`: all about one run.

use clap::Args;

use super::Exit;
use super::out::Out;
use super::people::{ago, seconds, table};
use super::remote::{Remote, failed, print_json};
use crate::api::wire;
use crate::logging::harmless;

/// The command's arguments.
#[derive(Args, Debug)]
pub(super) struct Show {
    /// The run's number
    run: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Show, remote: &Remote, out: &mut Out) -> Exit {
    let story: wire::RunStory = match remote.client.get(&format!("/runs/{}", args.run)) {
        Ok(story) => story,
        Err(error) => return failed(&error),
    };
    if args.json {
        return print_json(out, &story);
    }
    for (name, value) in facts(&story.run) {
        if !value.is_empty() {
            out.line(format_args!("{name:<10} {}", harmless(&value)));
        }
    }
    let rows = story.history.iter().map(|event| {
        let attempt = event
            .attempt
            .map_or(String::new(), |attempt| attempt.to_string());
        let reason = event.reason.clone().unwrap_or_default();
        vec![
            event.at.clone(),
            event.event.clone(),
            attempt,
            reason.chars().take(120).collect(),
        ]
    });
    let history = table(&["WHEN", "WHAT", "TRY", "WHY"], rows.collect(), &[2]);
    out.line(format_args!("\n{history}"))
}

fn facts(run: &wire::Run) -> Vec<(&'static str, String)> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let json = |value: &Option<serde_json::Value>| match value {
        Some(value) if !value.is_null() => value.to_string(),
        Some(_) | None => String::new(),
    };
    let when = |at: &Option<String>| {
        at.as_ref()
            .map_or(String::new(), |at| format!("{at} ({})", ago(at)))
    };
    let after: Vec<String> = run.after.iter().map(ToString::to_string).collect();
    vec![
        ("run", run.run.to_string()),
        ("job", run.job.clone()),
        ("state", run.state.clone()),
        ("reason", text(&run.reason)),
        ("task", format!("{} in lane {}", run.task, run.lane)),
        ("pool", text(&run.pool)),
        ("priority", run.priority.to_string()),
        ("after", after.join(", ")),
        ("key", text(&run.key)),
        ("accepted", when(&Some(run.accepted.clone()))),
        ("started", when(&run.started)),
        ("ended", when(&run.ended)),
        ("waited", seconds(run.wait_seconds)),
        ("ran", seconds(run.run_seconds)),
        ("cpu time", seconds(run.cpu_seconds)),
        ("attempts", run.attempts.to_string()),
        ("args", json(&run.args)),
        ("result", json(&run.result)),
    ]
}
