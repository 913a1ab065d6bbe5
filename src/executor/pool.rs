//! Named parts of a lane, in which only so many tasks run at once.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex, Weak};
use std::task::Poll;

use super::handle::{Handle, TaskError};
use super::work::Work;
use super::{Inner, Lanes};
use crate::engine::spec::Lane;
use crate::lanes::{Context, CpuJob, IoJob, catch, lock};

/// A named part of a lane: no more than its size run at once, further tasks wait in line.
#[derive(Clone)]
pub struct Pool {
    lanes: Lanes,
    state: Arc<PoolState>,
}

/// There is no pool of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no pool `{pool}`; those that were built are: {}", .known.join(", "))]
pub struct UnknownPool {
    /// The name.
    pub pool: String,
    /// The names of the pools that there are.
    pub known: Vec<String>,
}

impl Pool {
    pub(super) fn new(lanes: Lanes, state: Arc<PoolState>) -> Self {
        Self { lanes, state }
    }

    /// As [`Lanes::io`], within a pool of the io lane.
    #[track_caller]
    pub fn io<F>(&self, future: F) -> Handle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (work, job) = self.lanes.dropping_job(future);
        self.start(work, Job::Io(job))
    }

    /// As [`Lanes::io_with`], within a pool of the io lane.
    #[track_caller]
    pub fn io_with<F, Fut>(&self, start: F) -> Handle<Fut::Output>
    where
        F: FnOnce(Context) -> Fut + Send + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: Send + 'static,
    {
        let (work, job) = self.lanes.telling_job(start);
        self.start(work, Job::Io(job))
    }

    /// As [`Lanes::cpu`], within a pool of the cpu lane.
    #[track_caller]
    pub fn cpu<F, T>(&self, compute: F) -> Handle<T>
    where
        F: FnOnce(&Context) -> T + Send + 'static,
        T: Send + 'static,
    {
        let (work, job) = self.lanes.computing_job(compute);
        self.start(work, Job::Cpu(job))
    }

    /// How many of its tasks run, and how many wait.
    #[must_use]
    pub fn status(&self) -> (usize, usize) {
        let line = lock(&self.state.line);
        (line.running, line.waiting.len())
    }

    fn start<T>(&self, work: Arc<Work<T>>, job: Job) -> Handle<T> {
        let inner = &self.lanes.inner;
        let refused = match inner.refused() {
            Some(refused) => Some((refused, job)),
            None => PoolState::submit(&self.state, inner, job).err(),
        };
        if let Some((error, job)) = refused {
            work.complete(Err(error));
            drop(job);
        }
        Handle::new(work)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("name", &self.state.name)
            .field("lane", &self.state.lane)
            .field("size", &self.state.size)
            .finish_non_exhaustive()
    }
}

/// A task of either lane.
enum Job {
    Io(IoJob),
    Cpu(CpuJob),
}

impl Job {
    const fn lane(&self) -> Lane {
        match self {
            Self::Io(_) => Lane::Io,
            Self::Cpu(_) => Lane::Cpu,
        }
    }
}

/// A pool's line. The tasks stay in it until a runner takes them: a runner is a job of the lane that
/// stands for one place of the pool, and there are never more of them than the pool's size.
pub(super) struct PoolState {
    name: Arc<str>,
    lane: Lane,
    size: usize,
    /// How many may wait beyond those that run.
    bound: usize,
    line: Mutex<Line>,
}

#[derive(Default)]
struct Line {
    waiting: VecDeque<Job>,
    /// Runners that are in the lane, waiting there or at work.
    runners: usize,
    /// Tasks that run.
    running: usize,
    closed: bool,
}

impl PoolState {
    pub(super) fn new(name: Arc<str>, lane: Lane, size: usize, bound: usize) -> Self {
        Self {
            name,
            lane,
            size,
            bound,
            line: Mutex::new(Line::default()),
        }
    }

    /// Drops what waits.
    pub(super) fn close(&self) {
        let mut line = lock(&self.line);
        line.closed = true;
        let waiting = std::mem::take(&mut line.waiting);
        drop(line);
        // What a task has captured may panic when it is dropped.
        let _unheard = catch(|| drop(waiting));
    }

