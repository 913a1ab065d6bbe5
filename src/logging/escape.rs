//! Makes text harmless inside a line: nothing that a job says can begin a line of its own, command a
//! terminal, or grow without bound. Knows no field and no format beyond what quotes need.

use std::fmt::Write as _;

/// The most of one value that a line carries, in bytes; the rest is counted. A panic message or an
/// error with a trace in it fits; a file that somebody put into a message does not.
pub(super) const VALUE_BOUND: usize = 4096;

/// `text` as it is read by people: on one line, and without anything that a terminal would take for a
/// command.
#[must_use]
pub fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    plain(&mut out, text);
    out
}

/// `json`, which is JSON on one line, so that a terminal can show it.
#[must_use]
pub fn harmless_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    json_value(&mut out, json);
    out
}

/// Appends `text` as it is read by people.
pub(super) fn plain(out: &mut String, text: &str) {
    let (text, rest) = cut(text);
    escape(out, text, "", |out, c| match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c => _ = write!(out, "\\u{{{:x}}}", u32::from(c)),
    });
    push_rest(out, rest);
}

/// Appends `text` as the value of a field: in quotes where it would not be read as one word.
pub(super) fn value(out: &mut String, text: &str) {
    let word = |c: char| !c.is_whitespace() && !matches!(c, '"' | '=' | '\\') && !harmful(c);
    if !text.is_empty() && text.len() <= VALUE_BOUND && text.chars().all(word) {
        out.push_str(text);
        return;
    }
    let (text, rest) = cut(text);
    out.push('"');
    escape(out, text, "\"\\", |out, c| match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c => _ = write!(out, "\\u{{{:x}}}", u32::from(c)),
    });
    push_rest(out, rest);
    out.push('"');
}

/// Appends `text` as a JSON string.
pub(super) fn json_string(out: &mut String, text: &str) {
    let (text, rest) = cut(text);
    out.push('"');
    escape(out, text, "\"\\", |out, c| match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c => json_escape(out, c),
    });
    push_rest(out, rest);
    out.push('"');
}

/// Appends `json`, which is JSON on one line, so that a terminal can show it. Outside its strings
/// JSON holds nothing that would need it, and inside them an escape means the same.
pub(super) fn json_value(out: &mut String, json: &str) {
    escape(out, json, "", json_escape);
}

/// Everything harmful lies in the plane where four digits say it.
fn json_escape(out: &mut String, c: char) {
    _ = write!(out, "\\u{:04x}", u32::from(c));
}

/// Appends `text`, and instead of each harmful character and each of `also` what `instead` writes.
fn escape(out: &mut String, text: &str, also: &str, instead: impl Fn(&mut String, char)) {
    let mut from = 0;
    for (at, c) in text.char_indices() {
        if harmful(c) || also.contains(c) {
            out.push_str(&text[from..at]);
            instead(out, c);
            from = at + c.len_utf8();
        }
    }
    out.push_str(&text[from..]);
}

/// Control characters (with them all that begins a terminal's escape sequences, also the one-byte
/// forms), line separators, and marks that turn the direction of what follows.
const fn harmful(c: char) -> bool {
    match c {
        ' '..='~' => false,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => true,
        '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{feff}' => true,
        _ => false,
    }
}

/// `text` up to the bound, and how many bytes of it follow.
fn cut(text: &str) -> (&str, usize) {
    let end = text.floor_char_boundary(VALUE_BOUND);
    (&text[..end], text.len() - end)
}

fn push_rest(out: &mut String, rest: usize) {
    if rest > 0 {
        _ = write!(out, "… (+{rest} bytes)");
    }
}
