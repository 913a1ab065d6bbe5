//! What became of the runs of `twolane run`: collected from the facts, printed at the end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, presets};
use serde_json::{Value, json};

use super::moments::took;
use crate::daemon::Observer;
use crate::engine::StateKind;
use crate::engine::fact::{Fact, FinalState, Record};
use crate::engine::id::RunId;
use crate::engine::outcome::{End, Measures, Outcome, SkipReason};
use crate::engine::spec::JobSpec;
use crate::engine::time::Mono;
use crate::inbox::Note;
use crate::logging::harmless;

/// A result longer than this is cut in the table; the JSON summary has it whole.
const RESULT_SHOWN: usize = 60;

/// Of the runs that one comes after so many are named in the table.
const AFTER_SHOWN: usize = 5;

/// Collects while the daemon runs; a clone of it prints afterwards.
#[derive(Clone, Debug, Default)]
pub(super) struct Summary {
    rows: Arc<Mutex<BTreeMap<RunId, Row>>>,
}

#[derive(Debug)]
struct Row {
    job: Arc<JobSpec>,
    accepted: Mono,
    tied: Tied,
    state: StateKind,
    /// It was left out since there may be only one at a time, and that one is there.
    is_done_by_another: bool,
    /// Why it failed, was cancelled or skipped.
    reason: Option<String>,
    measures: Option<Measures>,
    /// Why what was run after its last attempt failed.
    teardown: Option<String>,
    result: Option<Arc<Value>>,
}

/// What ties a run to others.
#[derive(Debug, Default)]
struct Tied {
    after: Box<[RunId]>,
    /// The run that it is a part of.
    part_of: Option<RunId>,
    /// The run because of whose end it is there.
    cause: Option<RunId>,
}

impl Tied {
    /// As the fact says that a run begins with.
    fn by(fact: &Fact) -> Self {
        let Fact::Accepted { after, ties, .. } = fact else {
            return Self::default();
        };
        Self {
            after: after.clone(),
            part_of: ties.part_of,
            cause: ties.cause,
        }
    }

    /// As people read it; empty where there is nothing to say.
    fn text(&self) -> String {
        match (self.part_of, self.cause, &self.after[..]) {
            (Some(whole), ..) => format!("part of {whole}"),
            (None, Some(cause), _) => format!("end of {cause}"),
            (None, None, after) => {
                let named: Vec<String> = after
                    .iter()
                    .take(AFTER_SHOWN)
                    .map(RunId::to_string)
                    .collect();
                let more = if after.len() > AFTER_SHOWN {
                    ", …"
                } else {
                    ""
                };
                named.join(", ") + more
            }
        }
    }
}

impl Observer for Summary {
    fn record(&mut self, record: &Record) {
        let Some((run, job)) = record.fact.run() else {
            return;
        };
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let row = rows.entry(run).or_insert_with(|| Row {
            job: Arc::clone(job),
            accepted: record.at.mono,
            tied: Tied::by(&record.fact),
            state: StateKind::Queued,
            is_done_by_another: false,
            reason: None,
            measures: None,
            teardown: None,
            result: None,
        });
        row.take(&record.fact);
    }

    fn note(&mut self, _: &Note) {}
}

impl Row {
    fn take(&mut self, fact: &Fact) {
        match fact {
            // Its job may have been moved to the other lane while it waited.
            Fact::Started { job, .. } => {
                (self.job, self.state) = (Arc::clone(job), StateKind::Running)
            }
            Fact::Stopping { reason, .. } => {
                (self.state, self.reason) = (StateKind::Stopping, Some(reason.to_string()));
            }
            Fact::Unresponsive { reason, .. } => {
                (self.state, self.reason) = (StateKind::Unresponsive, Some(reason.to_string()));
            }
            Fact::Ended { state, end, .. } => {
                self.over(state);
                if let FinalState::Failed(failure) = state {
                    self.reason = Some(end.reason(failure));
                }
                self.left(end);
                if let Outcome::Succeeded(result) = &end.outcome {
                    self.result = Some(Arc::clone(result));
                }
            }
            Fact::Gathered { state, result, .. } => {
                self.over(state);
                self.result.clone_from(result);
            }
            Fact::Spread { count, .. } => {
                let into = format!("spread into {count} runs");
                (self.state, self.reason) = (StateKind::Blocked, Some(into));
            }
            Fact::Cancelled { reason, .. } => {
                (self.state, self.reason) = (StateKind::Cancelled, Some(reason.to_string()));
            }
            Fact::Skipped { reason, .. } => {
                self.is_done_by_another = matches!(reason, SkipReason::Duplicate(_));
                (self.state, self.reason) = (StateKind::Skipped, Some(reason.to_string()));
            }
            Fact::Retrying { failure, end, .. } => {
                (self.state, self.reason) = (StateKind::Scheduled, Some(failure.to_string()));
                self.left(end);
            }
            Fact::GivenUp { failure, .. } => {
                (self.state, self.reason) = (StateKind::Failed, Some(failure.to_string()));
            }
            Fact::Interrupted { cause, .. } => {
                (self.state, self.reason) = (StateKind::Queued, Some(cause.to_string()));
            }
            Fact::Retried { .. } => (self.state, self.reason) = (StateKind::Queued, None),
            Fact::Paused { .. }
            | Fact::Resumed { .. }
            | Fact::Opened
            | Fact::Draining
            | Fact::Leaving
            | Fact::Sent { .. }
            | Fact::Evaluated { .. }
            | Fact::Misplaced { .. }
            | Fact::Reconsidered { .. }
            | Fact::BackfillAccepted { .. }
            | Fact::BackfillMoved { .. }
            | Fact::BackfillEnded { .. }
            | Fact::ClockSet { .. }
            | Fact::Heard { .. }
            | Fact::Absent { .. }
            | Fact::Announced { .. }
            | Fact::Configured { .. }
            | Fact::Accepted { .. }
            | Fact::Released { .. }
            | Fact::Met { .. }
            | Fact::Began { .. }
            | Fact::Due { .. } => {}
        }
    }

