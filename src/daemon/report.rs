//! What the daemon itself says in the log: its status on request, how a reload went, the way down.

use std::time::Duration;

use crate::config::diff;
use crate::engine::action::StartOrder;
use crate::engine::id::RunId;
use crate::engine::spec::{Definitions, Name};
use crate::engine::time::{Mono, Now};
use crate::engine::{Engine, RunView};
use crate::store::{FactLog, Trouble};

use super::Patience;
use super::outbox::{Outbox, UNCOMMITTED_BOUND};
use super::reload::Rejected;
use super::shutdown::Step;

/// Of the active runs and of those that wait, the status names at most this many each.
const NAMED: usize = 50;

/// Says what a start waits for: the teardowns of what went down with an earlier daemon.
pub(super) fn torn_down(orders: &[StartOrder]) {
    let torn = || orders.iter().filter(|order| order.job.teardown.is_some());
    let Some(longest) = torn().map(|order| order.job.teardown_timeout).max() else {
        return;
    };
    let mut runs: Vec<String> = torn()
        .take(NAMED)
        .map(|order| format!("{} {}", order.attempt.run, order.job.name))
        .collect();
    let count = torn().count();
    if count > runs.len() {
        runs.push("…".to_owned());
    }
    tracing::info!(
        target: "twolane::daemon",
        count,
        runs = runs.join(", "),
        "teardowns of what went down with the daemon run first: until they are over, for {longest:?} at most, nothing \
         starts and nobody is answered"
    );
}

/// Logs where everything stands: counts, capacities with their bounds, what runs, and what waits
/// for what.
pub(super) fn status(engine: &Engine, now: Now, outbox: &Outbox) {
    let status = engine.status();
    let counts: Vec<String> = status
        .counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(kind, count)| format!("{count} {}", kind.as_str()))
        .collect();
    tracing::info!(
        target: "twolane::daemon",
        jobs = status.jobs,
        runs = counts.join(", "),
        unfinished = status.live,
        max_runs = status.max_runs,
        draining = status.draining,
        records = status.records,
        uncommitted = outbox.len(),
        max_uncommitted = UNCOMMITTED_BOUND,
        "status"
    );
    for capacity in &status.capacities {
        let (used, size) = (capacity.used, capacity.size);
        tracing::info!(target: "twolane::daemon", used, size, "status: {}", capacity.name);
        if capacity.unresponsive > 0 {
            tracing::warn!(
                target: "twolane::daemon",
                unresponsive = capacity.unresponsive,
                replaced = capacity.replaced,
                "status: {} has attempts that were asked to stop and do not leave it",
                capacity.name
            );
        }
    }
    if let Some((at, timer)) = engine.next_deadline() {
        let remaining = at.since(now.mono);
        tracing::info!(target: "twolane::daemon", "status: next deadline in {remaining:?}: {timer:?}");
    }
    let waiting = engine.runs().filter(|view| view.state.is_waiting());
    for view in engine.active().take(NAMED).chain(waiting.take(NAMED)) {
        explain(engine, &view, now.mono);
    }
}

fn explain(engine: &Engine, view: &RunView, now: Mono) {
    if let Some(explanation) = engine.explain(view.run, now) {
        let (run, job, state) = (view.run.0, &*view.job.name, view.state.kind().as_str());
        tracing::info!(target: "twolane::daemon", run, job, state, "status: {explanation}");
    }
}

/// Logs that somebody wants the daemon to leave when nothing runs any more.
pub(super) fn drain_asked(engine: &Engine) {
    let running = engine.active_count();
    let waiting = engine.live_count() - running;
    tracing::info!(
        target: "twolane::daemon",
        running,
        waiting,
        "draining on request: nothing starts any more, and the daemon leaves when nothing runs"
    );
}

/// Logs the next step of the way down.
pub(super) fn step_down(step: Step, engine: &Engine, patience: Patience) {
    let running = engine.active_count();
    let waiting = engine.live_count() - running;
    let limit = match patience {
        Patience::Drain(limit) | Patience::Stop(limit) => limit,
    };
    match step {
        Step::Drain => tracing::info!(
            target: "twolane::daemon",
            running,
            waiting,
            "shutting down: nothing starts any more, and what runs has {limit:?} in all; \
             a second signal ends it at once"
        ),
        Step::Stop => tracing::info!(
            target: "twolane::daemon",
            running,
            waiting,
            "shutting down: what runs is asked to stop; a second signal ends it at once"
        ),
        Step::Leave => tracing::warn!(
            target: "twolane::daemon",
            running,
            waiting,
            "shutting down: leaving at once"
        ),
    }
}

