//! A timeline as a picture: lines of a terminal, and SVG. Knows no daemon and no file.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use unicode_width::UnicodeWidthChar;

use super::count::count;
use crate::api::wire::{Bar, Timeline};
use crate::logging::harmless;

/// Slots of one lane that are drawn in a terminal.
const SLOTS: u32 = 50;

/// Columns of the drawing itself, at least.
const LEAST: usize = 20;

/// A timeline ready to be drawn.
pub(super) struct Chart {
    /// In microseconds since 1970.
    from: i64,
    to: i64,
    zone: TimeZone,
    bars: Vec<Drawn>,
}

struct Drawn {
    lane: String,
    slot: u32,
    /// What is written in it.
    label: String,
    /// All there is to say of it.
    title: String,
    state: String,
    from: i64,
    to: i64,
}

impl Chart {
    /// The chart of a timeline; of the time in which something ran, if it is to fit.
    pub(super) fn of(told: &Timeline, fit: bool, zone: &TimeZone) -> Self {
        let at = |moment: &String| {
            let at = moment.parse::<Timestamp>();
            at.map_or(0, Timestamp::as_microsecond)
        };
        let (mut from, mut to) = (at(&told.since), at(&told.until));
        let bars: Vec<Drawn> = told
            .bars
            .iter()
            .map(|bar| Drawn::of(bar, at(&bar.started), bar.ended.as_ref().map_or(to, at)))
            .collect();
        let (first, last) = (
            bars.iter().map(|bar| bar.from),
            bars.iter().map(|bar| bar.to),
        );
        if let (true, Some(first), Some(last)) = (fit, first.min(), last.max()) {
            (from, to) = (first, last);
        }
        Self {
            from,
            // Some time has to pass.
            to: to.max(from + 1),
            zone: zone.clone(),
            bars,
        }
    }

