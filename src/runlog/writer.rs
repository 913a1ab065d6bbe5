//! The thread that owns the files of run logs.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, after, never};
use serde::Serialize;
use tokio::sync::{oneshot, watch};

use super::Held;
use super::line::{RunLine, Stream};
use super::owed::{Debts, Owed};
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

/// How long after a write that failed the next try comes, where nothing else is to be written: at first, and, twice as
/// long each time, at most.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// How long nothing may have failed until it is told that logs are written again: a disk that is nearly full takes one
/// line and not the next.
const CALM: Duration = Duration::from_secs(2);

/// Logs that can still not be written in one try to mark what is owed.
const IN_VAIN: usize = 8;

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
    /// Lines that could not be written, of which the mark is the first of what waits.
    lost: u64,
    /// Lines that wait themselves, and lines that marks of other losses stand for which wait.
    waits: (u64, u64),
}

/// Lines that could not be written, and why.
struct Lost {
    lines: u64,
    why: io::Error,
}

struct Files<'a> {
    directory: &'a Path,
    open: BTreeMap<RunId, Open>,
    /// The numbers of the last lines of runs whose files were closed to make room: reading a whole log
    /// for each line of many runs at a time would be dear.
    numbers: BTreeMap<RunId, u64>,
    uses: u64,
    /// What could not be written, of runs whose files are not open.
    debts: Debts,
    /// That files cannot be written is told once, until they can.
    failing: bool,
    /// Tells when nothing has failed for a while.
    calm: Receiver<Instant>,
    /// How long is waited for the next try.
    pause: Duration,
    /// Behind whom the next try to mark what is owed begins.
    tried: RunId,
    /// That one cannot be made small is told once: nothing is missing for that.
    is_large: bool,
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
        debts: Debts::default(),
        failing: false,
        calm: never(),
        pause: AGAIN.0,
        tried: RunId(0),
        is_large: false,
        dropped,
    };
    while let Ok(first) = files.next(items) {
        let mut ended = false;
        let mut waiting = Vec::new();
        // Bytes of commands count as waiting until they are in the files.
        let (mut kept, mut bytes) = (Vec::new(), 0);
        for item in first.into_iter().chain(items.try_iter().take(GROUP)) {
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
                    files.debts.take(run);
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
        files.repay();
        drop(kept);
        for tell in waiting {
            // Who asked may have gone away.
            let _ = tell.send(());
        }
        tell.send_modify(|number| *number += 1);
        if ended {
            files.leave();
            return;
        }
    }
}

