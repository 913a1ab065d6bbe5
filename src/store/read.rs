//! Questions to the store from any thread, beside what is written: what is shown is told by records
//! that are known to be what was written. Knows no daemon and no engine.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};

use super::error::{Damage, Fault, StoreError};
use super::fold::{Entry, number_of};
use super::row::{COLUMNS, Raw};
use super::schema;
use super::specs::Specs;
use super::story::Story;
use crate::engine::StateKind;
use crate::engine::fact::Record;
use crate::engine::flow::Over;
use crate::engine::id::RunId;
use crate::engine::input::Forgotten;

/// How many connections are kept for the next question.
const KEPT: usize = 8;

/// Which runs are asked for; all that is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// In this state.
    pub state: Option<StateKind>,
    /// Over (`false`) or not (`true`).
    pub live: Option<bool>,
    /// Of this job.
    pub job: Option<String>,
    /// With a lower number: the last one of the page before.
    pub before: Option<RunId>,
}

/// Reads a store. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Reader {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    db: PathBuf,
    /// How a connection is made.
    open: fn(&Path) -> Result<Connection, StoreError>,
    idle: Mutex<Vec<(Connection, Specs)>>,
}

impl Reader {
    /// Reads the database `db`, which has to exist by the first question.
    #[must_use]
    pub fn new(db: PathBuf) -> Self {
        Self::of(db, schema::open_to_read)
    }

    /// The same in the process that writes it, and has opened it.
    pub(super) fn beside(db: PathBuf) -> Self {
        Self::of(db, schema::open_beside)
    }

    fn of(db: PathBuf, open: fn(&Path) -> Result<Connection, StoreError>) -> Self {
        let idle = Mutex::new(Vec::new());
        let shared = Arc::new(Shared { db, open, idle });
        Self { shared }
    }

    /// The newest runs that fit, the newest first.
    ///
    /// # Errors
    ///
    /// If a record of one of them is damaged, or the store cannot be read.
    pub fn runs(&self, filter: &RunFilter, limit: usize) -> Result<Vec<Story>, StoreError> {
        self.ask(|conn, specs| {
            let mut stories = Vec::new();
            for run in matching(conn, filter, limit)? {
                stories.extend(story(conn, specs, run)?);
            }
            Ok(stories)
        })
    }

    /// One run; `None` where it is not on record.
    ///
    /// # Errors
    ///
    /// As for [`runs`](Self::runs).
    pub fn run(&self, run: RunId) -> Result<Option<Story>, StoreError> {
        self.ask(|conn, specs| story(conn, specs, run.0.cast_signed()))
    }

    /// What has to be known of a run that is over to try it once more; `None` where it is not on
    /// record or not over.
    ///
    /// # Errors
    ///
    /// As for [`runs`](Self::runs).
    pub fn forgotten(&self, run: RunId) -> Result<Option<Forgotten>, StoreError> {
        let story = self.run(run)?.filter(|story| story.state.is_final());
        Ok(story.map(forgotten))
    }

    /// What has to be known of the runs that hang together with this one and are over, and of what they come
    /// after, to try them once more. Empty where there is no such run.
    ///
    /// # Errors
    ///
    /// As for [`runs`](Self::runs).
    pub fn graph(&self, run: RunId) -> Result<Vec<(RunId, Forgotten)>, StoreError> {
        let Some(story) = self.run(run)? else {
            return Ok(Vec::new());
        };
        let first = story.ties.graph.unwrap_or(run);
        let mut members = Vec::new();
        // Those of one submission have numbers that follow each other, and so have the parts of one run.
        let mut open = Vec::new();
        for number in first.0.. {
            match self.run(RunId(number))? {
                Some(story) if story.run == first || story.ties.graph == Some(first) => {
                    open.extend(story.parts.iter().flat_map(|parts| parts.runs()));
                    members.push(story);
                }
                _ => break,
            }
        }
        let mut there: BTreeSet<RunId> = members.iter().map(|story| story.run).collect();
        // Parts that came later, and what was there already when one was to come after it.
        open.extend(members.iter().flat_map(|story| &story.after));
        while let Some(run) = open.pop() {
            if !there.insert(run) {
                continue;
            }
            if let Some(story) = self.run(run)? {
                open.extend(story.parts.iter().flat_map(|parts| parts.runs()));
                open.extend(&story.after);
                members.push(story);
            }
        }
        let over = members.into_iter().filter(|story| story.state.is_final());
        Ok(over.map(|story| (story.run, forgotten(story))).collect())
    }