    /// `at` on a scale of `width`.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a picture needs no more than a double has"
    )]
    fn x(&self, at: i64, width: f64) -> f64 {
        let at = at.clamp(self.from, self.to);
        (at - self.from) as f64 / (self.to - self.from) as f64 * width
    }

    fn clock(&self, at: i64) -> String {
        let form = match self.to - self.from {
            0..10_000_000 => "%H:%M:%S%.3f",
            10_000_000..172_800_000_000 => "%H:%M:%S",
            _ => "%F %H:%M",
        };
        self.shown(at, form)
    }

    fn shown(&self, at: i64, form: &str) -> String {
        let at = Timestamp::from_microsecond(at).unwrap_or(Timestamp::UNIX_EPOCH);
        at.to_zoned(self.zone.clone()).strftime(form).to_string()
    }

    /// The slots that have something, in order: lane, slot, and their bars.
    fn rows(&self) -> Vec<(&str, u32, Vec<&Drawn>)> {
        let mut rows: Vec<(&str, u32, Vec<&Drawn>)> = Vec::new();
        for bar in &self.bars {
            match rows.last_mut() {
                Some((lane, slot, bars)) if *lane == bar.lane && *slot == bar.slot => {
                    bars.push(bar);
                }
                _ => rows.push((&bar.lane, bar.slot, vec![bar])),
            }
        }
        rows
    }

    /// Lines of at most `width` columns.
    pub(super) fn lines(&self, width: usize) -> Vec<String> {
        let form = "%F %H:%M:%S";
        let mut lines = vec![format!(
            "{} to {}, {}",
            self.shown(self.from, form),
            self.shown(self.to, form),
            count(self.bars.len(), "attempt")
        )];
        let rows = self.rows();
        let names: Vec<String> = rows
            .iter()
            .map(|(lane, slot, _)| format!("{lane} {slot}"))
            .collect();
        let names_width = names.iter().map(String::len).max().unwrap_or(0);
        let columns = width.saturating_sub(names_width + 3).max(LEAST);
        let (mut hidden, mut used) = (0, Vec::new());
        for (name, (_, slot, bars)) in names.iter().zip(&rows) {
            if *slot > SLOTS {
                hidden += 1;
                continue;
            }
            used.extend(bars.iter().map(|bar| bar.state.as_str()));
            let row = self.row(bars, columns);
            lines.push(format!("{name:names_width$} │{row}│"));
        }
        let (from, to) = (self.clock(self.from), self.clock(self.to));
        let gap = columns.saturating_sub(from.len() + to.len());
        lines.push(format!("{:names_width$}  {from}{:gap$}{to}", "", ""));
        if hidden > 0 {
            lines.push(format!(
                "{hidden} more slots: `--svg FILE` draws all of them"
            ));
        }
        let legend: Vec<String> = FILLS
            .iter()
            .filter(|(state, _)| used.contains(state))
            .map(|(state, fill)| format!("{fill} {state}"))
            .collect();
        if !legend.is_empty() {
            lines.push(legend.join("   "));
        }
        lines
    }

    /// The bars of a slot in so many columns.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "columns are few, and within the drawing"
    )]
    fn row(&self, bars: &[&Drawn], columns: usize) -> String {
        let mut cells: Vec<Option<char>> = vec![Some(' '); columns];
        for bar in bars {
            let from = (self.x(bar.from, columns as f64) as usize).min(columns - 1);
            // However short, it was there.
            let to = (self.x(bar.to, columns as f64).ceil() as usize).clamp(from + 1, columns);
            let fill = fill(&bar.state);
            for cell in cells.iter_mut().take(to).skip(from) {
                *cell = Some(fill);
            }
            let label = format!(" {} ", bar.label);
            let wide: usize = label.chars().map(|c| c.width().unwrap_or(0)).sum();
            if wide + 2 > to - from {
                continue;
            }
            let mut place = from + 1;
            for c in label.chars() {
                let wide = c.width().unwrap_or(0);
                if let Some(cell) = cells.get_mut(place).filter(|_| wide > 0) {
                    *cell = Some(c);
                }
                // What is wide takes the next column, too.
                for behind in cells.iter_mut().take(place + wide).skip(place + 1) {
                    *behind = None;
                }
                place += wide;
            }
        }
        cells.into_iter().flatten().collect()
    }

    /// A picture that needs nothing beside it.
    pub(super) fn svg(&self) -> String {
        const ROW: usize = 26;
        // On the right, too, where half of the last time stands.
        const LEFT: f64 = 60.0;
        const WIDE: f64 = 1100.0;
        const TOP: usize = 40;
        let rows = self.rows();
        let height = TOP + rows.len().max(1) * ROW + 34;
        let mut svg = String::new();
        // Writing to a text cannot fail.
        let _ = write!(svg, "{}", head(LEFT + WIDE + LEFT, height));
        let form = "%F %H:%M:%S";
        let _ = writeln!(
            svg,
            "<text x=\"{LEFT}\" y=\"20\" class=\"head\">{} to {}</text>",
            self.shown(self.from, form),
            self.shown(self.to, form)
        );
        for tick in 0..=TICKS {
            let at = self.from + (self.to - self.from) / TICKS * tick;
            let (x, low) = (LEFT + self.x(at, WIDE), TOP + rows.len() * ROW);
            let _ = writeln!(
                svg,
                "<line x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{low}\" class=\"tick\"/>\
                 <text x=\"{x:.1}\" y=\"{}\" class=\"time\">{}</text>",
                low + 18,
                self.clock(at)
            );
        }
        for (index, (lane, slot, bars)) in rows.iter().enumerate() {
            let y = TOP + index * ROW;
            let _ = writeln!(
                svg,
                "<text x=\"{}\" y=\"{}\" class=\"slot\">{} {slot}</text>",
                LEFT - 8.0,
                y + 17,
                escaped(lane)
            );
            for bar in bars {
                let (from, to) = (self.x(bar.from, WIDE), self.x(bar.to, WIDE));
                let wide = (to - from).max(1.0);
                let (x, state) = (LEFT + from, escaped(&bar.state));
                let _ = writeln!(
                    svg,
                    "<svg x=\"{x:.1}\" y=\"{}\" width=\"{wide:.1}\" height=\"20\" class=\"{state}\">\
                     <title>{}</title><rect width=\"100%\" height=\"20\" rx=\"3\"/>\
                     <text x=\"5\" y=\"14\">{}</text></svg>",
                    y + 3,
                    escaped(&bar.title),
                    escaped(&bar.label)
                );
            }
        }
        svg.push_str("</svg>\n");
        svg
    }
}

/// Parts into which the time below a picture is divided.
const TICKS: i64 = 8;

impl Drawn {
    fn of(bar: &Bar, from: i64, to: i64) -> Self {
        let attempt = if bar.attempt > 1 {
            format!(" (attempt {})", bar.attempt)
        } else {
            String::new()
        };
        #[expect(
            clippy::cast_precision_loss,
            reason = "a picture needs no more than a double has"
        )]
        let seconds = (to - from) as f64 / 1e6;
        let took = if to < from {
            "by a clock that was set back meanwhile".to_owned()
        } else {
            format!("after {}", super::moments::took(Some(seconds)))
        };
        let job = harmless(&bar.job);
        Self {
            lane: harmless(&bar.lane),
            slot: bar.slot,
            label: job.clone(),
            title: format!(
                "run {} of {job}{attempt}: {} {took}",
                bar.run,
                harmless(&bar.state),
            ),
            state: harmless(&bar.state),
            from,
            to,
        }
    }
}

/// What a bar is filled with in a terminal, by what became of it.
const FILLS: [(&str, char); 6] = [
    ("succeeded", '█'),
    ("running", '▶'),
    ("failed", '×'),
    ("cancelled", '▒'),
    ("interrupted", '░'),
    ("stopping", '▸'),
];

fn fill(state: &str) -> char {
    let known = FILLS.iter().find(|(known, _)| *known == state);
    known.map_or('?', |(_, fill)| *fill)
}

