//! Lines for people: time, level, what happened, then the fields. One event is one line, always.

use std::fmt::Write as _;

use tracing::Level;

use super::escape;
use super::event::Event;
use super::fields::{Fields, Head, Of, Value};
use super::stamp::Stamps;

/// Whether levels are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    Plain,
    Levels,
}

/// Of a result, people are shown this many bytes; the form for programs has more of it.
const JSON_SHOWN: usize = 200;

/// Appends the line of an event, with its end.
pub(super) fn push(
    out: &mut String,
    head: Head<'_>,
    fields: &Fields,
    stamps: &Stamps,
    paint: Paint,
) {
    if !push_own(out, head, fields, stamps) {
        stamps.text(out, head.at);
        push_level(out, head.level, paint);
        push_words(out, head, fields);
    }
    out.push('\n');
}

/// Appends the same for where time and level are shown beside it, and without an end.
pub(super) fn push_untimed(out: &mut String, head: Head<'_>, fields: &Fields, stamps: &Stamps) {
    if !push_own(out, head, fields, stamps) {
        push_words(out, head, fields);
    }
}

/// What a job says in its own words stands first and alone. `false` if it says nothing.
fn push_own(out: &mut String, head: Head<'_>, fields: &Fields, stamps: &Stamps) -> bool {
    let of_run = fields.tell_of() == Of::Run;
    let Some(text) = fields.text("text").filter(|_| of_run) else {
        return false;
    };
    escape::plain(out, text);
    out.push_str(": ");
    stamps.text(out, head.at);
    true
}

/// What happened, and the fields.
fn push_words(out: &mut String, head: Head<'_>, fields: &Fields) {
    let told = match (fields.tell_of(), fields.text("event")) {
        (Of::Run, Some(event)) => push_run(out, event, fields),
        (Of::Scheduler, Some(event)) => push_event(out, event),
        (Of::Run | Of::Scheduler | Of::Else, _) => push_message(out, head.target, fields),
    };
    let mut between = "  ";
    for (name, value) in fields.iter() {
        if !told.contains(&name) {
            out.push_str(between);
            push_field(out, name, value, fields.tell_of());
            between = " ";
        }
    }
}

/// The level, as wide as the widest.
fn push_level(out: &mut String, level: Level, paint: Paint) {
    let (word, colour) = match level {
        Level::ERROR => ("ERROR", "31"),
        Level::WARN => (" WARN", "33"),
        Level::INFO => (" INFO", "32"),
        Level::DEBUG => ("DEBUG", "34"),
        _ => ("TRACE", "35"),
    };
    _ = match paint {
        Paint::Plain => write!(out, " {word} "),
        Paint::Levels => write!(out, " \x1b[{colour}m{word}\x1b[0m "),
    };
}

/// What happened to which run. Gives back the fields that have been told with it.
fn push_run(out: &mut String, event: &str, fields: &Fields) -> &'static [&'static str] {
    if let Some(run) = fields.number("run") {
        _ = write!(out, "run {run} ");
    }
    if event == Event::Output.as_str() {
        return push_output(out, fields);
    }
    if let Some(job) = fields.text("job") {
        escape::plain(out, job);
        out.push_str(": ");
    }
    out.push_str(event);
    if let Some(percent) = fields.number("percent") {
        _ = write!(out, " {percent}%");
    }
    // Before a run has started, the event alone does not tell its state.
    let waits = [Event::Accepted, Event::Released, Event::Due].map(Event::as_str);
    if waits.contains(&event) {
        &["event", "run", "job"]
    } else {
        &["event", "run", "job", "percent", "fraction", "state"]
    }
}

/// What a command wrote: after a bar, and after a mark where those are its errors.
fn push_output(out: &mut String, fields: &Fields) -> &'static [&'static str] {
    escape::plain(out, fields.text("job").unwrap_or_default());
    out.push_str(match fields.text("stream") {
        Some("err") => "! ",
        _ => "| ",
    });
    escape::plain(out, fields.text("message").unwrap_or_default());
    &["event", "run", "job", "attempt", "stream", "message"]
}

/// What happened to the scheduler.
fn push_event(out: &mut String, event: &str) -> &'static [&'static str] {
    escape::plain(out, event);
    &["event"]
}

/// What some part of the program says.
fn push_message(out: &mut String, target: &str, fields: &Fields) -> &'static [&'static str] {
    escape::plain(out, target);
    if let Some(message) = fields.text("message").filter(|words| !words.is_empty()) {
        out.push_str(": ");
        escape::plain(out, message);
    }
    &["message"]
}

fn push_field(out: &mut String, name: &str, value: Value<'_>, of: Of) {
    out.push_str(name);
    out.push('=');
    let unit = match (of, name) {
        (Of::Run, "duration" | "cpu") => "s",
        (Of::Run, "late") => "µs",
        (Of::Run | Of::Scheduler | Of::Else, _) => "",
    };
    match value {
        Value::Int(value) => _ = write!(out, "{value}{unit}"),
        Value::Uint(value) => _ = write!(out, "{value}{unit}"),
        Value::Float(value) if unit == "s" => _ = write!(out, "{value:.6}{unit}"),
        Value::Float(value) => _ = write!(out, "{value}{unit}"),
        Value::Flag(value) => _ = write!(out, "{value}"),
        Value::Text(text) => escape::value(out, text),
        Value::Json(json) => {
            let shown = json.floor_char_boundary(JSON_SHOWN);
            escape::json_value(out, &json[..shown]);
            out.push_str(if shown < json.len() { "…" } else { "" });
        }
    }
}
