//! What the observers hear, and when.

use super::Turn;
use crate::daemon::outbox::Batch;
use crate::daemon::report;
use crate::engine::fact::Fact;
use crate::inbox::Note;

impl Turn {
    /// Tells what an attempt says. Those that begin before their start is committed are commands, and say
    /// nothing in this way.
    pub(super) fn tell_note(&mut self, note: &Note) {
        for observer in &mut self.observers {
            observer.note(note);
        }
    }

    /// Tells what is committed.
    pub(super) fn tell(&mut self, batch: &Batch) {
        for record in &*batch.records {
            if let Fact::ClockSet { by_micros } = record.fact {
                report::clock_set(by_micros);
            }
            for observer in &mut self.observers {
                observer.record(record);
            }
        }
    }
}
