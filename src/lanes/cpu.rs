//! The cpu lane: a rayon pool fed through a bounded channel. Rayon itself never holds more than one
//! job a thread, because its own queue knows no order and no way back; a task may still use rayon
//! inside. Knows nothing of what the jobs are.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::LaneError;
use super::panics::{catch, mark_lane_thread};
use super::priority::{CPU_SLICE, Weight, lower};
use super::queue::Queue;
use super::spare::{Spare, Spares};
use crate::clock::kernel_nanos;

/// Something to compute. Dropping it unrun tells whoever waits for it that it will not run.
pub(crate) type CpuJob = Box<dyn FnOnce() + Send>;

/// Virtual memory for each thread's stack: what a thread of the main program has, for code that
/// recurses. Only what is used of it becomes real.
const STACK: usize = 8 << 20;

/// How long a puller takes jobs in a row before rayon may look whether something else is due on that
/// thread (see [`pull`]). Long beside the cost of a change, short beside a person's patience.
const TURN_NANOS: u64 = 1_000_000;

/// Calls to single threads (see [`call_all`]) that may be under way. A thread that computes for hours
/// answers none meanwhile, and they must not pile up there; the puller beneath comes back anyway.
const CALLS_BOUND: usize = 4096;

/// A pool of threads that take their jobs from one channel, oldest first.
pub(crate) struct CpuLane {
    pool: ThreadPool,
    shared: Arc<Shared>,
}

impl CpuLane {
    /// A lane of `workers` threads; up to `queue` jobs wait. Both 1 or more.
    pub(crate) fn start(workers: usize, queue: usize, weight: Weight) -> Result<Self, LaneError> {
        let refused = Arc::new(AtomicBool::new(false));
        let pool = threads(workers, "twolane-cpu", weight, &refused)
            .build()
            .map_err(|source| LaneError::Pool { workers, source })?;
        let spares = Spares::new(workers, move |index| {
            let name = format!("twolane-spare-{index}");
            let pool = threads(1, &name, weight, &refused).build();
            if let Err(error) = &pool {
                tracing::warn!(
                    %error,
                    "cannot start a thread in place of one whose attempt does not leave it: the cpu \
                     lane has one less"
                );
            }
            pool.ok()
        });
        let shared = Arc::new(Shared {
            queue: Queue::new(queue),
            workers,
            calls: AtomicUsize::new(0),
            spares,
        });
        Ok(Self { pool, shared })
    }

    /// Puts a job into the queue, or gives it back if that is full or the lane is closed. Never
    /// blocks.
    pub(crate) fn submit(&self, job: CpuJob) -> Result<(), CpuJob> {
        let offered = self.offer(job);
        self.sweep();
        offered
    }

    /// The same without [`sweep`](Self::sweep), which the caller has to do once it holds no lock that
    /// the drop of a job may need.
    pub(crate) fn offer(&self, job: CpuJob) -> Result<(), CpuJob> {
        let shared = &self.shared;
        shared.queue.offer(job)?;
        if shared.acquire_puller() {
            let shared = Arc::clone(shared);
            self.pool.spawn(move || pull(shared));
        }
        wake_spares(shared);
        Ok(())
    }

    /// What replaces threads whose attempts do not leave them.
    pub(crate) fn places(&self) -> CpuPlaces {
        CpuPlaces(Arc::clone(&self.shared))
    }

    /// Drops what waits if the lane was closed while a job was offered.
    pub(crate) fn sweep(&self) {
        self.shared.queue.sweep();
    }

    /// How many jobs wait.
    pub(crate) fn waiting(&self) -> usize {
        self.shared.queue.waiting()
    }

    /// How many threads take jobs or run them just now.
    pub(crate) fn busy(&self) -> usize {
        self.shared.queue.busy()
    }

    /// Takes no further jobs and drops those that wait.
    pub(crate) fn close(&self) {
        self.shared.queue.close();
    }

