//! What can go wrong with the store, in words that say what was tried, on which file, and what to do.
//! Knows nothing of who reads them.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::reached::Lost;

/// Why the store could not be opened or read.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another daemon works on the same directory.
    #[error(
        "the store in `{}` is in use by the process {pid}\nhint: stop that daemon first, or give this \
         one a state directory of its own", dir.display()
    )]
    Locked {
        /// The directory of the store.
        dir: PathBuf,
        /// The process that holds the lock, as it wrote itself into the lock file; `?` if unknown.
        pid: String,
    },
    /// There was a store and there is none any more.
    #[error(
        "the store was here and is gone: `{}` is missing or empty, although the file `made` beside it says \
         that it was made\nhint: restore a backup to that path; only if its runs may be forgotten, \
         remove `made`", db.display()
    )]
    Gone {
        /// The file that should be there.
        db: PathBuf,
    },
    /// There is no store where one is to be read.
    #[error("there is no store at `{}`\nhint: name the directory of one with `--state-dir`", db.display())]
    Absent {
        /// The file that is not there.
        db: PathBuf,
    },
    /// The file is a database of something else.
    #[error("`{}` holds tables that are not of twolane\nhint: move it out of the way", db.display())]
    Foreign {
        /// The file.
        db: PathBuf,
    },
    /// A later twolane wrote the store.
    #[error(
        "`{}` has the format {found}, and this twolane knows formats up to {known}\nhint: start the twolane \
         that wrote it, or restore the backup `twolane.db.before-v{found}`", db.display()
    )]
    Newer {
        /// The file.
        db: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format that is known.
        known: i64,
    },
    /// What is on disk is not what was written.
    #[error(
        "`{}` is damaged: {damage}\nhint: {}; nothing was changed", db.display(), damage.cure()
    )]
    Damaged {
        /// The file.
        db: PathBuf,
        /// What is wrong with it.
        damage: Damage,
    },
    /// The SQLite that was linked has a known fault that destroys data.
    #[error(
        "SQLite {found} may corrupt a store (its WAL-reset fault was mended in 3.51.3)\nhint: build \
         twolane with the SQLite that it bundles"
    )]
    OldSqlite {
        /// The version that was linked.
        found: String,
    },
    /// A file is in the way.
    #[error("`{}` exists and is not overwritten\nhint: name another file", file.display())]
    Exists {
        /// The file.
        file: PathBuf,
    },
    /// A call to the operating system failed.
    #[error("could not {tried} `{}`: {source}\nhint: look at the rights, the space and the disk there", file.display())]
    Io {
        /// What was tried.
        tried: &'static str,
        /// On what.
        file: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// SQLite refused.
    #[error("could not {tried} `{}`: {source}\nhint: {}", file.display(), cure(source))]
    Sqlite {
        /// What was tried.
        tried: &'static str,
        /// On what.
        file: PathBuf,
        /// Why it failed.
        source: rusqlite::Error,
    },
}

/// What to do about what SQLite says.
fn cure(error: &rusqlite::Error) -> &'static str {
    use rusqlite::ErrorCode::{CannotOpen, DiskFull, PermissionDenied, ReadOnly, SystemIoFailure};
    match error.sqlite_error_code() {
        Some(DiskFull) => "make room on the disk there, and try again; the store is as it was",
        Some(CannotOpen | PermissionDenied | ReadOnly | SystemIoFailure) => {
            "look at the rights, the space and the disk there"
        }
        _ => "run `twolane store verify`",
    }
}

impl StoreError {
    /// Whether it is as it is until somebody does something about it: to try again is of no use.
    #[must_use]
    pub const fn is_lasting(&self) -> bool {
        match self {
            Self::Gone { .. }
            | Self::Foreign { .. }
            | Self::Newer { .. }
            | Self::Damaged { .. }
            | Self::OldSqlite { .. } => true,
            Self::Locked { .. }
            | Self::Absent { .. }
            | Self::Exists { .. }
            | Self::Io { .. }
            | Self::Sqlite { .. } => false,
        }
    }
}

/// One thing that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The file as a whole.
    File(String),
    /// A record.
    Record {
        /// Its number.
        number: u64,
        /// What is wrong with it.
        what: String,
    },
    /// A job that records refer to.
    Spec {
        /// Its number.
        id: i64,
        /// What is wrong with it.
        what: String,
    },
    /// The entry of a run in the index of runs.
    Run {
        /// Its number.
        run: u64,
        /// What is wrong with it.
        what: String,
    },
    /// Its last commits are not there.
    Lost(Box<Lost>),
}

impl Damage {
    /// What to do.
    fn cure(&self) -> String {
        match self {
            Self::File(_) | Self::Record { .. } | Self::Spec { .. } | Self::Run { .. } => {
                "run `twolane store verify` to see all of it, and restore a backup".into()
            }
            Self::Lost(lost) => format!(
                "put the files back as they were; or restore a backup: remove `{}`, and `{}` if it is there, copy it to \
                 `{}` and start; or, if an older copy was put there on purpose, or what is missing may be forgotten, \
                 remove `{}` and start",
                lost.wal().display(),
                lost.journal().display(),
                lost.db().display(),
                lost.reached().display()
            ),
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(what) => f.write_str(what),
            Self::Record { number, what } => write!(f, "record {number} {what}"),
            Self::Spec { id, what } => write!(f, "job specification {id} {what}"),
            Self::Run { run, what } => write!(f, "the index entry of run {run} {what}"),
            Self::Lost(lost) => lost.fmt(f),
        }
    }
}

/// A fault inside a read, before it is known of which file.
#[derive(Debug)]
pub(super) enum Fault {
    /// What is on disk is wrong.
    Damage(Damage),
    /// SQLite refused.
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Damage> for Fault {
    fn from(damage: Damage) -> Self {
        Self::Damage(damage)
    }
}

impl Fault {
    /// The fault as an error about `db`, met while it was tried to `tried`.
    pub(super) fn of(self, tried: &'static str, db: &Path) -> StoreError {
        let db = db.to_path_buf();
        match self {
            Self::Damage(damage) => StoreError::Damaged { db, damage },
            Self::Sqlite(source) => {
                use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
                if matches!(
                    source.sqlite_error_code(),
                    Some(DatabaseCorrupt | NotADatabase)
                ) {
                    let damage = Damage::File(source.to_string());
                    StoreError::Damaged { db, damage }
                } else {
                    StoreError::Sqlite {
                        tried,
                        file: db,
                        source,
                    }
                }
            }
        }
    }
}

/// The error of a call to the operating system.
pub(super) fn io(tried: &'static str, file: &Path) -> impl FnOnce(io::Error) -> StoreError {
    move |source| StoreError::Io {
        tried,
        file: file.to_path_buf(),
        source,
    }
}

/// A change in how well the log can write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// There is no space left. Nothing is lost: what waits is kept and tried again and again.
    Full {
        /// What SQLite said.
        why: String,
    },
    /// There is no space left but what was kept for that, and all that waited is committed: what runs can
    /// come to its end.
    Low {
        /// What SQLite said.
        why: String,
    },
    /// There is space again and all that waited is committed.
    Recovered,
    /// The log writes no more, and nothing that waits will be committed: the daemon has to leave.
    Broken {
        /// What was tried and why it failed.
        why: String,
    },
}
