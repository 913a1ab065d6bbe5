//! What facts and actions are in a script's expectations.

use twolane::engine::action::Action;
use twolane::engine::fact::{Fact, FinalState};
use twolane::engine::id::RunId;
use twolane::engine::time::Mono;

#[expect(
    clippy::too_many_lines,
    reason = "one arm for each kind of fact, and nothing in them to split off"
)]
pub(crate) fn fact(fact: &Fact) -> String {
    let name = fact
        .run()
        .map(|(run, job)| format!("run {run} ({})", job.name));
    let name = name.unwrap_or_default();
    match fact {
        Fact::Opened => "opened".to_owned(),
        Fact::Draining => "draining".to_owned(),
        Fact::Leaving => "leaving".to_owned(),
        Fact::Sent { bytes, .. } => format!("{name} sent {bytes:?}"),
        Fact::Configured { definitions } => format!("configured: {} jobs", definitions.jobs.len()),
        Fact::Accepted {
            after,
            due,
            args,
            ties,
            ..
        } => {
            let after: Vec<String> = after.iter().map(ToString::to_string).collect();
            let after = if after.is_empty() {
                String::new()
            } else {
                format!(" after {}", after.join(", "))
            };
            let due = due.map_or(String::new(), |due| {
                format!(" due {:?}", due.since(Mono(0)))
            });
            let args = args
                .as_ref()
                .map_or(String::new(), |args| format!(" {args}"));
            let tied = |word: &str, run: Option<RunId>| {
                run.map_or(String::new(), |run| format!(" {word} {run}"))
            };
            let ties = tied("part of", ties.part_of)
                + &tied("in place of", ties.replaces)
                + &tied("because of", ties.cause);
            format!("{name} accepted{args}{after}{ties}{due}")
        }
        Fact::Released { .. } => format!("{name} released"),
        Fact::Met {
            by, over, given, ..
        } => {
            let given = serde_json::to_string(given).unwrap();
            format!("{name} met {by}, {over:?}, {given}")
        }
        Fact::Spread { first, count, .. } => format!("{name} spread into {count} from {first} on"),
        Fact::Gathered { state, result, .. } => {
            let result = result
                .as_ref()
                .map_or(String::new(), |result| format!(" {result}"));
            format!("{name} gathered: {state:?}{result}")
        }
        Fact::Due { .. } => format!("{name} due"),
        Fact::Started { epoch, .. } => format!("{name} started, attempt {epoch}"),
        Fact::Began { .. } => format!("{name} began"),
        Fact::Stopping { reason, .. } => format!("{name} stopping {reason}"),
        Fact::Unresponsive {
            reason,
            asked,
            kept,
            ..
        } => {
            let kept = if *kept { ", keeps its place" } else { "" };
            format!("{name} unresponsive, asked {asked:?} ago {reason}{kept}")
        }
        Fact::Ended { state, .. } => match state {
            FinalState::Succeeded => format!("{name} succeeded"),
            FinalState::Failed(failure) => format!("{name} failed: {failure}"),
            FinalState::Cancelled(reason) => format!("{name} cancelled {reason}"),
        },
        Fact::Cancelled { reason, .. } => format!("{name} cancelled {reason}, never started"),
        Fact::Skipped { reason, .. } => format!("{name} skipped: {reason}"),
        Fact::Retrying {
            epoch,
            failure,
            due,
            ..
        } => {
            let due = due.since(Mono(0));
            format!("{name} failed in attempt {epoch}: {failure}; again at {due:?}")
        }
        Fact::GivenUp { failure, .. } => format!("{name} given up: {failure}"),
        Fact::Interrupted { epoch, cause, .. } => {
            format!("{name} interrupted in attempt {epoch}: {cause}")
        }
        Fact::Retried { after, .. } if !after.is_empty() => {
            format!("{name} retried after {after:?}")
        }
        Fact::Retried { .. } => format!("{name} retried"),
        Fact::Evaluated { schedule, .. } => format!("evaluated {schedule}"),
        Fact::Announced { attempts } => format!("{} attempts announced", attempts.len()),
        Fact::BackfillAccepted { backfill } => format!("{}: {backfill}", backfill.job),
        Fact::BackfillMoved { id, went, .. } => format!("backfill {id}: {went}"),
        Fact::BackfillEnded {
            backfill,
            went,
            ending,
        } => backfill.over(went, ending),
        Fact::Misplaced { job, finding } => format!("{job} {finding}"),
        Fact::Reconsidered { job } => format!("what was found of the lane of {job} counts no more"),
        Fact::ClockSet { by_micros } => format!("clock set by {by_micros} µs"),
        Fact::Heard { job, again } => {
            format!("{job} is heard of{}", if *again { " again" } else { "" })
        }
        Fact::Absent { job, within, .. } => format!("{job} is absent, expected within {within:?}"),
        Fact::Paused { what } => format!("{what} paused"),
        Fact::Resumed { what } => format!("{what} resumed"),
    }
}

pub(crate) fn action(action: &Action) -> String {
    match action {
        Action::Start(order) => match order.announced {
            Some(by) => format!("-> start {}, announced by record {by}", order.attempt),
            None => format!("-> start {} in {}", order.attempt, order.job.lane),
        },
        Action::Stop { attempt, reason } => format!("-> stop {attempt} {reason}"),
        Action::Replace { attempt } => format!("-> replace {attempt}"),
        Action::Answer { answer, .. } => format!("-> answer {answer:?}"),
    }
}
