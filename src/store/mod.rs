//! The log of facts: takes batches of records in order and says up to which one they are committed.
//! Knows nothing of what the facts mean.

mod memory;

use std::sync::Arc;

use crossbeam_channel::{Receiver, never};

use crate::engine::fact::Record;
use crate::engine::time::Wall;
pub use memory::MemoryLog;

/// What keeps a log from committing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// There is no room on the disk. What was taken over is kept, and written when there is.
    Full(String),
    /// There is room again, and all is written.
    Recovered,
    /// It cannot go on. What is not committed never will be.
    Broken(String),
}

/// A log of facts. Whatever rests on a batch waits until the log has said that it is committed.
pub trait FactLog: Send {
    /// Takes a batch over and returns at once, before it is committed. Batches are numbered from 1
    /// without gaps, and committed in that order.
    fn append(&mut self, batch: u64, records: &Arc<[Record]>);

    /// Gives the number of a batch when it and all before it are committed. Numbers may be left
    /// out: a later one stands for those before it.
    fn commits(&self) -> Receiver<u64>;

    /// Says what keeps it from committing, and when that is over.
    fn troubles(&self) -> Receiver<Trouble> {
        never()
    }

    /// Asks it to let go of what is older or more than it is set to keep, in its own time.
    fn retain(&mut self, _now: Wall) {}

    /// Whether what is committed outlives the process.
    fn is_durable(&self) -> bool;
}
