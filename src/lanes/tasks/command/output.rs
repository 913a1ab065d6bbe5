//! What a command writes, cut into lines, within bounds: the beginning whole, then as much as comes
//! slowly enough, and always the end; what is missing is counted. Reads on whatever comes, so that a
//! command is never held up by what it says.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::select;
use tokio::task::yield_now;

use super::super::super::place::Place;
use crate::engine::time::Mono;
use crate::inbox::{Missing, OutStream, Output};
use crate::process::Reader;

/// What is taken at once of a command that says much.
const CHUNK_BYTES: usize = 64 << 10;

/// What is taken at once until so much has come: most commands say little, and many wait at a time.
const FIRST_BYTES: usize = 2 << 10;

/// The longest line that is kept whole. More than people read, less than a dump that has no line ends.
const LINE_BYTES: usize = 16 << 10;

/// What may come at any speed: as much as a run's log keeps.
const BEGINNING_BYTES: f64 = (1 << 20) as f64;

/// What may come each second after that.
const BYTES_A_SECOND: f64 = (256 << 10) as f64;

/// The end that is held while more comes than may.
const END_BYTES: usize = 64 << 10;

/// Stands in a line whose end is missing.
const REST_MISSING: &[u8] = b" [the rest of this line dropped]";

/// How long what is held back waits for more to come.
const HELD: Duration = Duration::from_millis(250);

/// How long a line without an end is waited for to go on: a question to somebody has none.
const OPEN: Duration = Duration::from_secs(1);

/// The most of a last line that is given back.
const WORDS_BYTES: usize = 1024;

/// What one way of a command's output was.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Its last line.
    pub(super) last_words: String,
    /// Its beginning, as much as was to be kept.
    pub(super) kept: Vec<u8>,
    /// There was more of it.
    pub(super) is_longer: bool,
}

impl Said {
    fn keep(&mut self, chunk: &[u8], most: usize) {
        let room = most - self.kept.len();
        self.kept.extend_from_slice(&chunk[..chunk.len().min(room)]);
        self.is_longer |= chunk.len() > room;
    }
}

/// Reads one way of a command's output to its end, and keeps so many bytes of its beginning. The end has come
/// when nobody is left who could write, or when `is_over` says so and nothing more is there.
pub(super) async fn pump(
    reader: Option<Reader>,
    is_over: &AtomicBool,
    stream: OutStream,
    place: &Arc<Place>,
    keep: usize,
) -> Said {
    let mut said = Said::default();
    let Some(reader) = reader else {
        return said;
    };
    let mut lines = Lines::new(stream, Arc::clone(place));
    let mut chunk = vec![0; FIRST_BYTES];
    let mut last_read = false;
    loop {
        let read = select! {
            biased;
            read = reader.read(&mut chunk) => read,
            // Whoever is not found writes on: then it is not left to this when there is an end.
            () = over(is_over) => {
                if last_read {
                    yield_now().await;
                }
                last_read = true;
                reader.read_now(&mut chunk)
            }
            // What is held back after a burst is passed on as soon as it may be, also if nothing follows.
            () = place.world.timers.sleep(HELD), if !lines.held.is_empty() => {
                lines.pass_on_held();
                continue;
            }
            () = place.world.timers.sleep(OPEN), if lines.is_open() => {
                lines.pass_on_open();
                continue;
            }
        };
        // A pipe that cannot be read has no more to give than one that has ended.
        match read {
            Ok(n @ 1..) => {
                lines.add(&chunk[..n]);
                if keep > 0 {
                    said.keep(&chunk[..n], keep);
                }
                if n == chunk.len() {
                    chunk.resize(CHUNK_BYTES, 0);
                }
            }
            Ok(0) | Err(_) => break,
        }
    }
    // What is left is passed on when this is dropped, which is also how it goes when nobody waits for it.
    said.last_words = lines.last_words();
    said
}

