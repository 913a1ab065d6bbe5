//! How far the store has come, in a file beside it. SQLite takes its write-ahead log up to the first page whose sum
//! does not hold, so a log that has lost its end looks like one that never had it: this file knows better. Knows no
//! fact.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Transaction};

use super::chain::{self, Link};
use super::error::{Damage, Fault, StoreError, io as failed};
use super::{place, recover, row};

/// What a slot begins with, so that nothing else is taken for one.
const MAGIC: [u8; 8] = *b"2lane-at";

/// How a slot is written. What another one says is not known, so it says nothing.
const VERSION: u64 = 1;

/// Where the two slots are, each within a page of its own: what tears one when the power is cut leaves the other.
const SLOTS: [u64; 2] = [0, 4_096];

/// The bytes of a slot, in words: magic, version, epoch, number, two of the hash, two of the sum over all of these.
type Slot = [[u8; 8]; 8];

/// The end of what is committed. A later one is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reached {
    /// How often the store was opened.
    pub(super) epoch: i64,
    /// The newest record.
    pub(super) number: i64,
    /// Its place in the chain.
    pub(super) hash: Link,
}

impl Reached {
    /// What the file beside `db` tells; `None` where it tells nothing: there is none, as beside an older store, or it
    /// is not whole, as after a power cut. It is never ahead of what is on disk. So whoever asks before he reads the
    /// store finds at least as much there, also while it is written.
    pub(super) fn told(db: &Path) -> Result<Option<Self>, StoreError> {
        let path = place::reached_of(db);
        match File::open(&path) {
            Ok(file) => Ok(newest(&file).map(|(_, told)| told)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("open", &path)(error)),
        }
    }

    /// Whether the store `db`, as `moment` shows it, has all that this tells of.
    pub(super) fn check(&self, moment: &Transaction<'_>, db: &Path) -> Result<(), Fault> {
        let (tail, (anchor, anchor_hash)) = recover::tail_and_anchor(moment)?;
        let epoch = "SELECT epoch FROM meta";
        let epoch: i64 = moment.query_row(epoch, [], |row| row.get(0))?;
        let lacks = if tail.number < self.number {
            Lacks::Records(tail.number)
        } else if epoch < self.epoch {
            Lacks::Openings(epoch)
        } else {
            let hash = match self.number {
                number if number == tail.number => Some(tail.hash),
                number if number == anchor => Some(anchor_hash),
                // One that retention has dropped is not there; whether others are missing is seen by their chain.
                number => hash_of(moment, number)?,
            };
            if hash.is_none_or(|hash| hash == self.hash) {
                return Ok(());
            }
            Lacks::History
        };
        if bug!("lost-end-overlooked") {
            return Ok(());
        }
        Err(Damage::Lost(Box::new(Lost {
            told: *self,
            lacks,
            db: db.into(),
        }))
        .into())
    }

    fn slot(&self) -> Slot {
        let [a, b] = halves(&self.hash);
        let (epoch, number) = (self.epoch.to_le_bytes(), self.number.to_le_bytes());
        let said = [MAGIC, VERSION.to_le_bytes(), epoch, number, a, b];
        let [c, d] = halves(&chain::digest(said.as_flattened()));
        [MAGIC, VERSION.to_le_bytes(), epoch, number, a, b, c, d]
    }

    /// What a slot says, if it is whole.
    fn of(slot: &Slot) -> Option<Self> {
        let [_, _, epoch, number, a, b, _, _] = *slot;
        let mut hash = chain::GENESIS;
        hash.copy_from_slice([a, b].as_flattened());
        let told = Self {
            epoch: i64::from_le_bytes(epoch),
            number: i64::from_le_bytes(number),
            hash,
        };
        (told.slot() == *slot).then_some(told)
    }
}

fn halves(link: &Link) -> [[u8; 8]; 2] {
    let mut halves = [[0; 8]; 2];
    halves.as_flattened_mut().copy_from_slice(link);
    halves
}

/// What the later of the whole slots tells, and which that is. A page that the disk does not give says as little as
/// one that is torn.
fn newest(file: &File) -> Option<(usize, Reached)> {
    let read = |at| {
        let mut slot = Slot::default();
        file.read_exact_at(slot.as_flattened_mut(), at).ok()?;
        Reached::of(&slot)
    };
    let told = SLOTS.into_iter().map(read).enumerate();
    let whole = told.filter_map(|(slot, told)| Some((slot, told?)));
    whole.max_by_key(|(_, told)| *told)
}

fn hash_of(conn: &Connection, number: i64) -> Result<Option<Link>, Fault> {
    let mut statement = conn.prepare("SELECT hash FROM facts WHERE number = ?1")?;
    let mut rows = statement.query([number])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    // What is no hash is damage that is found where the record is read.
    Ok(row::link(row.get_ref(0)?))
}

