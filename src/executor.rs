//! The two lanes as a library, for any program: futures on one side, computations on the other, and a
//! handle on each. Needs no daemon, no store and no runtime around it.
//!
//! ```
//! use std::time::Duration;
//! use twolane::Lanes;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let lanes = Lanes::new()?;
//!
//! // Computes on the cpu lane, while the io lane waits.
//! let sum = lanes.cpu(|context| {
//!     let mut sum = 0_u64;
//!     for n in 0..1_000 {
//!         if context.is_cancelled() {
//!             break;
//!         }
//!         sum += n;
//!     }
//!     sum
//! });
//! let nap = lanes.io_with(|context| async move { context.sleep(Duration::from_millis(5)).await });
//!
//! // A handle is a future; a thread without a runtime calls `wait`.
//! assert_eq!(sum.wait()?, 499_500);
//! assert_eq!(nap.wait()?, Ok(()));
//! # Ok(())
//! # }
//! ```

mod builder;
mod handle;
mod pool;
mod shutdown;
mod work;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub use builder::{BuildError, LanesBuilder};
pub use handle::{Handle, TaskError, Watch};
pub use pool::{Pool, UnknownPool};
pub use shutdown::{CANCEL_GRACE, Late, Running, Shutdown};

pub use crate::engine::spec::Lane;
pub use crate::inbox::Progress;
pub use crate::lanes::{Context, Policy, Stopped};

use crate::lanes::{CpuJob, CpuLane, IoJob, IoLane, lock};
use pool::PoolState;
use work::Work;

/// Both lanes. Copies are cheap and mean the same lanes.
///
/// When the last copy is dropped, the io lane's tasks are dropped where they wait, what waits for the
/// cpu lane is dropped unrun, and what computes goes on to its end. Call
/// [`shutdown`](Self::shutdown) first to end in order. Both may happen anywhere, also inside
/// asynchronous code.
#[derive(Clone)]
pub struct Lanes {
    inner: Arc<Inner>,
}

/// What is going on in the lanes, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Tasks that the io lane carries.
    pub io_running: usize,
    /// Tasks that wait for a place on the io lane, without those that wait in pools.
    pub io_waiting: usize,
    /// Threads of the cpu lane that are at work.
    pub cpu_running: usize,
    /// Tasks that wait for a thread of the cpu lane, without those that wait in pools.
    pub cpu_waiting: usize,
}

impl Lanes {
    /// Lanes with the built-in settings: one thread a core on each.
    ///
    /// # Errors
    /// [`BuildError`] if the system gives no threads.
    pub fn new() -> Result<Self, BuildError> {
        Self::builder().build()
    }

    /// Lanes with settings of one's own.
    pub fn builder() -> LanesBuilder {
        LanesBuilder::default()
    }

    /// Runs a future on the io lane. [`Handle::cancel`] drops it at the point where it waits.
    ///
    /// The future must not block the thread nor compute for long; that is what [`cpu`](Self::cpu) is
    /// for.
    #[track_caller]
    pub fn io<F>(&self, future: F) -> Handle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (work, job) = self.dropping_job(future);
        self.start_io(work, job)
    }

    /// Runs a future on the io lane that decides by itself what a cancel means: it is told through
    /// its context, and is not dropped.
    #[track_caller]
    pub fn io_with<F, Fut>(&self, start: F) -> Handle<Fut::Output>
    where
        F: FnOnce(Context) -> Fut + Send + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: Send + 'static,
    {
        let (work, job) = self.telling_job(start);
        self.start_io(work, job)
    }

    /// Runs a function on the cpu lane, as many at once as it has threads, oldest first. The function
    /// may use rayon (`par_iter`, `join`), which then works on the lane's threads.
    ///
    /// A function that may take long looks at its context every millisecond or so:
    /// `context.check()?`. Nothing can stop one that does not.
    #[track_caller]
    pub fn cpu<F, T>(&self, compute: F) -> Handle<T>
    where
        F: FnOnce(&Context) -> T + Send + 'static,
        T: Send + 'static,
    {
        let (work, job) = self.computing_job(compute);
        if let Some(refused) = self.inner.refused() {
            work.complete(Err(refused));
        } else if let Err(job) = self.inner.cpu.submit(job) {
            work.complete(Err(self.inner.full(Lane::Cpu)));
            drop(job);
        }
        Handle::new(work)
    }

    /// The pool of this name, which was set up with [`LanesBuilder::pool`].
    ///
    /// # Errors
    /// [`UnknownPool`] if there is none.
    pub fn pool(&self, name: &str) -> Result<Pool, UnknownPool> {
        match self.inner.pools.get(name) {
            Some(state) => Ok(Pool::new(self.clone(), Arc::clone(state))),
            None => Err(UnknownPool {
                pool: name.to_owned(),
                known: self.inner.pools.keys().map(ToString::to_string).collect(),
            }),
        }
    }

    /// What is going on.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            io_running: self.inner.io.running(),
            io_waiting: self.inner.io.waiting(),
            cpu_running: self.inner.cpu.busy(),
            cpu_waiting: self.inner.cpu.waiting(),
        }
    }

    /// Ends both lanes in order: refuses new tasks at once, lets all that were accepted finish until
    /// `limit` is over, then drops what waits, cancels what runs and gives it [`CANCEL_GRACE`] to
    /// obey; futures that still wait then are dropped. Await what this returns, or call its
    /// [`wait`](Shutdown::wait); it tells what runs even so.
    pub fn shutdown(&self, limit: Duration) -> Shutdown {
        self.inner.closing.store(true, Ordering::SeqCst);
        Shutdown::new(Arc::clone(&self.inner), limit)
    }

    fn start_io<T>(&self, work: Arc<Work<T>>, job: IoJob) -> Handle<T> {
        if let Some(refused) = self.inner.refused() {
            work.complete(Err(refused));
        } else if let Err(job) = self.inner.io.submit(job) {
            work.complete(Err(self.inner.full(Lane::Io)));
            drop(job);
        }
        Handle::new(work)
    }

    #[track_caller]
    fn dropping_job<F>(&self, future: F) -> (Arc<Work<F::Output>>, IoJob)
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let work = self.work(Location::caller());
        let job = work::io_dropping(&self.inner, &work, future);
        (work, job)
    }

    #[track_caller]
    fn telling_job<F, Fut>(&self, start: F) -> (Arc<Work<Fut::Output>>, IoJob)
    where
        F: FnOnce(Context) -> Fut + Send + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: Send + 'static,
    {
        let work = self.work(Location::caller());
        let job = work::io_telling(&self.inner, &work, start);
        (work, job)
    }

    #[track_caller]
    fn computing_job<F, T>(&self, compute: F) -> (Arc<Work<T>>, CpuJob)
    where
        F: FnOnce(&Context) -> T + Send + 'static,
        T: Send + 'static,
    {
        let work = self.work(Location::caller());
        let job = work::cpu(&self.inner.books, &work, compute);
        (work, job)
    }

    fn work<T>(&self, place: &'static Location<'static>) -> Arc<Work<T>> {
        Arc::new(Work::new(self.inner.io.timers().clone(), place))
    }
}

