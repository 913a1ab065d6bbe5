//! What the observers hear, and when.

use super::Turn;
use crate::daemon::outbox::Batch;
use crate::daemon::report;
use crate::engine::fact::Fact;
use crate::inbox::Note;

impl Turn {
    /// What an attempt says is told after its start.
    pub(super) fn hear(&mut self, note: Note) {
        if let Some(note) = self.outbox.keep(note) {
            self.tell_note(&note);
        }
    }

    fn tell_note(&mut self, note: &Note) {
        for observer in &mut self.observers {
            observer.note(note);
        }
    }

    /// Tells the observers of what is committed, and then what was said meanwhile.
    pub(super) fn tell(&mut self, batch: &Batch) {
        for record in &*batch.records {
            if let Fact::ClockSet { by_micros } = record.fact {
                report::clock_set(by_micros);
            }
            for observer in &mut self.observers {
                observer.record(record);
            }
        }
        for note in &batch.notes {
            self.tell_note(note);
        }
    }
}