/// Lets go of what was told of a store that another one takes the place of.
pub(super) fn forget(db: &Path) -> Result<(), StoreError> {
    let path = place::reached_of(db);
    match fs::remove_file(&path) {
        Ok(()) => place::sync_dir(db.parent().unwrap_or_else(|| Path::new("."))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed("remove", &path)(error)),
    }
}

/// The file while a daemon writes it. What it tells is on disk before; it is not synced itself, so after a power cut
/// it may tell of less. The same goes where it cannot be written: nothing rests on it.
#[derive(Debug)]
pub(super) struct Mark {
    db: PathBuf,
    path: PathBuf,
    /// `None` until something could be written.
    file: Option<File>,
    /// The slot that is written next: never the one that tells the most.
    next: usize,
    /// It could not be written, and that is in the log.
    has_failed: bool,
}

impl Mark {
    /// The one beside `db`, whether there is one or not.
    pub(super) fn new(db: &Path) -> Self {
        let path = place::reached_of(db);
        let there = File::open(&path).ok().and_then(|file| newest(&file));
        Self {
            db: db.into(),
            path,
            file: None,
            next: there.map_or(0, |(slot, _)| other(slot)),
            has_failed: false,
        }
    }

    /// Tells what was committed, and synced with that.
    pub(super) fn tell(&mut self, reached: &Reached) {
        match self.write(reached) {
            // What is half written there is not whole; the other one stands.
            Err(error) => {
                if !std::mem::replace(&mut self.has_failed, true) {
                    tracing::warn!(
                        target: "twolane::store",
                        "cannot write `{}`: {error}; while that is so, nobody would notice if the write-ahead log \
                         of the store lost its end",
                        self.path.display()
                    );
                }
            }
            Ok(()) => {
                self.next = other(self.next);
                if std::mem::take(&mut self.has_failed) {
                    tracing::info!(target: "twolane::store", "`{}` is written again", self.path.display());
                }
            }
        }
    }

    fn write(&mut self, reached: &Reached) -> io::Result<()> {
        let file = match self.file.take() {
            Some(file) => file,
            None => self.open()?,
        };
        let file = self.file.insert(file);
        let at = SLOTS.get(self.next).copied().unwrap_or_default();
        file.write_all_at(reached.slot().as_flattened(), at)
    }

    /// The file, for those who may read and write the database: a daemon that was started once as somebody else
    /// must not leave one that keeps the next one out.
    fn open(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).mode(0o600);
        match options.open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            there => return there,
        }
        let file = options.create(true).truncate(false).open(&self.path)?;
        let db = fs::metadata(&self.db)?;
        file.set_permissions(fs::Permissions::from_mode(db.mode() & 0o666))?;
        fchown(&file, Some(db.uid()), Some(db.gid()))?;
        Ok(file)
    }

    /// Has it outlive a power cut, when all is done.
    pub(super) fn sync(&self) {
        if let Some(Err(error)) = self.file.as_ref().map(File::sync_data) {
            tracing::debug!(%error, "how far the store has come was not synced");
        }
    }
}

const fn other(slot: usize) -> usize {
    1 - slot
}

/// What is missing of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    db: PathBuf,
    told: Reached,
    lacks: Lacks,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lacks {
    /// Records: this is the last one.
    Records(i64),
    /// It was opened only so often.
    Openings(i64),
    /// The record that was the last one then is another one.
    History,
}

impl Lost {
    /// The database.
    #[must_use]
    pub fn db(&self) -> &Path {
        &self.db
    }

    /// The write-ahead log beside it, which need not be there.
    #[must_use]
    pub fn wal(&self) -> PathBuf {
        place::wal_of(&self.db)
    }

    /// What a daemon leaves that was killed while it gave a backup its log.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        place::journal_of(&self.db)
    }

    /// The file that tells of more.
    #[must_use]
    pub fn reached(&self) -> PathBuf {
        place::reached_of(&self.db)
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (told, file) = (&self.told, self.reached());
        let file = file.display();
        let wal = self.wal();
        let wal = wal.display();
        match self.lacks {
            Lacks::Records(number) => write!(
                f,
                "it ends with record {number}, and `{file}` says that record {} was on disk: most likely `{wal}` was \
                 damaged or removed",
                told.number
            ),
            Lacks::Openings(epoch) => write!(
                f,
                "it was opened {epoch} times, and `{file}` says {}: most likely `{wal}` was damaged or removed",
                told.epoch
            ),
            Lacks::History => write!(
                f,
                "its record {} is not the one of which `{file}` tells: it is another store, or was written from an \
                 older copy",
                told.number
            ),
        }
    }
}
