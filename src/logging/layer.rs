//! Between `tracing` and the queue of lines: gives each event its form, on the thread that logs, and
//! hands the finished line over.

use std::sync::Arc;

use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::Format;
use super::fields::{Fields, Head};
use super::queue::Queue;
use super::stamp::Stamps;
use super::text::Paint;
use super::{journal, json, text};
use crate::clock::Clock;

/// Gives events their form.
#[derive(Clone, Debug)]
pub(super) struct Printer {
    pub(super) format: Format,
    pub(super) stamps: Stamps,
    pub(super) paint: Paint,
}

impl Printer {
    /// The line of an event, with its end.
    pub(super) fn line(&self, head: Head<'_>, fields: &Fields) -> String {
        let mut line = String::with_capacity(256);
        match self.format {
            Format::Text => text::push(&mut line, head, fields, &self.stamps, self.paint),
            Format::Json => json::push(&mut line, head, fields, &self.stamps),
            Format::Journal => journal::push(&mut line, head, fields, &self.stamps),
        }
        line
    }
}

/// Prints each event into a queue.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) printer: Printer,
    pub(super) queue: Arc<Queue>,
    pub(super) clock: Clock,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let of = event.metadata();
        let mut fields = Fields::of(of.target());
        event.record(&mut fields);
        let head = Head {
            at: fields.at.unwrap_or_else(|| self.clock.now().wall),
            level: *of.level(),
            target: of.target(),
        };
        self.queue.push(self.printer.line(head, &fields));
    }
}