impl Files<'_> {
    /// The next item; none where it is time to try again what could not be written.
    fn next(&mut self, items: &Receiver<Item>) -> Result<Option<Item>, RecvTimeoutError> {
        if !self.failing {
            return Ok(Some(items.recv()?));
        }
        match items.recv_timeout(self.pause) {
            Ok(item) => Ok(Some(item)),
            Err(RecvTimeoutError::Timeout) => {
                self.pause = (2 * self.pause).min(AGAIN.1);
                Ok(None)
            }
            Err(gone @ RecvTimeoutError::Disconnected) => Err(gone),
        }
    }

    fn note(&mut self, note: &Note) {
        let Some(open) = self.file(note.attempt.run) else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return self.owe(note.attempt.run, 1, note.at.wall);
        };
        open.last += 1;
        open.at = note.at.wall;
        let written = open.add(&RunLine::of(note, open.last));
        self.outcome(written.map(drop));
    }

    /// So many lines of a run whose file cannot be opened.
    fn owe(&mut self, run: RunId, lines: u64, at: Wall) {
        let unnumbered = lines;
        self.debts.add(
            run,
            Owed {
                lines,
                unnumbered,
                at,
                ..Owed::default()
            },
        );
    }

    /// Adds lines of a command; the bytes that they take in the file.
    fn output(&mut self, output: &Output) -> usize {
        self.dropped
            .fetch_add(output.missing.lines, Ordering::Relaxed);
        let lines = || output.text.split_inclusive(|byte| *byte == b'\n');
        let Some(open) = self.file(output.attempt.run) else {
            let said = lines().count() as u64;
            self.dropped.fetch_add(said, Ordering::Relaxed);
            self.owe(
                output.attempt.run,
                said + output.missing.lines,
                output.at.wall,
            );
            return 0;
        };
        open.at = output.at.wall;
        let text = lines();
        let Missing { lines, bytes } = output.missing;
        if !output.missing.is_none() {
            open.gap(
                lines,
                format!("{lines} lines ({bytes} bytes) dropped: more came than is kept"),
            );
        }
        let (mut taken, mut failed) = (0, Vec::new());
        for line in text {
            open.last += 1;
            match open.add(&RunLine::of_output(output, line, open.last)) {
                Ok(bytes) => taken += bytes,
                Err(lost) => failed.push(lost),
            }
        }
        for lost in failed {
            self.outcome(Err(lost));
        }
        taken
    }

    fn missing(&mut self, run: RunId, count: u64) {
        self.dropped.fetch_add(count, Ordering::Relaxed);
        match self.file(run) {
            Some(open) => open.gap(
                count,
                format!("{count} lines dropped: the disk did not keep up"),
            ),
            None => self.owe(run, count, Wall(0)),
        }
    }

    fn over(&mut self, run: RunId) {
        self.numbers.remove(&run);
        let Some(open) = self.open.remove(&run) else {
            return self.debts.over(run);
        };
        self.close(run, open, true);
        if self.debts.contains(run) {
            return;
        }
        if let Err(error) = segments::compress(self.directory, run)
            && !std::mem::replace(&mut self.is_large, true)
        {
            let directory = self.directory.display();
            tracing::warn!(
                target: "twolane::runlog",
                "cannot compress the log of a run that is over below {directory}: {error}; it stays as it is"
            );
        }
    }

    /// Writes what waits for a file that is no longer written to. What it lacks then is owed.
    fn close(&mut self, run: RunId, mut open: Open, is_over: bool) {
        let written = open.flush();
        self.outcome(written);
        if open.lost > 0 {
            self.debts.add(
                run,
                Owed {
                    lines: open.lost,
                    unnumbered: 0,
                    last: open.last,
                    at: open.at,
                    is_over,
                },
            );
        }
    }

    /// Marks what could not be written before, each log once at most, until several cannot be written.
    fn repay(&mut self) {
        let mut in_vain = 0;
        for _ in 0..self.debts.runs() {
            let Some((run, is_over)) = self.debts.behind(self.tried) else {
                break;
            };
            self.tried = run;
            in_vain += usize::from(!self.repaid(run, is_over));
            if in_vain == IN_VAIN {
                break;
            }
        }
        let is_owed = self.debts.runs() > 0 || self.open.values().any(|open| open.lost > 0);
        if self.failing && !is_owed && self.calm.try_recv().is_ok() {
            self.failing = false;
            self.pause = AGAIN.0;
            tracing::info!(
                target: "twolane::runlog",
                "run logs are written again: each that lacks lines says how many"
            );
        }
    }

    /// Marks what could not be written to the log of this run; whether that is done.
    fn repaid(&mut self, run: RunId, is_over: bool) -> bool {
        if self.file(run).is_none() {
            return false;
        }
        if is_over {
            self.over(run);
        } else if let Some(open) = self.open.get_mut(&run) {
            let written = open.flush();
            self.outcome(written);
        }
        let is_lost = |open: &Open| open.lost > 0;
        !self.debts.contains(run) && !self.open.get(&run).is_some_and(is_lost)
    }

    /// Says what nobody will mark.
    fn leave(&mut self) {
        let runs = self.debts.runs() + self.open.values().filter(|open| open.lost > 0).count();
        if runs > 0 {
            tracing::warn!(
                target: "twolane::runlog",
                runs,
                "the logs of these runs lack lines, and could not be marked"
            );
        }
    }

    /// The open file of a run.
    fn file(&mut self, run: RunId) -> Option<&mut Open> {
        self.uses += 1;
        if !self.open.contains_key(&run) {
            self.make_room();
            match Segments::open(self.directory, run) {
                Ok(segments) => {
                    let known = self.numbers.remove(&run);
                    let last = known.unwrap_or_else(|| segments::last_number(self.directory, run));
                    let mut open = Open::new(segments, last);
                    if let Some(owed) = self.debts.take(run) {
                        open.last = open.last.max(owed.last) + owed.unnumbered;
                        (open.lost, open.at) = (owed.lines, owed.at);
                        open.mark();
                    }
                    self.open.insert(run, open);
                }
                Err(why) => self.outcome(Err(Lost { lines: 0, why })),
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
            && let Some(open) = self.open.remove(&run)
        {
            if self.numbers.len() >= NUMBERS_BOUND {
                self.numbers.clear();
            }
            self.numbers.insert(run, open.last);
            self.close(run, open, false);
        }
    }

    fn flush(&mut self) {
        let written: Vec<Result<(), Lost>> = self.open.values_mut().map(Open::rest).collect();
        for outcome in written {
            self.outcome(outcome);
        }
    }

    fn outcome(&mut self, outcome: Result<(), Lost>) {
        let Err(Lost { lines, why }) = outcome else {
            return;
        };
        self.dropped.fetch_add(lines, Ordering::Relaxed);
        self.calm = after(CALM);
        if !std::mem::replace(&mut self.failing, true) {
            let directory = self.directory.display();
            tracing::warn!(
                target: "twolane::runlog",
                "cannot write run logs below {directory}: {why}; lines are missing from here on, and each log shows \
                 how many when it can be written again"
            );
        }
    }
}

impl Open {
    /// Goes on behind the line of this number.
    const fn new(segments: Segments, last: u64) -> Self {
        Self {
            segments,
            last,
            waiting: Vec::new(),
            at: Wall(0),
            used: 0,
            lost: 0,
            waits: (0, 0),
        }
    }

    /// Adds a line, and writes what waits where that is enough for once; the bytes of the line.
    fn add<Text: Serialize>(&mut self, line: &RunLine<Text>) -> Result<usize, Lost> {
        let before = self.waiting.len();
        line.write(&mut self.waiting);
        self.waits.0 += 1;
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
        self.waits.1 += lines;
    }

    /// The mark of what could not be written, with the number of the last of it.
    fn mark(&mut self) {
        let lost = self.lost;
        let line = RunLine {
            number: self.last,
            at: self.at,
            attempt: 0,
            stream: Stream::Dropped,
            text: format!("{lost} lines could not be written"),
            fraction: None,
        };
        line.write(&mut self.waiting);
    }

    /// Writes what waits. What cannot be written is gone, and the mark of that waits in its place.
    fn flush(&mut self) -> Result<(), Lost> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let written = self.segments.write(&self.waiting);
        self.waiting.clear();
        // What marks stand for counts as dropped already.
        let (lines, counted) = std::mem::take(&mut self.waits);
        let Err(why) = written else {
            self.lost = 0;
            return Ok(());
        };
        self.lost += lines + counted;
        self.mark();
        Err(Lost { lines, why })
    }

    /// Writes what waits, and gives back the memory for it: many files are open that are seldom written to.
    fn rest(&mut self) -> Result<(), Lost> {
        let written = self.flush();
        self.waiting.shrink_to(SPARE_BYTES);
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runlog::KEPT_BYTES;

    #[test]
    fn a_mark_that_cannot_be_written_stands_for_as_much_as_before() {
        let place = tempfile::tempdir().expect("a directory");
        let directory = place.path().join("logs");
        let mut segments = Segments::open(&directory, RunId(1)).expect("it is opened");
        let full = vec![b'\n'; usize::try_from(KEPT_BYTES / 2).expect("it is small")];
        segments.write(&full).expect("it is written");
        // The next part cannot be begun.
        std::fs::remove_dir_all(&directory).expect("it goes");
        let mut open = Open::new(segments, 0);
        open.gap(500, "500 lines dropped".to_owned());
        let lost = open.flush().expect_err("there is no directory");
        assert_eq!((lost.lines, open.lost), (0, 500));
        open.gap(7, "7 lines dropped".to_owned());
        let lost = open.flush().expect_err("there is no directory");
        assert_eq!((lost.lines, open.lost), (0, 507));
        let mark = String::from_utf8(open.waiting).expect("text");
        assert!(mark.contains("507 lines could not be written"), "{mark}");
    }
}
