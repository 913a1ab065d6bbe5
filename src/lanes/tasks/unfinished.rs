//! Files that are not whole yet: under another name beside their place, since only there a rename is one step.
//! They go when they are dropped; those that a killed process has left go before the next one begins in their
//! directory. Knows nothing of what is in them.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{Error as IoError, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{FlockOperation, flock};

use super::super::lock;

/// What all names begin and end with. Short, so that none is longer than names may be; with a dot, so that
/// patterns pass them by.
const NAME: (&str, &str) = (".twolane-", ".part");

/// How often another name is tried. Names are taken only by what a killed process has left.
const TRIES: u32 = 1_000;

/// Directories that are remembered as looked through; with more, they are looked through again.
const SWEPT_BOUND: usize = 10_000;

/// Tells the names of one process apart.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// Directories in which this process has looked for what others have left. It leaves nothing there itself.
static SWEPT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A file that is not whole yet. While its [`File`] is open nobody takes it for one that was left.
#[derive(Debug)]
pub(super) struct Unfinished {
    /// Empty when it is in its place.
    path: PathBuf,
}

impl Unfinished {
    /// Begins one in a directory, with the rights that `options` say.
    pub(super) fn begin(
        options: &mut OpenOptions,
        directory: &Path,
    ) -> Result<(File, Self), IoError> {
        sweep_once(directory);
        options.write(true).create_new(true);
        let mut tries = 0;
        loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let (first, last) = NAME;
            let path = directory.join(format!("{first}{}-{number}{last}", process::id()));
            match options.open(&path) {
                Ok(file) => {
                    let unfinished = Self { path };
                    if is_held(&file)? {
                        return Ok((file, unfinished));
                    }
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists && tries < TRIES => {}
                Err(error) => return Err(error),
            }
            tries += 1;
        }
    }

    /// Puts it in its place, in the same directory; when this returns, it is there also after a power cut.
    pub(super) fn put(mut self, to: &Path) -> Result<(), IoError> {
        fs::rename(&self.path, to)?;
        self.path = PathBuf::new();
        sync_directory(directory_of(to))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            // There is nobody to tell, and the name says what it is.
            let _stays = fs::remove_file(&self.path);
        }
    }
}

/// The directory that a path is in.
pub(super) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    }
}

/// Makes what happened to the names in a directory outlive a power cut: to sync a file does nothing for its name.
pub(super) fn sync_directory(directory: &Path) -> Result<(), IoError> {
    if bug!("renamed-and-not-synced") {
        return Ok(());
    }
    File::open(directory)?.sync_all()
}

/// Marks a file as somebody's; whether it is still there, since who sweeps may have come in between.
fn is_held(file: &File) -> Result<bool, IoError> {
    // Where a file system has no locks, nobody gets one, and nothing is swept.
    let locked = flock(file, FlockOperation::NonBlockingLockExclusive);
    Ok(!matches!(locked, Err(rustix::io::Errno::WOULDBLOCK)) && file.metadata()?.nlink() > 0)
}

fn sweep_once(directory: &Path) {
    let known = fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned());
    let mut swept = lock(&SWEPT);
    if swept.len() >= SWEPT_BOUND {
        swept.clear();
    }
    let is_new = swept.insert(known);
    drop(swept);
    if is_new {
        sweep(directory);
    }
}

/// Takes away what killed processes have left in a directory. What cannot be taken away stays: it is in nobody's
/// way.
fn sweep(directory: &Path) {
    let (first, last) = NAME;
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        if !name.starts_with(first.as_bytes()) || !name.ends_with(last.as_bytes()) {
            continue;
        }
        let mut options = OpenOptions::new();
        // Neither through a link, nor into a pipe that would have us wait.
        options
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        let Ok(file) = options.open(entry.path()) else {
            continue;
        };
        let is_left = file.metadata().is_ok_and(|file| file.is_file())
            && flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
        if is_left {
            let _stays = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What is in a directory, in order.
    pub(in super::super) fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
        let mut names: Vec<String> = entries.map(|entry| name(entry.unwrap())).collect();
        names.sort();
        names
    }

    #[test]
    fn what_a_killed_process_has_left_is_taken_away_and_what_another_one_writes_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let written = File::create(at(".twolane-2-0.part")).unwrap();
        flock(&written, FlockOperation::LockExclusive).unwrap();
        for name in [
            ".twolane-1-0.part",
            ".twolane-1-7.part",
            "a.part",
            ".twolane-1-0.tmp",
        ] {
            fs::write(at(name), "half").unwrap();
        }
        std::os::unix::fs::symlink("a.part", at(".twolane-3-0.part")).unwrap();
        let (file, unfinished) = Unfinished::begin(&mut OpenOptions::new(), dir.path()).unwrap();
        let own = format!(".twolane-{}-", process::id());
        let others: Vec<String> = names(dir.path());
        let (own, others): (Vec<String>, _) =
            others.into_iter().partition(|name| name.starts_with(&own));
        assert_eq!(own.len(), 1);
        assert_eq!(
            others,
            [
                ".twolane-1-0.tmp",
                ".twolane-2-0.part",
                ".twolane-3-0.part",
                "a.part"
            ]
        );
        // It is held, so whoever sweeps leaves it.
        sweep(dir.path());
        assert!(at(&own[0]).exists());
        unfinished.put(&at("b")).unwrap();
        drop(file);
        assert!(at("b").exists() && !at(&own[0]).exists());
        // Looked through once: a process leaves nothing itself.
        fs::write(at(".twolane-1-9.part"), "half").unwrap();
        drop(Unfinished::begin(&mut OpenOptions::new(), dir.path()).unwrap());
        assert!(at(".twolane-1-9.part").exists());
    }

    #[test]
    fn names_that_are_taken_are_passed_by() {
        let dir = tempfile::tempdir().unwrap();
        drop(Unfinished::begin(&mut OpenOptions::new(), dir.path()).unwrap());
        let next = NUMBER.load(Ordering::Relaxed);
        for number in next..next + 20 {
            let name = format!(".twolane-{}-{number}.part", process::id());
            fs::write(dir.path().join(name), "").unwrap();
        }
        let (_file, unfinished) = Unfinished::begin(&mut OpenOptions::new(), dir.path()).unwrap();
        unfinished.put(&dir.path().join("a")).unwrap();
        assert!(dir.path().join("a").exists());
    }

    #[test]
    fn what_is_dropped_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        drop(Unfinished::begin(&mut OpenOptions::new(), dir.path()).unwrap());
        assert_eq!(names(dir.path()), [""; 0]);
    }
}
