//! Threads that stand in for those of the cpu lane whose attempts do not leave it: as many as these, and
//! never more than the lane has of its own. Knows nothing of what the jobs are.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rayon::ThreadPool;

use super::lock;

/// What makes the pool of one thread that a spare is: a task on it may use rayon as everywhere in the lane.
type Make = dyn Fn(usize) -> Option<ThreadPool> + Send + Sync;

/// The spare threads of a lane.
pub(super) struct Spares {
    make: Box<Make>,
    /// The most of them: the lane's own threads.
    bound: usize,
    table: Mutex<Table>,
    /// How many there are, to be looked at without the lock.
    count: AtomicUsize,
}

#[derive(Default)]
struct Table {
    /// Attempts that do not leave the lane.
    unresponsive: usize,
    threads: Vec<(ThreadPool, Arc<Spare>)>,
}

/// One spare thread.
#[derive(Default)]
pub(super) struct Spare {
    /// It takes jobs, or is about to.
    busy: AtomicBool,
    /// It takes no further jobs.
    retired: AtomicBool,
}

impl Spare {
    /// Whether it is to go on taking jobs.
    pub(super) fn goes_on(&self) -> bool {
        !self.retired.load(Ordering::SeqCst)
    }

    /// Makes it busy, unless it is.
    pub(super) fn enter(&self) -> bool {
        !self.busy.swap(true, Ordering::SeqCst)
    }

    /// It has found no job.
    pub(super) fn leave(&self) {
        self.busy.store(false, Ordering::SeqCst);
    }
}

impl Spares {
    /// None yet, and `bound` at most. `make` is given the number of each, from 0.
    pub(super) fn new(
        bound: usize,
        make: impl Fn(usize) -> Option<ThreadPool> + Send + Sync + 'static,
    ) -> Self {
        Self {
            make: Box::new(make),
            bound,
            table: Mutex::default(),
            count: AtomicUsize::new(0),
        }
    }

    /// One more attempt does not leave the lane.
    pub(super) fn add(&self) {
        let mut table = lock(&self.table);
        table.unresponsive += 1;
        if table.unresponsive <= self.bound
            && let Some(pool) = (self.make)(table.unresponsive - 1)
        {
            table.threads.push((pool, Arc::default()));
            self.count.store(table.threads.len(), Ordering::SeqCst);
        }
    }

    /// One of these has left it. Its own thread takes jobs again; whichever spare goes instead, also one
    /// that another such attempt is on, as many threads are free as the lane has of its own.
    pub(super) fn take_back(&self) {
        let mut table = lock(&self.table);
        table.unresponsive = table.unresponsive.saturating_sub(1);
        if table.threads.len() <= table.unresponsive.min(self.bound) {
            return;
        }
        let gone = table.threads.pop();
        self.count.store(table.threads.len(), Ordering::SeqCst);
        drop(table);
        if let Some((pool, spare)) = gone {
            spare.retired.store(true, Ordering::SeqCst);
            // The thread ends with what it runs; nobody waits for that here.
            drop(pool);
        }
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Has `wake` called for each that is free.
    pub(super) fn wake(&self, wake: impl Fn(&ThreadPool, &Arc<Spare>)) {
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        for (pool, spare) in &lock(&self.table).threads {
            if spare.enter() {
                wake(pool, spare);
            }
        }
    }
}
