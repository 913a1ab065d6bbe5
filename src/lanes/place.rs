//! What a task can know of the attempt that it is, and what attempts share of the world around them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use crossbeam_channel::Sender;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::begun::Begun;
use super::inbox::{Inbox, Sent};
use super::makers::Makers;
use super::scarcity::Scarcity;
use super::secrets::Secrets;
use super::{Cancel, Context, Task, Timers};
use crate::clock::Clock;
use crate::engine::action::StartOrder;
use crate::engine::id::AttemptId;
use crate::engine::spec::JobSpec;
use crate::engine::time::Now;
use crate::inbox::{Nowhere, Outlet, Progress};
use crate::process::{Groups, SHIM, Usage};

/// The variable in the environment of commands by which a scheduler's processes are told: its value is
/// [`Outside::instance`], `-`, and the number of the run.
pub const MARK: &str = "TWOLANE_KEY";

/// What the lanes are given from outside.
#[derive(Clone)]
pub struct Outside {
    /// Takes what they write.
    pub outlet: Arc<dyn Outlet>,
    /// Tells processes of this scheduler from those of others, also after it was started anew.
    pub instance: Arc<str>,
    /// The program that arranges what has to be between the birth of a process and its program.
    pub helper: PathBuf,
    /// The control groups that they are put into, where there are any.
    pub groups: Option<Arc<Groups>>,
    /// Where it is written down what has begun, if that is to be known after a crash.
    pub begun: Option<Arc<Begun>>,
}

impl Default for Outside {
    fn default() -> Self {
        Self {
            outlet: Arc::new(Nowhere),
            instance: Arc::from(format!("{}", std::process::id())),
            helper: PathBuf::from(SHIM),
            groups: None,
            begun: None,
        }
    }
}

/// What all attempts share.
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) timers: Timers,
    pub(crate) runtime: Handle,
    pub(crate) outlet: Arc<dyn Outlet>,
    pub(crate) instance: Arc<str>,
    pub(crate) helper: PathBuf,
    pub(crate) groups: Option<Arc<Groups>>,
    pub(crate) makers: Arc<Makers>,
    /// What was said of there being no room for processes.
    pub(crate) scarcity: Scarcity,
    /// Takes the attempts that begin, of those that tell it.
    hears: Sender<AttemptId>,
    begun: Option<Arc<Begun>>,
}

impl World {
    pub(super) fn new(
        clock: Clock,
        timers: Timers,
        runtime: Handle,
        makers: Arc<Makers>,
        hears: Sender<AttemptId>,
        outside: Outside,
    ) -> Self {
        Self {
            clock,
            timers,
            runtime,
            outlet: outside.outlet,
            instance: outside.instance,
            helper: outside.helper,
            groups: outside.groups,
            makers,
            scarcity: Scarcity::default(),
            hears,
            begun: outside.begun,
        }
    }
}

/// One attempt, as its task sees it.
pub(crate) struct Place {
    pub(crate) attempt: AttemptId,
    pub(crate) job: Arc<JobSpec>,
    pub(crate) world: Arc<World>,
    /// What it has used so far, but for the time of the cpu lane's thread.
    pub(crate) used: Mutex<Used>,
    /// What it has read that nobody is to see.
    pub(crate) secrets: Secrets,
    /// The last line of the errors of the command that failed.
    pub(crate) last_words: OnceLock<Arc<str>>,
    pub(super) inbox: Inbox,
    /// When the first of its processes was about to be made.
    begun: OnceLock<Now>,
    /// The number of the record of its start.
    number: u64,
    tells_beginning: bool,
    /// Its teardown is over, however that ended.
    is_torn_down: AtomicBool,
}

