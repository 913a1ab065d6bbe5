//! What the store and the engine know, as it goes over the wire.

use std::time::Duration;

use jiff::Timestamp;

use super::wire;
use crate::engine::amounts::Amounts;
use crate::engine::backfill::Ending;
use crate::engine::fact::{Fact, FinalState, Record};
use crate::engine::flow::Over;
use crate::engine::outcome::{End, Interruption, Outcome};
use crate::engine::time::{Mono, Wall};
use crate::engine::{BackfillView, CapacityName, CapacityView, JobView, ScheduleView, absent};
use crate::inbox::DaemonStatus;
use crate::runlog::RunLine;
use crate::store::{AttemptEnd, Story};

/// A moment in RFC 3339, in UTC.
pub(super) fn moment(at: Wall) -> wire::Moment {
    match Timestamp::from_microsecond(at.0) {
        Ok(at) => at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
        Err(_) => format!("{} microseconds since 1970", at.0),
    }
}

/// The moment that a text names.
pub(super) fn parse_moment(text: &str) -> Option<Wall> {
    let at: Timestamp = text.parse().ok()?;
    Some(Wall(at.as_microsecond()))
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

/// The end of the last attempt, once it has left its lane.
fn last_end(story: &Story) -> Option<&End> {
    match story.attempts.last()?.outcome.as_ref()? {
        AttemptEnd::Left(end) => Some(end),
        AttemptEnd::Interrupted(_) => None,
    }
}

/// The end of an attempt that a fact tells of.
fn end_of(fact: &Fact) -> Option<&End> {
    if let Fact::Ended { end, .. } | Fact::Retrying { end, .. } = fact {
        return Some(end);
    }
    None
}

/// Why what was run after an attempt failed.
fn torn(end: &End) -> Option<String> {
    end.teardown.as_ref().map(ToString::to_string)
}

/// A run.
pub(super) fn run(story: &Story) -> wire::Run {
    let end = last_end(story);
    let measured = end.map(|end| end.measures);
    let first = story.attempts.first();
    let accepted = story.facts.first().map(|record| record.at.mono);
    let wait = first
        .zip(accepted)
        .map(|(first, accepted)| first.begun().since(accepted));
    let last = story.attempts.last();
    wire::Run {
        run: story.run.0,
        job: story.job.name.to_string(),
        state: story.state.as_str().to_owned(),
        reason: story.reason.clone(),
        lane: story.job.lane.as_str().to_owned(),
        auto: story.job.auto,
        task: story.job.task.kind().to_owned(),
        pool: story.job.pool.as_ref().map(ToString::to_string),
        priority: story.priority.level(),
        accepted: moment(story.accepted),
        started: last.map(|last| moment(last.started.wall)),
        ended: story.ended.map(moment),
        wait_seconds: wait.map(seconds),
        run_seconds: end.and_then(End::ran).map(seconds),
        cpu_seconds: measured.and_then(|m| m.cpu).map(seconds),
        held_seconds: measured.and_then(|m| m.held).map(seconds),
        memory_bytes: measured.and_then(|m| m.memory),
        teardown: end.and_then(torn),
        attempts: u32::try_from(story.attempts.len()).unwrap_or(u32::MAX),
        args: story.args.as_deref().cloned(),
        result: story.result.as_deref().cloned(),
        failure: story.failure.as_ref().map(|why| why.kind().to_owned()),
        key: story.key.as_ref().map(|key| key.text.to_string()),
        after: story.after.iter().map(|run| run.0).collect(),
        part_of: story.ties.part_of.map(|run| run.0),
        parts: story.parts.as_ref().map(|parts| {
            let last = parts.first.0 + (parts.ends.len() as u64).saturating_sub(1);
            (parts.first.0, last)
        }),
        cause: story.ties.cause.map(|run| run.0),
        slot: story.slot.as_ref().map(|slot| moment(slot.at)),
        schedule: story.slot.as_ref().map(|slot| slot.schedule.to_string()),
        backfill: story.slot.as_ref().and_then(|slot| Some(slot.backfill?.0)),
        by: story
            .facts
            .first()
            .and_then(|record| record.by.as_ref())
            .map(ToString::to_string),
    }
}

/// A run with its history.
pub(super) fn story(story: &Story) -> wire::RunStory {
    wire::RunStory {
        run: run(story),
        history: story.facts.iter().map(event).collect(),
    }
}

/// One fact.
pub(super) fn event(record: &Record) -> wire::Event {
    let (kind, state, attempt, reason) = said(&record.fact);
    let run = record.fact.run();
    wire::Event {
        number: record.number,
        at: moment(record.at.wall),
        event: kind.to_owned(),
        run: run.map(|(run, _)| run.0),
        job: run.map(|(_, job)| job.name.to_string()),
        attempt,
        state: state.map(str::to_owned),
        reason,
        teardown: end_of(&record.fact).and_then(torn),
        by: record.by.as_ref().map(ToString::to_string),
    }
}

type Said = (
    &'static str,
    Option<&'static str>,
    Option<u32>,
    Option<String>,
);

/// The kind of a fact, the state that its run is in from there on where the fact alone says so, the
/// attempt, and the reason.
#[expect(
    clippy::too_many_lines,
    reason = "one arm for each kind of fact, and nothing in them to split off"
)]
fn said(fact: &Fact) -> Said {
    let text = |text: &dyn ToString| Some(text.to_string());
    match fact {
        Fact::Opened => ("opened", None, None, None),
        Fact::Draining => ("draining", None, None, None),
        Fact::Leaving => ("leaving", None, None, None),
        Fact::Sent { epoch, bytes, .. } => {
            let what = match bytes {
                Some(bytes) => format!("{bytes} bytes"),
                None => "that nothing more comes".to_owned(),
            };
            ("sent", None, Some(*epoch), Some(what))
        }
        Fact::Configured { definitions } => {
            let jobs = format!("{} jobs", definitions.jobs.len());
            ("configured", None, None, Some(jobs))
        }
        Fact::Evaluated { job, schedule, .. } => (
            "evaluated",
            None,
            None,
            Some(format!("`{job}` by {schedule}")),
        ),
        Fact::Misplaced { job, finding } => {
            let kind = if finding.moves { "moved" } else { "misplaced" };
            (kind, None, None, Some(format!("`{job}`: {finding}")))
        }
        Fact::Reconsidered { job } => ("reconsidered", None, None, Some(format!("`{job}`"))),
        Fact::BackfillAccepted { backfill } => {
            let what = format!("`{}`: {backfill}", backfill.job);
            ("backfill", None, None, Some(what))
        }
        Fact::BackfillMoved { id, went, .. } => {
            let how = format!("backfill {id}: {went}");
            ("backfill-moved", None, None, Some(how))
        }
        Fact::BackfillEnded {
            backfill,
            went,
            ending,
        } => {
            let how = format!("`{}`: {}", backfill.job, backfill.over(went, ending));
            ("backfill-over", None, None, Some(how))
        }
        Fact::ClockSet { by_micros } => {
            let seconds = by_micros / 1_000_000;
            ("clock-set", None, None, Some(format!("by {seconds} s")))
        }
        Fact::Heard { job, .. } => ("heard", None, None, Some(format!("`{job}`"))),
        Fact::Absent { job, since, within } => {
            let why = format!("`{job}`: {}", absent(since.wall, *within));
            ("absent", None, None, Some(why))
        }
        Fact::Announced { attempts } => {
            let count = format!("{} attempts", attempts.len());
            ("announced", None, None, Some(count))
        }
        Fact::Paused { what } => ("paused", None, None, text(what)),
        Fact::Resumed { what } => ("resumed", None, None, text(what)),
        Fact::Accepted {
            after, due, ties, ..
        } => {
            let waits = !after.is_empty() || ties.replaces.is_some();
            let state = match (!waits, due) {
                (false, _) => "blocked",
                (true, Some(_)) => "scheduled",
                (true, None) => "queued",
            };
            ("accepted", Some(state), None, None)
        }
        Fact::Released { .. } => ("released", None, None, None),
        Fact::Met { by, over, .. } => {
            let how = match over {
                Over::Succeeded => "succeeded",
                Over::Failed => "failed",
                Over::Cancelled => "was cancelled",
                Over::Skipped => "was skipped",
            };
            (
                "met",
                Some("blocked"),
                None,
                Some(format!("run {by} {how}")),
            )
        }
        Fact::Spread { first, count, .. } => {
            let into = format!("into {count} runs, from {first} on");
            ("spread", Some("blocked"), None, Some(into))
        }
        Fact::Gathered { state, .. } => match state {
            FinalState::Succeeded => ("finished", Some("succeeded"), None, None),
            FinalState::Failed(why) => ("failed", Some("failed"), None, text(why)),
            FinalState::Cancelled(why) => ("cancelled", Some("cancelled"), None, text(why)),
        },
        Fact::Due { .. } => ("due", Some("queued"), None, None),
        Fact::Retried { after, .. } => {
            let state = if after.is_empty() {
                "queued"
            } else {
                "blocked"
            };
            ("retried", Some(state), None, None)
        }
        Fact::Started { epoch, .. } => ("started", Some("running"), Some(*epoch), None),
        Fact::Began { epoch, .. } => ("began", None, Some(*epoch), None),
        Fact::Stopping { epoch, reason, .. } => {
            ("stopping", Some("stopping"), Some(*epoch), text(reason))
        }
        Fact::Retrying { epoch, failure, .. } => {
            ("retrying", Some("scheduled"), Some(*epoch), text(failure))
        }
        Fact::GivenUp { failure, .. } => ("failed", Some("failed"), None, text(failure)),
        Fact::Unresponsive { epoch, reason, .. } => (
            "unresponsive",
            Some("unresponsive"),
            Some(*epoch),
            text(reason),
        ),
        Fact::Interrupted { epoch, cause, .. } => {
            let state = match cause {
                Interruption::NoRoom(_) => "scheduled",
                Interruption::Crash
                | Interruption::Unsure
                | Interruption::Unbegun
                | Interruption::Shutdown => "queued",
            };
            ("interrupted", Some(state), Some(*epoch), text(cause))
        }
        Fact::Ended {
            epoch, state, end, ..
        } => ended(*epoch, state, end),
        Fact::Cancelled { reason, .. } => ("cancelled", Some("cancelled"), None, text(reason)),
        Fact::Skipped { reason, .. } => ("skipped", Some("skipped"), None, text(reason)),
    }
}

