//! A copy of a store while it is written, and what there is to say of one. Knows no record.

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::error::{Fault, StoreError, io};
use super::write::bytes_of;
use super::{place, schema};

/// Copies the store `from` into the file `to`, which must not exist; a daemon may write meanwhile. The
/// copy is of one moment.
///
/// # Errors
///
/// If `to` exists, `from` is no store, or either cannot be read or written.
pub fn backup(from: &Path, to: &Path) -> Result<(), StoreError> {
    let conn = schema::open_to_read(from)?;
    schema::format_of(&conn, from)?;
    copy(&conn, from, to)
}

/// Copies what `conn` reads of `from` into the file `to`. What was begun under another name is
/// renamed when it is whole, so that `to` is never half a store.
pub(super) fn copy(conn: &Connection, from: &Path, to: &Path) -> Result<(), StoreError> {
    let exists = || StoreError::Exists { file: to.into() };
    if to.exists() {
        return Err(exists());
    }
    let mut name = to.as_os_str().to_owned();
    name.push(".partial");
    let partial = PathBuf::from(name);
    match std::fs::remove_file(&partial) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(io("remove", &partial)(error));
        }
        Ok(()) | Err(_) => place::make_empty(&partial)?,
    }
    let sql = |file: &Path, error| Fault::Sqlite(error).of("copy", file);
    let write = || -> rusqlite::Result<StepResult> {
        let mut target = Connection::open(&partial)?;
        // All pages in one step: it is of one moment, and what is written meanwhile cannot make it
        // begin again.
        let result = Backup::new(conn, &mut target)?.step(-1)?;
        // A copy is one file.
        target.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
        Ok(result)
    };
    let copied = write().map_err(|error| sql(from, error));
    let whole = copied.and_then(|result| {
        if result == StepResult::Done {
            return Ok(());
        }
        let source = std::io::Error::other("it is locked by somebody else");
        Err(io("copy", from)(source))
    });
    let placed = whole.and_then(|()| {
        File::open(&partial)
            .and_then(|file| file.sync_all())
            .map_err(io("sync", &partial))?;
        // A link does not replace what has come to be there meanwhile.
        std::fs::hard_link(&partial, to).map_err(io("make", to))?;
        Ok(())
    });
    let _removed = std::fs::remove_file(&partial);
    placed?;
    place::sync_dir(to.parent().unwrap_or_else(|| Path::new(".")))
}

/// What there is to say of a store as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// The file.
    pub db: PathBuf,
    /// Its format.
    pub format: i64,
    /// The SQLite that reads it.
    pub sqlite: &'static str,
    /// How often it was opened.
    pub epoch: u64,
    /// The size of the database, in bytes.
    pub bytes: u64,
    /// The size of the log that is not yet in it, in bytes.
    pub wal_bytes: u64,
    /// Bytes inside the database that wait to be used again.
    pub free_bytes: u64,
    /// The oldest record that is kept; 0 if there is none.
    pub oldest: u64,
    /// The newest record; 0 if there is none.
    pub newest: u64,
    /// How many runs are on record.
    pub runs: u64,
    /// How many of them are not over.
    pub live: u64,
    /// How many submissions have a key on record.
    pub keys: u64,
    /// How many different jobs are on record.
    pub specs: u64,
}

/// Says it of the store `db`.
///
/// # Errors
///
/// If there is none or it cannot be read.
pub fn info(db: &Path) -> Result<Info, StoreError> {
    let conn = schema::open_to_read(db)?;
    let format = schema::format_of(&conn, db)?;
    let number = |sql: &str| -> Result<u64, StoreError> {
        conn.query_row(sql, [], |row| row.get::<_, Option<i64>>(0))
            .map(|value| u64::try_from(value.unwrap_or(0)).unwrap_or(0))
            .map_err(|error| Fault::Sqlite(error).of("read", db))
    };
    Ok(Info {
        db: db.into(),
        format,
        sqlite: rusqlite::version(),
        epoch: number("SELECT epoch FROM meta")?,
        bytes: bytes_of(db),
        wal_bytes: bytes_of(&place::wal_of(db)),
        free_bytes: number("PRAGMA freelist_count")? * number("PRAGMA page_size")?,
        oldest: number("SELECT MIN(number) FROM facts")?,
        newest: number("SELECT newest_number FROM meta")?,
        runs: number("SELECT COUNT(*) FROM runs")?,
        live: number("SELECT COUNT(*) FROM runs WHERE state < 5")?,
        keys: number("SELECT COUNT(*) FROM keys")?,
        specs: number("SELECT COUNT(*) FROM specs")?,
    })
}
