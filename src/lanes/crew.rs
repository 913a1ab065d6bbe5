//! Threads for futures that may keep a thread for themselves, as code from outside may: where one of them
//! does while others wait, another thread takes its place, so that it holds up nobody. Knows nothing of
//! what the futures are.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use async_task::{Builder, Runnable};
use crossbeam_channel::{Receiver, Sender, unbounded};
use tokio::runtime::Handle;

use super::panics::catch;
use super::priority::{CPU_SLICE, Tid, Weight, lower_other, take_short_turns};
use super::{HOLD, lock};
use crate::clock::kernel_nanos;
use crate::engine::id::AttemptId;
use crate::engine::spec::{JobSpec, Name, TaskSpec};

/// Who keeps a thread for so long is told of.
const TOLD: Duration = Duration::from_millis(100);

/// Of one job it is told once in this time.
const TOLD_AGAIN: Duration = Duration::from_secs(60);

/// Jobs of which it is remembered that they were told of.
const TOLD_BOUND: usize = 1_000;

/// Threads that stand in for those that are kept. More would not help who keeps so many; what is built in
/// does not wait for any of them.
const SPARES_BOUND: usize = 256;

/// Virtual memory for each thread's stack; only what is used of it becomes real.
const STACK: usize = 2 << 20;

/// Threads that poll futures, and one that watches them. The threads end when this and all its futures are
/// gone.
pub(crate) struct Crew {
    shared: Arc<Shared>,
    sender: Sender<Runnable<Who>>,
}

/// An attempt, for those who hear that it keeps a thread.
#[derive(Clone)]
pub(crate) struct Who {
    pub(crate) attempt: AttemptId,
    pub(crate) job: Arc<JobSpec>,
}

struct Shared {
    runtime: Handle,
    queue: Receiver<Runnable<Who>>,
    /// What a thread weighs that is kept: as much as one that is there to compute.
    weight: Weight,
    /// The threads, as many as there are or a few that have just ended.
    seats: Mutex<Vec<Arc<Seat>>>,
    /// Polls so far.
    polls: AtomicU64,
    /// The one that watches is awake, or is about to be.
    watched: AtomicBool,
    watch: Mutex<Option<Thread>>,
    closed: AtomicBool,
}

/// One thread, as it is seen by the one that watches.
#[derive(Default)]
struct Seat(Mutex<Poll>);

#[derive(Default)]
struct Poll {
    /// The thread, once it is there.
    tid: Option<Tid>,
    /// When the poll began that is under way, and whose future it is.
    now: Option<(u64, Who)>,
    /// Another thread has taken the place of this one, which is to end.
    replaced: bool,
    /// It has been told that this poll takes long.
    told: bool,
}

impl Crew {
    /// So many threads, 1 or more, on which `runtime` is the one that futures find. What is kept by one of
    /// them goes on with `weight`.
    ///
    /// # Errors
    /// What the system said, which gave no thread.
    pub(crate) fn start(runtime: &Handle, threads: usize, weight: Weight) -> io::Result<Self> {
        let (sender, queue) = unbounded();
        let shared = Arc::new(Shared {
            runtime: runtime.clone(),
            queue,
            weight,
            seats: Mutex::default(),
            polls: AtomicU64::new(0),
            watched: AtomicBool::new(false),
            watch: Mutex::default(),
            closed: AtomicBool::new(false),
        });
        let crew = Self { shared, sender };
        for _ in 0..threads {
            sit_down(&crew.shared)?;
        }
        let watched = Arc::clone(&crew.shared);
        let watch = thread("twolane-io-watch", move || watch(&watched, threads))?;
        *lock(&crew.shared.watch) = Some(watch.thread().clone());
        Ok(crew)
    }