    /// Blocks until nothing waits and nothing runs, `limit` at most; whether that came about.
    pub(crate) fn wait_idle(&self, limit: Duration) -> bool {
        self.shared.queue.wait_idle(limit)
    }
}

struct Shared {
    /// Its places are taken by pullers, which are in rayon's hands, running or about to.
    queue: Queue<CpuJob>,
    workers: usize,
    /// Calls that threads have not answered yet; see [`CALLS_BOUND`].
    calls: AtomicUsize,
    spares: Spares,
}

/// The lane's threads, for whoever knows what they are held by.
pub(crate) struct CpuPlaces(Arc<Shared>);

impl CpuPlaces {
    /// An attempt does not leave its thread: another thread takes jobs instead, as long as there are no
    /// more of them than the lane has of its own.
    pub(crate) fn replace(&self) {
        self.0.spares.add();
        if !self.0.queue.is_empty() {
            wake_spares(&self.0);
        }
    }

    /// It has left it.
    pub(crate) fn restore(&self) {
        self.0.spares.take_back();
    }
}

impl Shared {
    /// Takes one of the places for pullers, if one is free.
    fn acquire_puller(&self) -> bool {
        self.queue.enter(self.workers)
    }
}

thread_local! {
    /// A job runs on this thread, possibly waiting inside rayon for parts of itself.
    static IN_JOB: Cell<bool> = const { Cell::new(false) };
}

/// Takes jobs and runs them until there are none.
///
/// No wake-up is lost. In the one order of all `SeqCst` operations, a submitter first sends (S1) and
/// then looks at the number of pullers (S2); a puller that found the channel empty first gives up its
/// place (P1) and then looks at the channel again (P2). If S2 comes after P1, the submitter finds a
/// free place and spawns a puller. If S2 comes before P1, then S1 comes before P2, and the puller
/// finds the job; it then takes a place again, or finds all taken by others, who each have a P1 and
/// P2 before them.
///
/// A thread that waits inside a task for the end of a `par_iter` lets rayon run other things
/// meanwhile. A puller that finds itself on top of a task in this way goes: a foreign job there would
/// keep the task from going on, for as long as it likes. The puller beneath, which has its place,
/// will come back to the channel, so nothing is lost; and so that the job need not wait for that,
/// all threads are called, of which those that are free come.
/// On a thread that merely helps a task (runs parts of its `par_iter`), a puller cannot know that it
/// has something beneath it. For that, it goes back to rayon after [`TURN_NANOS`]: rayon looks first
/// whether what the thread waits for has come, and then takes the puller up again.
fn pull(shared: Arc<Shared>) {
    if IN_JOB.get() {
        shared.queue.leave();
        shared.queue.tell_watcher();
        call_all(shared);
        return;
    }
    let turn_ends = kernel_nanos().saturating_add(TURN_NANOS);
    loop {
        if let Some(job) = shared.queue.take() {
            IN_JOB.set(true);
            // Jobs catch their own panics; this is the lane's edge.
            let told_by_the_hook = catch(job);
            IN_JOB.set(false);
            if told_by_the_hook.is_err() && bug!("panic-keeps-its-place") {
                return;
            }
            if kernel_nanos() >= turn_ends {
                rayon::spawn(move || pull(shared));
                return;
            }
            continue;
        }
        shared.queue.leave();
        if shared.queue.is_empty() || !shared.acquire_puller() {
            shared.queue.tell_watcher();
            return;
        }
    }
}

/// Has each spare thread that is free look for jobs. No wake-up is lost, for the reason that is given at
/// [`pull`]: one that has found nothing gives its place up first and then looks again.
fn wake_spares(shared: &Arc<Shared>) {
    shared.spares.wake(|pool, spare| {
        shared.queue.join();
        let (shared, spare) = (Arc::clone(shared), Arc::clone(spare));
        pool.spawn(move || stand_in(&shared, &spare));
    });
}

