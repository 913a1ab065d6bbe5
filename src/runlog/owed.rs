//! Lines that could not be written, until the log of their run has the mark that says so.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::engine::id::RunId;
use crate::engine::time::Wall;

/// Runs that are owed a mark; what more of them lose is only counted.
const RUNS_BOUND: usize = 16_384;

/// What the log of a run lacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Owed {
    /// Lines that could not be written.
    pub(super) lines: u64,
    /// Those of them that have no numbers yet, since the file could not be opened.
    pub(super) unnumbered: u64,
    /// The number of the last of the others.
    pub(super) last: u64,
    /// When the last of them came.
    pub(super) at: Wall,
    /// Whether the run is over, so that its file is to be closed.
    pub(super) is_over: bool,
}

/// What the logs of runs lack whose files are not open.
#[derive(Debug, Default)]
pub(super) struct Debts(BTreeMap<RunId, Owed>);

impl Debts {
    /// This is owed, too.
    pub(super) fn add(&mut self, run: RunId, more: Owed) {
        if self.0.len() >= RUNS_BOUND && !self.0.contains_key(&run) {
            return;
        }
        let owed = self.0.entry(run).or_default();
        owed.lines += more.lines;
        owed.unnumbered += more.unnumbered;
        owed.last = owed.last.max(more.last);
        owed.at = owed.at.max(more.at);
        owed.is_over |= more.is_over;
    }

    /// The run is over.
    pub(super) fn over(&mut self, run: RunId) {
        if let Some(owed) = self.0.get_mut(&run) {
            owed.is_over = true;
        }
    }

    /// What is owed to this run, which is owed nothing then.
    pub(super) fn take(&mut self, run: RunId) -> Option<Owed> {
        self.0.remove(&run)
    }

    /// The next run behind this one that is owed something, and whether it is over; the first behind the last.
    pub(super) fn behind(&self, run: RunId) -> Option<(RunId, bool)> {
        let behind = self
            .0
            .range((Bound::Excluded(run), Bound::Unbounded))
            .next();
        let (run, owed) = behind.or_else(|| self.0.first_key_value())?;
        Some((*run, owed.is_over))
    }

    pub(super) fn contains(&self, run: RunId) -> bool {
        self.0.contains_key(&run)
    }

    pub(super) fn runs(&self) -> usize {
        self.0.len()
    }
}
