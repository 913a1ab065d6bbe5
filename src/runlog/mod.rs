//! Run logs: what each run says on its way, line by line, in files of its own. Whoever says something
//! never waits for the disk. Knows notes and numbers of runs, and nothing of what a run is.

mod line;
mod owed;
mod port;
mod read;
mod segments;
mod writer;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

pub use line::{RunLine, Stream};
#[cfg(any(fuzzing, test))]
pub use read::fuzz;
pub use read::{ReadError, lines};

use crate::engine::id::RunId;
use crate::inbox::{Note, Outlet, Output};
use port::{Port, port};
use writer::Item;

/// Lines that may wait for the disk; beyond that they are dropped, counted and marked.
pub const WAITING_BOUND: usize = 16_384;

/// Bytes of memory that commands' lines may take while they wait for the disk; more are dropped in the same way.
pub const WAITING_BYTES: usize = 16 << 20;

/// How much of one run's log is kept: as much of its beginning as of its end, half of this each.
pub const KEPT_BYTES: u64 = 1 << 20;

/// The writing side. Dropping it writes what waits and ends its thread.
#[derive(Debug)]
pub struct RunLogs {
    directory: PathBuf,
    port: Option<Port>,
    changed: watch::Receiver<u64>,
    /// Bytes of memory in which commands' lines wait for the disk.
    held: Arc<AtomicUsize>,
    spoken: Spoken,
    /// Lines that are missing in the logs.
    dropped: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl RunLogs {
    /// Logs below this directory, which is made, open to nobody else, when it is needed.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start(directory: PathBuf) -> io::Result<Self> {
        let (port, items) = port();
        let (tell, changed) = watch::channel(0);
        let files = directory.clone();
        let dropped = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&dropped);
        let thread = std::thread::Builder::new()
            .name("run-logs".to_owned())
            .spawn(move || writer::write(&files, &items, &tell, &counter))?;
        Ok(Self {
            directory,
            port: Some(port),
            changed,
            held: Arc::default(),
            spoken: Spoken::default(),
            dropped,
            thread: Some(thread),
        })
    }

    /// A handle for whoever hears the notes.
    #[must_use]
    pub fn ear(&self) -> Ear {
        Ear {
            port: self.port.clone(),
            spoken: self.spoken.clone(),
            missing: BTreeMap::new(),
        }
    }

    /// For whoever reads: a way to wait for what has been said.
    #[must_use]
    pub fn written(&self) -> Written {
        Written {
            port: self.port.clone(),
        }
    }

    /// What takes the lines of commands.
    #[must_use]
    pub fn outlet(&self) -> LogOutlet {
        LogOutlet {
            port: self.port.clone(),
            held: Arc::clone(&self.held),
            spoken: self.spoken.clone(),
        }
    }

    /// Counts the lines that are missing in the logs because more came than is kept or written. The middle
    /// of a log that has grown too large is not among them.
    #[must_use]
    pub fn dropping(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.dropped)
    }

    /// Where the files are.
    #[must_use]
    pub const fn directory(&self) -> &PathBuf {
        &self.directory
    }

    /// Changes each time when more lines can be read.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.changed.clone()
    }
}