impl fmt::Debug for Lanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lanes")
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

struct Inner {
    io: IoLane,
    cpu: CpuLane,
    pools: BTreeMap<Arc<str>, Arc<PoolState>>,
    /// How many tasks may wait in each lane and in each pool.
    queue: usize,
    /// New tasks are refused.
    closing: AtomicBool,
    books: Arc<Books>,
}

impl Inner {
    fn refused(&self) -> Option<TaskError> {
        self.closing
            .load(Ordering::SeqCst)
            .then_some(TaskError::ShutDown)
    }

    /// Why a lane did not take a task.
    fn full(&self, lane: Lane) -> TaskError {
        self.refused().unwrap_or_else(|| TaskError::Full {
            queue: Arc::from(lane.as_str()),
            bound: self.queue,
        })
    }

    /// For the pools, after they have offered a job to a lane and let go of their lock.
    fn sweep(&self, lane: Lane) {
        match lane {
            Lane::Io => self.io.sweep(),
            Lane::Cpu => self.cpu.sweep(),
        }
    }

    /// Drops what waits, in the lanes and in the pools.
    fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        self.io.close();
        self.cpu.close();
        for pool in self.pools.values() {
            pool.close();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

/// Who runs just now, for a shutdown to cancel and to name.
struct Books {
    /// What each thread of the cpu lane runs. A lock of its own for each, so that they do not meet.
    cpu: Box<[Mutex<Option<Entry>>]>,
    /// What runs on the io lane; as many as its concurrency allows.
    io: Mutex<BTreeMap<u64, Entry>>,
    next: AtomicU64,
}

/// A task that runs, and where it was started in the program's text.
#[derive(Clone)]
struct Entry {
    context: Context,
    place: &'static Location<'static>,
}

impl Books {
    fn new(workers: usize) -> Self {
        Self {
            cpu: (0..workers).map(|_| Mutex::new(None)).collect(),
            io: Mutex::new(BTreeMap::new()),
            next: AtomicU64::new(0),
        }
    }

    /// Enters a task of the calling thread of the cpu lane; what it ran beneath is given back, to be
    /// put back when the task is over.
    fn swap_cpu(&self, entry: Option<Entry>) -> Option<Entry> {
        let index = rayon::current_thread_index().unwrap_or(0);
        let slot = self.cpu.get(index)?;
        std::mem::replace(&mut *lock(slot), entry)
    }

    fn enter_io(&self, entry: Entry) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        lock(&self.io).insert(number, entry);
        number
    }

    fn leave_io(&self, number: u64) {
        // Dropped after the lock is released: it may be the last that holds the task's result.
        let _entry = lock(&self.io).remove(&number);
    }

    fn all(&self) -> Vec<(Lane, Entry)> {
        let io = lock(&self.io).values().cloned().collect::<Vec<_>>();
        let cpu = self.cpu.iter().filter_map(|slot| lock(slot).clone());
        let io = io.into_iter().map(|entry| (Lane::Io, entry));
        cpu.map(|entry| (Lane::Cpu, entry)).chain(io).collect()
    }
}