fn ended(epoch: u32, state: &FinalState, end: &End) -> Said {
    let epoch = Some(epoch);
    match state {
        FinalState::Succeeded => {
            let result = match &end.outcome {
                Outcome::Succeeded(value) if !value.is_null() => Some(value.to_string()),
                Outcome::Succeeded(_)
                | Outcome::Failed(_)
                | Outcome::Stopped
                | Outcome::NoRoom(_) => None,
            };
            ("finished", Some("succeeded"), epoch, result)
        }
        FinalState::Failed(why) => ("failed", Some("failed"), epoch, Some(end.reason(why))),
        FinalState::Cancelled(why) => {
            let why = Some(why.to_string());
            ("cancelled", Some("cancelled"), epoch, why)
        }
    }
}

/// The whole, in numbers.
pub(super) fn status(status: &DaemonStatus, runs: Vec<(&'static str, u64)>) -> wire::Status {
    let engine = &status.engine;
    let many = |number: usize| number as u64;
    wire::Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        started: moment(status.started.wall),
        up_seconds: seconds(status.now.mono.since(status.started.mono)),
        draining: engine.draining,
        runs: runs
            .into_iter()
            .map(|(state, count)| (state.to_owned(), count))
            .collect(),
        unfinished: many(engine.live),
        max_runs: engine.max_runs,
        capacities: engine
            .capacities
            .iter()
            .map(|view| capacity(view, status.now.mono))
            .collect(),
        jobs: many(engine.jobs),
        absent: many(engine.absent),
        backfills: many(engine.backfills),
        records: engine.records,
        uncommitted: many(status.uncommitted),
        max_uncommitted: many(status.max_uncommitted),
        trouble: status.trouble.clone(),
    }
}