impl Place {
    /// Why there is no room for the attempt now, as it is told of the run. The log is warned seldom enough that it does
    /// not fill while it is so.
    pub(crate) fn no_room(&self, why: String) -> Arc<str> {
        if let Some(attempts) = self.world.scarcity.met(self.world.clock.now().mono) {
            tracing::warn!(
                target: "twolane::lanes",
                run = self.attempt.run.0,
                job = &*self.job.name,
                attempts,
                "{why}; its run is tried again in a second, or when it is its turn. hint: what the service may have is \
                 set by LimitNOFILE= and TasksMax="
            );
        }
        why.into()
    }

    pub(super) fn new(order: &StartOrder, world: &Arc<World>) -> Self {
        Self {
            attempt: order.attempt,
            job: Arc::clone(&order.job),
            world: Arc::clone(world),
            used: Mutex::new(Used::default()),
            secrets: Secrets::default(),
            last_words: OnceLock::new(),
            inbox: Inbox::of(&order.job.task),
            begun: OnceLock::new(),
            number: order.number,
            tells_beginning: order.tells_beginning(),
            is_torn_down: AtomicBool::new(order.job.teardown.is_none()),
        }
    }

    /// Takes note that its teardown is over.
    pub(crate) fn mark_torn_down(&self) {
        self.is_torn_down.store(true, Ordering::SeqCst);
    }

    /// Whether the lanes go down with a teardown to be run, or under way: the next daemon runs it.
    pub(super) fn goes_down_untorn(&self) -> bool {
        !self.is_torn_down.load(Ordering::SeqCst)
            && self.world.makers.is_closed()
            && !bug!("torn-down-by-leaving")
    }

    /// The first of its processes is about to be made. To be called where a thread may wait: the loop may
    /// be behind by as many beginnings as the lanes carry attempts.
    pub(crate) fn begin(&self) {
        self.mark_begun();
        let is_first = self.begun.set(self.world.clock.now()).is_ok();
        if is_first && self.tells_beginning {
            // An error means that nobody listens any more.
            let _unheard = self.world.hears.send(self.attempt);
        }
    }

    /// From here on a crash finds it begun. To be called before anything is done that others could see.
    pub(crate) fn mark_begun(&self) {
        if let Some(begun) = &self.world.begun {
            begun.mark(&self.job, self.number);
        }
    }

    /// When that was; `None` of what needs no process, or has not come that far.
    pub(super) fn begun(&self) -> Option<Now> {
        self.begun.get().copied()
    }

    /// What is sent to the attempt; once.
    pub(crate) fn open_inbox(&self) -> Option<mpsc::Receiver<Sent>> {
        self.inbox.take()
    }

    /// A context that nobody asks to stop but whoever has it.
    pub(crate) fn context_of_its_own(&self) -> Context {
        Context::new(Arc::new(Lone {
            cancel: Cancel::default(),
            timers: self.world.timers.clone(),
        }))
    }
}

/// What an attempt has used, and its processes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    pub(super) cpu: Option<Duration>,
    /// For how long threads were kept from others, in stretches that were too long.
    pub(super) held: Option<Duration>,
    /// For how long it could have computed and others did.
    pub(super) delayed: Option<Duration>,
    pub(super) memory: Option<u64>,
}

impl Used {
    /// So much CPU time more.
    pub(crate) fn spend(&mut self, cpu: Duration) {
        self.cpu = Some(self.cpu.unwrap_or_default() + cpu);
    }

    /// It was ready to compute for so long, and others did.
    pub(crate) fn wait(&mut self, delayed: Duration) {
        self.delayed = Some(self.delayed.unwrap_or_default() + delayed);
    }

    /// One process after another: times add up, memory does not.
    pub(crate) fn add(&mut self, usage: Usage) {
        self.spend(usage.cpu);
        self.wait(usage.delayed);
        self.memory = self.memory.max(usage.memory);
    }
}

/// Something that belongs to no attempt which could be asked to stop.
struct Lone {
    cancel: Cancel,
    timers: Timers,
}

impl Task for Lone {
    fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    fn timers(&self) -> &Timers {
        &self.timers
    }

    fn report(&self, _: Progress) {}
}
