//! Traces for a collector of OpenTelemetry: a span for each run and one for each of its attempts, as OTLP/JSON
//! over plain HTTP. Built with the feature `otlp`, and at work where the environment names a collector.
//!
//! The loop is never held up: what finds no room in the queue, or no collector, is dropped and counted.

mod lines;
mod send;
mod span;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, after, bounded, select};

use crate::clock::Clock;
use crate::engine::fact::Record;
use lines::Lines;
use send::{Collector, Sent};
use span::{Span, Spans};

/// Spans that may wait for the collector: some seconds of a busy daemon, and a few megabytes.
const QUEUE_BOUND: usize = 8_192;

/// Spans in one request.
const BATCH: usize = 512;

/// How long the first span of a request waits for others.
const LULL: Duration = Duration::from_secs(1);

/// Pauses before a request is tried again.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(2)];

/// How long, at the end, the collector is waited for.
const LAST: Duration = Duration::from_secs(2);

/// An address in the environment that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` in the environment is no address to send traces to\nhint: name a collector like \
     http://127.0.0.1:4318; for one that is not reached over plain HTTP, let one on this machine pass them on"
)]
pub struct NoAddress(pub(self) String);

/// Takes facts in and sends the spans that they make.
#[derive(Debug)]
pub struct Traces {
    spans: Spans,
    queue: Option<Sender<Span>>,
    /// Closed when the daemon leaves.
    end: Option<Sender<()>>,
    dropped: Arc<AtomicU64>,
    thread: Option<(JoinHandle<()>, Receiver<()>)>,
}

impl Traces {
    /// Sends to the collector that the environment names, in the variables that OpenTelemetry has for that:
    /// `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, or `OTEL_EXPORTER_OTLP_ENDPOINT` with `/v1/traces` behind it;
    /// `None` where it names none. `instance` tells this daemon's traces from all others; `before` are the
    /// records of the runs that are not over.
    ///
    /// # Errors
    /// [`NoAddress`].
    pub fn from_environment(instance: &str, before: &[Record]) -> Result<Option<Self>, NoAddress> {
        let named = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
        let whole = named("OTEL_EXPORTER_OTLP_ENDPOINT")
            .map(|base| format!("{}/v1/traces", base.trim_end_matches('/')));
        let Some(address) = named("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or(whole) else {
            return Ok(None);
        };
        let service = named("OTEL_SERVICE_NAME").unwrap_or_else(|| "twolane".to_owned());
        let collector = Collector::new(&address, &service, instance)?;
        Ok(Some(Self::start(collector, instance, before)))
    }

    fn start(collector: Collector, instance: &str, before: &[Record]) -> Self {
        let mut spans = Spans::new(instance);
        for record in before {
            let _told_by_the_last_daemon = spans.take(record);
        }
        let (queue, waiting) = bounded(QUEUE_BOUND);
        let (end, ends) = bounded(0);
        let (done, is_done) = bounded(1);
        let dropped = Arc::new(AtomicU64::new(0));
        let exporter = Exporter {
            collector,
            waiting,
            ends,
            dropped: Arc::clone(&dropped),
            lines: Lines::default(),
            clock: Clock::start(),
        };
        let spawned = std::thread::Builder::new()
            .name("otlp".to_owned())
            .spawn(move || {
                exporter.run();
                drop(done);
            });
        let thread = match spawned {
            Ok(thread) => Some((thread, is_done)),
            Err(error) => {
                tracing::warn!(target: "twolane::otlp", %error, "no traces are sent: no thread for it");
                None
            }
        };
        Self {
            spans,
            queue: Some(queue),
            end: Some(end),
            dropped,
            thread,
        }
    }

    /// Takes a fact that is committed.
    pub fn record(&mut self, record: &Record) {
        for span in self.spans.take(record).into_iter().flatten() {
            let queue = self.queue.as_ref();
            if queue.is_none_or(|queue| queue.try_send(span).is_err()) {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        drop(self.end.take());
        drop(self.queue.take());
        if let Some((thread, is_done)) = self.thread.take() {
            // What the collector does not take by then is lost; the daemon leaves.
            let _closed = is_done.recv_timeout(LAST);
            if thread.is_finished() {
                let _ended = thread.join();
            }
        }
    }
}

/// The thread that sends.
struct Exporter {
    collector: Collector,
    waiting: Receiver<Span>,
    /// Closed at the end.
    ends: Receiver<()>,
    dropped: Arc<AtomicU64>,
    lines: Lines,
    clock: Clock,
}

impl Exporter {
    fn run(mut self) {
        while let Ok(first) = self.waiting.recv() {
            let batch = self.gather(first);
            self.send(&batch);
        }
    }

    /// What comes within a moment goes along.
    fn gather(&self, first: Span) -> Vec<Span> {
        let mut batch = vec![first];
        let lull = after(LULL);
        while batch.len() < BATCH {
            select! {
                recv(self.waiting) -> span => match span {
                    Ok(span) => batch.push(span),
                    Err(_) => break,
                },
                recv(lull) -> _ => break,
            }
        }
        batch
    }

    fn send(&mut self, batch: &[Span]) {
        let mut pauses = PAUSES.into_iter();
        let why = loop {
            let why = match self.collector.send(batch) {
                Sent::Taken => return self.taken(),
                Sent::Refused(why) => break why,
                Sent::Unreached(why) => why,
            };
            let Some(pause) = pauses.next() else {
                break why;
            };
            let pause = after(pause);
            select! {
                recv(self.ends) -> _ => break why,
                recv(pause) -> _ => {}
            }
        };
        self.dropped
            .fetch_add(batch.len() as u64, Ordering::Relaxed);
        if self.lines.failed(self.clock.mono()) {
            tracing::warn!(
                target: "twolane::otlp",
                spans = batch.len(),
                "traces cannot be sent to {}, and are dropped until they can: {why}", self.collector.address()
            );
        }
    }

    fn taken(&mut self) {
        let dropped = self.dropped.load(Ordering::Relaxed);
        if let Some(lost) = self.lines.taken(self.clock.mono(), dropped) {
            tracing::warn!(target: "twolane::otlp", lost, "traces are sent again; what was lost is dropped");
        }
    }
}
