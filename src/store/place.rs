//! The directory of a store: its files with their rights, the lock that keeps a second daemon out, and
//! the look at a file before SQLite may touch it. Knows no table.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread::park_timeout;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use super::error::{Damage, StoreError, io};

/// How often a lock is tried for that nobody holds who is still there, and how long it is waited in between: two
/// seconds in all, where a process takes some milliseconds to become its program.
const TRIES: u32 = 1_000;
const BETWEEN: Duration = Duration::from_millis(2);

/// Where a store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorePlace {
    dir: PathBuf,
}

impl StorePlace {
    /// The store in the directory `dir`, which need not exist.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The database.
    #[must_use]
    pub fn db(&self) -> PathBuf {
        self.dir.join("twolane.db")
    }

    /// The file that says that a store was made here.
    #[must_use]
    pub fn marker(&self) -> PathBuf {
        self.dir.join("made")
    }

    /// Makes the directory, for nobody but the own user, and takes the lock.
    pub(super) fn lock(&self) -> Result<Lock, StoreError> {
        self.make_directory()?;
        let path = self.dir.join("lock");
        let mut file = private()
            .read(true)
            .truncate(false)
            .open(&path)
            .map_err(io("open", &path))?;
        if let Err(error) = take(&mut file, || park_timeout(BETWEEN))
            && !bug!("second-daemon")
        {
            if error != Errno::WOULDBLOCK {
                return Err(io("lock", &path)(error.into()));
            }
            let pid = holder(&mut file);
            return Err(StoreError::Locked {
                dir: self.dir.clone(),
                pid: if pid.is_empty() { "?".to_owned() } else { pid },
            });
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(io("write", &path))?;
        Ok(Lock { _file: file })
    }

    /// A store in a directory whose name is not on the disk would go with it when the power is cut. Who has made it
    /// may have been killed before that.
    fn make_directory(&self) -> Result<(), StoreError> {
        let above = self.dir.ancestors();
        let missing: Vec<&Path> = above.take_while(|dir| !dir.exists()).collect();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir)
            .map_err(io("make the directory", &self.dir))?;
        if missing.is_empty() {
            // Where it is another user's, that one has made it.
            let _not_ours = self.dir.parent().map(sync_dir);
            return Ok(());
        }
        let mut parents = missing.into_iter().filter_map(Path::parent);
        parents.try_for_each(sync_dir)
    }

    /// Whether there is a database. One that should be there and is not is an error; where there
    /// never was one, an empty file is made for SQLite to fill.
    pub(super) fn prepare(&self) -> Result<bool, StoreError> {
        let db = self.db();
        let bytes = match fs::metadata(&db) {
            Ok(found) => found.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
            Err(error) => return Err(io("look at", &db)(error)),
        };
        if bytes > 0 {
            look(&db)?;
            return Ok(true);
        }
        if self.marker().exists() && !bug!("lost-store-made-anew") {
            return Err(StoreError::Gone { db });
        }
        private()
            .truncate(false)
            .open(&db)
            .and_then(|file| file.sync_all())
            .map_err(io("make", &db))?;
        Ok(false)
    }

    /// Says for ever that a store was made here.
    pub(super) fn mark(&self) -> Result<(), StoreError> {
        let marker = self.marker();
        if marker.exists() {
            return Ok(());
        }
        let text =
            b"A twolane store was made in this directory. If it is missing, twolane refuses to \
            start rather than forget its runs.\n";
        private()
            .truncate(true)
            .open(&marker)
            .and_then(|mut file| file.write_all(text).and_then(|()| file.sync_all()))
            .map_err(io("write", &marker))?;
        sync_dir(&self.dir)
    }
}

/// Held while a daemon works on the directory; the system lets go of it with the process.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// A file of ours for writing, for nobody but the own user.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    options
}

/// Makes an empty file for nobody but the own user; it must not exist.
pub(super) fn make_empty(path: &Path) -> Result<(), StoreError> {
    match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
    {
        Ok(_empty) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(StoreError::Exists { file: path.into() })
        }
        Err(error) => Err(io("make", path)(error)),
    }
}

/// Makes what happened to the names in a directory outlive a power cut.
pub(super) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    if bug!("made-and-not-synced") {
        return Ok(());
    }
    let dir = if dir.as_os_str().is_empty() {
        Path::new(".")
    } else {
        dir
    };
    File::open(dir)
        .and_then(|file| file.sync_all())
        .map_err(io("sync the directory", dir))
}

/// How a database lies in its directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// With a write-ahead log beside it, as a daemon works on it.
    Live,
    /// As one file without any, which no daemon has opened yet: what `store backup` makes.
    Copy,
}

