//! A waiting line: first in, first out, with any entry removable in O(log n). An entry that is
//! removed from the middle leaves a hole, and holes never outnumber the entries for long.

use std::collections::VecDeque;

use super::id::RunId;
use super::time::Mono;

/// Below this many holes a line is not tidied up: it would cost more than it saves.
const HOLES_ALLOWED: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Entry {
    /// Grows from entry to entry.
    pub(super) ticket: u64,
    pub(super) since: Mono,
    /// `None`: a hole.
    pub(super) run: Option<RunId>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Line {
    /// Never begins with a hole.
    entries: VecDeque<Entry>,
    holes: usize,
}

impl Line {
    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.holes
    }

    /// Puts an entry where its ticket belongs, which no other one has: nearly always at the end.
    pub(super) fn push(&mut self, ticket: u64, since: Mono, run: RunId) {
        let entry = Entry {
            ticket,
            since,
            run: Some(run),
        };
        if self.entries.back().is_none_or(|last| last.ticket < ticket) {
            self.entries.push_back(entry);
        } else {
            let index = self.entries.partition_point(|e| e.ticket < ticket);
            self.entries.insert(index, entry);
        }
    }

    /// The entry that has waited longest.
    pub(super) fn front(&self) -> Option<(Entry, RunId)> {
        let entry = *self.entries.front()?;
        Some((entry, entry.run?))
    }

    /// Takes the entry with this ticket out; whether there was one.
    pub(super) fn remove(&mut self, ticket: u64) -> bool {
        let Ok(index) = self.entries.binary_search_by_key(&ticket, |e| e.ticket) else {
            return false;
        };
        if self.entries[index].run.take().is_none() {
            return false;
        }
        self.holes += 1;
        while self.entries.front().is_some_and(|e| e.run.is_none()) {
            self.entries.pop_front();
            self.holes -= 1;
        }
        if self.holes > HOLES_ALLOWED && self.holes > self.entries.len() / 2 {
            self.entries.retain(|e| e.run.is_some());
            self.holes = 0;
        }
        if self.entries.is_empty() {
            // What a long line once needed is given back when it has been served.
            self.entries = VecDeque::new();
        }
        true
    }

    /// How many entries, holes among them, stand before the first that is at or behind a point; the
    /// line is ordered by that. 0 only at the front.
    pub(super) fn ahead(&self, is_at_or_behind: impl Fn(&Entry) -> bool) -> usize {
        self.entries
            .partition_point(|entry| !is_at_or_behind(entry))
    }

    /// The entries that are no holes, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Entry, RunId)> {
        self.entries.iter().filter_map(|e| Some((*e, e.run?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_leave_from_both_ends_and_the_middle() {
        let mut line = Line::default();
        for n in 0..1000 {
            line.push(n, Mono(n), RunId(n));
        }
        for n in (0..1000).filter(|n| n % 3 != 0) {
            assert!(line.remove(n), "{n} is there once");
            assert!(!line.remove(n), "{n} is there no more");
        }
        let left: Vec<u64> = line.iter().map(|(_, run)| run.0).collect();
        assert_eq!(left, (0..1000).step_by(3).collect::<Vec<_>>());
        assert_eq!(line.len(), left.len());
        assert!(line.entries.len() <= 2 * left.len() + HOLES_ALLOWED);
        for n in left {
            assert_eq!(line.front().map(|(_, run)| run), Some(RunId(n)));
            assert!(line.remove(n));
        }
        assert_eq!(line, Line::default());
    }
}
