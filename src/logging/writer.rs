//! The thread that writes the log: whole lines, many at a time, and the bars below them. It alone
//! waits for the output. What cannot be written is counted and told of when it can be again.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::event::{PollFd, PollFlags, poll};
use tracing::Level;

use super::bars::Screen;
use super::fields::{Fields, Head};
use super::layer::Printer;
use super::queue::{Batch, Queue, Turn};
use crate::clock::Clock;

/// The target of what the log says of itself.
const TARGET: &str = "twolane::logging";

/// All that the thread needs.
pub(super) struct Writer {
    pub(super) queue: Arc<Queue>,
    pub(super) printer: Printer,
    pub(super) out: Box<dyn Write + Send>,
    pub(super) screen: Option<Screen>,
    pub(super) clock: Clock,
    /// Lines that the output did not take; shared with whoever asks.
    pub(super) failed: Arc<AtomicU64>,
}

/// Tells the queue of the thread's end, also if an output of somebody else's panics.
struct Ends<'a>(&'a Queue);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// What is to be told as soon as the output takes something.
#[derive(Default)]
struct Unsaid {
    /// Lines that found no room.
    lost: u64,
    /// Lines that the output did not take, and its last error.
    failed: u64,
    error: String,
    /// The rest of a line whose beginning was written.
    torn: Vec<u8>,
}

/// What lies in the buffer from the end of the one before to `end`.
struct Segment {
    end: usize,
    what: What,
}

enum What {
    /// The rest of a torn line, or what was told of a failure: nothing to count again.
    Rest,
    Line,
    /// Says that so many found no room.
    Lost(u64),
    /// Says that so many were not taken.
    Failed(u64),
}

impl Writer {
    /// Writes until the queue is closed and empty.
    pub(super) fn run(mut self) {
        let queue = Arc::clone(&self.queue);
        let _ends = Ends(&queue);
        let mut batch = Batch::default();
        let mut unsaid = Unsaid::default();
        loop {
            let until = self.screen.as_ref().and_then(Screen::due);
            let turn = self.queue.take(until, &mut batch);
            let last = turn == Turn::Last;
            let some = !batch.lines.is_empty() || batch.lost_after > 0;
            if some || (last && unsaid.some()) {
                if let Some(screen) = &mut self.screen {
                    screen.lift();
                }
                self.write(&batch, &mut unsaid);
            }
            if let Some(screen) = &mut self.screen {
                let now = self.clock.mono();
                if last || screen.due().is_some_and(|due| due <= now) {
                    screen.draw(now);
                }
            }
            self.queue.done(&mut batch);
            if last {
                return;
            }
        }
    }

    fn write(&mut self, batch: &Batch, unsaid: &mut Unsaid) {
        let (buffer, segments) = self.lay_out(batch, unsaid);
        let (written, result) = write_all(&mut *self.out, &buffer);
        let error = match result {
            Ok(()) => return,
            Err(error) => error,
        };
        unsaid.error = error.to_string();
        let mut begin = 0;
        let mut failed = 0;
        for Segment { end, what } in segments {
            if end > written && (begin < written || matches!(what, What::Rest)) {
                // Its beginning is out: the rest has to follow before anything else does.
                unsaid.torn = buffer[written.max(begin)..end].to_vec();
            } else if end > written {
                match what {
                    What::Rest => {}
                    What::Line => failed += 1,
                    What::Lost(lines) => unsaid.lost += lines,
                    What::Failed(lines) => unsaid.failed += lines,
                }
            }
            begin = end;
        }
        unsaid.failed += failed;
        self.failed.fetch_add(failed, Ordering::Relaxed);
    }

    /// All that is to be written, in order: first what is left over from before.
    fn lay_out(&self, batch: &Batch, unsaid: &mut Unsaid) -> (Vec<u8>, Vec<Segment>) {
        let mut buffer = std::mem::take(&mut unsaid.torn);
        let mut segments = Vec::with_capacity(batch.lines.len() + 3);
        let mut add = |buffer: &mut Vec<u8>, bytes: &[u8], what| {
            buffer.extend_from_slice(bytes);
            segments.push(Segment {
                end: buffer.len(),
                what,
            });
        };
        if !buffer.is_empty() {
            add(&mut buffer, &[], What::Rest);
        }
        let failed = std::mem::take(&mut unsaid.failed);
        if failed > 0 {
            let line = self.told(failed, &format!("failed: {}", unsaid.error));
            add(&mut buffer, line.as_bytes(), What::Failed(failed));
        }
        let mut lost = std::mem::take(&mut unsaid.lost);
        for queued in &batch.lines {
            lost += queued.lost_before;
            if lost > 0 {
                let line = self.told(lost, "did not keep up");
                add(&mut buffer, line.as_bytes(), What::Lost(lost));
                lost = 0;
            }
            add(&mut buffer, queued.line.as_bytes(), What::Line);
        }
        lost += batch.lost_after;
        if lost > 0 {
            let line = self.told(lost, "did not keep up");
            add(&mut buffer, line.as_bytes(), What::Lost(lost));
        }
        (buffer, segments)
    }

    /// The line that tells of lines that are missing.
    fn told(&self, lines: u64, why: &str) -> String {
        let noun = if lines == 1 { "line" } else { "lines" };
        let mut fields = Fields::of(TARGET);
        fields.push_text(
            "message",
            format_args!("{lines} {noun} dropped: the log sink {why}"),
        );
        fields.push_number("dropped", lines);
        let head = Head {
            at: self.clock.now().wall,
            level: Level::WARN,
            target: TARGET,
        };
        self.printer.line(head, &fields)
    }
}

impl Unsaid {
    const fn some(&self) -> bool {
        self.lost > 0 || self.failed > 0 || !self.torn.is_empty()
    }
}

/// Writes all of `bytes`; gives how many were written, and why not the rest.
fn write_all(out: &mut dyn Write, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while written < bytes.len() {
        match out.write(&bytes[written..]) {
            Ok(0) => return (written, Err(ErrorKind::WriteZero.into())),
            Ok(more) => written += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, out.flush())
}

/// A standard stream, written to without a buffer of its own. Where somebody else has made it
/// non-blocking (it is shared with every process that has it), waits until it takes something.
pub(super) struct Stream(pub(super) File);

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let mut waits = [PollFd::new(&self.0, PollFlags::OUT)];
                    match poll(&mut waits, None) {
                        Ok(_) | Err(rustix::io::Errno::INTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
