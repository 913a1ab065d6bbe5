//! Room on the disk that is kept for when there is none: what runs can then still come to its end, and be
//! cancelled, on record. Knows nothing of what is written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate, fstatvfs};
use rustix::io::Errno;

/// The most that is kept: enough for some hundred commits, each of a few pages.
const MOST: u64 = 8 << 20;

/// On a small disk it is this part of what is free.
const PART: u64 = 8;

/// Less is of no use.
const LEAST: u64 = 256 << 10;

/// A file that takes room, and says nothing.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    bytes: u64,
    is_there: bool,
}

impl Reserve {
    /// Takes room in the directory of the store, if there is any.
    pub(super) fn take(dir: &Path) -> Self {
        let path = dir.join("reserve");
        let kept = fs::metadata(&path).map_or(0, |found| found.len());
        let free = available(dir).unwrap_or(0).saturating_add(kept);
        let mut reserve = Self {
            path,
            bytes: (free / PART).min(MOST),
            is_there: false,
        };
        reserve.is_there = reserve.bytes >= LEAST && reserve.fill().is_ok();
        if !reserve.is_there {
            reserve.remove();
        }
        reserve
    }

    /// Gives the room away. Whether there was any.
    pub(super) fn give(&mut self) -> bool {
        let was = std::mem::take(&mut self.is_there);
        if was {
            self.remove();
        }
        was
    }

    /// Whether the room was given away.
    pub(super) const fn is_given(&self) -> bool {
        !self.is_there && self.bytes >= LEAST
    }

    /// Takes the room again, if there is half as much besides: else what was given would be taken back.
    pub(super) fn restore(&mut self) -> bool {
        let dir = self.path.parent().unwrap_or_else(|| Path::new("."));
        let wanted = self.bytes + self.bytes / 2;
        if available(dir).is_ok_and(|free| free >= wanted) {
            self.is_there = self.fill().is_ok();
            if !self.is_there {
                self.remove();
            }
        }
        self.is_there
    }

    fn fill(&self) -> io::Result<()> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&self.path)?;
        file.set_len(self.bytes)?;
        match fallocate(&file, FallocateFlags::empty(), 0, self.bytes) {
            Err(Errno::OPNOTSUPP) => zeros(&file, self.bytes)?,
            done => done?,
        }
        file.sync_all()
    }

    fn remove(&self) {
        // One that stays takes room, and nothing else is wrong with it.
        let _gone = fs::remove_file(&self.path);
    }
}

fn zeros(mut file: &File, bytes: u64) -> io::Result<()> {
    let block = [0; 64 << 10];
    let mut left = bytes;
    while left > 0 {
        let part = usize::try_from(left).map_or(block.len(), |left| left.min(block.len()));
        file.write_all(block.get(..part).unwrap_or_default())?;
        left -= part as u64;
    }
    Ok(())
}

/// The bytes that this user may still take on the disk of `dir`.
fn available(dir: &Path) -> io::Result<u64> {
    let told = fstatvfs(File::open(dir)?)?;
    Ok(told.f_bavail.saturating_mul(told.f_frsize))
}
