//! Where work executes: the io lane (a tokio runtime) and the cpu lane (a rayon pool), each fed through
//! a bounded channel, and the tasks that jobs are made of. Knows of the engine only its plain types;
//! decides nothing about order, limits or retries.

mod attempts;
mod begun;
mod cancel;
mod context;
mod cpu;
mod crew;
mod handlers;
mod inbox;
mod io;
mod isolated;
mod makers;
mod measure;
mod panics;
mod place;
mod priority;
mod queue;
mod runtime;
mod scarcity;
mod secrets;
mod spare;
mod tasks;
mod timer;

use std::io::Error as IoError;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;

pub use attempts::{AttemptLanes, LaneSettings, Late, NoteSource, OverCapacity};
pub use begun::{Begun, Life};
pub use context::{Context, Stopped};
pub use handlers::{HandlerError, Handlers};
pub use inbox::Delivered;
pub use isolated::{carry_out_task, is_task};
pub use place::{MARK, Outside};
pub(crate) use priority::take_short_turns;
pub use priority::{Policy, UnknownPolicy};

pub(crate) use cancel::{Cancel, Unpark};
pub(crate) use context::Task;
pub(crate) use cpu::{CpuJob, CpuLane, CpuPlaces};
pub(crate) use crew::{Crew, Who};
pub(crate) use io::{IoJob, IoLane, IoPlaces};
pub(crate) use measure::{Cpu, HOLD, measured};
pub(crate) use panics::{CatchPanic, catch, install_hook};
pub(crate) use priority::Weight;
pub(crate) use timer::{TimerKey, Timers};

/// Why a lane could not be started.
#[derive(Debug, thiserror::Error)]
pub enum LaneError {
    /// The io lane's runtime.
    #[error("cannot start the io lane's runtime with {threads} threads: {source}")]
    Runtime {
        /// As configured.
        threads: usize,
        /// What the system said.
        source: IoError,
    },
    /// The io lane's timer.
    #[error("cannot make the io lane's timer: {0}")]
    Timer(#[source] IoError),
    /// The threads that make child processes.
    #[error("cannot start the {threads} threads that make child processes: {source}")]
    Makers {
        /// As many as there are cores, and two at least.
        threads: usize,
        /// What the system said.
        source: IoError,
    },
    /// The cpu lane's pool.
    #[error("cannot start the cpu lane's {workers} threads: {source}")]
    Pool {
        /// As configured.
        workers: usize,
        /// What the system said.
        source: rayon::ThreadPoolBuildError,
    },
}

/// How many threads the machine runs at once as far as this process may use it; at least 1. Honours
/// CPU affinity and cgroup quotas.
#[must_use]
pub fn cores() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// Locks, also after a panic elsewhere: what the lanes guard is whole between any two statements.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