fn capacity(view: &CapacityView, now: Mono) -> wire::Capacity {
    let (kind, name) = names(&view.name);
    wire::Capacity {
        kind: kind.to_owned(),
        name,
        size: view.size,
        used: view.used,
        unresponsive: view.unresponsive,
        replaced: view.replaced,
        paused: view.paused,
        rate: view.bucket.as_ref().map(|bucket| wire::Rate {
            rate: bucket.rate().to_string(),
            burst: bucket.rate().burst,
            left: bucket.available(now),
        }),
    }
}

/// The kind of a capacity and its name.
pub(super) fn names(name: &CapacityName) -> (&'static str, String) {
    match name {
        CapacityName::Lane(lane) => ("lane", lane.to_string()),
        CapacityName::Pool(name) => ("pool", name.to_string()),
        CapacityName::Limit(name) => ("limit", name.to_string()),
        CapacityName::Resource(name) => ("resource", name.to_string()),
        CapacityName::Job(name) => ("job", name.to_string()),
        CapacityName::Schedule(job) => ("schedule", job.to_string()),
    }
}

/// A job.
pub(super) fn job(view: &JobView) -> wire::Job {
    let job = &view.job;
    let texts = |names: &[std::sync::Arc<str>]| names.iter().map(ToString::to_string).collect();
    let each = |amounts: &Amounts| {
        let amounts = amounts.iter();
        amounts.map(|(name, n)| (name.to_string(), n)).collect()
    };
    wire::Job {
        job: job.name.to_string(),
        lane: job.lane.as_str().to_owned(),
        auto: job.auto,
        finding: view.finding.map(|finding| finding.to_string()),
        task: job.task.kind().to_owned(),
        pool: job.pool.as_ref().map(ToString::to_string),
        limits: job
            .limits
            .iter()
            .map(|(name, _)| name.to_string())
            .collect(),
        places: each(&job.limits),
        resources: each(&job.resources),
        cpus: job.weight(),
        after: texts(&job.after),
        timeout_seconds: job.timeout.map(seconds),
        params: job
            .params
            .iter()
            .map(|(name, param)| (name.to_string(), param.kind.as_str().to_owned()))
            .collect(),
        running: view.running,
        queued: view.queued as u64,
        paused: view.paused,
        schedules: view.schedules.iter().map(schedule).collect(),
        expect_within_seconds: job.expect_within.map(seconds),
        heard: view.heard.map(|(since, _)| moment(since)),
        absent: view.heard.is_some_and(|(_, is_absent)| is_absent),
        backfills: view
            .backfills
            .iter()
            .map(|(id, begun, slots)| (id.0, *begun, *slots))
            .collect(),
    }
}

