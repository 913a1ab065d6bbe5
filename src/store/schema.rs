//! The tables, and the way from each format to the next. Knows nothing of what is in them.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::error::{Damage, Fault, StoreError};
use super::place::Form;
use super::reached::Reached;
use super::{backup, place};

/// Brings a store from one format to the next; the first one makes it.
type Migration = fn(&Connection) -> rusqlite::Result<()>;

/// One for each format, from format 1 on.
const MIGRATIONS: &[Migration] = &[first, second];

/// `twol`, by which `file` and we know the database.
const APPLICATION: i64 = 0x7477_6f6c;

/// The first version of SQLite without the WAL-reset fault.
const SQLITE_NEEDED: i32 = 3_051_003;

/// The newest format.
pub(super) const fn newest() -> i64 {
    MIGRATIONS.len().cast_signed() as i64
}

fn first(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch(
        "CREATE TABLE meta (
           id INTEGER PRIMARY KEY CHECK (id = 1),
           epoch INTEGER NOT NULL,
           anchor_number INTEGER NOT NULL,
           anchor_hash BLOB NOT NULL,
           newest_number INTEGER NOT NULL,
           newest_hash BLOB NOT NULL,
           top_run INTEGER NOT NULL
         );
         INSERT INTO meta VALUES (1, 0, 0, zeroblob(16), 0, zeroblob(16), 0);
         CREATE TABLE facts (
           number INTEGER PRIMARY KEY,
           run INTEGER,
           wall INTEGER NOT NULL,
           mono INTEGER NOT NULL,
           payload TEXT,
           prev BLOB NOT NULL,
           hash BLOB NOT NULL
         );
         CREATE INDEX facts_by_run ON facts (run, number) WHERE run IS NOT NULL;
         CREATE INDEX facts_of_none ON facts (number) WHERE run IS NULL;
         -- What is still in force of records that are no longer in `facts`.
         CREATE TABLE standing (
           what TEXT PRIMARY KEY,
           number INTEGER NOT NULL,
           run INTEGER,
           wall INTEGER NOT NULL,
           mono INTEGER NOT NULL,
           payload TEXT,
           prev BLOB NOT NULL,
           hash BLOB NOT NULL
         );
         -- A number is never used twice: readers remember what it meant.
         CREATE TABLE specs (
           id INTEGER PRIMARY KEY AUTOINCREMENT,
           digest BLOB NOT NULL UNIQUE,
           body TEXT NOT NULL,
           uses INTEGER NOT NULL
         );
         CREATE TABLE runs (
           run INTEGER PRIMARY KEY,
           job TEXT NOT NULL,
           state INTEGER NOT NULL,
           accepted INTEGER NOT NULL,
           due INTEGER,
           ended INTEGER
         );
         CREATE INDEX runs_by_state ON runs (state, run);
         CREATE INDEX runs_by_job ON runs (job, state, run);
         CREATE INDEX runs_by_end ON runs (ended) WHERE ended IS NOT NULL;
         CREATE TABLE keys (
           key TEXT PRIMARY KEY,
           digest TEXT NOT NULL,
           run INTEGER NOT NULL
         ) WITHOUT ROWID;",
    )
}

/// What a record says may begin with who asked for it. No table is another; it is the number by which an
/// older twolane, which cannot read such a record, knows that it has to leave the store alone.
const fn second(_: &Connection) -> rusqlite::Result<()> {
    Ok(())
}

/// Refuses a SQLite that may corrupt the store.
pub(super) fn check_sqlite() -> Result<(), StoreError> {
    if rusqlite::version_number() >= SQLITE_NEEDED {
        return Ok(());
    }
    Err(StoreError::OldSqlite {
        found: rusqlite::version().into(),
    })
}

/// The format of a database; 0 for one that was never filled.
pub(super) fn format_of(conn: &Connection, db: &Path) -> Result<i64, StoreError> {
    let read = || -> Result<(i64, i64, i64), Fault> {
        let format = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let application = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let tables = conn.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |row| row.get(0))?;
        Ok((format, application, tables))
    };
    let (format, application, tables) = read().map_err(|fault| fault.of("read", db))?;
    if tables > 0 && application != APPLICATION {
        return Err(StoreError::Foreign { db: db.into() });
    }
    if format > newest() && !bug!("newer-format-opened") {
        return Err(StoreError::Newer {
            db: db.into(),
            found: format,
            known: newest(),
        });
    }
    if format < 0 || (format == 0) != (tables == 0) {
        let damage = Damage::File(format!("its format cannot be {format}"));
        return Err(StoreError::Damaged {
            db: db.into(),
            damage,
        });
    }
    Ok(format)
}

/// Brings the store from `format` to the newest one, after a backup of what was there.
pub(super) fn migrate(conn: &mut Connection, db: &Path, format: i64) -> Result<(), StoreError> {
    let failed = |source| Fault::Sqlite(source).of("bring to the newest format", db);
    if format > 0 && format < newest() {
        back_up(conn, db)?;
    }
    for (to, migration) in (1_i64..).zip(MIGRATIONS) {
        if to <= format {
            continue;
        }
        let step = conn
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        migration(&step)
            .and_then(|()| step.pragma_update(None, "application_id", APPLICATION))
            .and_then(|()| step.pragma_update(None, "user_version", to))
            .and_then(|()| step.commit())
            .map_err(failed)?;
    }
    Ok(())
}

