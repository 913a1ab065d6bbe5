//! L: what the jobs wrote down themselves, on another file system than the store. Each line is one write to a file that
//! is opened to append, so that no two are mixed and their order is that in which they were written:
//!
//! ```text
//! start RUN ATTEMPT KEY PROCESS        the first thing that an attempt does
//! end RUN ATTEMPT KEY PROCESS RC       the last one: RC is what it then ends with, 0 for a success
//! ```
//!
//! KEY is that of the request, which the job has as an argument; `-` where there is none. In a shell, both lines have
//! to be written for the command to succeed:
//!
//! ```text
//! echo start $TWOLANE_RUN $TWOLANE_ATTEMPT $TWOLANE_ARG_ID $$ >>ledger && …
//!     && echo end $TWOLANE_RUN $TWOLANE_ATTEMPT $TWOLANE_ARG_ID $$ 0 >>ledger
//! ```

use std::collections::BTreeMap;

use twolane::engine::id::{AttemptId, RunId};

/// What one line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Start,
    End(i32),
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) epoch: u32,
    pub(crate) key: String,
    pub(crate) process: u32,
    pub(crate) mark: Mark,
}

/// All lines, by run, in the order in which they were written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) runs: BTreeMap<RunId, Vec<Entry>>,
}

impl Ledger {
    /// Reads them. A line that is not as above is an error.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut ledger = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            let (run, entry) = entry(line)
                .ok_or_else(|| format!("line {number} of the ledger is broken: {line:?}"))?;
            ledger.runs.entry(run).or_default().push(entry);
        }
        Ok(ledger)
    }

    /// All lines with their attempts.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (AttemptId, &Entry)> {
        self.runs.iter().flat_map(|(run, entries)| {
            entries.iter().map(|entry| {
                let (run, epoch) = (*run, entry.epoch);
                (AttemptId { run, epoch }, entry)
            })
        })
    }

    /// The lines of one run.
    pub(crate) fn of(&self, run: RunId) -> &[Entry] {
        self.runs.get(&run).map_or(&[], Vec::as_slice)
    }
}

fn entry(line: &str) -> Option<(RunId, Entry)> {
    let words: Vec<&str> = line.split(' ').collect();
    let mark = match (words[0], words.len()) {
        ("start", 5) => Mark::Start,
        ("end", 6) => Mark::End(words[5].parse().ok()?),
        _ => return None,
    };
    let entry = Entry {
        epoch: words[2].parse().ok()?,
        key: words[3].to_owned(),
        process: words[4].parse().ok()?,
        mark,
    };
    Some((RunId(words[1].parse().ok()?), entry))
}
