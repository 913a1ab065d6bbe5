//! Lines on their way to the thread that writes them. Whoever logs is never kept waiting: a line that
//! finds no room is dropped, counted, and told of at its place in the stream. Knows no output.

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::Clock;
use crate::engine::time::Mono;
use crate::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Lines that may wait to be written, those that are being written included: all that the io lane
/// says when it starts full, several times over. The bytes are bounded apart, so a reader that is
/// gone for good costs no more than those.
pub const LINES_BOUND: usize = 65_536;

/// The same in bytes, so that long lines cannot make a heap of what the number allows: 1 KiB a line.
pub const BYTES_BOUND: usize = 8 << 20;

/// The most that is written at once, in bytes: what a pipe takes at a time.
const BATCH_BYTES: usize = 64 << 10;

/// Lines that are worth a drawing before its time, while bars are shown: so small a part of the bound
/// that lines do not get lost by waiting for it.
const HOLD_BOUND: usize = LINES_BOUND / 64;

/// A line, and what was lost before it.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) lost_before: u64,
    pub(super) line: String,
}

/// Some lines in order, and what was lost after them.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) lines: Vec<Queued>,
    pub(super) lost_after: u64,
    bytes: usize,
}

/// What the taking side is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Write the batch, which may be empty, and take again.
    Again,
    /// The same, and then end: nothing comes any more.
    Last,
}

/// A bounded queue with one lock over lines, bytes and losses. (Separate counters beside a channel
/// could not say exactly where in the stream a loss lies.) The lock is held for a push or a take,
/// never while anything is formatted or written.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// There is something to take.
    filled: Condvar,
    /// Something that was taken has been written.
    written: Condvar,
    clock: Clock,
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<Queued>,
    /// Lines and their bytes, waiting or being written.
    held: usize,
    held_bytes: usize,
    /// Lines lost since the last one that found room.
    lost: u64,
    /// Counts since the beginning: lines that found room, those of them that are dealt with, lines
    /// that found none, those of them that are dealt with.
    pushed: u64,
    done: u64,
    lost_in_all: u64,
    told: u64,
    waiting: Waiting,
    hurry: bool,
    woken: bool,
    closed: bool,
    ended: bool,
}

/// What the taking side waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Waiting {
    /// It is busy.
    #[default]
    No,
    /// Anything at all.
    Any,
    /// A time to come, or many lines.
    Many,
}

impl Queue {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            state: Mutex::default(),
            filled: Condvar::new(),
            written: Condvar::new(),
            clock,
        }
    }

    /// Takes a line with its end along, or counts it as lost if there is no room. Never waits.
    pub(super) fn push(&self, line: String) {
        let mut state = self.lock();
        let bytes = line.len();
        if state.closed {
            // Nobody is left to tell of it.
            state.lost_in_all += 1;
            state.told += 1;
            return;
        }
        if state.held >= LINES_BOUND || state.held_bytes + bytes > BYTES_BOUND {
            state.lost_in_all += 1;
            state.lost += u64::from(!bug!("losses-uncounted"));
            return;
        }
        state.held += 1;
        state.held_bytes += bytes;
        state.pushed += 1;
        let lost_before = std::mem::take(&mut state.lost);
        state.lines.push_back(Queued { lost_before, line });
        let wake = match state.waiting {
            Waiting::No => false,
            Waiting::Any => true,
            Waiting::Many => state.lines.len() >= HOLD_BOUND,
        };
        if wake {
            self.rouse(state);
        }
    }

    /// Lines that found no room so far.
    pub(super) fn lost_in_all(&self) -> u64 {
        self.lock().lost_in_all
    }

    /// Lets the taking side look around, if it waits for no time.
    pub(super) fn wake(&self) {
        let mut state = self.lock();
        state.woken = true;
        if state.waiting == Waiting::Any {
            self.rouse(state);
        }
    }

    /// Waits until all that was pushed so far is dealt with, at most so long; `false` if it is not.
    pub(super) fn flush(&self, limit: Duration) -> bool {
        let mut state = self.lock();
        let (pushed, lost) = (state.pushed, state.lost_in_all);
        let open = |state: &State| state.done < pushed || state.told < lost;
        if open(&state) {
            state.hurry = true;
            if state.waiting != Waiting::No {
                state.waiting = Waiting::No;
                self.filled.notify_one();
            }
        }
        !open(&self.wait(state, limit, |state| open(state) && !state.ended))
    }

    /// Nothing is taken along any more; what is there is still written.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        self.rouse(state);
    }

    /// Waits for the end of the taking side, at most so long; `false` if it has not dealt with all
    /// until then.
    pub(super) fn wait_for_end(&self, limit: Duration) -> bool {
        let state = self.wait(self.lock(), limit, |state| !state.ended);
        state.ended && state.done == state.pushed
    }

    /// The taking side takes nothing any more.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.ended = true;
        drop(state);
        self.written.notify_all();
    }

    /// Puts the next lines into `batch`. Waits for some; with a time given, until that time unless
    /// there are many lines or somebody waits for them.
    pub(super) fn take(&self, until: Option<Mono>, batch: &mut Batch) -> Turn {
        let mut state = self.lock();
        loop {
            let press = state.closed || state.hurry || state.lines.len() >= HOLD_BOUND;
            let some = state.woken || state.lost > 0 || !state.lines.is_empty();
            let left = until.map(|until| until.since(self.clock.mono()));
            state = match left {
                _ if press => break,
                None if some => break,
                None => {
                    state.waiting = Waiting::Any;
                    self.filled
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner)
                }
                Some(Duration::ZERO) => break,
                Some(left) => {
                    state.waiting = Waiting::Many;
                    let waited = self.filled.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
            state.waiting = Waiting::No;
        }
        state.woken = false;
        state.fill(batch);
        if state.lines.is_empty() {
            state.hurry = false;
        }
        if state.closed && state.lines.is_empty() {
            Turn::Last
        } else {
            Turn::Again
        }
    }

    /// The batch is dealt with: it makes room.
    pub(super) fn done(&self, batch: &mut Batch) {
        let mut state = self.lock();
        state.held -= batch.lines.len();
        state.held_bytes -= batch.bytes;
        state.done += batch.lines.len() as u64;
        state.told += batch.lost_after;
        state.told += batch
            .lines
            .iter()
            .map(|queued| queued.lost_before)
            .sum::<u64>();
        drop(state);
        self.written.notify_all();
        batch.lines.clear();
        batch.bytes = 0;
        batch.lost_after = 0;
    }

    /// Waits while `waits` holds, at most so long.
    fn wait<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        limit: Duration,
        waits: impl Fn(&State) -> bool,
    ) -> MutexGuard<'a, State> {
        let waited = self
            .written
            .wait_timeout_while(state, limit, |state| waits(state));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Wakes the taking side once.
    fn rouse(&self, mut state: MutexGuard<'_, State>) {
        state.waiting = Waiting::No;
        drop(state);
        self.filled.notify_one();
    }

    /// A panic elsewhere leaves counts and lines as whole as they were.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn fill(&mut self, batch: &mut Batch) {
        while let Some(next) = self.lines.front() {
            if !batch.lines.is_empty() && batch.bytes + next.line.len() > BATCH_BYTES {
                return;
            }
            batch.bytes += next.line.len();
            batch.lines.extend(self.lines.pop_front());
        }
        // Losses that no line has taken along came after all the lines that were here.
        batch.lost_after = std::mem::take(&mut self.lost);
    }
}
