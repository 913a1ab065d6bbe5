//! The files of one run's log: its beginning, and two that take turns with its end, so that however
//! much a run says, its files stay small and both ends are kept.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::KEPT_BYTES;
use super::line::RunLine;
use crate::engine::id::RunId;

/// The beginning, the older and the newer part of the end.
pub(super) const PARTS: [&str; 3] = ["log", "end1", "end2"];

/// Runs in one directory.
const FANOUT: u64 = 1000;

/// Files smaller than this are not made smaller: they take a block of the disk anyway.
const WORTH_COMPRESSING: u64 = 16 << 10;

/// The file of one part of a run's log.
pub(super) fn path(directory: &Path, run: RunId, part: &str) -> PathBuf {
    let group = run.0 / FANOUT;
    directory.join(format!("{group:06}/{run}.{part}"))
}

/// The same, compressed.
pub(super) fn compressed(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".gz");
    PathBuf::from(name)
}

/// The files of a run while it writes.
#[derive(Debug)]
pub(super) struct Segments {
    directory: PathBuf,
    run: RunId,
    /// The part that is written.
    file: File,
    in_end: bool,
    written: u64,
}

impl Segments {
    /// Goes on where the files end.
    pub(super) fn open(directory: &Path, run: RunId) -> io::Result<Self> {
        let head = path(directory, run, PARTS[0]);
        if let Some(parent) = head.parent() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(parent)?;
        }
        let end = path(directory, run, PARTS[2]);
        let in_end = end.exists();
        let (file, written) = append(if in_end { &end } else { &head })?;
        Ok(Self {
            directory: directory.to_owned(),
            run,
            file,
            in_end,
            written,
        })
    }

    /// Writes whole lines: all of them, or where that fails none.
    pub(super) fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let bound = if self.in_end {
            KEPT_BYTES / 4
        } else {
            KEPT_BYTES / 2
        };
        if self.written > 0 && self.written + lines.len() as u64 > bound {
            self.turn()?;
        }
        if let Err(error) = self.file.write_all(lines) {
            // What came of it would be the beginning of the next line.
            let _ = self.file.set_len(self.written);
            return Err(error);
        }
        self.written += lines.len() as u64;
        Ok(())
    }

    /// Begins another part: the older part of the end goes.
    fn turn(&mut self) -> io::Result<()> {
        let newer = path(&self.directory, self.run, PARTS[2]);
        if self.in_end {
            match fs::rename(&newer, path(&self.directory, self.run, PARTS[1])) {
                // That was done before, when what comes next failed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                renamed => renamed?,
            }
        }
        (self.file, self.written) = append(&newer)?;
        self.in_end = true;
        Ok(())
    }
}

/// Opens a file to go on behind its last whole line; its length.
fn append(path: &Path) -> io::Result<(File, u64)> {
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)?;
    let length = file.metadata()?.len();
    let whole = whole_lines(&mut file, length)?;
    if whole < length {
        // The rest was being written when the daemon went down.
        file.set_len(whole)?;
    }
    Ok((file, whole))
}

fn whole_lines(file: &mut File, length: u64) -> io::Result<u64> {
    let mut last = [b'\n'];
    if length == 0 {
        return Ok(0);
    }
    file.seek(SeekFrom::Start(length - 1))?;
    file.read_exact(&mut last)?;
    if last == [b'\n'] {
        return Ok(length);
    }
    let mut text = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut text)?;
    let end = text.iter().rposition(|byte| *byte == b'\n');
    Ok(end.map_or(0, |at| at as u64 + 1))
}

/// Makes the files of a run that is over small.
pub(super) fn compress(directory: &Path, run: RunId) -> io::Result<()> {
    for part in PARTS {
        let plain = path(directory, run, part);
        let Ok(metadata) = plain.metadata() else {
            continue;
        };
        if metadata.len() < WORTH_COMPRESSING {
            continue;
        }
        // A run that is tried once more has a compressed file already, and this is one more member.
        let packed = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(compressed(&plain))?;
        let mut encoder = GzEncoder::new(packed, Compression::fast());
        io::copy(&mut File::open(&plain)?, &mut encoder)?;
        encoder.finish()?.sync_all()?;
        fs::remove_file(&plain)?;
    }
    Ok(())
}

/// Removes all files of a run.
pub(super) fn remove(directory: &Path, run: RunId) {
    for part in PARTS {
        let plain = path(directory, run, part);
        for file in [compressed(&plain), plain] {
            // What is not there need not go; what cannot go is found again by the next removal.
            let _ = fs::remove_file(file);
        }
    }
}

/// The number of the last line there is.
pub(super) fn last_number(directory: &Path, run: RunId) -> u64 {
    let lines = super::read::all(directory, run);
    lines.map_or(0, |lines| {
        lines
            .iter()
            .map(|line: &RunLine| line.number)
            .max()
            .unwrap_or(0)
    })
}
