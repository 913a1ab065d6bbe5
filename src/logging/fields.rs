//! The fields of one event, taken down while `tracing` shows them. Knows no format.

use std::fmt::{self, Write as _};
use std::ops::Range;

use tracing::Level;
use tracing::field::{Field, Visit};

use super::narrator::{DAEMON_TARGET, RUN_TARGET};
use crate::engine::time::Wall;

/// What every line begins with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    pub(super) at: Wall,
    pub(super) level: Level,
    pub(super) target: &'a str,
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Int(i64),
    Uint(u64),
    Float(f64),
    Flag(bool),
    Text(&'a str),
    /// JSON on one line.
    Json(&'a str),
}

/// The fields of an event in the order in which it names them. All text lies in one string, so that
/// an event costs two allocations, however many fields it has.
#[derive(Debug)]
pub(super) struct Fields {
    /// The event's own time in microseconds since the epoch, where it says one.
    pub(super) at: Option<Wall>,
    of: Of,
    list: Vec<(&'static str, Kept)>,
    texts: String,
}

/// What an event tells of, by its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// A run: the narrator's words.
    Run,
    /// The scheduler as a whole: the narrator's words, or those of the code around it.
    Scheduler,
    /// Anything else.
    Else,
}

#[derive(Debug)]
enum Kept {
    Int(i64),
    Uint(u64),
    Float(f64),
    Flag(bool),
    Text(Range<usize>),
    Json(Range<usize>),
}

impl Fields {
    /// None yet, of an event of this target.
    pub(super) fn of(target: &str) -> Self {
        Self {
            at: None,
            of: match target {
                RUN_TARGET => Of::Run,
                DAEMON_TARGET => Of::Scheduler,
                _ => Of::Else,
            },
            // As many as an event about a run has at most, and room for their usual text.
            list: Vec::with_capacity(21),
            texts: String::with_capacity(256),
        }
    }

    /// What they tell of.
    pub(super) const fn tell_of(&self) -> Of {
        self.of
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, Value<'_>)> {
        self.list.iter().map(|(name, kept)| {
            let value = match kept {
                Kept::Int(value) => Value::Int(*value),
                Kept::Uint(value) => Value::Uint(*value),
                Kept::Float(value) => Value::Float(*value),
                Kept::Flag(value) => Value::Flag(*value),
                Kept::Text(range) => Value::Text(&self.texts[range.clone()]),
                Kept::Json(range) => Value::Json(&self.texts[range.clone()]),
            };
            (*name, value)
        })
    }

    /// The text of the field of this name.
    pub(super) fn text(&self, wanted: &str) -> Option<&str> {
        self.iter().find_map(|(name, value)| match value {
            Value::Text(text) if name == wanted => Some(text),
            Value::Text(_)
            | Value::Json(_)
            | Value::Int(_)
            | Value::Uint(_)
            | Value::Float(_)
            | Value::Flag(_) => None,
        })
    }

    /// The whole number in the field of this name.
    pub(super) fn number(&self, wanted: &str) -> Option<u64> {
        self.iter().find_map(|(name, value)| match value {
            Value::Uint(number) if name == wanted => Some(number),
            Value::Text(_)
            | Value::Json(_)
            | Value::Int(_)
            | Value::Uint(_)
            | Value::Float(_)
            | Value::Flag(_) => None,
        })
    }

    pub(super) fn push_text(&mut self, name: &'static str, text: fmt::Arguments<'_>) {
        let from = self.texts.len();
        // A `Debug` of somebody else's that fails has written what it has written.
        _ = self.texts.write_fmt(text);
        self.list.push((name, Kept::Text(from..self.texts.len())));
    }

    pub(super) fn push_number(&mut self, name: &'static str, number: u64) {
        self.list.push((name, Kept::Uint(number)));
    }

    fn keep(&mut self, field: &Field, kept: Kept) {
        self.list.push((field.name(), kept));
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.keep(field, Kept::Float(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        if self.of != Of::Else && field.name() == "at" {
            self.at = Some(Wall(value));
        } else {
            self.keep(field, Kept::Int(value));
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.keep(field, Kept::Uint(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.keep(field, Kept::Flag(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let from = self.texts.len();
        self.texts.push_str(value);
        let range = from..self.texts.len();
        let kept = if self.of == Of::Run && field.name() == "result" {
            Kept::Json(range)
        } else {
            Kept::Text(range)
        };
        self.keep(field, kept);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push_text(field.name(), format_args!("{value:?}"));
    }
}