/// Looks at the bytes of a database before SQLite does: whether it is one, and all of it.
pub(super) fn look(db: &Path) -> Result<Form, StoreError> {
    let damaged = |what: String| {
        Err(StoreError::Damaged {
            db: db.to_path_buf(),
            damage: Damage::File(what),
        })
    };
    let mut file = File::open(db).map_err(io("open", db))?;
    let bytes = file.metadata().map_err(io("look at", db))?.len();
    let mut header = [0_u8; 32];
    // What is shorter is damaged; what the disk does not give may be whole.
    if let Err(error) = file.read_exact(&mut header)
        && error.kind() != std::io::ErrorKind::UnexpectedEof
    {
        return Err(io("read", db)(error));
    }
    if !header.starts_with(b"SQLite format 3\0") {
        return damaged("it does not begin like a SQLite database".into());
    }
    let at = |index: usize| u64::from(header.get(index).copied().unwrap_or(0));
    let page = match (at(16) << 8) | at(17) {
        1 => 65_536,
        size => size,
    };
    if page < 512 || !page.is_power_of_two() {
        return damaged(format!("its pages cannot have {page} bytes"));
    }
    // While pages wait in the log, the file may rightly be shorter than it says.
    let wal = fs::metadata(wal_of(db)).is_ok_and(|wal| wal.len() > 0);
    let pages = (at(28) << 24) | (at(29) << 16) | (at(30) << 8) | at(31);
    if !wal && pages * page != bytes {
        return damaged(format!(
            "it has {bytes} bytes, and {pages} pages of {page} bytes were written"
        ));
    }
    match (at(18), at(19)) {
        (1, 1) if wal => damaged(format!(
            "it is a copy that no daemon has opened, and `{}` is of the store that was there before: remove that, \
             too, when a copy is put there",
            wal_of(db).display()
        )),
        (1, 1) => Ok(Form::Copy),
        _ => Ok(Form::Live),
    }
}

/// Why the disk does not give all that is in a database and its log, if so: SQLite calls that damage.
pub(super) fn unread(db: &Path) -> Option<StoreError> {
    [db.to_path_buf(), wal_of(db)].into_iter().find_map(|path| {
        let read =
            File::open(&path).and_then(|mut file| std::io::copy(&mut file, &mut std::io::sink()));
        let error = read.err()?;
        (error.kind() != std::io::ErrorKind::NotFound).then(|| io("read", &path)(error))
    })
}

/// The write-ahead log beside a database.
pub(super) fn wal_of(db: &Path) -> PathBuf {
    beside(db, "-wal")
}

/// What beside a database that has no log tells how to take back what was begun with it.
pub(super) fn journal_of(db: &Path) -> PathBuf {
    beside(db, "-journal")
}

/// The file beside a database that tells how far it has come.
pub(super) fn reached_of(db: &Path) -> PathBuf {
    beside(db, "-reached")
}

fn beside(db: &Path, more: &str) -> PathBuf {
    let mut name = db.as_os_str().to_owned();
    name.push(more);
    name.into()
}

/// Takes the lock. Where the daemon that held it was killed, it may still be on its way out, and a process that it was
/// just making has it, too, until it is the program that it was made for: that is waited for.
fn take(file: &mut File, mut wait: impl FnMut()) -> Result<(), Errno> {
    for _ in 0..TRIES {
        match flock(&*file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) if is_gone(&holder(file)) => wait(),
            taken => return taken,
        }
    }
    Err(Errno::WOULDBLOCK)
}

/// The process that has the lock, as it wrote itself into the file.
fn holder(file: &mut File) -> String {
    let mut pid = String::new();
    let _unread = file.rewind();
    let _unread = Read::by_ref(file).take(20).read_to_string(&mut pid);
    pid.trim().to_owned()
}

/// Whether there is no such process any more, or soon.
fn is_gone(pid: &str) -> bool {
    let pid = pid.parse().ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH) || is_on_its_way_out(pid))
}

/// The bit of `SIGKILL` in a set of signals.
const KILL: u64 = 1 << 8;

/// Whether a process has been killed, or has no memory any more: its files are closed after that. See `proc(5)`.
fn is_on_its_way_out(pid: Pid) -> bool {
    let path = format!("/proc/{}/status", pid.as_raw_nonzero());
    let Ok(status) = fs::read_to_string(path) else {
        return false;
    };
    let of = |name: &str| {
        let mut lines = status.lines();
        lines.find_map(|line| line.strip_prefix(name))
    };
    let is_killed = |name| {
        let set = of(name).map(|set| u64::from_str_radix(set.trim(), 16));
        matches!(set, Some(Ok(set)) if set & KILL != 0)
    };
    of("VmSize:").is_none() || is_killed("SigPnd:") || is_killed("ShdPnd:")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use rustix::process::{WaitId, WaitIdOptions, waitid};

    use super::*;

    #[test]
    fn a_lock_of_a_daemon_that_has_gone_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let mut dead = Command::new("true").spawn().unwrap();
        let id = WaitId::Pid(Pid::from_child(&dead));
        // It stays there for who has made it.
        waitid(id, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).unwrap();
        let on_its_way_out = dead.id().to_string();
        // No process has the first number; whatever it was just making has the lock still.
        for (holder, waits) in [("2000000000", 1), (&*on_its_way_out, 1), ("1", 0)] {
            fs::write(&path, format!("{holder}\n")).unwrap();
            let mut held = Some(File::open(&path).unwrap());
            flock(held.as_ref().unwrap(), FlockOperation::LockExclusive).unwrap();
            let mut waited = 0;
            let taken = take(&mut File::open(&path).unwrap(), || {
                waited += 1;
                held = None;
            });
            assert_eq!((taken.is_ok(), waited), (waits > 0, waits), "{holder}");
        }
        dead.wait().unwrap();
    }
}
