//! How live bars look: a pure function of what runs, the time and the width of the terminal.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::escape;
use super::line::percent;
use crate::engine::spec::JobSpec;
use crate::engine::time::Mono;
use crate::inbox::Progress;

/// From one drawing to the next: often enough to look alive, ten wake-ups a second while something
/// runs and none otherwise.
pub(super) const PERIOD: Duration = Duration::from_millis(100);

/// Columns of the bar itself.
const BAR: usize = 24;
/// Columns for names, at most.
const NAME: usize = 24;

/// One running attempt.
#[derive(Clone, Debug)]
pub(super) struct Bar {
    pub(super) job: Arc<JobSpec>,
    pub(super) since: Mono,
    pub(super) progress: Progress,
    pub(super) stopping: bool,
}

/// How the bars look at `now` on a terminal of so many columns: one line each.
pub(super) fn frame(bars: &[Bar], more: usize, now: Mono, columns: usize) -> String {
    let names: Vec<String> = bars
        .iter()
        .map(|bar| fit(&shown(&bar.job.name), NAME))
        .collect();
    let widest = names.iter().map(|name| name.width()).max().unwrap_or(0);
    let mut frame = String::new();
    for (bar, name) in bars.iter().zip(names) {
        let pad = widest - name.width();
        let elapsed = now.since(bar.since);
        let mut line = format!("{name}{:pad$} {:3} ", "", bar.job.lane.as_str());
        match bar.progress.fraction {
            Some(fraction) if !fraction.is_nan() => push_bar(&mut line, percent(fraction)),
            Some(_) | None => push_spinner(&mut line, elapsed),
        }
        push_elapsed(&mut line, elapsed);
        if bar.stopping {
            line.push_str("  stopping");
        }
        if let Some(message) = &bar.progress.message {
            line.push_str("  ");
            line.push_str(&shown(message));
        }
        if !frame.is_empty() {
            frame.push('\n');
        }
        frame.push_str(&fit(&line, columns));
    }
    if more > 0 {
        frame.push('\n');
        frame.push_str(&fit(&format!("+{more} more"), columns));
    }
    frame
}

fn push_bar(line: &mut String, percent: u8) {
    let done = usize::from(percent) * BAR / 100;
    let head = usize::from(done < BAR);
    let left = BAR - done - head;
    let point = if head == 1 { ">" } else { "" };
    _ = write!(line, "[{:=<done$}{point}{:left$}] {percent:3}%", "", "");
}

/// Something that goes to and fro, a column each period.
fn push_spinner(line: &mut String, elapsed: Duration) {
    const BODY: &str = "<=>";
    let way = BAR - BODY.len();
    let step = elapsed.as_millis() / PERIOD.as_millis() % (2 * way as u128);
    let step = usize::try_from(step).unwrap_or(0);
    let left = if step <= way { step } else { 2 * way - step };
    let right = way - left;
    _ = write!(line, "[{:left$}{BODY}{:right$}]     ", "", "");
}

fn push_elapsed(line: &mut String, elapsed: Duration) {
    let seconds = elapsed.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    _ = if hours > 0 {
        write!(line, " {hours}:{minutes:02}:{seconds:02}")
    } else {
        write!(line, " {minutes:02}:{seconds:02}")
    };
}

/// `text` without anything that commands a terminal.
fn shown(text: &str) -> String {
    let mut out = String::new();
    escape::plain(&mut out, text);
    out
}

/// As much of `text` as fits into so many columns.
fn fit(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut used = 1;
    let whole = |c: &char| {
        used += c.width().unwrap_or(0);
        used <= columns
    };
    let mut out: String = text.chars().take_while(whole).collect();
    out.push('…');
    out
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::engine::spec::{Lane, TaskSpec};

    fn bar(name: &str, lane: Lane, fraction: Option<f64>, message: Option<&str>) -> Bar {
        let job = JobSpec::new(
            name.into(),
            lane,
            TaskSpec::Sleep {
                duration: Duration::ZERO,
            },
        );
        Bar {
            job: Arc::new(job),
            since: Mono(0),
            progress: Progress {
                fraction,
                message: message.map(Into::into),
            },
            stopping: false,
        }
    }

    fn check(bars: &[Bar], more: usize, after: Duration, columns: usize, expected: &Expect) {
        let frame = frame(bars, more, Mono(0).plus(after), columns);
        assert!(frame.lines().all(|line| line.width() <= columns));
        expected.assert_eq(&frame.replace(' ', "·"));
    }

    #[test]
    fn frames() {
        let mut bars = [
            bar("computer", Lane::Cpu, Some(0.5), Some("500000 of 1000000")),
            bar("作业", Lane::Cpu, Some(0.0), None),
            bar("read", Lane::Io, None, Some("two\nlines \x1b[2J")),
            bar("done", Lane::Io, Some(1.0), None),
            bar(&"long".repeat(9), Lane::Io, Some(f64::NAN), None),
        ];
        bars[3].stopping = true;
        let second = Duration::from_secs(1);
        check(
            &bars[..1],
            0,
            Duration::ZERO,
            80,
            &expect!["computer·cpu·[============>···········]··50%·00:00··500000·of·1000000"],
        );
        check(
            &bars[..4],
            0,
            100 * second,
            80,
            &expect![[r#"
            computer·cpu·[============>···········]··50%·01:40··500000·of·1000000
            作业·····cpu·[>·······················]···0%·01:40
            read·····io··[········<=>·············]······01:40··two\nlines·\u{1b}[2J
            done·····io··[========================]·100%·01:40··stopping"#]],
        );
        check(
            &bars,
            9980,
            4000 * second,
            60,
            &expect![[r#"
            computer·················cpu·[============>···········]··50…
            作业·····················cpu·[>·······················]···0…
            read·····················io··[················<=>·····]····…
            done·····················io··[========================]·100…
            longlonglonglonglonglon…·io··[················<=>·····]····…
            +9980·more"#]],
        );
        check(
            &bars[..3],
            0,
            second,
            20,
            &expect![[r#"
            computer·cpu·[=====…
            作业·····cpu·[>····…
            read·····io··[·····…"#]],
        );
        check(
            &bars[..3],
            1,
            second,
            1,
            &expect![[r#"
            …
            …
            …
            …"#]],
        );
    }

    #[test]
    fn a_spinner_goes_to_and_fro() {
        let bars = [bar("x", Lane::Io, None, None)];
        let columns = |step: u32| {
            let frame = frame(&bars, 0, Mono(0).plus(PERIOD * step), 80);
            frame.find("<=>").expect("it is there")
        };
        let first = columns(0);
        let way: Vec<usize> = (0..44).map(|step| columns(step) - first).collect();
        let there_and_back: Vec<usize> = (0..21).chain((1..=21).rev()).chain([0, 1]).collect();
        assert_eq!(way, there_and_back);
    }
}
