//! What clients send to running attempts, by the promises alone: it is handed over when it is on the disk that it was
//! sent, to the attempt that is named there and to no other one, and once at most; of what was refused nothing is on the
//! disk; who sends is told what became of it, unless the daemon goes down first. Each thing has a size of its own, by
//! which it is known again.

use std::collections::BTreeMap;

use twolane::engine::id::{AttemptId, RunId};

/// Where something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Asked(RunId),
    OnDisk(AttemptId),
    HandedOver,
    Refused,
    /// The daemon went down before anybody was told. It may be on the disk, and is handed to nobody any more.
    Lost,
}

/// Everything that was sent, by its size.
#[derive(Default)]
pub(crate) struct Sends {
    all: BTreeMap<u64, Stage>,
    /// How many were handed to an attempt that was in its lane.
    pub(crate) taken: usize,
    /// How many came when their attempt had left its lane.
    pub(crate) late: usize,
}

impl Sends {
    /// Somebody sends something to a run; gives its size.
    pub(crate) fn ask(&mut self, run: RunId) -> u64 {
        let bytes = self.all.len() as u64 + 1;
        self.all.insert(bytes, Stage::Asked(run));
        bytes
    }

    /// That it was sent is on the disk.
    pub(crate) fn record(&mut self, attempt: AttemptId, bytes: u64) {
        let asked = Some(Stage::Asked(attempt.run));
        let before = self.all.insert(bytes, Stage::OnDisk(attempt));
        assert_eq!(before, asked, "{bytes} bytes are on record for {attempt}");
    }

    /// It is handed to this attempt, if that `is_there`.
    pub(crate) fn hand_over(&mut self, attempt: AttemptId, bytes: u64, is_there: bool) {
        let on_disk = Some(Stage::OnDisk(attempt));
        let before = self.all.insert(bytes, Stage::HandedOver);
        assert_eq!(before, on_disk, "{bytes} bytes are handed to {attempt}");
        if is_there {
            self.taken += 1;
        } else {
            self.late += 1;
        }
    }

    /// Who sent it is told that nobody takes it.
    pub(crate) fn refuse(&mut self, bytes: u64) {
        let before = self.all.insert(bytes, Stage::Refused);
        let asked = matches!(before, Some(Stage::Asked(_)));
        assert!(asked, "{bytes} bytes are refused, and were {before:?}");
    }

    /// The daemon goes down.
    pub(crate) fn crash(&mut self) {
        for stage in self.all.values_mut() {
            if matches!(stage, Stage::Asked(_) | Stage::OnDisk(_)) {
                *stage = Stage::Lost;
            }
        }
    }

    /// Nobody waits any more.
    pub(crate) fn check_end(&self) {
        let waits = |stage: &Stage| matches!(stage, Stage::Asked(_) | Stage::OnDisk(_));
        let waiting = self.all.iter().find(|(_, stage)| waits(stage));
        assert_eq!(waiting, None, "somebody who sent it is told nothing");
    }
}