    /// Has `future` polled by these threads. When what is returned is dropped before its end, so is the
    /// future, on one of them, as soon as no poll of it is under way.
    pub(crate) fn carry(
        &self,
        who: Who,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> impl Future<Output = ()> + Send + 'static {
        let sender = self.sender.clone();
        async move {
            // No more wait than there are futures. Who finds nobody to take it drops the future here.
            let schedule = move |runnable| drop(sender.send(runnable));
            let (runnable, task) = Builder::new().metadata(who).spawn(|_| future, schedule);
            runnable.schedule();
            let _done = task.fallible().await;
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        self.shared.wake_watch();
    }
}

impl Shared {
    fn wake_watch(&self) {
        if let Some(watch) = &*lock(&self.watch) {
            watch.unpark();
        }
    }

    /// A poll begins.
    fn begin(&self, seat: &Seat, who: Who) {
        lock(&seat.0).now = Some((kernel_nanos(), who));
        self.polls.fetch_add(1, Ordering::SeqCst);
        if !self.watched.load(Ordering::SeqCst) && !self.watched.swap(true, Ordering::SeqCst) {
            self.wake_watch();
        }
    }

    /// A poll is over; whether the thread goes on.
    fn end(&self, seat: &Arc<Seat>) -> bool {
        let mut poll = lock(&seat.0);
        poll.told = false;
        let was = poll.now.take();
        let goes_on = !poll.replaced;
        drop(poll);
        drop(was);
        if !goes_on {
            lock(&self.seats).retain(|other| !Arc::ptr_eq(other, seat));
        }
        goes_on
    }

    fn seats(&self) -> Vec<Arc<Seat>> {
        lock(&self.seats).clone()
    }
}

/// Starts a thread.
fn sit_down(shared: &Arc<Shared>) -> io::Result<()> {
    let seat = Arc::new(Seat::default());
    lock(&shared.seats).push(Arc::clone(&seat));
    let (of, own) = (Arc::clone(shared), Arc::clone(&seat));
    let started = thread("twolane-io-crew", move || work(&of, &own));
    if started.is_err() {
        lock(&shared.seats).retain(|other| !Arc::ptr_eq(other, &seat));
    }
    started.map(drop)
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    let thread = thread::Builder::new().name(name.to_owned());
    thread.stack_size(STACK).spawn(work)
}

/// What each thread does: takes what is to be polled, until there will be no more.
fn work(shared: &Shared, seat: &Arc<Seat>) {
    take_short_turns();
    let _inside = shared.runtime.enter();
    lock(&seat.0).tid = Some(Tid::current());
    while let Ok(runnable) = shared.queue.recv() {
        shared.begin(seat, runnable.metadata().clone());
        // Futures that panic catch that themselves; the drop of one may not.
        let _told_by_its_end = catch(|| runnable.run());
        if !shared.end(seat) {
            return;
        }
    }
}

/// What the one that watches does: looks at the others as long as they poll something, and sleeps while
/// they do not.
fn watch(shared: &Arc<Shared>, threads: usize) {
    let mut watch = Watch::default();
    let mut polls = 0;
    loop {
        let before = std::mem::replace(&mut polls, shared.polls.load(Ordering::SeqCst));
        let busy = shared.seats().iter().any(|s| lock(&s.0).now.is_some());
        if busy || polls != before {
            watch.look(shared, threads);
            thread::park_timeout(HOLD);
            continue;
        }
        if shared.closed.load(Ordering::SeqCst) {
            return;
        }
        shared.watched.store(false, Ordering::SeqCst);
        // Whoever began before that was told that somebody is awake.
        if shared.polls.load(Ordering::SeqCst) == polls {
            thread::park();
        }
        shared.watched.store(true, Ordering::SeqCst);
    }
}

/// What the one that watches remembers.
#[derive(Default)]
struct Watch {
    /// When it was told of which job.
    told: BTreeMap<Name, u64>,
    /// It has been told that there is no thread to be had.
    short: bool,
}

impl Watch {
    fn look(&mut self, shared: &Arc<Shared>, threads: usize) {
        let now = kernel_nanos();
        for seat in shared.seats() {
            let mut poll = lock(&seat.0);
            let Some((since, who)) = &poll.now else {
                continue;
            };
            let held = Duration::from_nanos(now.saturating_sub(*since));
            let told = (held >= TOLD && !poll.told).then(|| who.clone());
            poll.told |= told.is_some();
            let kept = held >= HOLD && !poll.replaced;
            if kept && lock(&shared.seats).len() < threads + SPARES_BOUND {
                // Under its lock, so that it does not go on beside the other one.
                poll.replaced = self.replace(shared);
                if poll.replaced
                    && let Some(tid) = poll.tid
                {
                    // It ends after this poll, so nobody waits for it. Where that is refused the cpu lane has
                    // said so.
                    let _refused = lower_other(tid, shared.weight, CPU_SLICE);
                }
            }
            drop(poll);
            if let Some(who) = told {
                self.tell(&who, held, now);
            }
        }
    }

