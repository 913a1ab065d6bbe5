//! Writes records and what follows from them in one transaction. Knows no channel and no thread.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, ErrorCode, OptionalExtension, params};

use super::chain::{self, Head, Link};
use super::codec::{self, Wire};
use super::fold::{Entry, number_of, state_after};
use super::reached::{Mark, Reached};
use super::specs::{Interned, Refused};
use crate::engine::StateKind;
use crate::engine::fact::{Fact, Record};

#[expect(
    clippy::disallowed_types,
    reason = "only finds a place in a list; no order is ever seen, and it is on the hot path"
)]
type Places = std::collections::HashMap<i64, usize>;

/// The head of the chain: what the next record follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    pub(super) number: i64,
    pub(super) hash: Link,
    /// The highest run number so far.
    pub(super) top_run: i64,
}

/// Why a transaction was not committed. Nothing of it is on disk.
#[derive(Debug)]
pub(super) enum Failed {
    /// No space.
    Full(String),
    /// Anything else.
    Broken(String),
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        // Where the shared memory of the log cannot grow, there is no space either: no byte of the
        // store was written before it.
        let shm = |code: i32| code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE;
        let sync = rusqlite::ffi::SQLITE_IOERR_FSYNC;
        let synced = |code: i32| code == sync && bug!("sync-tried-again");
        let full = error.sqlite_error_code() == Some(ErrorCode::DiskFull)
            || error
                .sqlite_error()
                .is_some_and(|error| shm(error.extended_code) || synced(error.extended_code));
        if full {
            Self::Full(error.to_string())
        } else {
            Self::Broken(error.to_string())
        }
    }
}

impl From<Refused> for Failed {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Unwritable(what) => Self::Broken(what),
            Refused::Sqlite(error) => error.into(),
        }
    }
}

/// The change to the entry of one run.
#[derive(Debug)]
enum Change {
    /// There is none yet, or it is to be as if there were none.
    Make(Entry),
    /// It is there.
    Move {
        state: StateKind,
        ended: Option<i64>,
    },
}

/// The connection that writes, and what it needs to know from one transaction to the next.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) conn: Connection,
    epoch: i64,
    tail: Tail,
    pub(super) specs: Interned,
    reached: Mark,
    changes: Vec<(i64, Change)>,
    places: Places,
    payload: Vec<u8>,
}

impl Writer {
    /// Goes on after `tail`, in the name of `epoch`, which is on disk.
    pub(super) fn new(
        conn: Connection,
        (epoch, tail): (i64, Tail),
        specs: Interned,
        reached: Mark,
    ) -> Self {
        let mut writer = Self {
            conn,
            epoch,
            tail,
            specs,
            reached,
            changes: Vec::new(),
            places: Places::default(),
            payload: Vec::new(),
        };
        writer.tell();
        writer
    }

    /// Tells how far the store has come.
    fn tell(&mut self) {
        self.reached.tell(&Reached {
            epoch: self.epoch,
            number: self.tail.number,
            hash: self.tail.hash,
        });
    }

    /// Has what it tells of that outlive a power cut, when all is written.
    pub(super) fn end(&self) {
        self.reached.sync();
    }