/// Logs what is left behind at the very end.
pub(super) fn farewell(late: &[(RunId, Name)], live: usize, outbox: &Outbox, log: &dyn FactLog) {
    let next = match log.is_durable() {
        true => ": the next daemon takes it for one that went down with this one",
        false => "",
    };
    for (run, job) in late {
        tracing::warn!(
            target: "twolane::daemon",
            run = run.0,
            job = &**job,
            "leaving before the attempt has ended{next}"
        );
    }
    let waiting = live - late.len();
    if waiting > 0 && !log.is_durable() {
        tracing::warn!(
            target: "twolane::daemon",
            waiting,
            "runs that had not started are forgotten: facts are kept in memory only"
        );
    }
    if !outbox.is_empty() {
        tracing::warn!(
            target: "twolane::daemon",
            batches = outbox.len(),
            "the log of facts is behind: what was decided last is not committed"
        );
    }
}

/// Logs what a reload changes; whether it changes anything.
/// What it says, too.
pub(super) fn reloaded(old: &Definitions, new: &Definitions) -> (bool, String) {
    let changes = diff(old, new);
    let changed = !(changes.is_empty() && old == new);
    let text = if changed {
        format!("configuration reloaded: {changes}")
    } else {
        "configuration read again: no job, pool, limit or queue setting has changed".to_owned()
    };
    tracing::info!(target: "twolane::daemon", "{text}");
    (changed, text)
}

/// Logs that the wall clock has gone on by so much more than the monotonic one.
pub(super) fn clock_set(by_micros: i64) {
    let seconds = Duration::from_micros(by_micros.unsigned_abs()).as_secs_f64();
    let how = if by_micros < 0 {
        "was set back"
    } else {
        "went forward"
    };
    tracing::warn!(
        target: "twolane::daemon",
        "the wall clock {how} by {seconds:.3} s: schedules go by what it shows, and what was missed is \
         dealt with as after downtime"
    );
}

/// Logs what keeps the log of facts from committing, or that it is over.
pub(super) fn trouble(trouble: &Trouble, uncommitted: usize) {
    match trouble {
        Trouble::Full { why } => tracing::error!(
            target: "twolane::daemon",
            uncommitted,
            "the store cannot be written: {why}; nothing is accepted and nothing new starts until \
             there is room, and then all goes on by itself"
        ),
        Trouble::Low { why } => tracing::error!(
            target: "twolane::daemon",
            "the store's disk is full: {why}; what runs may end and be cancelled, in room that was kept for that, \
             and nothing else is accepted until there is room again"
        ),
        Trouble::Recovered => tracing::info!(
            target: "twolane::daemon",
            "the store is written again: all goes on"
        ),
        Trouble::Broken { why } => tracing::error!(
            target: "twolane::daemon",
            uncommitted,
            "leaving, because the store cannot go on: {why}"
        ),
    }
}

/// What is told to whoever asks, as long as the disk is full: `why` is what SQLite says of that.
pub(super) fn full(why: &str) -> String {
    no_room(why, "nothing is accepted")
}

/// The same, as long as there is the room that was kept for ends.
pub(super) fn low(why: &str) -> String {
    no_room(
        why,
        "nothing is accepted but what brings runs to their ends",
    )
}

fn no_room(why: &str, accepted: &str) -> String {
    format!(
        "there is no room on the disk of `daemon.state_dir` ({why}), so {accepted}, and nothing starts; when there is \
         room, all goes on by itself"
    )
}

/// Logs that a reload has changed nothing, and why.
pub(super) fn not_reloaded(rejected: &Rejected) {
    tracing::warn!(
        target: "twolane::daemon",
        mistakes = rejected.mistakes.len(),
        "configuration not reloaded: it has mistakes, and what was in force stays in force"
    );
    for mistake in &rejected.mistakes {
        tracing::warn!(target: "twolane::daemon", "{mistake}");
    }
}
