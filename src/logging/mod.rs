//! The log: facts and notes as timestamped lines for people or programs, and live bars on a terminal.
//! Whoever logs never waits for the output. Knows only the engine's plain types, notes and the clock.

mod bars;
mod escape;
mod event;
mod fields;
mod filter;
mod frame;
mod journal;
mod journald;
mod json;
mod layer;
pub mod line;
mod narrator;
mod outlet;
mod queue;
mod stamp;
mod text;
mod writer;

#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use jiff::tz::TimeZone;
use tracing::Dispatch;
use tracing_subscriber::layer::SubscriberExt;

pub use escape::{harmless, harmless_in_color, harmless_json};
pub use event::Event;
pub use filter::{FilterError, FilterErrorKind, check_filter};
pub use journald::Journal;
pub use narrator::{DAEMON_TARGET, Narrator, RUN_TARGET};
pub use outlet::OutputLines;
pub use queue::{BYTES_BOUND, LINES_BOUND};

use crate::clock::Clock;
use bars::{Board, Screen};
use layer::{Lines, Printer};
use queue::Queue;
use stamp::Stamps;
use text::Paint;
use writer::{Stream, Writer};

/// The form of lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON object a line.
    Json,
    /// For the journal of systemd: an entry with fields. To be sent to a [`Journal`].
    Journal,
}

/// Where lines go.
#[derive(Default)]
pub enum Output {
    /// Standard output.
    #[default]
    Stdout,
    /// Standard error.
    Stderr,
    /// Anything else. It gets whole lines, several at a time.
    Writer(Box<dyn Write + Send>),
}

/// Whether running attempts are shown as live bars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bars {
    /// They are not.
    #[default]
    Off,
    /// On standard error, if that is a terminal; otherwise not.
    OnTerminal,
}

/// Whether levels are coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Color {
    /// Where the output is a terminal, unless the environment says `NO_COLOR` or `TERM=dumb`.
    #[default]
    Auto,
    /// In text, always.
    Always,
    /// Never.
    Never,
}

/// How to log. `LogSettings::default()` is text on standard output at level `info`, without bars.
#[derive(Debug, Default)]
pub struct LogSettings<'a> {
    /// The form of lines.
    pub format: Format,
    /// What is logged: `LEVEL` for all targets, `TARGET=LEVEL` for one and all below it, separated
    /// by commas. Blank means `info`.
    pub filter: &'a str,
    /// Where lines go.
    pub output: Output,
    /// Whether live bars are shown.
    pub bars: Bars,
    /// Whether levels are coloured.
    pub color: Color,
    /// The zone of all times; `None` for the machine's own, looked up once.
    pub zone: Option<TimeZone>,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter cannot be read.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// The stream is closed, or there are no more file descriptors.
    #[error("cannot log to {stream}: {error}")]
    Output {
        /// Which stream.
        stream: &'static str,
        /// What the system says.
        error: io::Error,
    },
    /// The system gives no thread.
    #[error("cannot start the thread that writes the log: {0}")]
    Thread(io::Error),
    /// A program has one log; whoever was first has set it up.
    #[error("the log of this program is already set up")]
    AlreadySet,
}

/// Lines that are not in the log because they could not be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// They found no room because the output was blocked.
    pub blocked: u64,
    /// The output did not take them.
    pub failed: u64,
}

impl Dropped {
    /// All of them.
    #[must_use]
    pub const fn total(self) -> u64 {
        self.blocked + self.failed
    }
}

/// A log in force. When it is dropped, what is queued is still written, if the program lives long
/// enough: call [`Logging::close`] before.
#[derive(Debug)]
pub struct Logging {
    queue: Arc<Queue>,
    board: Option<Arc<Board>>,
    failed: Arc<AtomicU64>,
}

/// Sets up the log of this program: every `tracing` event of every thread goes there.
///
/// # Errors
/// A filter that cannot be read, an output that cannot be had, or a log that is already there.
pub fn init(settings: LogSettings<'_>, clock: Clock) -> Result<Logging, LogError> {
    let (logging, dispatch) = scoped(settings, clock)?;
    tracing::dispatcher::set_global_default(dispatch).map_err(|_| LogError::AlreadySet)?;
    Ok(logging)
}

/// A log for those events only that are emitted under the dispatch that is given back (see
/// [`tracing::dispatcher::with_default`]).
///
/// # Errors
/// A filter that cannot be read or an output that cannot be had.
pub fn scoped(settings: LogSettings<'_>, clock: Clock) -> Result<(Logging, Dispatch), LogError> {
    let terminal = match settings.bars {
        Bars::Off => None,
        Bars::OnTerminal => bars::terminal(),
    };
    start(settings, terminal, clock)
}