    fn over(&mut self, state: &FinalState) {
        (self.state, self.reason) = match state {
            FinalState::Succeeded => (StateKind::Succeeded, None),
            FinalState::Failed(failure) => (StateKind::Failed, Some(failure.to_string())),
            FinalState::Cancelled(reason) => (StateKind::Cancelled, Some(reason.to_string())),
        };
    }

    /// From being accepted to the first line of its own code.
    fn wait(&self) -> Option<Duration> {
        Some(self.measures?.began.mono.since(self.accepted))
    }

    /// What is known of an attempt that has left its lane.
    fn left(&mut self, end: &End) {
        self.measures = Some(end.measures);
        self.teardown = end.teardown.as_ref().map(ToString::to_string);
    }

    /// From the first line of its own code to the last.
    fn run_time(&self) -> Option<Duration> {
        self.measures.as_ref().map(Measures::took)
    }

    fn result(&self) -> Option<&Value> {
        self.result.as_deref().filter(|result| !result.is_null())
    }
}

impl Summary {
    /// Whether every run succeeded, or was left out because the one run there may be does the same.
    pub(super) fn all_succeeded(&self) -> bool {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let well = |row: &Row| row.state == StateKind::Succeeded || row.is_done_by_another;
        rows.values().all(well)
    }

    /// The table for people.
    pub(super) fn table(&self) -> String {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let told = |time: Option<Duration>| took(time.map(|time| time.as_secs_f64()));
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_header([
                "RUN", "JOB", "AFTER", "LANE", "STATE", "WAIT", "RUN TIME", "CPU", "LATE", "RESULT",
            ]);
        for (run, row) in rows.iter() {
            let cpu = row.measures.and_then(|measures| measures.cpu);
            let late = row.measures.and_then(|measures| measures.late);
            let text = match (&row.reason, row.result()) {
                (Some(reason), _) => reason.clone(),
                (None, Some(result)) => result.to_string(),
                (None, None) => String::new(),
            };
            let text = match &row.teardown {
                Some(why) => format!("its teardown failed: {why}; {text}"),
                None => text,
            };
            table.add_row([
                run.to_string(),
                row.job.name.to_string(),
                row.tied.text(),
                row.job.lane.to_string(),
                row.state.as_str().to_owned(),
                told(row.wait()),
                told(row.run_time()),
                told(cpu),
                told(late),
                cut(&text),
            ]);
        }
        for index in [0, 5, 6, 7, 8] {
            if let Some(column) = table.column_mut(index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        if rows.values().all(|row| row.tied.text().is_empty())
            && let Some(column) = table.column_mut(2)
        {
            column.set_constraint(ColumnConstraint::Hidden);
        }
        let mut text = String::new();
        for line in table.lines() {
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// The same for programs.
    pub(super) fn json(&self) -> Value {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
        let runs: Vec<Value> = rows
            .iter()
            .map(|(run, row)| {
                json!({
                    "run": run.0,
                    "job": &*row.job.name,
                    "after": row.tied.after.iter().map(|run| run.0).collect::<Vec<_>>(),
                    "part_of": row.tied.part_of.map(|run| run.0),
                    "cause": row.tied.cause.map(|run| run.0),
                    "lane": row.job.lane.as_str(),
                    "state": row.state.as_str(),
                    "reason": row.reason,
                    "wait_seconds": seconds(row.wait()),
                    "run_seconds": seconds(row.run_time()),
                    "cpu_seconds": seconds(row.measures.and_then(|measures| measures.cpu)),
                    "late_seconds": seconds(row.measures.and_then(|measures| measures.late)),
                    "memory_bytes": row.measures.and_then(|measures| measures.memory),
                    "teardown": row.teardown,
                    "result": row.result.as_deref(),
                })
            })
            .collect();
        json!({ "summary": { "runs": runs } })
    }
}

/// The beginning of a text, on one line, without anything that a terminal would take for a command.
fn cut(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let shown: String = line.chars().take(RESULT_SHOWN).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    harmless(&shown) + more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_job_says_commands_no_terminal_and_stays_on_its_line() {
        let long = "x".repeat(RESULT_SHOWN);
        let cases = [
            ("plain", "plain"),
            ("two\nlines", "two…"),
            ("\u{1b}[2Jgone\u{9b}31m", "\\u{1b}[2Jgone\\u{9b}31m"),
            (&format!("{long}y"), &format!("{long}…")),
        ];
        for (text, expected) in cases {
            assert_eq!(cut(text), expected);
        }
    }
}
