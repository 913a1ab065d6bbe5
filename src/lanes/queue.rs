//! What stands before each lane: a bounded queue, oldest first, that can be closed, and a count of what
//! was taken from it, so that somebody can wait until nothing waits and nothing runs.

use std::time::Duration;

use super::lock;
use super::panics::catch;
use crate::sync::{
    AtomicBool, AtomicUsize, Condvar, Mutex, Ordering, PoisonError, Receiver, Sender, unbounded,
};

/// Jobs of a lane that wait, and how many of its places are taken.
///
/// All atomic operations are in one order (`SeqCst`): a job that leaves and somebody who begins to
/// watch cannot miss each other, and neither can one who offers a job and one who closes the queue.
///
/// The channel itself takes memory for what waits only, where a bounded one would take it for all that
/// may; the count beside it keeps the bound.
pub(super) struct Queue<J> {
    sender: Sender<J>,
    receiver: Receiver<J>,
    bound: usize,
    /// Jobs that wait or are just being put in.
    waiting: AtomicUsize,
    /// Places of the lane that are taken.
    busy: AtomicUsize,
    /// How many take jobs beside these places.
    beside: AtomicUsize,
    closed: AtomicBool,
    /// Somebody waits for the lane to become idle.
    watched: AtomicBool,
    gate: Mutex<()>,
    idle: Condvar,
}

impl<J> Queue<J> {
    /// A queue for up to `bound` jobs, 1 or more.
    pub(super) fn new(bound: usize) -> Self {
        let (sender, receiver) = unbounded();
        Self {
            sender,
            receiver,
            bound,
            waiting: AtomicUsize::new(0),
            busy: AtomicUsize::new(0),
            beside: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            watched: AtomicBool::new(false),
            gate: Mutex::new(()),
            idle: Condvar::new(),
        }
    }

    /// Takes a job in, or gives it back if the queue is full or closed. Never blocks. To be followed by
    /// [`sweep`](Self::sweep), once the caller holds no lock that the drop of a job may need.
    pub(super) fn offer(&self, job: J) -> Result<(), J> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(job);
        }
        let counted = |waiting| (waiting < self.bound).then_some(waiting + 1);
        let room = self
            .waiting
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, counted);
        if room.is_err() {
            return Err(job);
        }
        self.sender.send(job).map_err(|closed| closed.into_inner())
    }

    /// If the queue was closed while a job was offered, whoever closed it may have looked at it before
    /// the job came: drops what waits.
    pub(super) fn sweep(&self) {
        if self.closed.load(Ordering::SeqCst) {
            self.discard();
        }
    }

    /// The oldest job, if there is one.
    pub(super) fn take(&self) -> Option<J> {
        let job = self.receiver.try_recv().ok()?;
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        Some(job)
    }

    /// Takes no further jobs and drops those that wait.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.discard();
    }

    /// Whether it takes no further jobs.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Whether no job waits.
    pub(super) fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }

    /// How many jobs wait.
    pub(super) fn waiting(&self) -> usize {
        self.receiver.len()
    }

    /// How many places are taken, with those that are beside them.
    pub(super) fn busy(&self) -> usize {
        self.busy.load(Ordering::SeqCst) + self.beside.load(Ordering::SeqCst)
    }

    /// Takes a place beside those of the lane.
    pub(super) fn join(&self) {
        self.beside.fetch_add(1, Ordering::SeqCst);
    }

    /// Gives it back.
    pub(super) fn part(&self) {
        self.beside.fetch_sub(1, Ordering::SeqCst);
        self.tell_watcher();
    }

    /// Takes one of `places`, if one is free.
    pub(super) fn enter(&self, places: usize) -> bool {
        self.busy
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |busy| {
                (busy < places).then_some(busy + 1)
            })
            .is_ok()
    }

    /// Gives a place back; returns how many were taken before. To be followed by
    /// [`tell_watcher`](Self::tell_watcher).
    pub(super) fn leave(&self) -> usize {
        self.busy.fetch_sub(1, Ordering::SeqCst)
    }

    /// Tells whoever waits for it if the lane has become idle.
    pub(super) fn tell_watcher(&self) {
        if self.watched.load(Ordering::SeqCst) && self.is_idle() {
            let _gate = (!bug!("idle-told-too-early")).then(|| lock(&self.gate));
            self.idle.notify_all();
        }
    }

    /// Blocks until nothing waits and nothing runs, `limit` at most; whether that came about.
    pub(super) fn wait_idle(&self, limit: Duration) -> bool {
        self.watched.store(true, Ordering::SeqCst);
        let gate = lock(&self.gate);
        let (_gate, late) = self
            .idle
            .wait_timeout_while(gate, limit, |()| !self.is_idle())
            .unwrap_or_else(PoisonError::into_inner);
        !late.timed_out() || self.is_idle()
    }

    fn is_idle(&self) -> bool {
        self.is_empty() && self.busy() == 0
    }

    fn discard(&self) {
        while let Some(job) = self.take() {
            // What a job has captured may panic when it is dropped.
            let _unheard = catch(|| drop(job));
        }
        self.tell_watcher();
    }
}
