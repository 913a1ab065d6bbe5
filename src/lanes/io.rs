//! The io lane: a tokio runtime fed through a bounded channel, with a bound on what runs at once and
//! a precise timer. Knows nothing of what the jobs are.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::runtime::{Handle, Runtime};
use tokio::sync::Notify;
use tokio::task::yield_now;

use super::makers::{Haste, Makers};
use super::queue::Queue;
use super::timer::Timers;
use super::{LaneError, lock, runtime};

/// Something to wait for. Dropping it unrun tells whoever waits for it that it will not run.
pub(crate) type IoJob = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A job with how it begins: in the runtime, or with haste where processes are made.
struct Queued {
    job: IoJob,
    makes: Option<Arc<Haste>>,
}

/// Jobs that the feeder moves in a row before the thread looks after timers and other tasks again:
/// some ten microseconds of work.
const FEED_BATCH: usize = 64;

/// A runtime that takes its jobs from one channel, oldest first.
pub(crate) struct IoLane {
    /// `None` once it has been shut down.
    runtime: Mutex<Option<Runtime>>,
    handle: Handle,
    timers: Timers,
    shared: Arc<Shared>,
}

impl IoLane {
    /// A lane with `threads` threads that carries `concurrency` jobs at once, while up to `queue`
    /// wait. All 1 or more.
    pub(crate) fn start(
        threads: usize,
        concurrency: usize,
        queue: usize,
    ) -> Result<Self, LaneError> {
        let runtime = runtime::start(threads, thread_name)
            .map_err(|source| LaneError::Runtime { threads, source })?;
        let handle = runtime.handle().clone();
        let timers = Timers::start(runtime.handle()).map_err(LaneError::Timer)?;
        let shared = Arc::new(Shared {
            queue: Queue::new(queue),
            concurrency,
            unresponsive: AtomicUsize::new(0),
            feed: Notify::new(),
            makers: OnceLock::new(),
        });
        runtime.spawn(feed(Arc::clone(&shared)));
        Ok(Self {
            runtime: Mutex::new(Some(runtime)),
            handle,
            timers,
            shared,
        })
    }

    /// Starts a job where nothing waits and a place is free, and else puts it into the queue; gives it
    /// back if that is full or the lane is closed. Never blocks. The job may be dropped here, so the
    /// caller is to hold no lock that this may need.
    pub(crate) fn submit(&self, job: IoJob) -> Result<(), IoJob> {
        self.take(Queued { job, makes: None })
    }

    /// The same of a job that begins with a child process, which is made where that is done. With haste it
    /// waits for no turn there.
    pub(crate) fn submit_making(&self, job: IoJob, haste: Arc<Haste>) -> Result<(), IoJob> {
        let makes = Some(haste);
        self.take(Queued { job, makes })
    }

    fn take(&self, job: Queued) -> Result<(), IoJob> {
        if let Some(place) = self.free_place() {
            let _entered = self.handle.enter();
            self.shared.start(place, job);
            return Ok(());
        }
        let offered = self.put_in_line(job);
        self.sweep();
        offered
    }

    /// Has child processes made by these, to be called once.
    pub(crate) fn make_by(&self, makers: &Arc<Makers>) {
        let _second = self.shared.makers.set(Arc::clone(makers));
    }

    /// A place for a job that need not wait behind another one: without the way through the queue it
    /// wakes one thread less.
    fn free_place(&self) -> Option<Place> {
        let queue = &self.shared.queue;
        let is_free =
            !queue.is_closed() && queue.is_empty() && queue.enter(self.shared.concurrency);
        is_free.then(|| Place(Arc::clone(&self.shared)))
    }

    /// Puts a job into the queue, or gives it back. To be followed by [`sweep`](Self::sweep), once the
    /// caller holds no lock that the drop of a job may need.
    pub(crate) fn offer(&self, job: IoJob) -> Result<(), IoJob> {
        self.put_in_line(Queued { job, makes: None })
    }

    fn put_in_line(&self, job: Queued) -> Result<(), IoJob> {
        self.shared
            .queue
            .offer(job)
            .map_err(|refused| refused.job)?;
        self.shared.feed.notify_one();
        Ok(())
    }

    /// Drops what waits if the lane was closed while a job was offered.
    pub(crate) fn sweep(&self) {
        self.shared.queue.sweep();
    }

    /// The lane's timer.
    pub(crate) fn timers(&self) -> &Timers {
        &self.timers
    }

    /// What replaces places whose attempts do not leave them.
    pub(crate) fn places(&self) -> IoPlaces {
        IoPlaces(Arc::clone(&self.shared))
    }

    /// The runtime, for what is done on its behalf elsewhere.
    pub(crate) const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// How many jobs wait.
    pub(crate) fn waiting(&self) -> usize {
        self.shared.queue.waiting()
    }

    /// How many jobs run.
    pub(crate) fn running(&self) -> usize {
        self.shared.queue.busy()
    }

    /// Takes no further jobs and drops those that wait.
    pub(crate) fn close(&self) {
        self.shared.queue.close();
    }

    /// Ends the runtime: every job is dropped at the point where it waits. Does not wait for that,
    /// and may be called anywhere, also on the runtime's own threads.
    pub(crate) fn shut_down(&self) {
        self.close();
        if let Some(makers) = self.shared.makers.get() {
            makers.close();
        }
        if let Some(runtime) = lock(&self.runtime).take() {
            runtime.shutdown_background();
        }
    }

    /// Blocks until nothing waits and nothing runs, `limit` at most; whether that came about.
    pub(crate) fn wait_idle(&self, limit: Duration) -> bool {
        self.shared.queue.wait_idle(limit)
    }
}

