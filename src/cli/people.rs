//! How things look to people: tables that fit, times that are told from now, states in colour.

use std::io::IsTerminal;
use std::time::Duration;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use jiff::Timestamp;
use unicode_width::UnicodeWidthChar;

use crate::clock::Clock;
use crate::config::write_duration;
use crate::logging::harmless;

/// Whether colours are wanted on standard output.
fn colors() -> bool {
    std::io::stdout().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A table as text; the columns with these numbers are aligned to the right. On a terminal no line is
/// longer than it is wide.
pub(super) fn table(header: &[&str], rows: Vec<Vec<String>>, right: &[usize]) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(header.iter().copied());
    for row in rows {
        table.add_row(row.iter().map(|cell| harmless(cell)));
    }
    for index in right {
        if let Some(column) = table.column_mut(*index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let width = std::io::stdout()
        .is_terminal()
        .then(terminal_width)
        .flatten();
    let lines: Vec<String> = table
        .lines()
        .map(|line| {
            let line = line.trim_end();
            paint(&width.map_or_else(|| line.to_owned(), |width| fit(line, width)))
        })
        .collect();
    lines.join("\n")
}

fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

fn fit(line: &str, width: usize) -> String {
    let mut used = 0;
    let mut out = String::new();
    for c in line.chars() {
        used += c.width().unwrap_or(0);
        if used > width {
            out.pop();
            out.push('…');
            return out;
        }
        out.push(c);
    }
    out
}

/// Puts the first word that is a state in its colour.
fn paint(line: &str) -> String {
    if !colors() {
        return line.to_owned();
    }
    let states = [
        (" succeeded ", 32),
        (" failed ", 31),
        (" cancelled ", 35),
        (" skipped ", 35),
        (" running ", 36),
        (" stopping ", 33),
        (" queued ", 33),
        (" blocked ", 33),
        (" scheduled ", 33),
    ];
    let padded = format!("{line} ");
    let first = states
        .iter()
        .filter_map(|(word, color)| Some((padded.find(word)?, *word, *color)))
        .min();
    let Some((at, word, color)) = first else {
        return line.to_owned();
    };
    let word = word.trim();
    let (before, rest) = line.split_at(at + 1);
    let after = rest.strip_prefix(word).unwrap_or(rest);
    format!("{before}\u{1b}[{color}m{word}\u{1b}[0m{after}")
}

/// How long ago a moment was, or how far away it is.
pub(super) fn ago(moment: &str) -> String {
    let Ok(at) = moment.parse::<Timestamp>() else {
        return moment.to_owned();
    };
    let now = Clock::start().now().wall.0;
    let past = now.saturating_sub(at.as_microsecond());
    let text = about(Duration::from_micros(past.unsigned_abs()));
    if past >= 0 {
        format!("{text} ago")
    } else {
        format!("in {text}")
    }
}

/// A duration of which only the size matters.
fn about(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// Seconds as people write them.
pub(super) fn seconds(value: Option<f64>) -> String {
    match value {
        None => String::new(),
        Some(value) if value < 0.001 => format!("{:.0} µs", value * 1e6),
        Some(value) if value < 1.0 => format!("{:.1} ms", value * 1e3),
        Some(value) if value < 120.0 => format!("{value:.2} s"),
        Some(value) => write_duration(Duration::from_secs(value as u64)),
    }
}
