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

/// The same, but with the colours and the kinds of letters that the text has, for a terminal that shows them. They
/// end with the text.
#[must_use]
pub fn harmless_in_color(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (text, more) = cut(text);
    let (mut rest, mut is_colored) = (text, false);
    while let Some(at) = rest.find(BEGIN) {
        let (before, sequence) = rest.split_at(at);
        plain(&mut out, before);
        let Some(length) = color(sequence) else {
            plain(&mut out, BEGIN);
            rest = &sequence[BEGIN.len()..];
            continue;
        };
        let (sequence, after) = sequence.split_at(length);
        out.push_str(sequence);
        (rest, is_colored) = (after, true);
    }
    plain(&mut out, rest);
    if is_colored {
        out.push_str("\u{1b}[0m");
    }
    push_rest(&mut out, more);
    out
}

/// What a terminal's commands for letters begin with, among others.
const BEGIN: &str = "\u{1b}[";

/// The length of the command for colours or kinds of letters that `text` begins with; `None` where it is another
/// one, or would hide what follows.
fn color(text: &str) -> Option<usize> {
    let rest = text.strip_prefix(BEGIN)?;
    let end = rest.find(|c: char| !matches!(c, '0'..='9' | ';' | ':'))?;
    if !rest[end..].starts_with('m') {
        return None;
    }
    let mut words = rest[..end].split(';');
    while let Some(word) = words.next() {
        let number = word.split(':').next()?;
        match number.trim_start_matches('0') {
            // A colour by its number or its parts, none of which is a command itself. With colons it is one word.
            "38" | "48" | "58" if number == word => {
                let parts = match words.next()? {
                    "5" => 1,
                    "2" => 3,
                    _ => return None,
                };
                if words
                    .by_ref()
                    .take(parts)
                    .filter(|part| !part.contains(':'))
                    .count()
                    < parts
                {
                    return None;
                }
            }
            "8" => return None,
            _ => {}
        }
    }
    Some(BEGIN.len() + end + 1)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_are_passed_on_and_nothing_else_that_commands_a_terminal() {
        let reset = "\u{1b}[0m";
        let kept = [
            "\u{1b}[31mred",
            "\u{1b}[1;38;5;8mgrey\u{1b}[m",
            "\u{1b}[48;2;8;8;8;4mdark",
            "\u{1b}[4:3m~",
            "\u{1b}[38:5:8mgrey",
        ];
        for text in kept {
            assert_eq!(harmless_in_color(text), format!("{text}{reset}"));
        }
        // A title, a cleared screen, a clipboard, a cursor, hidden letters, half a sequence, the one-byte form.
        let escaped = [
            "\u{1b}]0;title\u{7}",
            "\u{1b}[2Jx",
            "\u{1b}]52;c;aGk=\u{7}",
            "\u{1b}[1;1H",
            "\u{1b}[8mhidden",
            "\u{1b}[1;08mhidden",
            "\u{1b}[31",
            "\u{1b}[38;5m",
            "\u{1b}[38:5;8mhidden",
            "\u{1b}[38:2:1:1;8mhidden",
            "\u{1b}[38;7;1;1;8mhidden",
            "\u{9b}31mred",
            "\u{1b}[?25l",
            "plain",
            "\r\n",
        ];
        for text in escaped {
            assert_eq!(harmless_in_color(text), harmless(text), "{text:?}");
        }
        let both = "a\u{1b}[2J\u{1b}[32mgreen\u{1b}[39m\u{7}";
        let expected = format!("a\\u{{1b}}[2J\u{1b}[32mgreen\u{1b}[39m\\u{{7}}{reset}");
        assert_eq!(harmless_in_color(both), expected);
        let long = format!("\u{1b}[31m{}", "x".repeat(2 * VALUE_BOUND));
        assert!(harmless_in_color(&long).len() < VALUE_BOUND + 100);
    }
}