impl Drop for IoLane {
    fn drop(&mut self) {
        // Tokio's own drop would panic inside asynchronous code.
        self.shut_down();
    }
}

struct Shared {
    queue: Queue<Queued>,
    concurrency: usize,
    /// Attempts that do not leave the lane, whose places others have.
    unresponsive: AtomicUsize,
    /// Tells the feeder that there may be a job and a place for it.
    feed: Notify,
    makers: OnceLock<Arc<Makers>>,
}

/// The lane's places, for whoever knows what they are held by.
pub(crate) struct IoPlaces(Arc<Shared>);

impl IoPlaces {
    /// An attempt does not leave its place: another one is carried in addition, as long as there are no
    /// more of them than the lane has places of its own.
    pub(crate) fn replace(&self) {
        self.0.unresponsive.fetch_add(1, Ordering::SeqCst);
        self.0.feed.notify_one();
    }

    /// It has left it.
    pub(crate) fn restore(&self) {
        self.0.unresponsive.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Shared {
    /// Jobs that are carried at once.
    fn places(&self) -> usize {
        let replaced = self.unresponsive.load(Ordering::SeqCst);
        self.concurrency + replaced.min(self.concurrency)
    }

    /// Starts a job in its place, to be called in the runtime.
    fn start(&self, place: Place, job: Queued) {
        let placed = in_place(place, job.job);
        match (job.makes, self.makers.get()) {
            (Some(haste), Some(makers)) => makers.begin(Box::pin(placed), &haste),
            _ => drop(tokio::spawn(placed)),
        }
    }

    /// Gives a place back; returns how many were taken before.
    fn leave(&self) -> usize {
        let before = self.queue.leave();
        self.queue.tell_watcher();
        before
    }
}

/// One of the lane's places, given back on drop, however the job ends.
struct Place(Arc<Shared>);

impl Drop for Place {
    fn drop(&mut self) {
        if self.0.leave() >= self.0.concurrency {
            // All may have been taken, so the feeder may be waiting for this one.
            self.0.feed.notify_one();
        }
    }
}

/// Carries out a job, whose place is free again however it ends.
async fn in_place(place: Place, job: IoJob) {
    let _place = place;
    job.await;
}

/// The lane's one task that moves jobs from the channel into the runtime. A `notify_one` that comes
/// while it looks is kept for its next wait, so it sleeps through nothing.
async fn feed(shared: Arc<Shared>) {
    loop {
        let mut fed = 0;
        // A place is taken first, so that no moment shows a job neither waiting nor running.
        while shared.queue.enter(shared.places()) {
            let Some(job) = shared.queue.take() else {
                shared.leave();
                break;
            };
            shared.start(Place(Arc::clone(&shared)), job);
            fed += 1;
            if fed == FEED_BATCH {
                fed = 0;
                yield_now().await;
            }
        }
        shared.feed.notified().await;
    }
}

fn thread_name() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("twolane-io-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Far more than anything here takes, so that a loss shows as a failure and not as a hang.
    const LIMIT: Duration = Duration::from_secs(60);

    #[test]
    fn carries_as_many_as_it_may_at_once_in_order() {
        let lane = IoLane::start(2, 2, 16).unwrap();
        let (began, begun) = mpsc::channel();
        let gate = Arc::new(Notify::new());
        for n in 0..4 {
            let (began, gate) = (began.clone(), Arc::clone(&gate));
            let job: IoJob = Box::pin(async move {
                began.send(n).unwrap();
                gate.notified().await;
            });
            assert!(lane.submit(job).is_ok());
        }
        let mut first = [
            begun.recv_timeout(LIMIT).unwrap(),
            begun.recv_timeout(LIMIT).unwrap(),
        ];
        first.sort_unstable();
        assert_eq!(first, [0, 1]);
        assert_eq!((lane.running(), lane.waiting()), (2, 2));
        assert!(begun.try_recv().is_err());
        gate.notify_one();
        assert_eq!(begun.recv_timeout(LIMIT), Ok(2));
        assert_eq!((lane.running(), lane.waiting()), (2, 1));
        for _ in 0..3 {
            gate.notify_one();
        }
        // The last job may not have begun to wait when the permits are given out.
        assert_eq!(begun.recv_timeout(LIMIT), Ok(3));
        while !lane.wait_idle(Duration::from_millis(10)) {
            gate.notify_one();
        }
    }

    #[test]
    fn a_full_queue_gives_the_job_back() {
        let lane = IoLane::start(1, 1, 1).unwrap();
        let (began, begun) = mpsc::channel();
        let job = |began: mpsc::Sender<()>| -> IoJob {
            Box::pin(async move {
                began.send(()).unwrap();
                std::future::pending::<()>().await;
            })
        };
        assert!(lane.submit(job(began.clone())).is_ok());
        begun.recv_timeout(LIMIT).unwrap();
        assert!(lane.submit(job(began.clone())).is_ok());
        assert!(lane.submit(job(began)).is_err());
        lane.shut_down();
        assert!(lane.wait_idle(LIMIT));
        // Both senders are gone, the one that ran and the one that waited.
        assert!(begun.recv_timeout(LIMIT).is_err());
    }

    #[test]
    fn many_jobs_pass_through_a_narrow_lane() {
        let lane = IoLane::start(2, 3, 10_000).unwrap();
        let done = Arc::new(AtomicUsize::new(0));
        for _ in 0..10_000 {
            let done = Arc::clone(&done);
            let job: IoJob = Box::pin(async move {
                yield_now().await;
                done.fetch_add(1, Ordering::Relaxed);
            });
            assert!(lane.submit(job).is_ok());
        }
        assert!(lane.wait_idle(LIMIT));
        assert_eq!(done.load(Ordering::Relaxed), 10_000);
    }
}
