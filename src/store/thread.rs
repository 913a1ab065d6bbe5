//! The thread that writes: takes all that waits, commits it in one transaction, says so, and does the
//! housekeeping in between. Knows no clock: only how long it waits.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::Haste;
use super::error::Trouble;
use super::reserve::Reserve;
use super::retention::Sweep;
use super::write::{Failed, Writer};
use crate::engine::fact::Record;
use crate::engine::id::RunId;
use crate::engine::time::Wall;

/// How long after a full disk the next try comes.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// How long nothing has to come before the log is brought into the database.
const IDLE_AFTER: Duration = Duration::from_secs(1);

/// How long a batch that can wait a moment does so: then a commit serves what a busy lane does in that time.
const LINGER: Duration = Duration::from_millis(5);

/// How many records one transaction takes: beyond that it only gets longer, not faster.
const GROUP_RECORDS: usize = 16_384;

/// From how many pages on the log is brought into the database: 16 MB, so that reading stays fast.
const WAL_PAGES: u64 = 4_096;

/// What the thread is asked to do.
pub(super) enum Order {
    /// Commit this batch.
    Batch(u64, Arc<[Record]>, Haste),
    /// Remove what is too old.
    Sweep(Sweep),
    /// Do something to the connection.
    #[cfg(test)]
    Hook(Box<dyn FnOnce(&rusqlite::Connection) + Send>),
}

/// A channel with one place in which newer takes the place of older.
#[derive(Clone, Debug)]
pub(super) struct Newest<T>(pub(super) Sender<T>, pub(super) Receiver<T>);

impl<T> Newest<T> {
    pub(super) fn new() -> Self {
        let (sender, receiver) = crossbeam_channel::bounded(1);
        Self(sender, receiver)
    }

    pub(super) fn put(&self, value: T) {
        let _older = self.1.try_recv();
        // Nobody else sends, so the place stays empty.
        let _taken = self.0.try_send(value);
    }
}

/// What the thread owns.
pub(super) struct Thread {
    pub(super) writer: Writer,
    pub(super) db: PathBuf,
    pub(super) orders: Receiver<Order>,
    /// Tells that a batch was ordered which is to be committed as soon as can be.
    pub(super) hurry: Receiver<()>,
    /// Such a batch waits.
    pub(super) hurries: bool,
    pub(super) commits: Newest<u64>,
    pub(super) troubles: Newest<Trouble>,
    pub(super) removed: Sender<Vec<RunId>>,
    /// Pages in the log, as SQLite says after each commit.
    pub(super) wal: Arc<AtomicU64>,
    pub(super) waiting: VecDeque<(u64, Arc<[Record]>)>,
    pub(super) sweep: Option<Sweep>,
    /// The last sweep, until it is known when something becomes too old after it.
    pub(super) swept: Option<Sweep>,
    pub(super) outdated: Newest<Wall>,
    pub(super) is_full: bool,
    /// Whether it writes into the room that was kept for a full disk.
    pub(super) is_low: bool,
    /// Whether that room was given away and nothing has been written since.
    pub(super) is_giving: bool,
    pub(super) reserve: Reserve,
    /// What SQLite said when the disk was full.
    pub(super) why: String,
    /// Pages in the log when it was last brought over.
    pub(super) brought: u64,
}

/// The log is broken and the thread ends.
struct Broken;

/// What is known after waiting.
enum Next {
    Go,
    Idle,
    Closed,
}

impl Thread {
    /// Starts it.
    pub(super) fn start(self) -> io::Result<JoinHandle<()>> {
        let work = move || {
            let troubles = self.troubles.clone();
            // Without a word of it, the daemon would wait for ever for commits.
            if catch_unwind(AssertUnwindSafe(|| self.run())).is_err() {
                let why = "the thread that writes the store panicked".into();
                troubles.put(Trouble::Broken { why });
            }
        };
        std::thread::Builder::new().name("store".into()).spawn(work)
    }

    /// Works until there is nobody left to give orders, or nothing can be written any more.
    fn run(mut self) {
        if self.work().is_err() {
            return;
        }
        let truncated = self
            .writer
            .conn
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if let Err(error) = truncated {
            tracing::debug!(%error, "the log of the store was not emptied");
        }
        self.writer.end();
    }

    fn work(&mut self) -> Result<(), Broken> {
        loop {
            let next = self.wait();
            self.write_all()?;
            match next {
                Next::Closed => return Ok(()),
                Next::Idle => self.checkpoint()?,
                Next::Go if self.pages() >= WAL_PAGES => self.checkpoint()?,
                Next::Go => {}
            }
            self.recover();
            self.sweep()?;
            self.look_ahead()?;
        }
    }

    fn pages(&self) -> u64 {
        self.wal
            .load(Ordering::Relaxed)
            .saturating_sub(self.brought)
    }

    fn wait(&mut self) -> Next {
        let busy = self.sweep.is_some() && !self.is_full && !self.removed.is_full();
        let limit = if busy {
            Some(Duration::ZERO)
        } else if self.is_full || self.is_low {
            Some(RETRY_AFTER)
        } else if self.pages() > 0 || self.sweep.is_some() {
            Some(IDLE_AFTER)
        } else {
            None
        };
        let order = match limit {
            Some(limit) => self.orders.recv_timeout(limit),
            None => self
                .orders
                .recv()
                .map_err(|_| RecvTimeoutError::Disconnected),
        };
        match order {
            Ok(order) => self.take(order),
            // With little room, what the log takes is wanted back.
            Err(RecvTimeoutError::Timeout) if self.is_low && !self.is_full && self.pages() > 0 => {
                return Next::Idle;
            }
            Err(RecvTimeoutError::Timeout) if busy || self.is_full || self.is_low => {
                return Next::Go;
            }
            Err(RecvTimeoutError::Timeout) => return Next::Idle,
            Err(RecvTimeoutError::Disconnected) => return Next::Closed,
        }
        self.take_all();
        if !self.hurries && !self.waiting.is_empty() {
            // Whoever orders more of the kind does not wake this thread: that would cost each of them.
            let _hurries = self.hurry.recv_timeout(LINGER);
            self.take_all();
        }
        self.hurries = false;
        let _seen = self.hurry.try_recv();
        Next::Go
    }

