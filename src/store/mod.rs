//! The log of facts: takes batches of records in order and says up to which one they are committed.
//! Knows nothing of what the facts mean beyond which run they are about and what that makes of it.

mod backup;
mod chain;
mod codec;
mod decode;
mod error;
mod fold;
#[cfg(any(fuzzing, test))]
mod fuzz;
mod memory;
mod past;
mod place;
mod reached;
mod read;
mod recover;
mod reserve;
mod retention;
mod row;
mod schema;
mod slots;
mod specs;
mod sqlite;
mod story;
mod thread;
mod verify;
mod write;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crossbeam_channel::{Receiver, never};

use crate::engine::fact::Record;
use crate::engine::time::Wall;
pub use backup::{Info, backup, info};
pub use error::{Damage, StoreError, Trouble};
#[cfg(any(fuzzing, test))]
pub use fuzz::record as fuzz_record;
pub use memory::MemoryLog;
pub use past::{Active, SCAN_BOUND, Span};
pub use place::StorePlace;
pub use reached::Lost;
pub use read::{Reader, RunFilter};
pub use recover::Recovered;
pub use retention::Retention;
pub use slots::SlotRun;
pub use sqlite::{Opened, SqliteLog};
pub use story::{AttemptEnd, AttemptStory, Story};
pub use verify::{Verified, verify};

/// How soon a batch is to be committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Haste {
    /// As soon as can be: somebody waits for it.
    Now,
    /// A moment later will do, so that one commit serves more of them.
    Soon,
}

/// A log of facts. Whatever rests on a batch waits until the log has said that it is committed.
pub trait FactLog: Send {
    /// Takes a batch over and returns at once, before it is committed. Batches are numbered from 1
    /// without gaps, and committed in that order.
    fn append(&mut self, batch: u64, records: &Arc<[Record]>, haste: Haste);

    /// Gives the number of a batch when it and all before it are committed. Numbers may be left
    /// out: a later one stands for those before it.
    fn commits(&self) -> Receiver<u64>;

    /// Tells when the log cannot write and when it can again. A newer one stands for an older one.
    fn troubles(&self) -> Receiver<Trouble> {
        never()
    }

    /// Asks it to let go of what is older or more than it is set to keep, in its own time.
    fn retain(&mut self, _now: Wall) {}

    /// Tells, after it has let go of what it was asked to, when the oldest of what is left becomes too
    /// old. A newer one stands for an older one.
    fn outdated(&self) -> Receiver<Wall> {
        never()
    }

    /// Whether what is committed outlives the process.
    fn is_durable(&self) -> bool;
}
