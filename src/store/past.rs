//! Questions about many runs of the past, each with a bound on what is looked at, so that they cost the
//! same in a store of a thousand runs and of a million. Knows no daemon and no engine.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::error::{Fault, StoreError};
use super::fold::number_of;
use super::read::{Reader, RunFilter, bound, matching, story};
use super::story::Story;
use crate::engine::StateKind;
use crate::engine::id::RunId;
use crate::engine::time::Wall;

/// Rows of one stretch of an index that a question about a time looks at.
pub const SCAN_BOUND: usize = 10_000;

/// A stretch of time, and whose runs in it are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Of this job; of all where it is `None`.
    pub job: Option<String>,
    /// From here on.
    pub since: Wall,
    /// Up to here.
    pub until: Wall,
}

/// Runs that were there in a stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Active {
    /// What is not over first, then what ended last.
    pub runs: Vec<RunId>,
    /// Whether there may be more than a bound let through.
    pub more: bool,
}

/// What the index says of a run: its number, when it was accepted, when it ended.
type Times = (i64, i64, Option<i64>);

impl Reader {
    /// The names of the jobs that have runs on record, in order, from the first one after `after` on. Of
    /// each name one row is looked at.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn job_names(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, StoreError> {
        self.ask(|conn, _| {
            let mut statement = conn.prepare_cached(
                "SELECT job FROM runs INDEXED BY runs_by_job WHERE job > ?1 ORDER BY job LIMIT 1",
            )?;
            let mut names: Vec<String> = Vec::new();
            while names.len() < limit {
                // No job has an empty name.
                let last = names.last().map_or(after.unwrap_or(""), String::as_str);
                let next: Option<String> =
                    statement.query_row([last], |row| row.get(0)).optional()?;
                match next {
                    Some(name) => names.push(name),
                    None => break,
                }
            }
            Ok(names)
        })
    }

    /// Hands the newest runs that fit to `each`, the newest first, one at a time, until it says `false`;
    /// `limit` at most.
    ///
    /// # Errors
    ///
    /// If a record of one of them is damaged, or the store cannot be read.
    pub fn each_run(
        &self,
        filter: &RunFilter,
        limit: usize,
        mut each: impl FnMut(Story) -> bool,
    ) -> Result<(), StoreError> {
        self.ask(|conn, specs| {
            for run in matching(conn, filter, limit)? {
                if let Some(story) = story(conn, specs, run)?
                    && !each(story)
                {
                    break;
                }
            }
            Ok(())
        })
    }

    /// The runs that were there at some time of `span` and may have been running, `limit` at most. Runs
    /// that wait and have not been running for long are looked at up to the same limit; of each stretch of
    /// an index, [`SCAN_BOUND`] rows.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn active(&self, span: &Span, limit: usize) -> Result<Active, StoreError> {
        self.ask(|conn, _| {
            let mut found = Active::default();
            let mut rows: Vec<Times> = Vec::new();
            for stretch in stretches(conn, span)? {
                found.more |= stretch.len() >= SCAN_BOUND;
                rows.extend(stretch);
            }
            let (since, until) = (span.since.0, span.until.0);
            rows.retain(|(_, accepted, ended)| {
                *accepted <= until && ended.is_none_or(|ended| ended >= since)
            });
            rows.sort_unstable_by_key(|(run, _, ended)| {
                std::cmp::Reverse((ended.unwrap_or(i64::MAX), *run))
            });
            rows.dedup_by_key(|(run, ..)| *run);
            found.more |= rows.len() > limit;
            rows.truncate(limit);
            let numbers = rows.iter().map(|(run, ..)| RunId(run.cast_unsigned()));
            found.runs = numbers.collect();
            Ok(found)
        })
    }
}

/// The states of runs that are not over and may have been running.
const LIVE: [StateKind; 3] = [StateKind::Running, StateKind::Stopping, StateKind::Queued];

/// The states of runs that are over and may have been running.
const OVER: [StateKind; 3] = [
    StateKind::Succeeded,
    StateKind::Failed,
    StateKind::Cancelled,
];

/// What can be in a span, from each stretch of an index that has some of it.
fn stretches(conn: &Connection, span: &Span) -> Result<Vec<Vec<Times>>, Fault> {
    let most = bound(SCAN_BOUND as u64);
    let read = |row: &Row<'_>| row.try_into();
    let mut all = Vec::new();
    if let Some(job) = &span.job {
        let mut statement = conn.prepare_cached(
            "SELECT run, accepted, ended FROM runs INDEXED BY runs_by_job
             WHERE job = ?1 AND state = ?2 ORDER BY run DESC LIMIT ?3",
        )?;
        for state in LIVE.into_iter().chain(OVER) {
            let rows = statement.query_map(params![job, number_of(state), most], read)?;
            all.push(rows.collect::<Result<_, _>>()?);
        }
        return Ok(all);
    }
    let mut statement = conn.prepare_cached(
        "SELECT run, accepted, ended FROM runs INDEXED BY runs_by_state
         WHERE state = ?1 ORDER BY run DESC LIMIT ?2",
    )?;
    for state in LIVE {
        let rows = statement.query_map(params![number_of(state), most], read)?;
        all.push(rows.collect::<Result<_, _>>()?);
    }
    let ended = [
        // What ended in it, the last one first,
        "SELECT run, accepted, ended FROM runs INDEXED BY runs_by_end
         WHERE ended IS NOT NULL AND ended >= ?1 AND ended <= ?2 ORDER BY ended DESC LIMIT ?3",
        // and what ended after it and may have begun before its end.
        "SELECT run, accepted, ended FROM runs INDEXED BY runs_by_end
         WHERE ended IS NOT NULL AND ended > max(?1, ?2) ORDER BY ended LIMIT ?3",
    ];
    for question in ended {
        let mut statement = conn.prepare_cached(question)?;
        let rows = statement.query_map(params![span.since.0, span.until.0, most], read)?;
        all.push(rows.collect::<Result<_, _>>()?);
    }
    Ok(all)
}
