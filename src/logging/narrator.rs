//! The one place where facts and notes become events of the log. Called on the loop's thread: looks
//! whether anybody listens before it builds anything, does no I/O and waits for nothing.

use std::sync::Arc;
use std::time::Duration;

use tracing::Level;

use super::bars::Board;
use super::event::Event;
use super::line::Line;
use crate::engine::fact::{Fact, Record};
use crate::engine::outcome::Interruption;
use crate::inbox::Note;

/// The target of events about runs.
pub const RUN_TARGET: &str = "twolane::run";
/// The target of events about the scheduler as a whole: opened, configured, draining.
pub const DAEMON_TARGET: &str = "twolane::daemon";

/// Tells the log of facts and notes, through whatever `tracing` subscriber is in force; and the live
/// bars, where there are any.
#[derive(Clone, Debug, Default)]
pub struct Narrator {
    board: Option<Arc<Board>>,
}

impl Narrator {
    pub(super) const fn with_board(board: Option<Arc<Board>>) -> Self {
        Self { board }
    }

    /// Tells of a fact.
    pub fn record(&mut self, record: &Record) {
        if let Some(board) = &self.board {
            board.record(record);
        }
        let event = Event::of(&record.fact);
        let level = level_of(event, &record.fact);
        if wanted(event, level) {
            tell(&Line::of_fact(record), level);
        }
    }

    /// Tells of a note.
    pub fn note(&mut self, note: &Note) {
        if let Some(board) = &self.board {
            board.note(note);
        }
        let level = Event::Progress.level();
        if wanted(Event::Progress, level) {
            tell(&Line::of_note(note), level);
        }
    }
}

/// How grave it is that this happened.
const fn level_of(event: Event, fact: &Fact) -> Level {
    if let Fact::Ended { end, .. } | Fact::Retrying { end, .. } = fact
        && end.teardown.is_some()
    {
        // However well the task went, what its teardown was to put in order is not.
        return Level::WARN;
    }
    if let Fact::Interrupted { cause, .. } = fact
        && matches!(cause, Interruption::NoRoom(_) | Interruption::Unbegun)
    {
        // It comes once a second for each that waits, or for all that waited when the daemon went down; and one line
        // that counts them comes beside it.
        return Level::INFO;
    }
    event.level()
}

/// Whether somebody listens to such an event. Costs an atomic load where nobody does.
fn wanted(event: Event, level: Level) -> bool {
    match level {
        _ if event.of_no_run() => tracing::enabled!(target: DAEMON_TARGET, Level::DEBUG),
        Level::DEBUG => tracing::enabled!(target: RUN_TARGET, Level::DEBUG),
        Level::WARN => tracing::enabled!(target: RUN_TARGET, Level::WARN),
        _ => tracing::enabled!(target: RUN_TARGET, Level::INFO),
    }
}

fn tell(line: &Line<'_>, level: Level) {
    // `tracing` fixes target, level and names of the fields at each place that emits.
    macro_rules! run {
        ($level:expr) => {
            tracing::event!(
                target: RUN_TARGET,
                $level,
                at = line.at.0,
                event = line.event.as_str(),
                text = line.text.as_deref(),
                job = line.job,
                run = line.run,
                lane = line.lane,
                attempt = line.attempt,
                state = line.state,
                fraction = line.fraction,
                percent = line.percent,
                message = line.message,
                reason = line.reason.as_deref(),
                error = line.error.as_deref(),
                error_kind = line.error_kind,
                duration = line.duration.map(in_seconds),
                cpu = line.cpu.map(in_seconds),
                memory = line.memory,
                teardown = line.teardown.as_deref(),
                late = line.late.map(in_micros),
                coalesced = line.coalesced,
                result = line.result.as_deref(),
                by = line.by.as_deref(),
            )
        };
    }
    if line.event.of_no_run() {
        tracing::event!(
            target: DAEMON_TARGET,
            Level::DEBUG,
            at = line.at.0,
            event = line.event.as_str(),
            jobs = line.jobs,
            pools = line.pools,
            limits = line.limits,
            reason = line.reason.as_deref(),
            by = line.by.as_deref(),
        );
        return;
    }
    match level {
        Level::DEBUG => run!(Level::DEBUG),
        Level::WARN => run!(Level::WARN),
        _ => run!(Level::INFO),
    }
}

/// Seconds, cut to the microsecond.
#[expect(
    clippy::cast_precision_loss,
    reason = "exact up to 2^53 microseconds, which is 285 years"
)]
fn in_seconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e6
}

fn in_micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