impl Drop for RunLogs {
    fn drop(&mut self) {
        if let Some(port) = self.port.take() {
            // Ears may outlive this, so closing the channel would not end the thread.
            port.end();
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Knows when what was said is in the files.
#[derive(Clone, Debug)]
pub struct Written {
    port: Option<Port>,
}

/// How long somebody who reads waits for a disk that does not keep up.
const SETTLE: Duration = Duration::from_secs(1);

impl Written {
    /// Waits until all that was said before can be read; a second at most.
    pub async fn settle(&self) {
        let (tell, told) = oneshot::channel();
        let item = Item::Settle(tell);
        if self
            .port
            .as_ref()
            .is_some_and(|port| port.offer(item).is_ok())
        {
            let _late = timeout(SETTLE, told).await;
        }
    }
}

/// Takes the lines of commands and passes them on; waits for nothing.
#[derive(Clone, Debug)]
pub struct LogOutlet {
    port: Option<Port>,
    held: Arc<AtomicUsize>,
    spoken: Spoken,
}

/// Runs that have said something and are not over: the end of a run that said nothing is not worth waking
/// a thread. As many as run, at most.
#[derive(Clone, Debug, Default)]
struct Spoken(Arc<Mutex<BTreeSet<RunId>>>);

impl Spoken {
    /// To be told before what was said is passed on.
    fn begin(&self, run: RunId) {
        self.runs(|runs| runs.insert(run));
    }

    /// Whether it has said something.
    fn end(&self, run: RunId) -> bool {
        self.runs(|runs| runs.remove(&run))
    }

    fn runs<T>(&self, with: impl FnOnce(&mut BTreeSet<RunId>) -> T) -> T {
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Outlet for LogOutlet {
    fn offer(&self, output: Output) -> Result<(), Box<Output>> {
        // A short line may be in a buffer that was made for a long one.
        let bytes = size_of::<Output>() + output.text.capacity();
        let (held, output) = (Held(Arc::clone(&self.held), bytes), Box::new(output));
        let waiting = self.held.fetch_add(bytes, Ordering::Relaxed) + bytes;
        // That something is missing is told also where there is no room for what is.
        if waiting > WAITING_BYTES && !output.text.is_empty() {
            return Err(output);
        }
        let Some(port) = &self.port else {
            return Err(output);
        };
        self.spoken.begin(output.attempt.run);
        match port.offer(Item::Output(output, held)) {
            Err(Item::Output(output, _)) => Err(output),
            Ok(())
            | Err(
                Item::Note(_)
                | Item::Missing(..)
                | Item::Over(_)
                | Item::Gone(_)
                | Item::Settle(_)
                | Item::End,
            ) => Ok(()),
        }
    }
}

/// Bytes that wait, until this is dropped.
#[derive(Debug)]
struct Held(Arc<AtomicUsize>, usize);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Ordering::Relaxed);
    }
}

/// Hears notes and passes them on; waits for nothing.
#[derive(Clone, Debug)]
pub struct Ear {
    port: Option<Port>,
    spoken: Spoken,
    /// Lines of runs that found no room, to be marked when there is some.
    missing: BTreeMap<RunId, u64>,
}

/// Runs whose missing lines are counted apart; of more at a time only the sum is known.
const MISSING_BOUND: usize = 1024;

impl Ear {
    /// A running attempt has said something.
    pub fn note(&mut self, note: &Note) {
        self.mark_missing();
        let item = Item::Note(note.clone());
        if !self.pass(item) {
            let run = note.attempt.run;
            if self.missing.len() < MISSING_BOUND || self.missing.contains_key(&run) {
                *self.missing.entry(run).or_default() += 1;
            }
        }
    }

    /// A run is over, for now: its files are closed, and made small.
    pub fn over(&mut self, run: RunId) {
        self.mark_missing();
        // Where there is no room the files are closed later, when others need the place.
        if self.spoken.end(run) {
            self.pass(Item::Over(run));
        }
    }

    /// A run is gone from the store: its files go too.
    pub fn gone(&mut self, run: RunId) {
        self.pass(Item::Gone(run));
    }

    fn mark_missing(&mut self) {
        while let Some((run, count)) = self.missing.pop_first() {
            if !self.pass(Item::Missing(run, count)) {
                self.missing.insert(run, count);
                return;
            }
        }
    }

    fn pass(&self, item: Item) -> bool {
        if let Item::Note(Note { attempt, .. }) = &item {
            self.spoken.begin(attempt.run);
        }
        self.port
            .as_ref()
            .is_some_and(|port| port.offer(item).is_ok())
    }
}

#[cfg(test)]
mod tests;