    /// The records after `number`, in order, without those that retention has removed.
    ///
    /// # Errors
    ///
    /// If one of them is damaged, or the store cannot be read.
    pub fn facts_after(&self, number: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.ask(|conn, specs| {
            let mut statement = conn.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM facts WHERE number > ?1 AND payload IS NOT NULL
                 ORDER BY number LIMIT ?2"
            ))?;
            let mut rows = statement.query(params![bound(number), bound(limit as u64)])?;
            let mut records = Vec::new();
            while let Some(row) = rows.next()? {
                records.push(Raw::of(row)?.record(|id| specs.get(conn, id))?);
            }
            Ok(records)
        })
    }

    /// The records about these runs after `number`, in order, without those that retention has removed.
    ///
    /// # Errors
    ///
    /// As for [`facts_after`](Self::facts_after).
    pub fn facts_of_after(
        &self,
        runs: &[RunId],
        number: u64,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        self.ask(|conn, specs| {
            let mut statement = conn.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM facts WHERE run = ?1 AND number > ?2 AND payload IS NOT NULL
                 ORDER BY number LIMIT ?3"
            ))?;
            let mut records = Vec::new();
            for run in runs {
                let (after, most) = (bound(number), bound(limit as u64));
                let mut rows = statement.query(params![bound(run.0), after, most])?;
                while let Some(row) = rows.next()? {
                    records.push(Raw::of(row)?.record(|id| specs.get(conn, id))?);
                }
            }
            records.sort_by_key(|record| record.number);
            records.truncate(limit);
            Ok(records)
        })
    }

    /// The number of the newest record; 0 if there is none.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn newest(&self) -> Result<u64, StoreError> {
        self.ask(|conn, _| {
            let number: i64 = conn
                .prepare_cached("SELECT newest_number FROM meta")?
                .query_row([], |row| row.get(0))?;
            Ok(number.cast_unsigned())
        })
    }

    /// The digest and the run of the submission that was given this key.
    ///
    /// # Errors
    ///
    /// If the record of the run says otherwise, or the store cannot be read.
    pub fn key(&self, key: &str) -> Result<Option<(String, RunId)>, StoreError> {
        self.ask(|conn, specs| {
            let found: Option<(String, i64)> = conn
                .prepare_cached("SELECT digest, run FROM keys WHERE key = ?1")?
                .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let Some((digest, run)) = found else {
                return Ok(None);
            };
            let told = story(conn, specs, run)?.and_then(|story| story.key);
            if !told.is_some_and(|told| *told.text == *key && *told.digest == *digest) {
                return Err(of_run(run, "has another key on record").into());
            }
            Ok(Some((digest, RunId(run.cast_unsigned()))))
        })
    }

    /// How many runs are in each state, in the order of a run's life.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn counts(&self) -> Result<Vec<(StateKind, u64)>, StoreError> {
        self.ask(|conn, _| {
            let mut statement =
                conn.prepare_cached("SELECT COUNT(*) FROM runs WHERE state = ?1")?;
            let mut counts = Vec::new();
            for state in StateKind::ALL {
                let count: i64 = statement.query_row([number_of(state)], |row| row.get(0))?;
                counts.push((state, count.cast_unsigned()));
            }
            Ok(counts)
        })
    }

    /// Asks in one transaction, so that all of the answer is of one moment.
    pub(super) fn ask<T>(
        &self,
        question: impl FnOnce(&Connection, &mut Specs) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let db = &self.shared.db;
        let idle = || {
            self.shared
                .idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let kept = idle().pop();
        let (conn, mut specs) = match kept {
            Some(kept) => kept,
            None => ((self.shared.open)(db)?, Specs::bounded()),
        };
        let asked = || -> Result<T, Fault> {
            let moment = conn.unchecked_transaction()?;
            let answer = question(&moment, &mut specs)?;
            moment.commit()?;
            Ok(answer)
        };
        let answer = asked().map_err(|fault| fault.of("read", db))?;
        let mut idle = idle();
        if idle.len() < KEPT {
            idle.push((conn, specs));
        }
        Ok(answer)
    }
}