/// Keeps a copy of the store as it is beside it. One of an attempt that did not come to its end says the same
/// and will do; one of another time, from before the store was taken back to an older format, stays.
fn back_up(conn: &Connection, db: &Path) -> Result<(), StoreError> {
    let newest_of = |conn: &Connection, db: &Path| -> Result<Vec<u8>, StoreError> {
        let read = conn.query_row("SELECT newest_hash FROM meta", [], |row| row.get(0));
        read.map_err(|error| Fault::Sqlite(error).of("read", db))
    };
    let own = newest_of(conn, db)?;
    for number in 1_u32.. {
        let mut name = db.as_os_str().to_owned();
        name.push(format!(".before-v{}", newest()));
        if number > 1 {
            name.push(format!(".{number}"));
        }
        let copy = PathBuf::from(name);
        if !copy.exists() {
            return backup::copy(conn, db, &copy);
        }
        let same = open_to_read(&copy).and_then(|other| newest_of(&other, &copy));
        if same.is_ok_and(|newest| newest == own) {
            return Ok(());
        }
    }
    Ok(())
}

/// A connection that can only read, of a store that has all that was committed.
pub(super) fn open_to_read(db: &Path) -> Result<Connection, StoreError> {
    let (conn, reached) = open_to_look(db)?;
    holds(reached, &conn, db)?;
    Ok(conn)
}

/// Whether a store has all that is told of it.
fn holds(told: Option<Reached>, conn: &Connection, db: &Path) -> Result<(), StoreError> {
    let Some(told) = told else { return Ok(()) };
    let check = || -> Result<(), Fault> { told.check(&conn.unchecked_transaction()?, db) };
    check().map_err(|fault| fault.of("read", db))
}

/// A connection that can only read, beside the one that writes, in the same process. The file is not opened but by
/// SQLite: when any descriptor of it is closed, the kernel takes away all of the process's locks, and with the
/// writer's another program would take itself for the last one that has the store open, and remove its log.
pub(super) fn open_beside(db: &Path) -> Result<Connection, StoreError> {
    let reached = Reached::told(db)?;
    let conn = connect(db)?;
    holds(reached, &conn, db)?;
    Ok(conn)
}

/// A connection that can only read, and how far the store had come by then, if that is told.
pub(super) fn open_to_look(db: &Path) -> Result<(Connection, Option<Reached>), StoreError> {
    if !db.exists() {
        return Err(StoreError::Absent { db: db.into() });
    }
    // Before anything is read of the store, which may go on meanwhile. What is told is not of a copy that was put
    // in its place.
    let reached = match place::look(db)? {
        Form::Live => Reached::told(db)?,
        Form::Copy => None,
    };
    let conn = connect(db)?;
    check_tables(&conn).map_err(|fault| fault.of("read", db))?;
    let is_ours = is_known(&conn).map_err(|fault| fault.of("read", db))?;
    Ok((conn, reached.filter(|_| is_ours)))
}

fn connect(db: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> Result<Connection, Fault> {
        let conn = Connection::open_with_flags(db, flags)?;
        conn.execute_batch(
            "PRAGMA query_only = 1; PRAGMA mmap_size = 0; PRAGMA cache_size = -16384;
             PRAGMA temp_store = MEMORY; PRAGMA busy_timeout = 5000;",
        )?;
        Ok(conn)
    };
    open().map_err(|fault| fault.of("open", db))
}

/// Whether it is a store of a format that is known.
fn is_known(conn: &Connection) -> Result<bool, Fault> {
    let read = |name| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let format = read("user_version")?;
    Ok((1..=newest()).contains(&format) && read("application_id")? == APPLICATION)
}

/// Whether the tables and indices of a store of the newest format are those that were made: a bit that is
/// turned in how an index is defined makes it find other rows, and nobody would notice.
fn check_tables(conn: &Connection) -> Result<(), Fault> {
    let format: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if format != newest() {
        return Ok(());
    }
    let made = Connection::open_in_memory()?;
    for migration in MIGRATIONS {
        migration(&made)?;
    }
    if tables(conn)? == tables(&made)? {
        return Ok(());
    }
    Err(Damage::File("its tables are not those that were made".into()).into())
}

/// How all tables and indices are defined.
fn tables(conn: &Connection) -> rusqlite::Result<Vec<Vec<Option<String>>>> {
    let mut statement =
        conn.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name")?;
    let rows = statement.query_map([], |row| (0..4).map(|at| row.get(at)).collect())?;
    rows.collect()
}

/// The connection that writes.
pub(super) fn open_to_write(db: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> Result<Connection, Fault> {
        let conn = Connection::open_with_flags(db, flags)?;
        // `synchronous = FULL` syncs the log in each commit: only then is what was answered on disk.
        conn.execute_batch(
            "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             PRAGMA wal_autocheckpoint = 0; PRAGMA mmap_size = 0; PRAGMA cache_size = -65536;
             PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = 0;",
        )?;
        if bug!("not-synchronous") {
            conn.execute_batch("PRAGMA synchronous = NORMAL")?;
        }
        conn.set_prepared_statement_cache_capacity(64);
        Ok(conn)
    };
    open().map_err(|fault| fault.of("open", db))
}