/// Has come when the task is polled after it was told so.
fn over(is_over: &AtomicBool) -> impl Future<Output = ()> {
    poll_fn(|_| match is_over.load(Ordering::SeqCst) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
}

/// One way of a command's output.
struct Lines {
    place: Arc<Place>,
    stream: OutStream,
    /// Lines to be passed on.
    whole: Vec<u8>,
    /// A line whose end has not come.
    open: Vec<u8>,
    /// So many bytes of its end may be the beginning of a secret, and wait for what follows.
    waits: usize,
    /// Bytes of that line that were not kept.
    cut: u64,
    /// The beginning of that line was passed on as a line of its own.
    begun: bool,
    /// Bytes that may be passed on.
    allowed: f64,
    since: Mono,
    /// What came while nothing was allowed: its end.
    held: Vec<u8>,
    missing: Missing,
    /// The beginning of the last line that ended.
    last: Vec<u8>,
}

impl Lines {
    fn new(stream: OutStream, place: Arc<Place>) -> Self {
        Self {
            since: place.world.clock.mono(),
            place,
            stream,
            whole: Vec::new(),
            open: Vec::new(),
            waits: 0,
            cut: 0,
            begun: false,
            allowed: BEGINNING_BYTES,
            held: Vec::new(),
            missing: Missing::default(),
            last: Vec::new(),
        }
    }

    fn last_words(&self) -> String {
        let line = if self.open.is_empty() {
            &self.last
        } else {
            &self.open
        };
        let mut line = line.clone();
        self.place.secrets.mask().line(&mut line, true);
        line.truncate(WORDS_BYTES);
        String::from_utf8_lossy(&line).trim().to_owned()
    }

    fn add(&mut self, chunk: &[u8]) {
        self.refill();
        // What is held goes along, and counts: small chunks would each take the whole end with them otherwise.
        #[expect(clippy::cast_precision_loss, reason = "both are small")]
        let size = (self.held.len() + chunk.len()) as f64;
        if self.allowed < size {
            self.hold(chunk);
            return;
        }
        self.allowed -= size;
        self.release();
        self.split(chunk);
        self.pass_on();
    }

    /// Passes on what is held back, if by now it may be.
    fn pass_on_held(&mut self) {
        self.refill();
        #[expect(clippy::cast_precision_loss, reason = "what is held is small")]
        let size = self.held.len() as f64;
        if self.allowed >= size {
            self.allowed -= size;
            self.release();
        }
    }

    /// Whether the end of a line has not come, and nothing else holds it back.
    fn is_open(&self) -> bool {
        self.held.is_empty() && self.open.len() > self.waits
    }

    /// Passes on the beginning of a line whose end has not come.
    fn pass_on_open(&mut self) {
        let waits = match self.cut {
            0 if bug!("secret-in-two-pieces") => 0,
            0 => self.place.secrets.mask().beginning(&self.open),
            _ => 0,
        };
        let rest = self.open.split_off(self.open.len() - waits);
        if !self.open.is_empty() {
            self.close_line();
            self.begun = true;
            self.pass_on();
        }
        (self.open, self.waits) = (rest, waits);
    }

    /// As time goes by more is allowed.
    fn refill(&mut self) {
        let now = self.place.world.clock.mono();
        let passed: Duration = now.since(self.since);
        self.since = now;
        self.allowed = (self.allowed + passed.as_secs_f64() * BYTES_A_SECOND).min(BEGINNING_BYTES);
    }

    /// Keeps the end of what may not be passed on.
    fn hold(&mut self, chunk: &[u8]) {
        self.held.extend_from_slice(chunk);
        if self.held.len() > END_BYTES {
            let over = self.held.len() - END_BYTES;
            self.drop_held(over);
        }
    }

    fn drop_held(&mut self, bytes: usize) {
        self.missing.lines += count(&self.held[..bytes]);
        self.missing.bytes += bytes as u64;
        self.held.drain(..bytes);
    }

    /// Passes on what is held, from the first whole line on if something before it is missing.
    fn release(&mut self) {
        if self.held.is_empty() {
            return;
        }
        if !self.missing.is_none() {
            // The line that was open when the gap began ends somewhere in it.
            if !self.open.is_empty() {
                self.place.secrets.mask().line(&mut self.open, true);
                self.open.extend_from_slice(REST_MISSING);
                self.close_line();
                self.pass_on_before_gap();
            }
            let rest = self.held.iter().position(|byte| *byte == b'\n');
            let rest = rest.map_or(self.held.len(), |at| at + 1);
            self.drop_held(rest);
        }
        let held = std::mem::take(&mut self.held);
        self.split(&held);
        self.pass_on();
    }

    /// Sorts bytes into whole lines and one that is open.
    fn split(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (line, ends) = match part.split_last() {
                Some((b'\n', line)) => (line, true),
                _ => (part, false),
            };
            let room = LINE_BYTES - self.open.len();
            let kept = &line[..line.len().min(room)];
            self.open.extend_from_slice(kept);
            self.cut += (line.len() - kept.len()) as u64;
            if ends {
                // The end of a line that was passed on before it came ends nothing else.
                let is_told = std::mem::take(&mut self.begun) && self.open.is_empty();
                if !is_told {
                    self.close_line();
                }
            }
        }
    }

    /// Makes the open line a whole one.
    fn close_line(&mut self) {
        // Looked at as a whole, however it came: no secret is cut in two between two pieces.
        self.waits = 0;
        let mask = self.place.secrets.mask();
        mask.line(&mut self.open, self.cut > 0);
        self.last.clear();
        let words = self.open.len().min(WORDS_BYTES);
        self.last.extend_from_slice(&self.open[..words]);
        self.whole.append(&mut self.open);
        if self.cut > 0 {
            let mark = format!(" [{} bytes of this line dropped]", self.cut);
            self.whole.extend_from_slice(mark.as_bytes());
            self.cut = 0;
        }
        self.whole.push(b'\n');
    }

    /// Passes on the lines that came before a gap.
    fn pass_on_before_gap(&mut self) {
        let gap = std::mem::take(&mut self.missing);
        self.pass_on();
        self.missing = self.missing.with(gap);
    }

    fn pass_on(&mut self) {
        if self.whole.is_empty() && self.missing.is_none() {
            return;
        }
        let output = Output {
            attempt: self.place.attempt,
            job: Arc::clone(&self.place.job),
            at: self.place.world.clock.now(),
            stream: self.stream,
            missing: std::mem::take(&mut self.missing),
            text: std::mem::take(&mut self.whole),
        };
        if let Err(back) = self.place.world.outlet.offer(output) {
            self.missing = back.missing.with(Missing {
                lines: count(&back.text),
                bytes: back.text.len() as u64,
            });
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.release();
        if (!self.open.is_empty() || self.cut > 0) && !bug!("last-words-lost") {
            self.close_line();
        }
        self.pass_on();
        // Where there was no room, that much is told at least.
        self.pass_on();
    }
}

fn count(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}
