//! A log in memory: committed as soon as it is taken. It keeps the last records only, and all of
//! them are gone with the process.

use std::collections::VecDeque;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded, never};

use super::{FactLog, Haste, Trouble};
use crate::engine::fact::Record;

/// Keeps the last records, in memory.
#[derive(Debug)]
pub struct MemoryLog {
    kept: VecDeque<Record>,
    bound: usize,
    commits: (Sender<u64>, Receiver<u64>),
}

impl MemoryLog {
    /// A log that keeps the last `bound` records.
    #[must_use]
    pub fn new(bound: usize) -> Self {
        Self {
            kept: VecDeque::new(),
            bound,
            // One place is enough: a newer number stands for an older one.
            commits: bounded(1),
        }
    }

    /// The records that are kept, oldest first.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.kept.iter()
    }
}

impl FactLog for MemoryLog {
    fn append(&mut self, batch: u64, records: &Arc<[Record]>, _: Haste) {
        self.kept.extend(records.iter().cloned());
        let excess = self.kept.len().saturating_sub(self.bound);
        self.kept.drain(..excess);
        // A newer number stands for an older one. Nobody else sends, so the place stays empty.
        let _older = self.commits.1.try_recv();
        let _taken = self.commits.0.try_send(batch);
    }

    fn commits(&self) -> Receiver<u64> {
        self.commits.1.clone()
    }

    fn is_durable(&self) -> bool {
        false
    }

    fn troubles(&self) -> Receiver<Trouble> {
        never()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fact::Fact;
    use crate::engine::time::Now;

    fn batch(number: u64) -> Arc<[Record]> {
        let fact = Fact::Draining;
        let at = Now::default();
        let by = None;
        Arc::new([Record {
            number,
            at,
            by,
            fact,
        }])
    }

    #[test]
    fn the_newest_commit_stands_for_all_and_only_the_last_records_are_kept() {
        let mut log = MemoryLog::new(3);
        for number in 1..=10 {
            log.append(number, &batch(number), Haste::Now);
        }
        assert_eq!(log.commits().try_recv(), Ok(10));
        assert!(log.commits().try_recv().is_err());
        let kept: Vec<u64> = log.records().map(|record| record.number).collect();
        assert_eq!(kept, [8, 9, 10]);
    }
}
