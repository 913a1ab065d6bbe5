//! Live bars and log lines on one terminal: nothing tears, and nothing of the bars stays behind.

use std::io;
use std::sync::Condvar;

use expect_test::expect;
use indicatif::{ProgressDrawTarget, TermLike};
use unicode_width::UnicodeWidthChar;

use super::*;

const COLUMNS: usize = 64;

#[test]
fn bars_stay_below_the_lines_and_go_in_the_end() {
    let terminal = Terminal::default();
    let (logging, dispatch) = on(&terminal);
    let mut job = job("作业");
    job.messages.started = Some("开始".into());
    tracing::dispatcher::with_default(&dispatch, || {
        let mut narrator = logging.narrator();
        let mut tell = |said: Said| said.tell(&mut narrator);
        tell(started(&job));
        terminal.wait_for("<=>");
        tell(note(&job, Some(0.5), Some("half")));
        let shown = terminal.wait_for("  half");
        expect![[r#"
            开始: 2024-05-15 18:29:19.702689
            2024-05-15 18:29:19.702690  INFO run 3 作业: progress 50%  lane=
            cpu attempt=1 message=half
            作业 cpu [============>           ]  50% 00:00  half"#]]
        .assert_eq(&shown);

        tracing::info!(target: "t", "in between");
        tell(note(&job, None, Some("more")));
        let both = |shown: &str| shown.contains("in between") && shown.contains("  more");
        let shown = terminal.wait_until(both);
        let line = shown.find("in between").expect("the line is there");
        let bar = shown.find("[====").expect("the bar is there");
        assert!(line < bar && shown.matches("[====").count() == 1, "{shown}");

        tell(stopping(&job));
        terminal.wait_for("  stopping");
        tell(succeeded(&job, Value::Null));
        // That was another attempt than the one that is shown: the log's end takes it away.
        terminal.wait_for("finished");
        assert!(logging.close(LIMIT));
    });
    let shown = terminal.shown();
    let lines = shown.lines().filter(|line| !line.contains("in between"));
    expect![[r#"
        开始: 2024-05-15 18:29:19.702689
        2024-05-15 18:29:19.702690  INFO run 3 作业: progress 50%  lane=
        cpu attempt=1 message=half
        2024-05-15 18:29:19.702690  INFO run 3 作业: progress  lane=cpu
        attempt=1 message=more
        2024-05-15 18:29:19.702689  INFO run 3 作业: stopping  lane=cpu
        attempt=1 reason="because its timeout passed"
        2024-05-15 18:29:19.702689  INFO run 3 作业: finished  lane=cpu
        attempt=2 duration=7.010283s cpu=7.000001s late=312µs coalesced=
        4"#]]
    .assert_eq(&lines.collect::<Vec<_>>().join("\n"));
}

#[test]
fn the_last_one_takes_the_bars_away() {
    let terminal = Terminal::default();
    let (logging, dispatch) = on(&terminal);
    let job = job("short");
    tracing::dispatcher::with_default(&dispatch, || {
        let mut narrator = logging.narrator();
        started(&job).tell(&mut narrator);
        terminal.wait_for("<=>");
        crashed(&job, 1).tell(&mut narrator);
        terminal.wait_until(|shown| !shown.contains("<=>") && shown.contains("crash"));
        // Stopped by the shutdown with something still on the terminal.
        started(&job).tell(&mut narrator);
        terminal.wait_for("<=>");
        assert!(logging.close(LIMIT));
    });
    assert!(!terminal.shown().contains("<=>"));
}

#[test]
fn many_lines_neither_wait_for_bars_nor_draw_them_often() {
    const LINES: usize = 20_000;
    let terminal = Terminal::default();
    let (logging, dispatch) = on(&terminal);
    let mut job = job("busy");
    job.messages.started = Some("started".into());
    let clock = Clock::start();
    tracing::dispatcher::with_default(&dispatch, || {
        started(&job).tell(&mut logging.narrator());
        terminal.wait_for("<=>");
        for n in 0..LINES {
            // Room for a line is what is waited for here; drawing must not take it away.
            if n % 1000 == 0 {
                assert!(logging.flush(LIMIT));
            }
            tracing::info!(target: "t", "line {n}");
        }
        assert!(logging.close(LIMIT));
    });
    let shown = terminal.shown();
    let mut lines = shown.lines().filter(|line| !line.contains("started"));
    for n in 0..LINES {
        assert!(
            lines
                .next()
                .is_some_and(|line| line.ends_with(&format!("line {n}")))
        );
    }
    assert_eq!(lines.next(), None);
    let periods = clock.mono().since(Mono(0)).as_millis() / 100;
    // One for each period, one before and one after.
    assert!(u128::from(terminal.drawings()) <= periods + 2);
}

fn on(terminal: &Terminal) -> (Logging, Dispatch) {
    let settings = with(Format::Text, Output::Writer(Box::new(terminal.clone())));
    let target = ProgressDrawTarget::term_like_with_hz(Box::new(terminal.clone()), 20);
    let columns = || Some(COLUMNS);
    start(settings, Some((target, Box::new(columns))), Clock::start()).unwrap()
}

/// As much of a terminal as bars and lines need.
#[derive(Clone, Debug, Default)]
struct Terminal(Arc<(Mutex<Grid>, Condvar)>);

#[derive(Debug, Default)]
struct Grid {
    rows: Vec<Vec<char>>,
    row: usize,
    column: usize,
    drawings: u64,
}

impl Terminal {
    fn on<T>(&self, act: impl FnOnce(&mut Grid) -> T) -> T {
        let (grid, changed) = &*self.0;
        let result = act(&mut grid.lock().unwrap_or_else(PoisonError::into_inner));
        changed.notify_all();
        result
    }

    /// The rows, without what is blank at their ends.
    fn shown(&self) -> String {
        self.on(|grid| grid.shown())
    }

    fn drawings(&self) -> u64 {
        self.on(|grid| grid.drawings)
    }

    /// What is shown as soon as this is part of it.
    fn wait_for(&self, text: &str) -> String {
        self.wait_until(|shown| shown.contains(text))
    }

    fn wait_until(&self, there: impl Fn(&str) -> bool) -> String {
        let (grid, changed) = &*self.0;
        let grid = grid.lock().unwrap();
        let (grid, waited) = changed
            .wait_timeout_while(grid, LIMIT, |grid| !there(&grid.shown()))
            .unwrap();
        let shown = grid.shown();
        assert!(!waited.timed_out(), "{shown}");
        shown
    }
}

impl Grid {
    fn shown(&self) -> String {
        let rows = self.rows.iter().map(|row| {
            let row: String = row.iter().filter(|c| **c != '\0').collect();
            format!("{}\n", row.trim_end())
        });
        rows.collect::<String>().trim_end().to_owned()
    }

    fn put(&mut self, text: &str) {
        for c in text.chars() {
            let wide = c.width().unwrap_or(0);
            match c {
                '\n' => (self.row, self.column) = (self.row + 1, 0),
                '\r' => self.column = 0,
                _ => {
                    assert!(!c.is_control(), "{text:?}");
                    if self.column + wide > COLUMNS {
                        (self.row, self.column) = (self.row + 1, 0);
                    }
                    let at = self.column;
                    let row = self.current();
                    row[at] = c;
                    row[at + 1..at + wide].fill('\0');
                    self.column += wide;
                }
            }
        }
    }

    fn current(&mut self) -> &mut Vec<char> {
        while self.rows.len() <= self.row {
            self.rows.push(vec![' '; COLUMNS]);
        }
        &mut self.rows[self.row]
    }
}

impl Write for Terminal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.on(|grid| grid.put(std::str::from_utf8(bytes).expect("whole lines")));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        COLUMNS as u16
    }

    fn height(&self) -> u16 {
        24
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.on(|grid| grid.row = grid.row.checked_sub(n).expect("stays on the screen"));
        Ok(())
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.on(|grid| grid.row += n);
        Ok(())
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.on(|grid| grid.column += n);
        Ok(())
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.on(|grid| grid.column -= n);
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.on(|grid| {
            grid.put(text);
            grid.put("\n");
        });
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.on(|grid| {
            grid.put(text);
            grid.drawings += u64::from(text.contains("<=>") || text.contains("[="));
        });
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.on(|grid| {
            grid.current().fill(' ');
            grid.column = 0;
        });
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}