fn schedule(view: &ScheduleView) -> wire::Schedule {
    wire::Schedule {
        schedule: view.schedule.to_string(),
        next: view.next.map(moment),
        waiting: view.waiting as u64,
        paused: view.paused,
    }
}

/// A backfill.
pub(super) fn backfill(view: &BackfillView) -> wire::Backfill {
    let BackfillView {
        backfill,
        went,
        ending,
    } = view;
    let reason = match ending {
        Some(Ending::Refused(why)) => Some(why.to_string()),
        Some(Ending::Done | Ending::Cancelled | Ending::Removed) | None => None,
    };
    wire::Backfill {
        backfill: backfill.id.0,
        job: backfill.job.to_string(),
        schedule: backfill.schedule.to_string(),
        from: moment(backfill.from),
        to: moment(backfill.to()),
        max_concurrent: backfill.at_once,
        accepted: moment(backfill.accepted),
        state: ending.as_ref().map_or("running", Ending::as_str).to_owned(),
        reason,
        slots: backfill.slots,
        left_out: backfill.left_out,
        begun: went.begun,
        succeeded: went.succeeded,
        failed: went.failed,
        cancelled: went.cancelled,
        skipped: went.skipped,
        at: moment(went.at.max(backfill.from)),
    }
}

/// A line of a run's log.
pub(super) fn log_line(line: &RunLine) -> wire::LogLine {
    wire::LogLine {
        number: line.number,
        at: moment(line.at),
        attempt: line.attempt,
        stream: line.stream.as_str().to_owned(),
        text: line.text.to_string(),
        fraction: line.fraction,
    }
}