    /// Commits `batches`, all or nothing.
    pub(super) fn write<'a>(
        &mut self,
        batches: impl Iterator<Item = &'a Arc<[Record]>>,
    ) -> Result<(), Failed> {
        let before = self.tail;
        let written = self.transaction(|writer| {
            for records in batches {
                writer.facts(records)?;
            }
            writer.index()?;
            if bug!("lost-end-told-early") {
                writer.tell();
            }
            Ok(writer.specs.settle(&writer.conn)?)
        });
        match written {
            // After the commit, and so after its sync.
            Ok(()) => self.tell(),
            Err(_) => self.tail = before,
        }
        self.changes.clear();
        self.places.clear();
        written
    }

    /// Does `work` in a transaction of its own, which fails where the store is no longer ours.
    pub(super) fn transaction<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        // Kept ready: each commit would have them read and compiled anew.
        self.conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let done = work(self).and_then(|value| {
            self.claim()?;
            self.conn.prepare_cached("COMMIT")?.execute([])?;
            Ok(value)
        });
        if done.is_err() {
            // After some errors SQLite has done so already; then there is nothing to roll back.
            if !self.conn.is_autocommit() {
                let _rolled_back = self.conn.execute_batch("ROLLBACK");
            }
            self.specs.clear();
        }
        done
    }

    fn claim(&self) -> Result<(), Failed> {
        let changed = self
            .conn
            .prepare_cached(
                "UPDATE meta SET newest_number = ?1, newest_hash = ?2, top_run = ?3 WHERE epoch = ?4",
            )?
            .execute(params![
                self.tail.number,
                self.tail.hash,
                self.tail.top_run,
                self.epoch
            ])?;
        if changed == 1 || bug!("fence-unchecked") {
            Ok(())
        } else {
            Err(Failed::Broken("another daemon has opened the store".into()))
        }
    }

    fn facts(&mut self, records: &[Record]) -> Result<(), Failed> {
        let Self {
            conn,
            tail,
            specs,
            changes,
            places,
            payload,
            ..
        } = self;
        let mut insert = conn.prepare_cached(
            "INSERT INTO facts (number, run, wall, mono, payload, prev, hash)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        for record in records {
            let number = record.number.cast_signed();
            if number != tail.number + 1 {
                return Err(Failed::Broken(format!(
                    "record {number} was to follow record {}",
                    tail.number
                )));
            }
            if let Fact::Configured { definitions } = &record.fact {
                specs.define(conn, definitions.jobs.values())?;
            }
            let wire = Wire::of(&record.fact, |job| specs.number(conn, job))?;
            payload.clear();
            codec::write(payload, record.by.as_ref(), &wire).map_err(|error| {
                Failed::Broken(format!("record {number} cannot be written: {error}"))
            })?;
            let head = Head {
                number,
                run: record.fact.run().map(|(run, _)| run.0.cast_signed()),
                wall: record.at.wall.0,
                mono: record.at.mono.0.cast_signed(),
            };
            let hash = chain::link(&tail.hash, &head, payload);
            let text = std::str::from_utf8(payload)
                .map_err(|error| Failed::Broken(format!("record {number}: {error}")))?;
            insert.execute(params![
                number, head.run, head.wall, head.mono, text, tail.hash, hash
            ])?;
            tail.number = number;
            tail.hash = hash;
            if let Some(run) = head.run {
                tail.top_run = tail.top_run.max(run);
                let at = note(conn, changes, places.get(&run).copied(), run, record)?;
                if let Some(at) = at {
                    places.insert(run, at);
                }
            }
        }
        Ok(())
    }

    /// Writes what has become of the runs.
    fn index(&mut self) -> Result<(), Failed> {
        let conn = &self.conn;
        let mut make = conn.prepare_cached(
            "INSERT INTO runs (run, job, state, accepted, due, ended) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        let mut change =
            conn.prepare_cached("UPDATE runs SET state = ?2, ended = ?3 WHERE run = ?1")?;
        for (run, what) in &self.changes {
            match what {
                Change::Make(entry) => {
                    make.execute(params![
                        run,
                        &*entry.job,
                        number_of(entry.state),
                        entry.accepted,
                        entry.due,
                        entry.ended
                    ])?;
                }
                Change::Move { state, ended } => {
                    if change.execute(params![run, number_of(*state), ended])? != 1 {
                        return Err(Failed::Broken(format!("run {run} is not on record")));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Takes a record into the changes that follow from its transaction, where that of its run stands at `place`.
/// Gives the place of one that is new: a record need not change anything.
#[expect(
    clippy::too_many_lines,
    reason = "one arm for each kind of fact, and most of them say nothing"
)]
fn note(
    conn: &Connection,
    changes: &mut Vec<(i64, Change)>,
    place: Option<usize>,
    run: i64,
    record: &Record,
) -> Result<Option<usize>, Failed> {
    let begin = |changes: &mut Vec<(i64, Change)>, change| {
        changes.push((run, change));
        Ok(Some(changes.len() - 1))
    };
    let due = match place.and_then(|place| changes.get_mut(place)) {
        Some((_, Change::Make(entry))) => {
            entry.step(record);
            return Ok(None);
        }
        Some((_, Change::Move { .. })) | None => match &record.fact {
            Fact::Accepted { job, key, .. } => {
                if let Some(key) = key
                    && !bug!("key-forgotten")
                {
                    conn.prepare_cached(
                        "INSERT OR REPLACE INTO keys (key, digest, run) VALUES (?1, ?2, ?3)",
                    )?
                    .execute(params![&*key.text, &*key.digest, run])?;
                }
                return begin(changes, Change::Make(Entry::begin(record, &job.name)));
            }
            // Retention may have removed the run between the question and the answer.
            Fact::Retried { job, .. } if due_of(conn, run)?.is_none() => {
                return begin(changes, Change::Make(Entry::begin(record, &job.name)));
            }
            Fact::Released { .. } => due_of(conn, run)?.flatten(),
            Fact::Opened
            | Fact::Configured { .. }
            | Fact::Due { .. }
            | Fact::Met { .. }
            | Fact::Spread { .. }
            | Fact::Gathered { .. }
            | Fact::Started { .. }
            | Fact::Began { .. }
            | Fact::Stopping { .. }
            | Fact::Unresponsive { .. }
            | Fact::Ended { .. }
            | Fact::Retrying { .. }
            | Fact::GivenUp { .. }
            | Fact::Interrupted { .. }
            | Fact::Retried { .. }
            | Fact::Cancelled { .. }
            | Fact::Skipped { .. }
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
            | Fact::Paused { .. }
            | Fact::Resumed { .. } => None,
        },
    };
    let Some(state) = state_after(record, due) else {
        return Ok(None);
    };
    let ended = state.is_final().then_some(record.at.wall.0);
    let change = Change::Move { state, ended };
    match place.and_then(|place| changes.get_mut(place)) {
        Some((_, before)) => {
            *before = change;
            Ok(None)
        }
        None => begin(changes, change),
    }
}

/// When a run on record is due; the outer `None` where it is not on record.
fn due_of(conn: &Connection, run: i64) -> rusqlite::Result<Option<Option<i64>>> {
    conn.prepare_cached("SELECT due FROM runs WHERE run = ?1")?
        .query_row([run], |row| row.get(0))
        .optional()
}

/// Raises the epoch by one, so that no other daemon can write any more. Gives the epoch.
pub(super) fn raise_epoch(conn: &Connection) -> rusqlite::Result<i64> {
    let mut statement = conn.prepare("UPDATE meta SET epoch = epoch + 1 RETURNING epoch")?;
    let mut rows = statement.query([])?;
    let row = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    let epoch = row.get(0)?;
    // The commit comes after the last row, and whoever stops at the first one does not hear that it failed.
    if !bug!("epoch-commit-unheard") {
        rows.next()?;
    }
    Ok(epoch)
}

/// The bytes of a file, 0 if there is none.
pub(super) fn bytes_of(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |found| found.len())
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi::{
        Error, SQLITE_BUSY, SQLITE_CORRUPT, SQLITE_FULL, SQLITE_IOERR, SQLITE_IOERR_DIR_FSYNC,
        SQLITE_IOERR_FSYNC, SQLITE_IOERR_READ, SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_TRUNCATE,
        SQLITE_IOERR_WRITE,
    };

    use super::*;

    #[test]
    fn an_epoch_that_is_not_committed_is_not_raised() {
        let mut conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE meta (epoch); INSERT INTO meta VALUES (4)")
            .unwrap();
        assert_eq!(raise_epoch(&conn).unwrap(), 5);
        // As where the sync fails.
        conn.commit_hook(Some(|| true)).unwrap();
        assert!(raise_epoch(&conn).is_err());
        conn.commit_hook(None::<fn() -> bool>).unwrap();
        assert_eq!(raise_epoch(&conn).unwrap(), 6);
    }

    #[test]
    fn nothing_but_a_full_disk_is_tried_again() {
        for (code, again) in [
            (SQLITE_FULL, true),
            (SQLITE_IOERR_SHMSIZE, true),
            (SQLITE_BUSY, false),
            (SQLITE_CORRUPT, false),
            (SQLITE_IOERR, false),
            (SQLITE_IOERR_DIR_FSYNC, false),
            (SQLITE_IOERR_FSYNC, false),
            (SQLITE_IOERR_READ, false),
            (SQLITE_IOERR_TRUNCATE, false),
            (SQLITE_IOERR_WRITE, false),
        ] {
            let error = rusqlite::Error::SqliteFailure(Error::new(code), None);
            let is_full = matches!(Failed::from(error), Failed::Full(_));
            assert_eq!(is_full, again, "SQLite code {code}");
        }
    }
}
