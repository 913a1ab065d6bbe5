//! The log of facts on disk: one SQLite database that one thread writes. Knows nothing of what the facts
//! mean beyond the run that they are about.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use rusqlite::{Connection, OpenFlags};

use super::error::{Fault, StoreError, Trouble, io};
use super::place::{self, Form, Lock, StorePlace};
use super::reached::{self, Mark};
use super::read::Reader;
use super::recover::{Recovered, recover};
use super::reserve::Reserve;
use super::retention::{Retention, Sweep};
use super::schema;
use super::thread::{Newest, Order, Thread};
use super::verify::verify;
use super::write::{Writer, bytes_of, raise_epoch};
use super::{FactLog, Haste};
use crate::engine::fact::Record;
use crate::engine::id::RunId;
use crate::engine::time::Wall;

/// How many groups of removed runs may wait to be taken; retention pauses beyond that.
const REMOVED_BOUND: usize = 64;

/// Up to so many records a store is looked at as a whole before it is written to, which takes a moment. Of a
/// larger one it is what recovery reads: the newest records, and all of the runs that are not over.
pub(super) const WHOLE: i64 = 20_000;

/// A log of facts on disk. While it lives, no other one can be opened at its place. When it is dropped,
/// all that was appended is committed first, if that is possible.
#[derive(Debug)]
pub struct SqliteLog {
    place: StorePlace,
    orders: Option<Sender<Order>>,
    hurry: Sender<()>,
    commits: Newest<u64>,
    troubles: Newest<Trouble>,
    outdated: Newest<Wall>,
    removed: Receiver<Vec<RunId>>,
    retention: Retention,
    thread: Option<JoinHandle<()>>,
    _lock: Lock,
}

/// A store that was opened.
#[derive(Debug)]
pub struct Opened {
    /// To write to.
    pub log: SqliteLog,
    /// What was on disk.
    pub recovered: Recovered,
    /// One more than it was when the store was opened to write the last time.
    pub epoch: u64,
}

impl SqliteLog {
    /// Opens the store at `place`, or makes one where there never was one.
    ///
    /// # Errors
    ///
    /// If another daemon works on it, if it is gone, damaged, or of another format, or if the
    /// system refuses. A store that is refused was not written to.
    pub fn open(place: &StorePlace, retention: Retention) -> Result<Opened, StoreError> {
        Self::open_whole(place, retention).map_err(|error| match &error {
            StoreError::Damaged { db, .. } => place::unread(db).unwrap_or(error),
            StoreError::Locked { .. }
            | StoreError::Gone { .. }
            | StoreError::Absent { .. }
            | StoreError::Foreign { .. }
            | StoreError::Newer { .. }
            | StoreError::OldSqlite { .. }
            | StoreError::Exists { .. }
            | StoreError::Io { .. }
            | StoreError::Sqlite { .. } => error,
        })
    }

    /// As above, but for what the disk does not give, which may be told as damage.
    fn open_whole(place: &StorePlace, retention: Retention) -> Result<Opened, StoreError> {
        schema::check_sqlite()?;
        let lock = place.lock()?;
        let db = take_back(place)?;
        let (is_new, form) = make_ready(place, &db)?;
        // What cannot be read in full is not written to.
        let conn = schema::open_to_read(&db)?;
        let (recovered, tail, specs) =
            recover(&conn, is_new).map_err(|fault| fault.of("read", &db))?;
        look_at_whole(&conn, &db)?;
        drop(conn);
        if form == Form::Copy {
            // What is told of the store that was there before is not true of one that was put in its place, from
            // when on that is written to; until then both are as they were.
            reached::forget(&db)?;
        }
        let mut conn = schema::open_to_write(&db)?;
        let sql = |error: rusqlite::Error| Fault::Sqlite(error).of("open", &db);
        let epoch = raise_epoch(&conn).map_err(sql)?;
        let wal = Arc::new(AtomicU64::new(0));
        let pages = Arc::clone(&wal);
        conn.wal_hook(Some(move |_: &mut _, count: std::ffi::c_int| {
            pages.store(u64::try_from(count).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))
        .map_err(sql)?;
        // Unbounded, so that whoever appends never waits: it bounds what is not committed itself.
        let (orders, taken) = unbounded();
        let (hurry, hurried) = bounded(1);
        let (sender, removed) = bounded(REMOVED_BOUND);
        let (commits, troubles) = (Newest::new(), Newest::new());
        let outdated = Newest::new();
        let thread = Thread {
            writer: Writer::new(conn, (epoch, tail), specs, Mark::new(&db)),
            db: db.clone(),
            orders: taken,
            hurry: hurried,
            hurries: false,
            commits: commits.clone(),
            troubles: troubles.clone(),
            removed: sender,
            wal,
            waiting: VecDeque::new(),
            sweep: None,
            swept: None,
            outdated: outdated.clone(),
            is_full: false,
            is_low: false,
            is_giving: false,
            reserve: Reserve::take(place.dir()),
            why: String::new(),
            brought: 0,
        };
        let thread = thread.start().map_err(io("start a thread for", &db))?;
        let log = Self {
            place: place.clone(),
            orders: Some(orders),
            hurry,
            commits,
            troubles,
            outdated,
            removed,
            retention,
            thread: Some(thread),
            _lock: lock,
        };
        Ok(Opened {
            log,
            recovered,
            epoch: epoch.unsigned_abs(),
        })
    }

    /// Somebody who reads the same store, from any thread, without holding up what is written.
    #[must_use]
    pub fn reader(&self) -> Reader {
        if bug!("lock-taken-away") {
            return Reader::new(self.place.db());
        }
        Reader::beside(self.place.db())
    }

    /// Keeps other amounts from the next [`retain`](Self::retain) on.
    pub fn set_retention(&mut self, retention: Retention) {
        self.retention = retention;
    }

    /// The runs that were removed, so that what belongs to them can be removed too. Retention waits
    /// while nobody takes them.
    #[must_use]
    pub fn removed(&self) -> Receiver<Vec<RunId>> {
        self.removed.clone()
    }

    #[cfg(test)]
    pub(super) fn hook(&self, hook: impl FnOnce(&Connection) + Send + 'static) {
        self.order(Order::Hook(Box::new(hook)));
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            // The thread is gone only after it has reported why.
            let _taken = orders.send(order);
        }
    }
}

impl FactLog for SqliteLog {
    fn append(&mut self, batch: u64, records: &Arc<[Record]>, haste: Haste) {
        self.order(Order::Batch(batch, Arc::clone(records), haste));
        if haste == Haste::Now {
            // One that is there already says the same.
            let _told = self.hurry.try_send(());
        }
    }