/// The beginning of a picture, with its colours, for light and dark surroundings.
fn head(width: f64, height: usize) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <style>\n\
         .page {{ fill: #fff }} text {{ fill: #222 }} .tick {{ stroke: #ddd }}\n\
         .head {{ font-size: 14px }} .time {{ text-anchor: middle }} .slot {{ text-anchor: end }}\n\
         rect {{ stroke: #0003 }}\n\
         .succeeded rect {{ fill: #8fcf9f }} .failed rect {{ fill: #ef8f8f; stroke: #a00; stroke-width: 3 }}\n\
         .running rect, .stopping rect {{ fill: #8fb8ef; stroke-dasharray: 4 }}\n\
         .cancelled rect, .interrupted rect {{ fill: #ddd; stroke-dasharray: 2 }}\n\
         svg svg text {{ fill: #111 }}\n\
         @media (prefers-color-scheme: dark) {{\n\
         .page {{ fill: #1b1b1b }} text {{ fill: #ddd }} .tick {{ stroke: #444 }} \
         }}\n\
         </style>\n\
         <rect class=\"page\" width=\"100%\" height=\"100%\"/>\n"
    )
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(lane: &str, slot: u32, job: &str, (from, to): (u32, Option<u32>), state: &str) -> Bar {
        let moment = |second: u32| format!("2024-05-15T18:29:{second:02}.000000Z");
        Bar {
            run: u64::from(from) + 1,
            attempt: 1,
            job: job.to_owned(),
            lane: lane.to_owned(),
            pool: None,
            slot,
            started: moment(from),
            ended: to.map(moment),
            state: state.to_owned(),
        }
    }

    fn timeline() -> Timeline {
        Timeline {
            since: "2024-05-15T18:29:00Z".to_owned(),
            until: "2024-05-15T18:29:40Z".to_owned(),
            bars: vec![
                bar("cpu", 1, "computer", (0, Some(16)), "succeeded"),
                bar("cpu", 1, "next", (20, Some(30)), "failed"),
                bar("cpu", 2, "计算", (0, None), "running"),
                bar("io", 1, "<read> & wait", (0, Some(20)), "succeeded"),
                bar("io", 1, "short", (39, Some(39)), "cancelled"),
            ],
            more: false,
        }
    }

    #[test]
    fn a_chart_has_a_row_for_each_slot_and_a_column_for_each_time() {
        let chart = Chart::of(&timeline(), false, &TimeZone::UTC);
        let lines = chart.lines(48);
        let expected = [
            "2024-05-15 18:29:00 to 2024-05-15 18:29:40, 5 attempts",
            "cpu 1 │█ computer █████    × next ×××          │",
            "cpu 2 │▶ 计算 ▶▶▶▶▶▶▶▶▶▶▶▶▶▶▶▶▶▶▶▶▶▶▶▶▶▶▶▶▶▶▶▶▶│",
            "io 1  │█ <read> & wait ████                   ▒│",
            "       18:29:00                        18:29:40",
            "█ succeeded   ▶ running   × failed   ▒ cancelled",
        ];
        assert_eq!(lines, expected, "{}", lines.join("\n"));
    }

    #[test]
    fn a_chart_that_fits_begins_with_the_first_and_ends_with_the_last() {
        let mut told = timeline();
        told.since = "2024-05-15T17:00:00Z".to_owned();
        let chart = Chart::of(&told, true, &TimeZone::UTC);
        assert!(chart.lines(48)[0].starts_with("2024-05-15 18:29:00 to 2024-05-15 18:29:40"));
        told.bars.truncate(1);
        let one = Chart::of(&told, true, &TimeZone::UTC).lines(48);
        assert!(one[0].ends_with(", 1 attempt"), "{one:?}");
        told.bars.clear();
        let nothing = Chart::of(&told, true, &TimeZone::UTC).lines(48);
        assert_eq!(nothing.len(), 2, "{nothing:?}");
    }

    #[test]
    fn an_attempt_that_ended_before_it_began_is_drawn_as_short() {
        let mut told = timeline();
        told.bars = vec![bar("io", 1, "back", (30, Some(10)), "succeeded")];
        for fit in [false, true] {
            let chart = Chart::of(&told, fit, &TimeZone::UTC);
            assert_eq!(
                chart.lines(48).join("").matches('█').count(),
                2,
                "its bar and the legend"
            );
            let svg = chart.svg();
            assert!(
                svg.contains("back: succeeded by a clock that was set back"),
                "{svg}"
            );
            assert!(svg.contains("width=\"1.0\""), "{svg}");
        }
    }

    #[test]
    fn a_picture_shows_each_attempt_and_nothing_that_is_no_text() {
        let svg = Chart::of(&timeline(), false, &TimeZone::UTC).svg();
        assert_eq!(svg.matches("<title>").count(), 5);
        assert!(svg.contains("&lt;read&gt; &amp; wait"), "{svg}");
        assert!(
            svg.contains("run 21 of next: failed after 10.00 s"),
            "{svg}"
        );
        // The last time is in the middle of its line, and whole.
        assert!(
            svg.contains("width=\"1220\"") && svg.contains("<text x=\"1160.0\""),
            "{svg}"
        );
        // Half of the time is half of the width.
        assert!(svg.contains("x=\"60.0\" y=\"95\" width=\"550.0\""), "{svg}");
    }
}
