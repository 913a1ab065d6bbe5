//! Attempts of the daemon: takes start orders to their lanes, stops them, and reports each one's end
//! exactly once, with what it measured. Decides nothing: order, limits, timeouts and retries are the
//! engine's.

mod notes;
mod run;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinHandle;

use super::handlers::Handlers;
use super::inbox::Delivered;
use super::makers::Makers;
use super::place::{MARK, Outside, Place, World};
use super::priority::{Policy, Weight};
use super::tasks::Clients;
use super::tasks::after;
use super::{CpuLane, CpuPlaces, Crew, IoLane, IoPlaces, LaneError, cores, install_hook, lock};
use crate::clock::Clock;
use crate::engine::action::StartOrder;
use crate::engine::id::AttemptId;
use crate::engine::outcome::Failure;
use crate::engine::spec::Lane;
use crate::inbox::{LaneMail, LanePort, Refused, lane_channel};
use crate::process::end_marked;

pub use notes::NoteSource;
use run::{Attempt, Ending};

/// How the lanes are set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneSettings {
    /// Threads of the io lane; 0 for one a core.
    pub io_threads: usize,
    /// Attempts that the io lane carries at once; 1 or more.
    pub io_concurrency: usize,
    /// Threads of the cpu lane, and attempts that it carries at once; 0 for one a core.
    pub cpu_workers: usize,
    /// How much nicer than the rest of the process the cpu lane's threads are, 0 to 19.
    pub nice: u8,
    /// The scheduling policy of the cpu lane's threads.
    pub policy: Policy,
}

impl Default for LaneSettings {
    fn default() -> Self {
        Self {
            io_threads: 0,
            io_concurrency: 10_000,
            cpu_workers: 0,
            nice: Weight::default().nice,
            policy: Weight::default().policy,
        }
    }
}

impl LaneSettings {
    /// The same with numbers in place of each 0.
    #[must_use]
    pub fn resolved(self) -> Self {
        let or_cores = |n: usize| if n == 0 { cores() } else { n };
        Self {
            io_threads: or_cores(self.io_threads),
            io_concurrency: self.io_concurrency.max(1),
            cpu_workers: or_cores(self.cpu_workers),
            nice: self.nice.min(19),
            policy: self.policy,
        }
    }

    /// How many attempts both lanes together carry at once. While some of them are unresponsive and
    /// replaced, it is up to twice as many.
    #[must_use]
    pub fn capacity(self) -> usize {
        let settings = self.resolved();
        settings.io_concurrency + settings.cpu_workers
    }
}

/// Both lanes, as the daemon uses them. Dropping it drops what waits on the io lane; attempts that
/// compute go on until they look at their cancel token.
pub struct AttemptLanes {
    io: IoLane,
    cpu: CpuLane,
    /// What polls on the io lane what may block; made when it is first needed, and `None` if that cannot be.
    crew: OnceLock<Option<Crew>>,
    /// How many threads it has.
    crew_threads: usize,
    crew_weight: Weight,
    hub: Arc<Hub>,
    capacity: usize,
}

/// The order is one more than the lanes carry at once. It was not taken, and no end will come of it.
#[derive(Debug, thiserror::Error)]
#[error("attempt {} is one more than the {capacity} that the lanes carry at once", .order.attempt)]
pub struct OverCapacity {
    /// The order, given back. (Boxed, because it is large beside a success.)
    pub order: Box<StartOrder>,
    /// How many the lanes carry, with those that others are in the places of.
    pub capacity: usize,
}