    fn commits(&self) -> Receiver<u64> {
        self.commits.1.clone()
    }

    fn is_durable(&self) -> bool {
        true
    }

    /// Begins to remove what the retention does not keep as of `now`, a little at a time.
    fn retain(&mut self, now: Wall) {
        if let Some(sweep) = Sweep::new(self.retention, now) {
            self.order(Order::Sweep(sweep));
        }
    }

    fn outdated(&self) -> Receiver<Wall> {
        self.outdated.1.clone()
    }

    fn troubles(&self) -> Receiver<Trouble> {
        self.troubles.1.clone()
    }
}

impl Drop for SqliteLog {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was told as trouble.
            let _ended = thread.join();
        }
    }
}

/// Makes the store if there is none, and brings it to the newest format. Whether it is new, and what it was.
fn make_ready(place: &StorePlace, db: &Path) -> Result<(bool, Form), StoreError> {
    let (format, form) = if place.prepare()? {
        let conn = schema::open_to_read(db)?;
        (schema::format_of(&conn, db)?, place::look(db)?)
    } else {
        (0, Form::Copy)
    };
    if format < schema::newest() {
        if form == Form::Copy {
            reached::forget(db)?;
        }
        let mut conn = schema::open_to_write(db)?;
        schema::migrate(&mut conn, db, format)?;
    }
    place::sync_dir(place.dir())?;
    place.mark()?;
    Ok((format == 0, form))
}

/// Looks at all of a small store.
fn look_at_whole(conn: &Connection, db: &Path) -> Result<(), StoreError> {
    let records: Result<i64, _> = conn.query_row(
        "SELECT newest_number - anchor_number FROM meta",
        [],
        |row| row.get(0),
    );
    let records = records.map_err(|error| Fault::Sqlite(error).of("read", db))?;
    if records <= WHOLE
        && !bug!("damage-overlooked")
        && let Some(damage) = verify(db)?.damage.into_iter().next()
    {
        return Err(StoreError::Damaged {
            db: db.into(),
            damage,
        });
    }
    Ok(())
}

/// A daemon that was killed while it made the store, or while it gave a backup the log that a store has, has left a
/// journal of that. Only who may write can take back what it had begun, and nothing else was written yet: with a log
/// there is no journal. Gives the database.
fn take_back(place: &StorePlace) -> Result<PathBuf, StoreError> {
    let db = place.db();
    if !place::journal_of(&db).exists()
        || bug!("half-made-given-up")
        || bytes_of(&place::wal_of(&db)) > 0
    {
        return Ok(db);
    }
    let taken_back = || -> Result<(), Fault> {
        let conn = Connection::open_with_flags(&db, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        Ok(conn.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |_| Ok(()))?)
    };
    match taken_back() {
        Ok(()) => Ok(db),
        Err(fault) => Err(fault.of("take back what was begun in", &db)),
    }
}