/// Where bars are drawn.
type Terminal = (indicatif::ProgressDrawTarget, bars::Columns);

fn start(
    settings: LogSettings<'_>,
    terminal: Option<Terminal>,
    clock: Clock,
) -> Result<(Logging, Dispatch), LogError> {
    let filter = filter::parse(settings.filter)?;
    let paint = paint(&settings);
    let printer = Printer {
        format: settings.format,
        stamps: Stamps::of(settings.zone.unwrap_or_else(TimeZone::system)),
        paint,
    };
    let queue = Arc::new(Queue::new(clock));
    let failed = Arc::new(AtomicU64::new(0));
    let board = terminal
        .is_some()
        .then(|| Arc::new(Board::new(Arc::clone(&queue))));
    let screen = board
        .clone()
        .zip(terminal)
        .map(|(board, (target, columns))| Screen::new(board, target, columns));
    let writer = Writer {
        queue: Arc::clone(&queue),
        printer: printer.clone(),
        out: open(settings.output)?,
        screen,
        clock,
        failed: Arc::clone(&failed),
    };
    thread::Builder::new()
        .name("log".to_owned())
        .spawn(|| writer.run())
        .map_err(LogError::Thread)?;
    let lines = Lines {
        printer,
        queue: Arc::clone(&queue),
        clock,
    };
    let subscriber = tracing_subscriber::registry().with(filter).with(lines);
    let logging = Logging {
        queue,
        board,
        failed,
    };
    Ok((logging, Dispatch::new(subscriber)))
}

impl Logging {
    /// Whoever tells this log of facts and notes.
    #[must_use]
    pub fn narrator(&self) -> Narrator {
        Narrator::with_board(self.board.clone())
    }

    /// Waits until all that was logged so far is written (or, where the output fails, counted), at
    /// most for `limit`. `false` if that is not enough.
    pub fn flush(&self, limit: Duration) -> bool {
        self.queue.flush(limit)
    }

    /// Takes the bars off the terminal, writes what is queued and ends the log; waits for that at
    /// most for `limit`. `false` if that is not enough. What is logged later is dropped and counted.
    pub fn close(&self, limit: Duration) -> bool {
        if let Some(board) = &self.board {
            board.clear();
        }
        self.queue.close();
        self.queue.wait_for_end(limit)
    }

    /// Lines that are missing so far.
    #[must_use]
    pub fn dropped(&self) -> Dropped {
        Dropped {
            blocked: self.queue.lost_in_all(),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }
}

impl Logging {
    /// What says how many lines are missing so far, also when this is gone.
    pub fn dropping(&self) -> impl Fn() -> Dropped + Send + Sync + use<> {
        let (queue, failed) = (Arc::clone(&self.queue), Arc::clone(&self.failed));
        move || Dropped {
            blocked: queue.lost_in_all(),
            failed: failed.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        // Without waiting for the thread: its output may be blocked for good.
        self.queue.close();
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stdout => "Stdout",
            Self::Stderr => "Stderr",
            Self::Writer(_) => "Writer",
        })
    }
}

fn paint(settings: &LogSettings<'_>) -> Paint {
    let terminal = match &settings.output {
        Output::Stdout => io::stdout().is_terminal(),
        Output::Stderr => io::stderr().is_terminal(),
        Output::Writer(_) => false,
    };
    let says_no = |name, no: fn(&OsStr) -> bool| std::env::var_os(name).is_some_and(|v| no(&v));
    let no_color = says_no("NO_COLOR", |value| !value.is_empty());
    let dumb = says_no("TERM", |value| value == "dumb");
    match settings.color {
        Color::Always => Paint::Levels,
        Color::Auto if terminal && !no_color && !dumb => Paint::Levels,
        Color::Auto | Color::Never => Paint::Plain,
    }
}

fn open(output: Output) -> Result<Box<dyn Write + Send>, LogError> {
    // A descriptor of our own: unlike the library's handle it has no buffer and no lock that the
    // rest of the program could wait for while this one is blocked.
    let (stream, owned) = match output {
        Output::Stdout => ("standard output", io::stdout().as_fd().try_clone_to_owned()),
        Output::Stderr => ("standard error", io::stderr().as_fd().try_clone_to_owned()),
        Output::Writer(writer) => return Ok(writer),
    };
    match owned {
        Ok(owned) => Ok(Box::new(Stream(File::from(owned)))),
        Err(error) => Err(LogError::Output { stream, error }),
    }
}