/// Attempts that had not ended when the time for shutting down was over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Late {
    /// Which, in order; never empty.
    pub attempts: Vec<AttemptId>,
}

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("still running:")?;
        for attempt in &self.attempts {
            write!(f, " {attempt}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Late {}

impl AttemptLanes {
    /// Starts both lanes. Ends and notes come through the mail that is returned beside them.
    ///
    /// Installs a panic hook, once in the process: panics inside tasks are told as the attempt's
    /// failure, with their place, and all others go to the hook that was there before.
    ///
    /// # Errors
    /// [`LaneError`] if the system gives no threads or no timer.
    pub fn start(
        settings: LaneSettings,
        handlers: Arc<Handlers>,
        clock: Clock,
        outside: Outside,
    ) -> Result<(Self, LaneMail<NoteSource>), LaneError> {
        install_hook();
        // Each attempt may be unresponsive, and be replaced by another one.
        let capacity = 2 * settings.capacity();
        let settings = settings.resolved();
        // The engine learns of an end a little before the lane has given its place free, so as many
        // as fit may be waiting while as many still count as running.
        let io = IoLane::start(settings.io_threads, settings.io_concurrency, capacity)?;
        let weight = Weight {
            nice: settings.nice,
            policy: settings.policy,
        };
        let cpu = CpuLane::start(settings.cpu_workers, 2 * settings.cpu_workers, weight)?;
        let (port, mail) = lane_channel();
        let (timers, runtime) = (io.timers().clone(), io.handle().clone());
        let threads = cores().max(2);
        let makers = Makers::start(&runtime, threads)
            .map_err(|source| LaneError::Makers { threads, source })?;
        let makers = Arc::new(makers);
        io.make_by(&makers);
        let hears = port.begun.clone();
        let world = World::new(clock, timers, runtime, makers, hears, outside);
        let hub = Arc::new(Hub {
            world: Arc::new(world),
            handlers,
            clients: Clients::default(),
            io: io.places(),
            cpu: cpu.places(),
            port,
            live: AtomicUsize::new(0),
            attempts: Mutex::new(BTreeMap::new()),
            none: Condvar::new(),
        });
        let lanes = Self {
            io,
            cpu,
            crew: OnceLock::new(),
            crew_threads: settings.io_threads,
            crew_weight: weight,
            hub,
            capacity,
        };
        Ok((lanes, mail))
    }

    /// Takes an order to the lane of its job. Never blocks. Exactly one end will come of it, also if
    /// the task panics, its handler is unknown or the lanes shut down.
    ///
    /// # Errors
    /// [`OverCapacity`] if attempts that run and ends that nobody has received are together as many
    /// as the lanes carry at once: the order does not count then.
    pub fn submit(&self, order: StartOrder) -> Result<(), OverCapacity> {
        let unread = self.hub.port.ends.len();
        if self.hub.live.load(Ordering::SeqCst) + unread >= self.capacity {
            return Err(OverCapacity {
                order: Box::new(order),
                capacity: self.capacity,
            });
        }
        let lane = order.job.lane;
        let attempt = Attempt::register(&self.hub, order);
        // A lane that is closed drops what it is given, and the drop reports the end. So does a full
        // one, which the bound above rules out but for a caller that sends all to one lane.
        match lane {
            Lane::Io => self.submit_io(attempt),
            Lane::Cpu => drop(self.cpu.submit(run::cpu_job(attempt))),
        }
        Ok(())
    }

    /// Carries out an attempt on the io lane: by the runtime, where it may block by the crew, and what begins
    /// with a process begins where those are made.
    fn submit_io(&self, attempt: Ending) {
        let (who, haste) = (run::who(&attempt), run::haste(&attempt));
        let job = run::io_job(attempt);
        let _dropped = match (who.map(|who| (self.crew(), who)), haste) {
            (Some((Some(crew), who)), _) => self.io.submit(Box::pin(crew.carry(who, job))),
            (_, Some(haste)) => self.io.submit_making(job, haste),
            (_, None) => self.io.submit(job),
        };
    }

    fn crew(&self) -> Option<&Crew> {
        let start = || {
            let crew = Crew::start(self.io.handle(), self.crew_threads, self.crew_weight);
            if let Err(error) = &crew {
                tracing::warn!(
                    target: "twolane::lanes",
                    %error,
                    "cannot start threads for what may block on the io lane: what blocks there keeps \
                     others waiting"
                );
            }
            crew.ok()
        };
        self.crew.get_or_init(start).as_ref()
    }

    /// Runs what is to be run after the task of attempts that went down with an earlier daemon, all at
    /// once, and blocks until that is done; why it failed, where it did.
    #[must_use]
    pub fn tear_down(&self, orders: Vec<StartOrder>) -> Vec<(AttemptId, Failure)> {
        let world = &self.hub.world;
        let tasks: Vec<_> = orders
            .into_iter()
            .filter(|order| order.job.teardown.is_some())
            .map(|order| {
                let place = Arc::new(Place::new(&order, world));
                let torn = async move { after(order.args.as_deref(), &place).await };
                (order.attempt, world.runtime.spawn(torn))
            })
            .collect();
        let failure =
            |(attempt, task): (AttemptId, JoinHandle<_>)| match world.runtime.block_on(task) {
                Ok(failure) => Some((attempt, failure?)),
                Err(error) => Some((attempt, Failure::Panic(error.to_string().into()))),
            };
        tasks.into_iter().filter_map(failure).collect()
    }

    /// Asks an attempt to stop; its end will come as that of any other. Does nothing if it has
    /// ended.
    pub fn stop(&self, attempt: AttemptId) {
        let attempt = lock(&self.hub.attempts).get(&attempt).cloned();
        if let Some(attempt) = attempt {
            attempt.cancel();
        }
    }

    /// An attempt that was asked to stop does not leave its lane: has the lane carry another one in its
    /// place until it does. Does nothing if it has ended.
    pub fn replace(&self, attempt: AttemptId) {
        let attempts = lock(&self.hub.attempts);
        // Under the lock, so that it is marked before its end can be reported.
        if let Some(attempt) = attempts.get(&attempt)
            && attempt.mark_replaced()
        {
            match attempt.lane() {
                Lane::Io => self.hub.io.replace(),
                Lane::Cpu => self.hub.cpu.replace(),
            }
        }
    }

    /// Sends something to an attempt; with `None` that nothing more comes. Never blocks: whether it was
    /// delivered is answered, once, when that is known, on some thread of the lanes.
    pub fn send(&self, attempt: AttemptId, value: Option<Value>, answer: Delivered) {
        let attempt = lock(&self.hub.attempts).get(&attempt).cloned();
        match attempt {
            Some(attempt) => attempt.send(value, answer),
            None => answer(Err(Refused::NotThere)),
        }
    }

    /// How many attempts have not ended.
    #[must_use]
    pub fn live(&self) -> usize {
        self.hub.live.load(Ordering::SeqCst)
    }

    /// Refuses new orders, asks all attempts to stop, and blocks until their ends are sent, for
    /// `limit` at most. What still waits on the io lane then is dropped, which ends it; the drop has
    /// a tenth of a second of its own.
    ///
    /// # Errors
    /// [`Late`] names what still runs: attempts that compute, or block a thread, without looking at
    /// their cancel token.
    pub fn shutdown(&self, limit: Duration) -> Result<(), Late> {
        let live: Vec<_> = lock(&self.hub.attempts).values().cloned().collect();
        for attempt in live {
            attempt.cancel();
        }
        self.io.close();
        self.cpu.close();
        if self.hub.wait_none(limit) {
            self.io.shut_down();
            return Ok(());
        }
        self.io.shut_down();
        let all_ended = self.hub.wait_none(DROP_LIMIT);
        // What commands have brought forth and left their groups is found by its mark.
        let mark = format!("{MARK}={}-", self.hub.world.instance);
        if let Some(groups) = &self.hub.world.groups {
            let _stubborn = groups.end_all(LAST_ROUNDS);
        }
        let _stubborn = end_marked(&mark, LAST_ROUNDS);
        if all_ended {
            return Ok(());
        }
        let attempts: Vec<_> = lock(&self.hub.attempts).keys().copied().collect();
        if attempts.is_empty() {
            Ok(())
        } else {
            Err(Late { attempts })
        }
    }
}

impl fmt::Debug for AttemptLanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttemptLanes")
            .field("live", &self.live())
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

/// Looks for what commands have left, each of a fifth of a second, when the lanes go down before these
/// have ended.
const LAST_ROUNDS: usize = 5;

/// How long the runtime gets to drop what waits on it. It takes microseconds where no task blocks a
/// thread.
const DROP_LIMIT: Duration = Duration::from_millis(100);

/// What all attempts share.
struct Hub {
    world: Arc<World>,
    handlers: Arc<Handlers>,
    clients: Clients,
    io: IoPlaces,
    cpu: CpuPlaces,
    port: LanePort<NoteSource>,
    /// Attempts whose end is not sent, counted down just before it is.
    live: AtomicUsize,
    /// The same attempts by number, taken out just after their end is sent. Bounded by the capacity.
    attempts: Mutex<BTreeMap<AttemptId, Arc<Attempt>>>,
    /// Told when the table above becomes empty.
    none: Condvar,
}

impl Hub {
    /// An attempt that was replaced has left its lane.
    fn restore(&self, lane: Lane) {
        match lane {
            Lane::Io => self.io.restore(),
            Lane::Cpu => self.cpu.restore(),
        }
    }

    /// Blocks until the ends of all attempts are sent, `limit` at most; whether that came about.
    fn wait_none(&self, limit: Duration) -> bool {
        let attempts = lock(&self.attempts);
        let (attempts, _) = self
            .none
            .wait_timeout_while(attempts, limit, |attempts| !attempts.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        attempts.is_empty()
    }
}