    /// Has another thread take the place of one that is kept; whether there is one.
    fn replace(&mut self, shared: &Arc<Shared>) -> bool {
        match sit_down(shared) {
            Ok(()) => {
                self.short = false;
                true
            }
            Err(error) => {
                if !std::mem::replace(&mut self.short, true) {
                    tracing::warn!(
                        target: "twolane::lanes",
                        %error,
                        "cannot start a thread in place of one of the io lane that is kept: functions on \
                         that lane wait for it"
                    );
                }
                false
            }
        }
    }

    fn tell(&mut self, who: &Who, held: Duration, now: u64) {
        let before = self.told.get(&who.job.name);
        let again = u64::try_from(TOLD_AGAIN.as_nanos()).unwrap_or(u64::MAX);
        if before.is_some_and(|before| now.saturating_sub(*before) < again) {
            return;
        }
        if self.told.len() >= TOLD_BOUND {
            self.told.clear();
        }
        self.told.insert(Name::clone(&who.job.name), now);
        let cure = match &who.job.task {
            _ if who.job.auto => "it goes to the cpu lane when it has ended",
            TaskSpec::Call { .. } => {
                "write `lane = \"auto\"` in the job, register the function with `cpu`, or let it wait \
                 with `.await`"
            }
            TaskSpec::Sleep { .. }
            | TaskSpec::Read { .. }
            | TaskSpec::Compute { .. }
            | TaskSpec::Command(_)
            | TaskSpec::Future { .. }
            | TaskSpec::Http(_)
            | TaskSpec::File(_) => "write `lane = \"cpu\"` in the job",
        };
        tracing::warn!(
            target: "twolane::lanes",
            job = &*who.job.name,
            run = who.attempt.run.0,
            attempt = who.attempt.epoch,
            lane = "io",
            "job `{}` blocks: it has kept a thread of the io lane for {} ms without a pause; others go on \
             beside it. hint: {cure}",
            who.job.name,
            held.as_millis(),
        );
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::runtime::Runtime;

    use super::*;
    use crate::engine::id::RunId;
    use crate::engine::spec::Lane;

    /// Far more than anything here takes, so that a loss shows as a failure and not as a hang.
    const LIMIT: Duration = Duration::from_secs(60);

    fn runtime() -> Runtime {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap()
    }

    fn who() -> Who {
        let task = TaskSpec::Sleep {
            duration: Duration::ZERO,
        };
        Who {
            attempt: AttemptId {
                run: RunId(1),
                epoch: 1,
            },
            job: Arc::new(JobSpec::new("blocker".into(), Lane::Io, task)),
        }
    }

    #[test]
    fn futures_that_block_every_thread_hold_up_no_other() {
        let runtime = runtime();
        let crew = Crew::start(runtime.handle(), 2, Weight::default()).unwrap();
        let mut gates = Vec::new();
        let (began, begun) = mpsc::channel();
        // Five times as many as there are threads, and each of them has to get one.
        for _ in 0..10 {
            let (open, gate) = mpsc::channel::<()>();
            gates.push(open);
            let began = began.clone();
            let blocks = crew.carry(who(), async move {
                began.send(()).unwrap();
                let _closed = gate.recv();
            });
            runtime.spawn(blocks);
        }
        for _ in 0..10 {
            begun.recv_timeout(LIMIT).unwrap();
        }
        let (told, hear) = mpsc::channel();
        for n in 0..100 {
            let told = told.clone();
            let waits = crew.carry(who(), async move {
                tokio::time::sleep(Duration::from_millis(1)).await;
                told.send(n).unwrap();
            });
            runtime.spawn(waits);
        }
        let mut heard: Vec<u32> = (0..100)
            .map(|_| hear.recv_timeout(LIMIT).unwrap())
            .collect();
        heard.sort_unstable();
        assert!(heard.into_iter().eq(0..100));
        // When they let go of the threads, as many end as have been added.
        drop(gates);
        let shared = Arc::clone(&crew.shared);
        let ends = crew.carry(who(), async move {
            while shared.seats().len() > 2 {
                tokio::task::yield_now().await;
            }
        });
        runtime.block_on(async { tokio::time::timeout(LIMIT, ends).await.unwrap() });
    }

    #[test]
    fn what_computes_for_long_weighs_no_more_than_on_the_cpu_lane() {
        let runtime = runtime();
        let crew = Crew::start(runtime.handle(), 1, Weight::default()).unwrap();
        let own_nice = || rustix::process::getpriority_process(None).unwrap();
        // One at a time, so that nobody waits for the thread.
        for _ in 0..3 {
            let (told, hear) = mpsc::channel();
            runtime.spawn(crew.carry(who(), async move {
                let before = own_nice();
                let lowered = (before + i32::from(Weight::default().nice)).min(19);
                let limit = kernel_nanos() + 60_000_000_000;
                while own_nice() != lowered && kernel_nanos() < limit {
                    thread::yield_now();
                }
                told.send((lowered, own_nice())).unwrap();
            }));
            let (lowered, after) = hear.recv_timeout(2 * LIMIT).unwrap();
            assert_eq!(after, lowered);
        }
    }

    #[test]
    fn the_watch_sleeps_while_nothing_is_polled() {
        let runtime = runtime();
        let crew = Crew::start(runtime.handle(), 1, Weight::default()).unwrap();
        for _ in 0..20 {
            runtime.block_on(crew.carry(who(), async {}));
            let asleep = async {
                while crew.shared.watched.load(Ordering::SeqCst) {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            runtime.block_on(async { tokio::time::timeout(LIMIT, asleep).await.unwrap() });
        }
    }

    #[test]
    fn what_is_given_up_is_dropped_after_its_poll_and_the_threads_end_with_the_crew() {
        let runtime = runtime();
        let crew = Crew::start(runtime.handle(), 2, Weight::default()).unwrap();
        let (open, gate) = mpsc::channel::<()>();
        let (began, begun) = mpsc::channel();
        let (kept, dropped) = mpsc::channel::<()>();
        let blocks = runtime.spawn(crew.carry(who(), async move {
            let _kept = kept;
            began.send(()).unwrap();
            let _closed = gate.recv();
            std::future::pending::<()>().await;
        }));
        begun.recv_timeout(LIMIT).unwrap();
        blocks.abort();
        assert!(runtime.block_on(blocks).is_err());
        assert_eq!(
            dropped.try_recv(),
            Err(mpsc::TryRecvError::Empty),
            "in its poll"
        );
        drop(open);
        let end = dropped.recv_timeout(LIMIT);
        assert_eq!(end, Err(mpsc::RecvTimeoutError::Disconnected));
        let threads = Arc::downgrade(&crew.shared);
        drop(crew);
        let gone = async {
            while threads.strong_count() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        runtime.block_on(async { tokio::time::timeout(LIMIT, gone).await.unwrap() });
    }
}