/// A number as SQLite can have it.
pub(super) fn bound(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The numbers of the runs that fit. Each state is a stretch of an index, so that no run is looked at
/// in vain.
pub(super) fn matching(
    conn: &Connection,
    filter: &RunFilter,
    limit: usize,
) -> Result<Vec<i64>, Fault> {
    let before = filter.before.map_or(i64::MAX, |run| bound(run.0));
    let most = bound(limit as u64);
    if (filter.state, filter.live, &filter.job) == (None, None, &None) {
        let mut statement =
            conn.prepare_cached("SELECT run FROM runs WHERE run < ?1 ORDER BY run DESC LIMIT ?2")?;
        let rows = statement.query_map([before, most], |row| row.get(0))?;
        return Ok(rows.collect::<Result<_, _>>()?);
    }
    let mut runs: Vec<i64> = Vec::new();
    let fits = |state: &StateKind| {
        filter.state.is_none_or(|asked| asked == *state)
            && filter.live.is_none_or(|live| live != state.is_final())
    };
    for state in StateKind::ALL.into_iter().filter(fits) {
        let state = number_of(state);
        let read = |row: &rusqlite::Row<'_>| row.get(0);
        let found: Result<Vec<i64>, _> = match &filter.job {
            Some(job) => conn
                .prepare_cached(
                    "SELECT run FROM runs INDEXED BY runs_by_job
                     WHERE job = ?1 AND state = ?2 AND run < ?3 ORDER BY run DESC LIMIT ?4",
                )?
                .query_map(params![job, state, before, most], read)?
                .collect(),
            None => conn
                .prepare_cached(
                    "SELECT run FROM runs INDEXED BY runs_by_state
                     WHERE state = ?1 AND run < ?2 ORDER BY run DESC LIMIT ?3",
                )?
                .query_map(params![state, before, most], read)?
                .collect(),
        };
        runs.extend(found?);
    }
    runs.sort_unstable_by_key(|run| std::cmp::Reverse(*run));
    runs.truncate(limit);
    Ok(runs)
}

fn of_run(run: i64, what: &str) -> Damage {
    Damage::Run {
        run: run.cast_unsigned(),
        what: what.into(),
    }
}

/// The story of a run that is in the index, if both tell the same.
pub(super) fn story(
    conn: &Connection,
    specs: &mut Specs,
    run: i64,
) -> Result<Option<Story>, Fault> {
    let Some(entry) = entry_of(conn, run)? else {
        let has_records = conn
            .prepare_cached("SELECT 1 FROM facts WHERE run = ?1 AND payload IS NOT NULL")?
            .exists([run])?;
        if has_records {
            return Err(of_run(run, "has records, and is not in the index").into());
        }
        return Ok(None);
    };
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM facts WHERE run = ?1 ORDER BY number"
    ))?;
    let mut rows = statement.query([run])?;
    let mut facts = Vec::new();
    while let Some(row) = rows.next()? {
        let raw = Raw::of(row)?;
        // A run that was removed and then tried once more begins anew with that.
        if raw.payload.is_none() && facts.is_empty() {
            continue;
        }
        facts.push(raw.record(|id| specs.get(conn, id))?);
    }
    match Story::tell(facts) {
        Some((story, told)) if matches(&entry, &told) => Ok(Some(story)),
        Some(_) => Err(of_run(run, "differs from what its records tell").into()),
        None => Err(of_run(run, "has no records").into()),
    }
}

/// A row of `runs`: job, state, accepted, due, ended.
pub(super) type Row = (String, i64, i64, Option<i64>, Option<i64>);

/// Whether the index says what the records tell.
pub(super) fn matches(row: &Row, told: &Entry) -> bool {
    let (job, state, accepted, due, ended) = row;
    **job == *told.job
        && *state == number_of(told.state)
        && *accepted == told.accepted
        && *due == told.due
        && *ended == told.ended
}

fn entry_of(conn: &Connection, run: i64) -> Result<Option<Row>, Fault> {
    let found = conn
        .prepare_cached("SELECT job, state, accepted, due, ended FROM runs WHERE run = ?1")?
        .query_row([run], |row| row.try_into())
        .optional();
    match found {
        Ok(found) => Ok(found),
        Err(error) if error.sqlite_error_code().is_none() => {
            Err(of_run(run, "has a column of the wrong kind").into())
        }
        Err(error) => Err(error.into()),
    }
}

fn forgotten(story: Story) -> Forgotten {
    Forgotten {
        epoch: story.epoch(),
        job: story.job,
        priority: story.priority,
        args: story.args,
        after: story.after,
        ties: story.ties,
        parts: story.parts,
        over: Over::of_kind(story.state),
        result: story.result,
    }
}
