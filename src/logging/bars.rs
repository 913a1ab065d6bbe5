//! Live progress of running attempts on a terminal: what runs (`Board`, kept by the narrator) and the
//! drawing of it (`Screen`, used by the writer thread alone). Knows not how a bar looks.

use std::collections::BTreeMap;
use std::fmt;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::frame::{Bar, PERIOD, frame};
use super::queue::Queue;
use crate::engine::fact::{Fact, Record};
use crate::engine::id::{AttemptId, RunId};
use crate::engine::time::Mono;
use crate::inbox::{Note, Progress};

/// Bars shown at a time; of the others their number is told. They leave room for log lines on a
/// terminal of 24 rows.
pub(super) const BARS_BOUND: usize = 20;

/// Columns, where the terminal does not say how many it has.
const COLUMNS: usize = 80;

/// The attempts that run; as many as the lanes carry at most.
#[derive(Debug)]
pub(super) struct Board {
    running: Mutex<BTreeMap<AttemptId, Bar>>,
    /// Whom to wake when the first one starts and the last one ends.
    queue: Arc<Queue>,
}

impl Board {
    pub(super) const fn new(queue: Arc<Queue>) -> Self {
        Self {
            running: Mutex::new(BTreeMap::new()),
            queue,
        }
    }

    pub(super) fn record(&self, record: &Record) {
        match &record.fact {
            Fact::Started { run, job, epoch } => {
                let bar = Bar {
                    job: Arc::clone(job),
                    since: record.at.mono,
                    progress: Progress::default(),
                    stopping: false,
                };
                let mut running = self.lock();
                let first = running.is_empty();
                running.insert(attempt(*run, *epoch), bar);
                drop(running);
                if first {
                    self.queue.wake();
                }
            }
            Fact::Stopping { run, epoch, .. } | Fact::Unresponsive { run, epoch, .. } => {
                if let Some(bar) = self.lock().get_mut(&attempt(*run, *epoch)) {
                    bar.stopping = true;
                }
            }
            Fact::Ended { run, epoch, .. }
            | Fact::Retrying { run, epoch, .. }
            | Fact::Interrupted { run, epoch, .. } => {
                let mut running = self.lock();
                let was = running.remove(&attempt(*run, *epoch));
                let last = was.is_some() && running.is_empty();
                drop(running);
                if last {
                    self.queue.wake();
                }
            }
            Fact::Opened
            | Fact::Configured { .. }
            | Fact::Accepted { .. }
            | Fact::Released { .. }
            | Fact::Due { .. }
            | Fact::Met { .. }
            | Fact::Spread { .. }
            | Fact::Gathered { .. }
            | Fact::GivenUp { .. }
            | Fact::Began { .. }
            | Fact::Cancelled { .. }
            | Fact::Skipped { .. }
            | Fact::Draining
            | Fact::Leaving
            | Fact::Sent { .. }
            | Fact::Evaluated { .. }
            | Fact::Misplaced { .. }
            | Fact::Reconsidered { .. }
            | Fact::BackfillAccepted { .. }
            | Fact::BackfillMoved { .. }
            | Fact::BackfillEnded { .. }
            | Fact::ClockSet { .. }
            | Fact::Heard { .. }
            | Fact::Absent { .. }
            | Fact::Announced { .. }
            | Fact::Retried { .. }
            | Fact::Paused { .. }
            | Fact::Resumed { .. } => {}
        }
    }

    pub(super) fn note(&self, note: &Note) {
        if let Some(bar) = self.lock().get_mut(&note.attempt) {
            let Progress { fraction, message } = &note.progress;
            // Words without a fraction do not mean that the work is back at its beginning.
            if fraction.is_some() {
                bar.progress.fraction = *fraction;
            }
            if message.is_some() {
                bar.progress.message.clone_from(message);
            }
        }
    }

    /// Takes all bars away.
    pub(super) fn clear(&self) {
        self.lock().clear();
        self.queue.wake();
    }

    /// The first ones, oldest run first, and how many more there are.
    fn first(&self) -> (Vec<Bar>, usize) {
        let running = self.lock();
        let bars: Vec<Bar> = running.values().take(BARS_BOUND).cloned().collect();
        let more = running.len() - bars.len();
        (bars, more)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<AttemptId, Bar>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const fn attempt(run: RunId, epoch: u32) -> AttemptId {
    AttemptId { run, epoch }
}

/// The terminal's part that bars are drawn on, below the log lines.
pub(super) struct Screen {
    board: Arc<Board>,
    multi: MultiProgress,
    /// All bars together, so that a drawing is one. Here while any are shown.
    panel: Option<ProgressBar>,
    columns: Columns,
    /// When it was drawn last.
    drawn: Mono,
    /// Whether the bars are off the terminal because lines were written.
    lifted: bool,
}

/// How wide a terminal is, asked before each drawing.
pub(super) type Columns = Box<dyn Fn() -> Option<usize> + Send>;

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Screen")
            .field("board", &self.board)
            .finish_non_exhaustive()
    }
}

impl Screen {
    pub(super) fn new(board: Arc<Board>, target: ProgressDrawTarget, columns: Columns) -> Self {
        Self {
            board,
            multi: MultiProgress::with_draw_target(target),
            panel: None,
            columns,
            drawn: Mono(0),
            lifted: false,
        }
    }

    /// When the next drawing is due; `None` if nothing is shown or to be shown.
    pub(super) fn due(&self) -> Option<Mono> {
        let shows = self.panel.is_some() || !self.board.is_empty();
        shows.then(|| self.drawn.plus(PERIOD))
    }

    /// Takes the bars off the terminal, so that lines can be written where they were.
    pub(super) fn lift(&mut self) {
        if self.panel.is_some() && !self.lifted {
            self.lifted = true;
            // A terminal that cannot be written to shows neither bars nor their absence.
            _ = self.multi.clear();
        }
    }

    /// Draws what runs at `now`.
    pub(super) fn draw(&mut self, now: Mono) {
        self.drawn = now;
        self.lifted = false;
        let (bars, more) = self.board.first();
        if bars.is_empty() {
            if let Some(panel) = self.panel.take() {
                self.multi.remove(&panel);
                _ = self.multi.clear();
            }
            return;
        }
        let columns = (self.columns)().unwrap_or(COLUMNS);
        let frame = frame(&bars, more, now, columns);
        let multi = &self.multi;
        let panel = self.panel.get_or_insert_with(|| {
            let hidden = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
            // The plainest template there is; nothing in it can be wrong.
            let style = ProgressStyle::with_template("{msg}");
            multi.add(match style {
                Ok(style) => hidden.with_style(style),
                Err(_) => hidden,
            })
        });
        panel.set_message(frame);
    }
}

/// The terminal behind standard error, if it is one that bars can be drawn on.
pub(super) fn terminal() -> Option<(ProgressDrawTarget, Columns)> {
    // Twice the rate of the drawings here, so that indicatif's own limit never leaves one out.
    let target = ProgressDrawTarget::stderr_with_hz(20);
    if target.is_hidden() {
        return None;
    }
    let columns = || {
        let size = rustix::termios::tcgetwinsize(std::io::stderr().as_fd()).ok()?;
        Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
    };
    Some((target, Box::new(columns)))
}
