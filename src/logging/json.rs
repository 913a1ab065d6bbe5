//! Lines for programs: one JSON object each, numbers as numbers.

use std::fmt::Write as _;

use super::escape;
use super::fields::{Fields, Head, Value};
use super::stamp::Stamps;

/// What each object has from its event and not from the event's fields.
const OWN: [&str; 3] = ["time", "level", "target"];

/// Appends the line of an event, with its end.
pub(super) fn push(out: &mut String, head: Head<'_>, fields: &Fields, stamps: &Stamps) {
    out.push_str("{\"time\":\"");
    stamps.rfc3339(out, head.at);
    _ = write!(out, "\",\"level\":\"{}\",\"target\":", head.level);
    escape::json_string(out, head.target);
    for (name, value) in fields.iter() {
        out.push(',');
        // An object has each name once.
        match OWN.iter().position(|own| *own == name) {
            Some(own) => out.push_str(["\"time_\"", "\"level_\"", "\"target_\""][own]),
            None => escape::json_string(out, name),
        }
        out.push(':');
        push_value(out, value);
    }
    out.push_str("}\n");
}

fn push_value(out: &mut String, value: Value<'_>) {
    match value {
        Value::Int(value) => _ = write!(out, "{value}"),
        Value::Uint(value) => _ = write!(out, "{value}"),
        // JSON has no word for what is no number; the shortest digits that read back the same.
        Value::Float(value) if value.is_finite() => _ = write!(out, "{value:?}"),
        Value::Float(_) => out.push_str("null"),
        Value::Flag(value) => _ = write!(out, "{value}"),
        Value::Text(text) => escape::json_string(out, text),
        Value::Json(json) => escape::json_value(out, json),
    }
}
