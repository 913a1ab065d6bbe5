//! What running attempts send to whoever started them: ends and notes, over bounded crossbeam
//! channels. Lanes hold the sending side; the daemon's loop the receiving one.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::engine::id::AttemptId;
use crate::engine::outcome::End;
use crate::engine::spec::JobSpec;
use crate::engine::time::Now;

/// An attempt has left its lane for good.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// Which attempt.
    pub attempt: AttemptId,
    /// How.
    pub end: End,
    /// What it had said that was not taken yet, oldest first.
    pub notes: Vec<Note>,
}

/// What a running attempt says on its way. Notes are shown and logged, and no part of the state.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// Who says it.
    pub attempt: AttemptId,
    /// Its job.
    pub job: Arc<JobSpec>,
    /// When it was said.
    pub at: Now,
    /// What.
    pub progress: Progress,
}

/// How far an attempt has come.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// The part of the work that is done, 0 to 1, where the task can tell.
    pub fraction: Option<f64>,
    /// Words of the task's own.
    pub message: Option<Arc<str>>,
}

/// Notes that may wait for the loop; further ones are folded into the attempt's own last one.
pub const NOTES_BOUND: usize = 1024;

/// The lanes' side. `Note`s wait at their attempt (see `lanes::context`): what is sent here is only
/// a token that some wait there, so a full channel loses none.
#[derive(Clone, Debug)]
pub struct LanePort<N> {
    /// Ends. Sized by the capacity of the lanes, so that a lane never waits here.
    pub ends: Sender<Box<Ended>>,
    /// Sources that have notes waiting.
    pub notes: Sender<N>,
}

/// The loop's side.
#[derive(Clone, Debug)]
pub struct LaneMail<N> {
    /// Ends.
    pub ends: Receiver<Box<Ended>>,
    /// Sources that have notes waiting.
    pub notes: Receiver<N>,
}

/// Both sides, for lanes that carry up to `capacity` attempts at once.
#[must_use]
pub fn lane_channel<N>(capacity: usize) -> (LanePort<N>, LaneMail<N>) {
    // An attempt ends once, so no more ends than attempts can be waiting.
    let (ends, ends_out) = bounded(capacity);
    let (notes, notes_out) = bounded(NOTES_BOUND);
    (
        LanePort { ends, notes },
        LaneMail {
            ends: ends_out,
            notes: notes_out,
        },
    )
}
