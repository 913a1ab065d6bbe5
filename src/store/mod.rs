//! The log of facts: takes batches of records in order and says up to which one they are committed.
//! Knows nothing of what the facts mean.

mod memory;

use std::sync::Arc;

use crossbeam_channel::Receiver;

use crate::engine::fact::Record;
pub use memory::MemoryLog;

/// A log of facts. Whatever rests on a batch waits until the log has said that it is committed.
pub trait FactLog: Send {
    /// Takes a batch over and returns at once, before it is committed. Batches are numbered from 1
    /// without gaps, and committed in that order.
    fn append(&mut self, batch: u64, records: &Arc<[Record]>);

    /// Gives the number of a batch when it and all before it are committed. Numbers may be left
    /// out: a later one stands for those before it.
    fn commits(&self) -> Receiver<u64>;

    /// Whether what is committed outlives the process.
    fn is_durable(&self) -> bool;
}