/// Takes jobs on a spare thread and runs them until there are none, or until it is not needed any more.
fn stand_in(shared: &Shared, spare: &Spare) {
    loop {
        while spare.goes_on()
            && let Some(job) = shared.queue.take()
        {
            IN_JOB.set(true);
            let _told_by_the_hook = catch(job);
            IN_JOB.set(false);
        }
        spare.leave();
        if !spare.goes_on() || shared.queue.is_empty() || !spare.enter() {
            return shared.queue.part();
        }
    }
}

/// Threads as the lane has them, with names that begin with `name`.
fn threads(
    number: usize,
    name: &str,
    weight: Weight,
    refused: &Arc<AtomicBool>,
) -> ThreadPoolBuilder {
    let (name, refused) = (name.to_owned(), Arc::clone(refused));
    ThreadPoolBuilder::new()
        .num_threads(number)
        .thread_name(move |index| format!("{name}-{index}"))
        .stack_size(STACK)
        .start_handler(move |_| {
            mark_lane_thread();
            if let Err(error) = lower(weight, CPU_SLICE)
                && !refused.swap(true, Ordering::Relaxed)
            {
                tracing::warn!(
                    nice = weight.nice,
                    policy = %weight.policy,
                    %error,
                    "cannot lower the scheduling weight of the cpu lane's threads: \
                     they run like all others"
                );
            }
        })
        // Jobs are caught one by one; this is for what rayon itself may still be handed.
        .panic_handler(|payload| {
            let _told_by_the_hook = catch(|| drop(payload));
        })
}

/// Has each thread of the pool look for jobs as soon as it comes by.
fn call_all(shared: Arc<Shared>) {
    if shared.queue.is_empty() || shared.calls.load(Ordering::Relaxed) >= CALLS_BOUND {
        return;
    }
    shared.calls.fetch_add(shared.workers, Ordering::Relaxed);
    rayon::spawn_broadcast(move |_| {
        shared.calls.fetch_sub(1, Ordering::Relaxed);
        if !IN_JOB.get() && !shared.queue.is_empty() && shared.acquire_puller() {
            pull(Arc::clone(&shared));
        }
    });
}

#[cfg(test)]
mod tests {
    use std::sync::{Barrier, Mutex, mpsc};

    use rayon::iter::{IntoParallelIterator, ParallelIterator};

    use super::super::lock;
    use super::*;

    /// Far more than anything here takes, so that a loss shows as a failure and not as a hang.
    const LIMIT: Duration = Duration::from_secs(60);

    fn lane(workers: usize, queue: usize) -> CpuLane {
        CpuLane::start(workers, queue, Weight::default()).unwrap()
    }

    #[test]
    fn no_job_is_lost_when_pullers_come_and_go() {
        let lane = lane(3, 8);
        let done = Arc::new(AtomicUsize::new(0));
        // Gaps between the submissions make the pullers run dry at every possible moment.
        std::thread::scope(|scope| {
            for submitter in 0..4_usize {
                let (lane, done) = (&lane, &done);
                scope.spawn(move || {
                    for n in 0..5_000_usize {
                        let mut job: CpuJob = {
                            let done = Arc::clone(done);
                            Box::new(move || {
                                done.fetch_add(1, Ordering::Relaxed);
                            })
                        };
                        while let Err(back) = lane.submit(job) {
                            job = back;
                            std::thread::yield_now();
                        }
                        for _ in 0..(n * 7 + submitter) % 50 {
                            std::hint::spin_loop();
                        }
                    }
                });
            }
        });
        assert!(lane.wait_idle(LIMIT));
        assert_eq!(done.load(Ordering::Relaxed), 20_000);
        assert_eq!(lane.busy(), 0);
    }

    #[test]
    fn each_single_job_wakes_the_lane() {
        let lane = lane(2, 1);
        for n in 0..2_000 {
            let (told, hear) = mpsc::channel();
            assert!(lane.submit(Box::new(move || told.send(n).unwrap())).is_ok());
            assert_eq!(hear.recv_timeout(LIMIT), Ok(n));
        }
    }

