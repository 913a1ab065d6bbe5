//! The attempts of a stretch of time, laid out in the slots of their lanes.

use serde::Deserialize;

use super::super::{view, wire};
use super::{PastError, moment, within};
use crate::engine::StateKind;
use crate::engine::outcome::{Outcome, StopReason};
use crate::engine::time::Wall;
use crate::store::{AttemptEnd, AttemptStory, Reader, Span, Story};

/// Runs that are looked at, where nobody says how many, and the most.
const RUNS: (usize, usize) = (500, 5_000);

/// How far back is looked where nobody says so: an hour, in microseconds.
const USUAL: i64 = 3_600_000_000;

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimelineQuery {
    /// Of this job only.
    pub job: Option<String>,
    /// From here on, in RFC 3339; from an hour ago where nothing is said.
    pub since: Option<wire::Moment>,
    /// Up to here; up to now where nothing is said.
    pub until: Option<wire::Moment>,
    /// The runs that were there last, so many at most.
    pub limit: Option<usize>,
}

/// The attempts of a stretch of time that ends `now` or earlier.
///
/// # Errors
/// If the question is wrong, or the store cannot be read.
pub fn timeline(
    reader: &Reader,
    query: &TimelineQuery,
    now: Wall,
) -> Result<wire::Timeline, PastError> {
    let limit = within("limit", query.limit, RUNS.0, RUNS.1)?;
    let until = moment("until", query.until.as_deref(), now)?;
    let since = moment("since", query.since.as_deref(), Wall(until.0 - USUAL))?;
    // A stretch that ends before it begins is the moment at which it does.
    let until = until.max(Wall(since.0.saturating_add(1)));
    let span = Span {
        job: query.job.clone(),
        since,
        until,
    };
    let active = reader.active(&span, limit)?;
    let mut tries = Vec::new();
    for run in active.runs {
        let Some(story) = reader.run(run)? else {
            continue;
        };
        let all = story
            .attempts
            .iter()
            .filter_map(|attempt| Try::of(&story, attempt));
        tries.extend(
            all.filter(|it| it.started <= until && it.ended.is_none_or(|ended| ended >= since)),
        );
    }
    Ok(wire::Timeline {
        since: view::moment(since),
        until: view::moment(until),
        bars: laid_out(tries),
        more: active.more,
    })
}

/// An attempt with its times.
struct Try {
    started: Wall,
    ended: Option<Wall>,
    bar: wire::Bar,
}

impl Try {
    /// `None` for an attempt that the machine had no room for: it was never there.
    fn of(story: &Story, attempt: &AttemptStory) -> Option<Self> {
        let mut started = attempt.started.wall;
        let mut ended = attempt.ended.map(|at| at.wall);
        if let Some(AttemptEnd::Left(end)) = &attempt.outcome {
            if matches!(end.outcome, Outcome::NoRoom(_)) {
                return None;
            }
            // What its lane has measured is nearer to it than when that was decided.
            if end.measures.began.wall != Wall(0) {
                started = end.measures.began.wall;
                ended = Some(end.measures.ended.wall.max(started));
            }
        }
        let bar = wire::Bar {
            run: story.run.0,
            attempt: attempt.epoch,
            job: story.job.name.to_string(),
            lane: story.job.lane.as_str().to_owned(),
            pool: story.job.pool.as_ref().map(ToString::to_string),
            slot: 0,
            started: view::moment(started),
            ended: ended.map(view::moment),
            state: state(attempt).to_owned(),
        };
        Some(Self {
            started,
            ended,
            bar,
        })
    }
}

/// What has become of an attempt.
fn state(attempt: &AttemptStory) -> &'static str {
    match (&attempt.outcome, attempt.stopped) {
        (None, None) => StateKind::Running.as_str(),
        (None, Some(_)) => StateKind::Stopping.as_str(),
        (Some(AttemptEnd::Interrupted(_)), _) => "interrupted",
        (Some(AttemptEnd::Left(end)), stopped) => match (&end.outcome, stopped) {
            (Outcome::Succeeded(_), _) => StateKind::Succeeded.as_str(),
            (
                Outcome::Stopped,
                Some(StopReason::Request | StopReason::Replaced(_) | StopReason::Shutdown),
            ) => StateKind::Cancelled.as_str(),
            (Outcome::NoRoom(_), _) | (Outcome::Stopped, Some(StopReason::Interrupt)) => {
                "interrupted"
            }
            (Outcome::Failed(_), _)
            | (Outcome::Stopped, Some(StopReason::Timeout | StopReason::RunTimeout) | None) => {
                StateKind::Failed.as_str()
            }
        },
    }
}

/// Gives each attempt the first slot of its lane that is free when it begins.
fn laid_out(mut tries: Vec<Try>) -> Vec<wire::Bar> {
    tries.sort_by(|a, b| {
        let key = |it: &Try| (it.started, it.bar.run, it.bar.attempt);
        a.bar
            .lane
            .cmp(&b.bar.lane)
            .then_with(|| key(a).cmp(&key(b)))
    });
    let mut lane = String::new();
    // When each slot of the lane is free again; `None` is never.
    let mut slots: Vec<Option<Wall>> = Vec::new();
    let mut bars = Vec::new();
    for it in tries {
        if it.bar.lane != lane {
            slots.clear();
            lane.clone_from(&it.bar.lane);
        }
        let free = |slot: &Option<Wall>| slot.is_some_and(|at| at <= it.started);
        let slot = slots.iter().position(free).unwrap_or(slots.len());
        match slots.get_mut(slot) {
            Some(taken) => *taken = it.ended,
            None => slots.push(it.ended),
        }
        bars.push(wire::Bar {
            slot: u32::try_from(slot + 1).unwrap_or(u32::MAX),
            ..it.bar
        });
    }
    bars.sort_by(|a, b| (&a.lane, a.slot).cmp(&(&b.lane, b.slot)));
    bars
}
