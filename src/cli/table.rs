//! Tables and state words for people: as wide as the terminal, with colours where they are wanted.

use comfy_table::{CellAlignment, ContentArrangement, presets};
use unicode_width::UnicodeWidthChar;

use super::Exit;
use super::out::Out;
use crate::logging::harmless;

/// Rows under a header. What is in a cell can be any text.
pub(super) struct Table {
    table: comfy_table::Table,
    header: Vec<&'static str>,
    right: &'static [usize],
}

impl Table {
    /// A table with these columns, of which `right` are aligned to the right. The last one is cut where
    /// the terminal ends, and a column `STATE` gets colours.
    pub(super) fn new(header: &[&'static str], right: &'static [usize]) -> Self {
        let mut table = comfy_table::Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_header(header);
        Self {
            table,
            header: header.to_vec(),
            right,
        }
    }

    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.table.add_row(cells.map(|cell| harmless(&cell)));
    }

    /// Prints it.
    pub(super) fn print(mut self, out: &mut Out) -> Exit {
        for index in self.right {
            if let Some(column) = self.table.column_mut(*index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let width = out.width();
        // Cells before it are numbers, so bytes are columns there.
        let colored = out.is_colored() && self.header.get(1) == Some(&"STATE");
        let mut offset = None;
        for line in self.table.lines() {
            let line = cut(line.trim_end(), width);
            let at = *offset.get_or_insert_with(|| line.find("STATE").filter(|_| colored));
            let line = match at {
                Some(at) => paint(&line, at),
                None => line,
            };
            let exit = out.line(format_args!("{line}"));
            if exit != Exit::Success {
                return exit;
            }
        }
        Exit::Success
    }
}

/// A state word, in its colour where colours are wanted.
pub(super) fn state(out: &Out, state: &str) -> String {
    let word = harmless(state);
    match color(&word) {
        Some(color) if out.is_colored() => format!("{color}{word}\u{1b}[0m"),
        Some(_) | None => word,
    }
}

/// Whether a run in this state is over.
pub(super) fn is_over(state: &str) -> bool {
    matches!(state, "succeeded" | "failed" | "cancelled" | "skipped")
}

/// `line` with the word that begins at byte `at` in its colour.
fn paint(line: &str, at: usize) -> String {
    let Some((before, rest)) = line.split_at_checked(at) else {
        return line.to_owned();
    };
    let (word, after) = rest.split_at(rest.find(' ').unwrap_or(rest.len()));
    match color(word) {
        Some(color) => format!("{before}{color}{word}\u{1b}[0m{after}"),
        None => line.to_owned(),
    }
}

fn color(state: &str) -> Option<&'static str> {
    match state {
        "succeeded" => Some("\u{1b}[32m"),
        "failed" | "unresponsive" => Some("\u{1b}[31m"),
        "scheduled" | "blocked" | "queued" | "running" | "stopping" | "cancelled" | "skipped" => {
            Some("\u{1b}[33m")
        }
        _ => None,
    }
}

/// What of a line fits into `width` columns.
pub(super) fn cut(line: &str, width: Option<usize>) -> String {
    let columns = |c: char| c.width().unwrap_or(0);
    let Some(width) = width else {
        return line.to_owned();
    };
    if line.chars().map(columns).sum::<usize>() <= width {
        return line.to_owned();
    }
    let mut used = 1;
    let mut shown: String = line
        .chars()
        .take_while(|c| {
            used += columns(*c);
            used <= width
        })
        .collect();
    shown.push('…');
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_where_the_terminal_ends() {
        let cases = [
            ("short", None, "short"),
            ("short", Some(5), "short"),
            ("longer", Some(5), "long…"),
            ("日本語", Some(6), "日本語"),
            ("日本語", Some(5), "日本…"),
            ("日本語", Some(4), "日…"),
        ];
        for (line, width, expected) in cases {
            assert_eq!(cut(line, width), expected);
        }
    }

    #[test]
    fn only_the_state_is_painted() {
        assert_eq!(
            paint("1 failed failed", 2),
            "1 \u{1b}[31mfailed\u{1b}[0m failed"
        );
        assert_eq!(paint("1 failed", 2), "1 \u{1b}[31mfailed\u{1b}[0m");
        assert_eq!(paint("1 other", 2), "1 other");
        assert_eq!(paint("1", 2), "1");
    }
}