    /// What came meanwhile shares the transaction. The caller bounds what is not yet committed.
    fn take_all(&mut self) {
        while let Ok(order) = self.orders.try_recv() {
            self.take(order);
        }
    }

    fn take(&mut self, order: Order) {
        match order {
            Order::Batch(number, records, haste) => {
                self.hurries |= haste == Haste::Now;
                self.waiting.push_back((number, records));
            }
            Order::Sweep(sweep) => self.sweep = Some(sweep),
            #[cfg(test)]
            Order::Hook(hook) => hook(&self.writer.conn),
        }
    }

    fn write_all(&mut self) -> Result<(), Broken> {
        while let Some(group) = self.group() {
            if bug!("acknowledged-before-the-commit") {
                self.commits.put(self.waiting[group - 1].0);
            }
            let batches = self.waiting.iter().take(group).map(|(_, records)| records);
            match self.writer.write(batches) {
                Ok(()) => {
                    let last = self.waiting.drain(..group).next_back();
                    if let Some((number, _)) = last {
                        self.commits.put(number);
                    }
                    if std::mem::take(&mut self.is_full) | std::mem::take(&mut self.is_giving) {
                        self.is_low = true;
                        self.recover();
                        if self.is_low {
                            let why = self.why.clone();
                            self.troubles.put(Trouble::Low { why });
                        }
                    }
                }
                Err(failed) => return self.fail(failed),
            }
            if self.pages() >= WAL_PAGES {
                self.checkpoint()?;
            }
        }
        Ok(())
    }

    /// How many of the batches that wait go into the next transaction.
    fn group(&self) -> Option<usize> {
        let mut records = 0;
        let all = self.waiting.iter();
        let fit = all.take_while(|(_, batch)| {
            let fits = records < GROUP_RECORDS;
            records += batch.len();
            fits
        });
        Some(fit.count()).filter(|group| *group > 0)
    }

    fn fail(&mut self, failed: Failed) -> Result<(), Broken> {
        match failed {
            Failed::Full(why) => {
                self.why.clone_from(&why);
                if self.reserve.give() {
                    // Once: there is nothing left to give then.
                    self.is_giving = true;
                    return self.write_all();
                }
                if !self.is_full {
                    self.is_full = true;
                    self.troubles.put(Trouble::Full { why });
                }
                Ok(())
            }
            // A commit that failed may have left anything on disk and in the page cache: to try
            // again could make lost pages look written.
            Failed::Broken(why) => {
                let why = format!("could not write `{}`: {why}", self.db.display());
                self.troubles.put(Trouble::Broken { why });
                Err(Broken)
            }
        }
    }

    /// Says how it stands when something was written on a full disk, or there may be room again.
    fn recover(&mut self) {
        if !self.is_low || self.is_full {
            return;
        }
        if !self.reserve.is_given() || self.reserve.restore() {
            self.is_low = false;
            self.troubles.put(Trouble::Recovered);
        }
    }

    /// Brings the log into the database, as far as readers let it.
    fn checkpoint(&mut self) -> Result<(), Broken> {
        let done = self
            .writer
            .conn
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
                Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
            });
        match done {
            Ok((pages, brought)) => {
                let pages = u64::try_from(pages).unwrap_or(0);
                // All of it brought over: the next commit begins the log anew. Else the rest waits
                // for a reader, and there is no use in trying before much has come to it.
                let all = i64::try_from(pages).is_ok_and(|pages| pages == brought);
                self.brought = if all { 0 } else { pages };
                self.wal
                    .store(if all { 0 } else { pages }, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => match Failed::from(error) {
                // The log has all that is committed; there may be space the next time.
                Failed::Full(_) => {
                    self.brought = self.wal.load(Ordering::Relaxed);
                    Ok(())
                }
                failed @ Failed::Broken(_) => self.fail(failed),
            },
        }
    }

    fn sweep(&mut self) -> Result<(), Broken> {
        let Some(sweep) = self.sweep else {
            return Ok(());
        };
        // Whoever removes what belongs to the runs sets the pace.
        if self.is_full || self.removed.is_full() {
            return Ok(());
        }
        match sweep.step(&mut self.writer) {
            Ok((runs, more)) => {
                if !more {
                    self.swept = self.sweep.take();
                }
                if !runs.is_empty() {
                    let _taken = self.removed.try_send(runs);
                }
                Ok(())
            }
            // To remove something takes space too. The next sweep tries again.
            Err(Failed::Full(_)) => {
                self.swept = self.sweep.take();
                Ok(())
            }
            Err(failed @ Failed::Broken(_)) => self.fail(failed),
        }
    }

    /// Tells when the next sweep has something to remove because of its age: after each sweep once, as
    /// soon as any run is over.
    fn look_ahead(&mut self) -> Result<(), Broken> {
        let Some(swept) = self.swept else {
            return Ok(());
        };
        match swept.outdated(&self.writer) {
            Ok(Some(at)) => {
                self.swept = None;
                self.outdated.put(at);
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(failed) => self.fail(failed),
        }
    }
}
