//! The thread that owns the files of run logs.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::Receiver;
use serde::Serialize;
use tokio::sync::{oneshot, watch};

use super::Held;
use super::line::{RunLine, Stream};
use super::segments::{self, Segments};
use crate::engine::id::RunId;
use crate::engine::time::Wall;
use crate::inbox::{Missing, Note, Output};

/// Files that are open at a time.
const OPEN_BOUND: usize = 64;

/// Numbers that are remembered of files that were closed; those that are not are read again.
const NUMBERS_BOUND: usize = 16_384;

/// Items that are written before readers are told.
const GROUP: usize = 1024;

/// Bytes of files that commands' lines are written to before readers are told.
const GROUP_BYTES: usize = 4 << 20;

/// Bytes that wait to be written to one file. A line takes more of them than the command wrote, an empty one fifty
/// times as many: so they are counted as they stand in the file, and a flood is written piece by piece.
const PIECE_BYTES: usize = 32 << 10;

/// Of the memory for a piece, what a file keeps from one group of items to the next.
const SPARE_BYTES: usize = 1 << 10;

/// What the thread is told.
#[derive(Debug)]
pub(super) enum Item {
    /// A line.
    Note(Note),
    /// Lines of a command, with the bytes that they count for.
    Output(Box<Output>, Held),
    /// So many lines of a run found no room.
    Missing(RunId, u64),
    /// A run is over.
    Over(RunId),
    /// A run's files are to go.
    Gone(RunId),
    /// Somebody wants to know when all before this is in the files.
    Settle(oneshot::Sender<()>),
    /// The last item.
    End,
}

struct Open {
    segments: Segments,
    /// Number of the last line.
    last: u64,
    /// Lines that are not in the file yet.
    waiting: Vec<u8>,
    /// Time of the last line, for marks.
    at: Wall,
    used: u64,
}

struct Files<'a> {
    directory: &'a Path,
    open: BTreeMap<RunId, Open>,
    /// The numbers of the last lines of runs whose files were closed to make room: reading a whole log
    /// for each line of many runs at a time would be dear.
    numbers: BTreeMap<RunId, u64>,
    uses: u64,
    /// A failure is told once.
    failing: bool,
    /// Counts lines that are missing.
    dropped: &'a AtomicU64,
}

/// Writes until the end.
pub(super) fn write(
    directory: &Path,
    items: &Receiver<Item>,
    tell: &watch::Sender<u64>,
    dropped: &AtomicU64,
) {
    let mut files = Files {
        directory,
        open: BTreeMap::new(),
        numbers: BTreeMap::new(),
        uses: 0,
        failing: false,
        dropped,
    };
    while let Ok(first) = items.recv() {
        let mut ended = false;
        let mut waiting = Vec::new();
        // Bytes of commands count as waiting until they are in the files.
        let (mut kept, mut bytes) = (Vec::new(), 0);
        for item in std::iter::once(first).chain(items.try_iter().take(GROUP)) {
            match item {
                Item::Note(note) => files.note(&note),
                Item::Output(output, held) => {
                    bytes += files.output(&output);
                    kept.push(held);
                }
                Item::Missing(run, count) => files.missing(run, count),
                Item::Over(run) => files.over(run),
                Item::Gone(run) => {
                    files.open.remove(&run);
                    files.numbers.remove(&run);
                    segments::remove(directory, run);
                }
                Item::Settle(tell) => waiting.push(tell),
                Item::End => ended = true,
            }
            if bytes > GROUP_BYTES {
                break;
            }
        }
        files.flush();
        drop(kept);
        for tell in waiting {
            // Who asked may have gone away.
            let _ = tell.send(());
        }
        tell.send_modify(|number| *number += 1);
        if ended {
            return;
        }
    }
}