    /// Puts a job into the line, or gives it back with the reason.
    fn submit(pool: &Arc<Self>, inner: &Arc<Inner>, job: Job) -> Result<(), (TaskError, Job)> {
        if job.lane() != pool.lane {
            let error = TaskError::WrongLane {
                pool: Arc::clone(&pool.name),
                lane: pool.lane,
            };
            return Err((error, job));
        }
        let mut line = lock(&pool.line);
        if line.closed {
            return Err((TaskError::ShutDown, job));
        }
        if line.waiting.len() + line.running >= pool.bound.saturating_add(pool.size) {
            let error = TaskError::Full {
                queue: Arc::clone(&pool.name),
                bound: pool.bound,
            };
            return Err((error, job));
        }
        line.waiting.push_back(job);
        if line.runners == pool.size {
            return Ok(());
        }
        // Still under the lock, so that nobody counts on a runner that the lane refuses.
        let runner = Runner::new(pool, Arc::downgrade(inner)).enter(inner);
        let refused = match runner {
            Ok(()) => {
                line.runners += 1;
                None
            }
            Err(_) => line.waiting.pop_back(),
        };
        drop(line);
        inner.sweep(pool.lane);
        refused.map_or(Ok(()), |job| Err((inner.full(pool.lane), job)))
    }
}

/// One place of a pool.
struct Runner {
    pool: Arc<PoolState>,
    /// Weak: a runner that waits in a lane must not keep the lane.
    inner: Weak<Inner>,
}

impl Runner {
    fn new(pool: &Arc<PoolState>, inner: Weak<Inner>) -> Self {
        Self {
            pool: Arc::clone(pool),
            inner,
        }
    }

    /// Puts the runner into its lane, or gives it back if there is no room.
    fn enter(self, inner: &Inner) -> Result<(), Job> {
        match self.pool.lane {
            Lane::Io => inner.io.offer(Box::pin(self.run_io())).map_err(Job::Io),
            Lane::Cpu => inner
                .cpu
                .offer(Box::new(move || self.run_cpu()))
                .map_err(Job::Cpu),
        }
    }

    async fn run_io(self) {
        while let Some((job, _at_work)) = self.take() {
            match job {
                Job::Io(mut job) => {
                    // Jobs catch their own panics; a place must not be lost by one all the same.
                    poll_fn(|context| {
                        catch(|| job.as_mut().poll(context)).unwrap_or(Poll::Ready(()))
                    })
                    .await;
                }
                Job::Cpu(job) => drop(job),
            }
            if self.hand_on() {
                return;
            }
        }
    }

    fn run_cpu(self) {
        while let Some((job, _at_work)) = self.take() {
            match job {
                Job::Io(job) => drop(job),
                Job::Cpu(job) => {
                    // As above.
                    let _told_by_the_hook = catch(job);
                }
            }
            if self.hand_on() {
                return;
            }
        }
    }

    /// The next task in line; without one, the place is free.
    fn take(&self) -> Option<(Job, AtWork)> {
        let mut line = lock(&self.pool.line);
        let Some(job) = line.waiting.pop_front() else {
            line.runners -= 1;
            return None;
        };
        line.running += 1;
        Some((job, AtWork(Arc::clone(&self.pool))))
    }

    /// After each task, what else waits in the lane comes first: a new runner at the end of the
    /// lane's queue takes over the place. If there is no room, this one goes on.
    fn hand_on(&self) -> bool {
        // Dropped last: if it is the last, its drop comes back to the line.
        let Some(inner) = self.inner.upgrade() else {
            return false;
        };
        let line = lock(&self.pool.line);
        if line.waiting.is_empty() {
            return false;
        }
        let entered = Self::new(&self.pool, Weak::clone(&self.inner)).enter(&inner);
        drop(line);
        inner.sweep(self.pool.lane);
        entered.is_ok()
    }
}

/// A task of the pool runs.
struct AtWork(Arc<PoolState>);

impl Drop for AtWork {
    fn drop(&mut self) {
        lock(&self.0.line).running -= 1;
    }
}
