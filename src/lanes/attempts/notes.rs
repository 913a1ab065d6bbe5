//! What a running attempt says on its way, until somebody takes it. Never makes the attempt wait.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use super::run::Attempt;
use crate::engine::id::AttemptId;
use crate::inbox::Note;

/// An attempt that has something to say. At most one for each attempt is in the mail at a time.
#[derive(Clone)]
pub struct NoteSource(pub(super) Arc<Attempt>);

impl NoteSource {
    /// Which attempt.
    #[must_use]
    pub fn attempt(&self) -> AttemptId {
        self.0.id()
    }

    /// All that it has said since it was last asked, oldest first; nothing if it has ended, since
    /// its end took the rest along. Up to 16 notes.
    #[must_use]
    pub fn take(&self) -> Vec<Note> {
        self.0.take_notes()
    }
}

impl fmt::Debug for NoteSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NoteSource").field(&self.attempt()).finish()
    }
}

/// Notes that wait at one attempt. Enough for a task that reports a few times while the loop is busy
/// with one batch, few enough for ten thousand attempts at once.
const WAITING: usize = 16;

/// Notes that nobody has taken.
#[derive(Default)]
pub(super) struct Notes {
    waiting: VecDeque<Note>,
    /// A source is in the mail, so that no further one is needed.
    announced: bool,
    /// The end is sent: what is said later is lost, and nobody's.
    closed: bool,
    /// Notes that were folded into later ones.
    coalesced: u64,
}

impl Notes {
    /// Keeps a note. With no room left it takes the place of the last one, which it supersedes;
    /// where it says nothing of the fraction or has no message, the earlier ones stay.
    pub(super) fn push(&mut self, mut note: Note) {
        if self.closed {
            return;
        }
        if self.waiting.len() < WAITING {
            self.waiting.push_back(note);
            return;
        }
        if let Some(last) = self.waiting.pop_back() {
            note.progress.fraction = note.progress.fraction.or(last.progress.fraction);
            note.progress.message = note.progress.message.or(last.progress.message);
            self.coalesced += 1;
        }
        self.waiting.push_back(note);
    }

    /// Announces the notes by `send`, unless they are announced or there are none. If it does not
    /// get through, they wait for the next note, or for the end.
    pub(super) fn announce(&mut self, send: impl FnOnce() -> bool) {
        if !self.announced && !self.waiting.is_empty() {
            self.announced = send();
        }
    }

    /// Takes all.
    pub(super) fn take(&mut self) -> Vec<Note> {
        self.announced = false;
        self.waiting.drain(..).collect()
    }

    /// Takes all for the last time, with the number of those that were folded.
    pub(super) fn close(&mut self) -> (Vec<Note>, u64) {
        self.closed = true;
        (self.take(), self.coalesced)
    }
}
