//! Settings of the library's lanes, and what may be wrong with them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::pool::PoolState;
use super::{Books, Inner, Lanes};
use crate::engine::spec::Lane;
use crate::lanes::{CpuLane, IoLane, LaneError, Policy, Weight, cores, install_hook};

/// Settings for [`Lanes`]. Each has a value of its own if it is not said.
///
/// ```
/// use twolane::{Lane, Lanes};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let lanes = Lanes::builder()
///     .io_threads(2)
///     .cpu_workers(2)
///     .nice(10)
///     .pool("thumbs", Lane::Cpu, 1)
///     .queue(1_000)
///     .build()?;
/// let thumbs = lanes.pool("thumbs")?;
/// assert_eq!(thumbs.cpu(|_| 6 * 7).wait()?, 42);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "settings do nothing until `build`"]
pub struct LanesBuilder {
    io_threads: usize,
    io_concurrency: usize,
    cpu_workers: usize,
    weight: Weight,
    pools: Vec<(String, Lane, usize)>,
    queue: usize,
    panic_hook: PanicHook,
}

/// Whether panics inside tasks are silent.
#[derive(Clone, Copy, Debug)]
enum PanicHook {
    Install,
    Leave,
}

/// Why lanes could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A setting that must be 1 or more is 0.
    #[error("`{setting}` is 0: it must be 1 or more")]
    Zero {
        /// Which.
        setting: &'static str,
    },
    /// The kernel knows no such nice value.
    #[error("`nice` is {0}: it must be from 0 (like all others) to 19 (least)")]
    Nice(u8),
    /// A pool without room.
    #[error("pool `{pool}` has size 0: it must be 1 or more")]
    EmptyPool {
        /// Its name.
        pool: String,
    },
    /// A name that means two pools.
    #[error("there are two pools named `{pool}`")]
    SamePool {
        /// The name.
        pool: String,
    },
    /// The system does not give what a lane needs.
    #[error(transparent)]
    Lane(#[from] LaneError),
}

impl Default for LanesBuilder {
    fn default() -> Self {
        Self {
            io_threads: cores(),
            io_concurrency: 10_000,
            cpu_workers: cores(),
            weight: Weight::default(),
            pools: Vec::new(),
            queue: 16_384,
            panic_hook: PanicHook::Install,
        }
    }
}

impl LanesBuilder {
    /// Threads of the io lane; one a core unless said otherwise.
    pub const fn io_threads(mut self, threads: usize) -> Self {
        self.io_threads = threads;
        self
    }

    /// Tasks that the io lane carries at once, 10,000 unless said otherwise; further ones wait.
    pub const fn io_concurrency(mut self, tasks: usize) -> Self {
        self.io_concurrency = tasks;
        self
    }

    /// Threads of the cpu lane; one a core unless said otherwise.
    pub const fn cpu_workers(mut self, threads: usize) -> Self {
        self.cpu_workers = threads;
        self
    }

    /// How much nicer than the rest of the process the cpu lane's threads are, 0 to 19; 5 unless
    /// said otherwise.
    pub const fn nice(mut self, nice: u8) -> Self {
        self.weight.nice = nice;
        self
    }

    /// The scheduling policy of the cpu lane's threads; [`Policy::Batch`] unless said otherwise.
    pub const fn policy(mut self, policy: Policy) -> Self {
        self.weight.policy = policy;
        self
    }

    /// Adds a named part of a lane in which no more than `size` tasks run at once.
    pub fn pool(mut self, name: &str, lane: Lane, size: usize) -> Self {
        self.pools.push((name.to_owned(), lane, size));
        self
    }

    /// How many tasks may wait in each lane, and as many again in each pool; 16,384 unless said
    /// otherwise. Beyond that a handle gives [`TaskError::Full`](super::TaskError::Full).
    pub const fn queue(mut self, tasks: usize) -> Self {
        self.queue = tasks;
        self
    }

    /// Leaves the process's panic hook as it is. Otherwise the first lanes in a process put their own
    /// before it, so that a panic inside a task is told once, by its handle and with its place, and
    /// not on standard error too; panics elsewhere go to the hook that was there.
    pub const fn leave_panic_hook(mut self) -> Self {
        self.panic_hook = PanicHook::Leave;
        self
    }

    /// Starts the lanes.
    ///
    /// # Errors
    /// [`BuildError`] names the setting that cannot be, or what the system does not give.
    pub fn build(self) -> Result<Lanes, BuildError> {
        self.check()?;
        let mut pools = BTreeMap::new();
        for (name, lane, size) in self.pools {
            let key: Arc<str> = Arc::from(name.as_str());
            if size == 0 {
                return Err(BuildError::EmptyPool { pool: name });
            }
            let state = PoolState::new(Arc::clone(&key), lane, size, self.queue);
            if pools.insert(key, Arc::new(state)).is_some() {
                return Err(BuildError::SamePool { pool: name });
            }
        }
        match self.panic_hook {
            PanicHook::Install => install_hook(),
            PanicHook::Leave => {}
        }
        let io = IoLane::start(self.io_threads, self.io_concurrency, self.queue)?;
        let cpu = CpuLane::start(self.cpu_workers, self.queue, self.weight)?;
        Ok(Lanes {
            inner: Arc::new(Inner {
                io,
                cpu,
                pools,
                queue: self.queue,
                closing: AtomicBool::new(false),
                books: Arc::new(Books::new(self.cpu_workers)),
            }),
        })
    }

    fn check(&self) -> Result<(), BuildError> {
        let counts = [
            ("io_threads", self.io_threads),
            ("io_concurrency", self.io_concurrency),
            ("cpu_workers", self.cpu_workers),
            ("queue", self.queue),
        ];
        for (setting, count) in counts {
            if count == 0 {
                return Err(BuildError::Zero { setting });
            }
        }
        if self.weight.nice > 19 {
            return Err(BuildError::Nice(self.weight.nice));
        }
        Ok(())
    }
}