impl Files<'_> {
    fn note(&mut self, note: &Note) {
        let Some(open) = self.file(note.attempt.run) else {
            return;
        };
        open.last += 1;
        open.at = note.at.wall;
        let written = open.add(&RunLine::of(note, open.last));
        self.outcome(written.map(drop));
    }

    /// Adds lines of a command; the bytes that they take in the file.
    fn output(&mut self, output: &Output) -> usize {
        self.dropped
            .fetch_add(output.missing.lines, Ordering::Relaxed);
        let Some(open) = self.file(output.attempt.run) else {
            return 0;
        };
        open.at = output.at.wall;
        let Missing { lines, bytes } = output.missing;
        if !output.missing.is_none() {
            open.gap(
                lines,
                format!("{lines} lines ({bytes} bytes) dropped: more came than is kept"),
            );
        }
        let (mut taken, mut failed) = (0, Ok(()));
        for line in output.text.split_inclusive(|byte| *byte == b'\n') {
            open.last += 1;
            match open.add(&RunLine::of_output(output, line, open.last)) {
                Ok(bytes) => taken += bytes,
                Err(error) => failed = Err(error),
            }
        }
        self.outcome(failed);
        taken
    }

    fn missing(&mut self, run: RunId, count: u64) {
        self.dropped.fetch_add(count, Ordering::Relaxed);
        if let Some(open) = self.file(run) {
            open.gap(
                count,
                format!("{count} lines dropped: the disk did not keep up"),
            );
        }
    }

    fn over(&mut self, run: RunId) {
        self.numbers.remove(&run);
        let Some(mut open) = self.open.remove(&run) else {
            return;
        };
        let written = open.flush();
        self.outcome(written);
        drop(open);
        let compressed = segments::compress(self.directory, run);
        self.outcome(compressed);
    }

    /// The open file of a run.
    fn file(&mut self, run: RunId) -> Option<&mut Open> {
        self.uses += 1;
        if !self.open.contains_key(&run) {
            self.make_room();
            match Segments::open(self.directory, run) {
                Ok(segments) => {
                    let known = self.numbers.remove(&run);
                    let open = Open {
                        segments,
                        last: known.unwrap_or_else(|| segments::last_number(self.directory, run)),
                        waiting: Vec::new(),
                        at: Wall(0),
                        used: 0,
                    };
                    self.open.insert(run, open);
                }
                Err(error) => self.outcome(Err(error)),
            }
        }
        let uses = self.uses;
        let open = self.open.get_mut(&run)?;
        open.used = uses;
        Some(open)
    }

    fn make_room(&mut self) {
        if self.open.len() < OPEN_BOUND {
            return;
        }
        let oldest = self.open.iter().min_by_key(|(_, open)| open.used);
        if let Some(run) = oldest.map(|(run, _)| *run)
            && let Some(mut open) = self.open.remove(&run)
        {
            let written = open.flush();
            self.outcome(written);
            if self.numbers.len() >= NUMBERS_BOUND {
                self.numbers.clear();
            }
            self.numbers.insert(run, open.last);
        }
    }

    fn flush(&mut self) {
        let written: Vec<io::Result<()>> = self.open.values_mut().map(Open::rest).collect();
        for outcome in written {
            self.outcome(outcome);
        }
    }

    fn outcome(&mut self, outcome: io::Result<()>) {
        match outcome {
            Ok(()) => {}
            Err(error) if !self.failing => {
                self.failing = true;
                let directory = self.directory.display();
                tracing::warn!(
                    target: "twolane::runlog",
                    "cannot write run logs below {directory}: {error}; lines are missing from here \
                     on, and each log shows how many"
                );
            }
            Err(_) => {}
        }
    }
}

impl Open {
    /// Adds a line, and writes what waits where that is enough for once; the bytes of the line.
    fn add<Text: Serialize>(&mut self, line: &RunLine<Text>) -> io::Result<usize> {
        let before = self.waiting.len();
        line.write(&mut self.waiting);
        let bytes = self.waiting.len() - before;
        if self.waiting.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes)
    }

    /// Marks that lines are missing. Their numbers are missing too.
    fn gap(&mut self, lines: u64, text: String) {
        // The mark itself has the number of the last of them.
        self.last += lines.max(1);
        let line = RunLine {
            number: self.last,
            at: self.at,
            attempt: 0,
            stream: Stream::Dropped,
            text,
            fraction: None,
        };
        line.write(&mut self.waiting);
    }

    /// Writes what waits. What cannot be written is gone; its numbers are missing in the file.
    fn flush(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let written = self.segments.write(&self.waiting);
        self.waiting.clear();
        written
    }

    /// Writes what waits, and gives back the memory for it: many files are open that are seldom written to.
    fn rest(&mut self) -> io::Result<()> {
        let written = self.flush();
        self.waiting.shrink_to(SPARE_BYTES);
        written
    }
}