    #[test]
    fn never_more_at_once_than_workers_and_all_of_them() {
        let lane = lane(2, 64);
        let together = Arc::new(Barrier::new(2));
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        for _ in 0..20 {
            let (together, now, most) = (together.clone(), now.clone(), most.clone());
            let job: CpuJob = Box::new(move || {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                // Passes only when two run at once.
                together.wait();
                now.fetch_sub(1, Ordering::SeqCst);
            });
            assert!(lane.submit(job).is_ok());
        }
        assert!(lane.wait_idle(LIMIT));
        assert_eq!(most.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_full_queue_gives_the_job_back_and_order_is_kept() {
        let lane = lane(1, 3);
        let (open, gate) = mpsc::channel::<()>();
        let (began, has_begun) = mpsc::channel();
        let order = Arc::new(Mutex::new(Vec::new()));
        let blocker: CpuJob = Box::new(move || {
            began.send(()).unwrap();
            gate.recv().unwrap();
        });
        assert!(lane.submit(blocker).is_ok());
        has_begun.recv_timeout(LIMIT).unwrap();
        let put = |n: u32| {
            let order = Arc::clone(&order);
            lane.submit(Box::new(move || lock(&order).push(n))).is_ok()
        };
        assert_eq!([put(1), put(2), put(3), put(4)], [true, true, true, false]);
        assert_eq!(lane.waiting(), 3);
        open.send(()).unwrap();
        assert!(lane.wait_idle(LIMIT));
        assert_eq!(*lock(&order), [1, 2, 3]);
    }

    #[test]
    fn rayon_works_inside_a_job_and_no_other_job_runs_on_top_of_it() {
        let lane = lane(2, 1024);
        let sums = Arc::new(Mutex::new(Vec::new()));
        for _ in 0..200 {
            let sums = Arc::clone(&sums);
            let job: CpuJob = Box::new(move || {
                thread_local!(static DEPTH: Cell<u32> = const { Cell::new(0) });
                let depth = DEPTH.replace(DEPTH.get() + 1);
                let thread = std::thread::current().id();
                let sum: u64 = (0..2_000_u64).into_par_iter().map(|n| n % 7).sum();
                assert_eq!(std::thread::current().id(), thread);
                DEPTH.set(depth);
                lock(&sums).push((depth, sum));
            });
            assert!(lane.submit(job).is_ok());
        }
        assert!(lane.wait_idle(LIMIT));
        let expected: u64 = (0..2_000_u64).map(|n| n % 7).sum();
        let sums = lock(&sums);
        assert_eq!(sums.len(), 200);
        assert!(sums.iter().all(|entry| *entry == (0, expected)));
    }

    #[test]
    fn a_free_thread_comes_when_one_that_waits_inside_a_job_was_woken() {
        let lane = lane(3, 64);
        for _ in 0..50 {
            let (open, gate) = mpsc::channel::<()>();
            let (began, begun) = mpsc::channel();
            let (told, hear) = mpsc::channel();
            // One thread waits inside rayon for what another one has taken over, which blocks.
            let job: CpuJob = Box::new(move || {
                let wait_until_taken = move || begun.recv().unwrap();
                rayon::join(wait_until_taken, move || {
                    began.send(()).unwrap();
                    told.send(()).unwrap();
                    let _closed = gate.recv();
                });
            });
            assert!(lane.submit(job).is_ok());
            hear.recv_timeout(LIMIT).unwrap();
            // The third one is free, whoever of them is woken.
            for n in 0..20 {
                let (told, hear) = mpsc::channel();
                assert!(lane.submit(Box::new(move || told.send(n).unwrap())).is_ok());
                assert_eq!(hear.recv_timeout(LIMIT), Ok(n));
            }
            drop(open);
            assert!(lane.wait_idle(LIMIT));
        }
    }

    #[test]
    fn a_panicking_job_takes_no_thread_with_it() {
        super::super::install_hook();
        let lane = lane(2, 64);
        for _ in 0..50 {
            assert!(lane.submit(Box::new(|| panic!("meant"))).is_ok());
        }
        assert!(lane.wait_idle(LIMIT));
        let together = Arc::new(Barrier::new(2));
        for _ in 0..2 {
            let together = Arc::clone(&together);
            let job: CpuJob = Box::new(move || {
                together.wait();
            });
            assert!(lane.submit(job).is_ok());
        }
        assert!(lane.wait_idle(LIMIT));
    }

    /// A job that says that it has begun, and stays until its gate is dropped.
    fn stays(began: mpsc::Sender<()>, gate: mpsc::Receiver<()>) -> CpuJob {
        Box::new(move || {
            began.send(()).unwrap();
            let _closed = gate.recv();
        })
    }

    #[test]
    fn threads_that_are_held_are_replaced_and_the_replacements_go_again() {
        let lane = lane(2, 16);
        for _ in 0..20 {
            let (began, begun) = mpsc::channel();
            let gates: Vec<_> = (0..2)
                .map(|_| {
                    let (open, gate) = mpsc::channel();
                    assert!(lane.submit(stays(began.clone(), gate)).is_ok());
                    begun.recv_timeout(LIMIT).unwrap();
                    open
                })
                .collect();
            // What waits is taken up as soon as there is a thread for it, and so is what comes later.
            let (told, hear) = mpsc::channel();
            let tell = |n: u32| -> CpuJob {
                let told = told.clone();
                Box::new(move || told.send(n).unwrap())
            };
            assert!(lane.submit(tell(1)).is_ok());
            assert!(hear.try_recv().is_err(), "both threads are held");
            lane.places().replace();
            assert_eq!(hear.recv_timeout(LIMIT), Ok(1));
            lane.places().replace();
            lane.places().replace();
            assert_eq!(lane.shared.spares.count(), 2, "no more than of its own");
            for n in 2..50 {
                assert!(lane.submit(tell(n)).is_ok());
                assert_eq!(hear.recv_timeout(LIMIT), Ok(n));
            }
            // Replacements are held like any other, and are two at a time.
            let (open, gate) = mpsc::channel();
            let (other_open, other_gate) = mpsc::channel();
            assert!(lane.submit(stays(began.clone(), gate)).is_ok());
            assert!(lane.submit(stays(began.clone(), other_gate)).is_ok());
            begun.recv_timeout(LIMIT).unwrap();
            begun.recv_timeout(LIMIT).unwrap();
            assert_eq!(lane.busy(), 4);
            drop((open, other_open, gates));
            for left in [2, 1, 0] {
                lane.places().restore();
                assert_eq!(lane.shared.spares.count(), left);
            }
            assert!(lane.submit(tell(50)).is_ok());
            assert_eq!(hear.recv_timeout(LIMIT), Ok(50));
            assert!(lane.wait_idle(LIMIT));
        }
    }

    #[test]
    fn closing_drops_what_waits() {
        let lane = lane(1, 8);
        let (open, gate) = mpsc::channel::<()>();
        let (began, begun) = mpsc::channel();
        let blocker: CpuJob = Box::new(move || {
            began.send(()).unwrap();
            let _closed = gate.recv();
        });
        assert!(lane.submit(blocker).is_ok());
        begun.recv_timeout(LIMIT).unwrap();
        let (kept, dropped) = mpsc::channel::<()>();
        assert!(
            lane.submit(Box::new(move || kept.send(()).unwrap()))
                .is_ok()
        );
        lane.close();
        drop(open);
        assert!(lane.wait_idle(LIMIT));
        assert!(dropped.recv_timeout(LIMIT).is_err(), "ran after the close");
        assert!(lane.submit(Box::new(|| ())).is_err());
    }
}
