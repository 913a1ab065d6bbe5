//! Files that appear whole or not at all: written under another name beside the place, made durable,
//! and put there in one step. Knows nothing of what is in them.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Error as IoError, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};

use super::TaskError;
use super::unfinished::Unfinished;

use super::super::lock;
pub(super) use super::unfinished::{directory_of, sync_directory};

/// The permission bits that are ever given: a file of the daemon's user must not become one that
/// others may run as that user.
const MODE: u32 = 0o777;

/// Directories that are being made: whoever finds one of them waits until its name is on the disk, and others do not.
static MAKING: (Mutex<BTreeSet<PathBuf>>, Condvar) = (Mutex::new(BTreeSet::new()), Condvar::new());

/// A file on its way to its place. Dropped before [`commit`](Self::commit), it leaves nothing.
pub(super) struct AtomicFile {
    file: File,
    unfinished: Unfinished,
    to: PathBuf,
}

impl AtomicFile {
    /// Begins a file that will stand at `to`, where it takes the place of a file or a symbolic link.
    /// `mode`: its permission bits; `None`: those of the file that is there, else what is usual.
    pub(super) fn create(to: &Path, mode: Option<u32>) -> Result<Self, TaskError> {
        let there = fs::metadata(to).ok();
        if there.as_ref().is_some_and(fs::Metadata::is_dir) {
            return Err(TaskError::failed(format!(
                "cannot write {}: it is a directory",
                to.display()
            )));
        }
        if there.as_ref().is_some_and(|there| !there.is_file()) {
            return Err(TaskError::failed(format!(
                "cannot write {}: it is a device, a pipe or a socket, and a file would take its place",
                to.display()
            )));
        }
        let mode = mode.or_else(|| there.map(|there| there.permissions().mode()));
        let mut options = OpenOptions::new();
        if mode.is_some() {
            // Nobody else reads it until it has the bits that it is to have.
            options.mode(0o600);
        }
        let begun = Unfinished::begin(&mut options, directory_of(to));
        let (file, unfinished) = begun.map_err(|error| cannot_write(to, &error))?;
        let created = Self {
            file,
            unfinished,
            to: to.to_owned(),
        };
        if let Some(mode) = mode {
            let permissions = Permissions::from_mode(mode & MODE);
            let set = created.file.set_permissions(permissions);
            set.map_err(|error| cannot_write(to, &error))?;
        }
        Ok(created)
    }

    /// The file itself, for calls that take one.
    pub(super) const fn file(&self) -> &File {
        &self.file
    }

    /// Where it will stand.
    pub(super) fn to(&self) -> &Path {
        &self.to
    }

    /// Writes all of `bytes`.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), TaskError> {
        let written = self.file.write_all(bytes);
        written.map_err(|error| cannot_write(&self.to, &error))
    }

    /// Puts it in its place; when this returns, it is there also after a power cut.
    pub(super) fn commit(self) -> Result<(), TaskError> {
        let Self {
            file,
            unfinished,
            to,
        } = self;
        let placed = file.sync_all().and_then(|()| unfinished.put(&to));
        placed.map_err(|error| cannot_write(&to, &error))
    }
}

/// Some that are being made.
struct Making(Vec<PathBuf>);

impl Making {
    /// These are, to which `directory` belongs; waits for others who make any that it lies in.
    fn of(directory: &Path, missing: &[&Path]) -> Self {
        let (making, over) = &MAKING;
        let is_made = |making: &mut BTreeSet<PathBuf>| {
            let mut above = directory.ancestors();
            above.any(|path| making.contains(path))
        };
        let waited = over.wait_while(lock(making), is_made);
        let mut making = waited.unwrap_or_else(PoisonError::into_inner);
        let missing: Vec<PathBuf> = missing.iter().map(PathBuf::from).collect();
        making.extend(missing.iter().cloned());
        Self(missing)
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        let (making, over) = &MAKING;
        let mut making = lock(making);
        for path in &self.0 {
            making.remove(path);
        }
        drop(making);
        over.notify_all();
    }
}

/// Makes the directories that `to` lies in, as far as they are missing; when this returns, they are there also after
/// a power cut.
pub(super) fn make_directories(to: &Path) -> Result<(), TaskError> {
    let directory = directory_of(to);
    let above = directory.ancestors();
    let missing: Vec<&Path> = above.take_while(|path| !path.exists()).collect();
    let _making = Making::of(directory, &missing);
    let made = fs::create_dir_all(directory);
    // Also where only some could be made: nobody would sync those later.
    let there = missing.into_iter().filter(|path| path.exists());
    let mut parents = there.map(directory_of);
    let synced = parents.try_for_each(sync_directory);
    made.and(synced).map_err(|error| {
        TaskError::failed(format!(
            "cannot make the directory {}: {error}",
            directory.display()
        ))
    })
}

/// The failure to write `to`.
pub(super) fn cannot_write(to: &Path, error: &IoError) -> TaskError {
    let directory = directory_of(to);
    if error.kind() == ErrorKind::NotFound && !directory.exists() {
        return TaskError::failed(format!(
            "cannot write {}: there is no directory {}",
            to.display(),
            directory.display()
        ));
    }
    TaskError::failed(format!("cannot write {}: {error}", to.display()))
}

#[cfg(test)]
mod tests {
    use super::super::unfinished::tests::names;
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_file_is_seen_when_it_is_whole_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("a");
        fs::write(&to, "old").unwrap();
        fs::set_permissions(&to, Permissions::from_mode(0o640)).unwrap();
        let mut file = AtomicFile::create(&to, None).unwrap();
        file.write(b"ne").unwrap();
        file.write(b"w").unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"old");
        assert!(names(dir.path())[0].starts_with(".twolane-"));
        file.commit().unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"new");
        assert_eq!(mode(&to), 0o640);
        assert_eq!(names(dir.path()), ["a"]);
    }

    #[test]
    fn what_is_dropped_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        drop(AtomicFile::create(&dir.path().join("a"), Some(0o600)).unwrap());
        assert_eq!(names(dir.path()), [""; 0]);
    }

    #[test]
    fn a_mode_is_given_without_the_bits_that_give_rights_away() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("a");
        let file = AtomicFile::create(&to, Some(0o4751)).unwrap();
        file.commit().unwrap();
        assert_eq!(mode(&to), 0o751);
    }
}
