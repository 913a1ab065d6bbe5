//! Entries for the journal of systemd: a field a line, and an empty line behind the last. No value has a
//! line's end in it, since none of ours has, so an entry is at once what journald reads in one datagram.

use std::fmt::Write as _;

use tracing::Level;

use super::escape;
use super::event::Event;
use super::fields::{Fields, Head, Of, Value};
use super::stamp::Stamps;
use super::text;

/// The most of a field's name that journald takes, in bytes.
const NAME_BOUND: usize = 64;

/// Appends the entry of an event.
pub(super) fn push(out: &mut String, head: Head<'_>, fields: &Fields, stamps: &Stamps) {
    out.push_str("MESSAGE=");
    text::push_untimed(out, head, fields, stamps);
    let priority = match head.level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    };
    _ = write!(
        out,
        "\nPRIORITY={priority}\nSYSLOG_IDENTIFIER=twolane\nTWOLANE_TIME="
    );
    stamps.rfc3339(out, head.at);
    out.push_str("\nTWOLANE_TARGET=");
    escape::plain(out, head.target);
    out.push('\n');
    let of_ours = fields.tell_of() != Of::Else;
    if let Some(event) = fields.text("event").filter(|_| of_ours)
        && let Some(id) = Event::of_word(event).map(Event::message_id)
    {
        _ = writeln!(out, "MESSAGE_ID={id:032x}");
    }
    for (name, value) in fields.iter() {
        // The message of anybody but a run is the whole text above.
        if name == "message" && fields.tell_of() != Of::Run {
            continue;
        }
        push_name(out, name);
        push_value(out, value);
        out.push('\n');
    }
    out.push('\n');
}

/// `TWOLANE_` and the name in the letters that journald takes.
fn push_name(out: &mut String, name: &str) {
    let begin = out.len();
    out.push_str("TWOLANE_");
    out.extend(name.chars().map(|c| match c {
        c if c.is_ascii_alphanumeric() => c.to_ascii_uppercase(),
        _ => '_',
    }));
    out.truncate(out.len().min(begin + NAME_BOUND));
    out.push('=');
}

fn push_value(out: &mut String, value: Value<'_>) {
    match value {
        Value::Int(value) => _ = write!(out, "{value}"),
        Value::Uint(value) => _ = write!(out, "{value}"),
        Value::Float(value) => _ = write!(out, "{value}"),
        Value::Flag(value) => _ = write!(out, "{value}"),
        Value::Text(text) => escape::plain(out, text),
        Value::Json(json) => escape::json_value(out, json),
    }
}
