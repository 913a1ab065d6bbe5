//! The threads on which child processes are made: whoever makes one stands still until its program has been
//! loaded. Few, since more would only keep each other, and the runtime's threads, from the cores. What begins
//! with a process begins here, and goes on in the runtime when something has come of it: so none of the
//! runtime's threads is woken only to have another one woken. Who has made something stays with it for a moment
//! if nobody waits, since what is short is over then. Knows nothing of what is made.

mod beginning;

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::Error as IoError;
use std::mem;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::{read, write};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::io::IoJob;
use super::lock;
use super::panics::catch;
use super::priority::take_short_turns;
use beginning::{Beginning, Carry};

pub(crate) use beginning::Haste;

/// Virtual memory for each thread's stack; only what is used of it becomes real.
const STACK: usize = 2 << 20;

impl Carry for Handle {
    /// A runtime that has been shut down drops it.
    fn carry(&self, job: IoJob) {
        drop(self.spawn(job));
    }
}

/// The threads. They end when this is gone, or closed.
pub(crate) struct Makers {
    runtime: Arc<dyn Carry>,
    line: Arc<Line>,
}

/// What waits for its turn: no more than there are attempts. Not a channel, whose receiver looks again and again
/// before it sleeps: where processes come one by one, that costs more than the sleep.
struct Line {
    orders: Mutex<Orders>,
    comes: Condvar,
    /// Calls those who stay with what they have made, one for each time.
    calls: OwnedFd,
}

#[derive(Default)]
struct Orders {
    wait: VecDeque<Order>,
    closed: bool,
    /// Threads that wait for an order.
    idle: usize,
    /// Threads that stay with what they have made.
    stay: usize,
    /// Those of them that were called, and have not heard it.
    called: usize,
}

/// Why something was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unmade {
    /// The threads are told to end.
    Closed,
    /// What was to make it panicked: what it said, and where.
    Panicked(Arc<str>),
}

/// What is to be done on one of them.
enum Order {
    /// What does not begin with a process, but needs one.
    Make(Box<dyn FnOnce() + Send>),
    Begin(Arc<Beginning>),
}

thread_local! {
    static IS_MAKER: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is one of them, and may stand still.
pub(crate) fn may_stand_still() -> bool {
    IS_MAKER.get()
}

impl Makers {
    /// So many threads, 1 or more, on which `runtime` is the one that is found.
    ///
    /// # Errors
    /// What the system said, which gave no thread.
    pub(crate) fn start(runtime: &Handle, threads: usize) -> Result<Self, IoError> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK | EventfdFlags::SEMAPHORE;
        let line = Line {
            orders: Mutex::default(),
            comes: Condvar::new(),
            calls: eventfd(0, flags)?,
        };
        let makers = Self {
            runtime: Arc::new(runtime.clone()),
            line: Arc::new(line),
        };
        for number in 0..threads {
            let line = Arc::clone(&makers.line);
            let runtime = runtime.clone();
            thread::Builder::new()
                .name(format!("twolane-make-{number}"))
                .stack_size(STACK)
                .spawn(move || serve(&line, &runtime))?;
        }
        Ok(makers)
    }

    /// What `make` makes, when its turn has come: at once where that is asked for on one of the threads.
    ///
    /// # Errors
    /// [`Unmade`]. Where it is made at once, a panic is that of who asks.
    pub(crate) async fn make<T: Send + 'static>(
        &self,
        make: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unmade> {
        if self.is_closed() {
            return Err(Unmade::Closed);
        }
        if may_stand_still() {
            return Ok(make());
        }
        let (made, comes) = oneshot::channel();
        let order = Order::Make(Box::new(move || {
            // Who no longer waits has no use for it.
            let _unwanted = made.send(catch(make));
        }));
        self.line.add(order);
        match comes.await {
            Ok(made) => made.map_err(Unmade::Panicked),
            Err(_dropped) => Err(Unmade::Closed),
        }
    }

    /// Begins `job` on one of the threads, up to where it waits, when its turn has come; it goes on in the
    /// runtime. With `haste` it is begun there.
    pub(crate) fn begin(&self, job: IoJob, haste: &Haste) {
        let beginning = Beginning::of(job, Arc::clone(&self.runtime));
        if haste.waits(&beginning) {
            self.line.add(Order::Begin(beginning));
        } else {
            beginning.go_on();
        }
    }

    /// Stays with what was made here until `end` is readable, as long as no order waits for this thread, and for
    /// `limit` at most; whether it is.
    pub(crate) fn stay(&self, end: impl AsFd, limit: Duration) -> bool {
        may_stand_still() && self.line.stay(&end, limit)
    }

    /// Begins and makes nothing any more, and drops what waits for that.
    pub(crate) fn close(&self) {
        self.line.close();
    }

    /// Whether it has been closed.
    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.line.orders).closed
    }
}

impl Drop for Makers {
    fn drop(&mut self) {
        self.close();
    }
}

impl Orders {
    /// Whether there is a thread for each that waits.
    fn are_taken(&self) -> bool {
        self.wait.len() <= self.idle
    }
}

impl Line {
    /// Takes an order, or drops it where nothing is made any more.
    fn add(&self, order: Order) {
        let mut orders = lock(&self.orders);
        if orders.closed {
            drop(orders);
            drop(order);
            return;
        }
        orders.wait.push_back(order);
        if !orders.are_taken() && orders.called < orders.stay {
            orders.called += 1;
            // It cannot be full.
            let _called = write(&self.calls, &1_u64.to_ne_bytes());
        }
        drop(orders);
        self.comes.notify_one();
    }

    /// The next order, when there is one; `None` where there will be none any more.
    fn next(&self) -> Option<Order> {
        let mut orders = lock(&self.orders);
        orders.idle += 1;
        let is_idle = |orders: &mut Orders| orders.wait.is_empty() && !orders.closed;
        let waited = self.comes.wait_while(orders, is_idle);
        let mut orders = waited.unwrap_or_else(PoisonError::into_inner);
        orders.idle -= 1;
        orders.wait.pop_front()
    }

    /// As [`Makers::stay`].
    fn stay(&self, end: &impl AsFd, limit: Duration) -> bool {
        let mut orders = lock(&self.orders);
        if !orders.are_taken() || orders.closed {
            return false;
        }
        orders.stay += 1;
        drop(orders);
        let mut watched = [
            PollFd::new(end, PollFlags::IN),
            PollFd::new(&self.calls, PollFlags::IN),
        ];
        let limit = Timespec::try_from(limit).ok();
        let _ready = poll(&mut watched, limit.as_ref());
        let has_ended = !watched[0].revents().is_empty();
        let mut orders = lock(&self.orders);
        orders.stay -= 1;
        // One call for each that leaves, or as many as there are: others that are called have theirs.
        if orders.called > 0 && read(&self.calls, &mut [0; 8]).is_ok() {
            orders.called -= 1;
        }
        has_ended
    }

    fn close(&self) {
        let mut orders = lock(&self.orders);
        orders.closed = true;
        // What they are dropped with may come back here.
        let dropped = mem::take(&mut orders.wait);
        drop(orders);
        self.comes.notify_all();
        drop(dropped);
    }
}

fn serve(line: &Line, runtime: &Handle) {
    IS_MAKER.set(true);
    take_short_turns();
    let _entered = runtime.enter();
    while let Some(order) = line.next() {
        // What is made and what is begun tell of their panics themselves.
        let _told = catch(|| match order {
            Order::Make(make) => make(),
            Order::Begin(beginning) => beginning.begin(),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn};
    use std::sync::mpsc;
    use std::task::Poll;
    use std::time::Duration;

    use tokio::runtime::{Builder, Runtime};

    use super::super::install_hook;
    use super::super::priority::slice_of;
    use super::*;
    use crate::process::{self, Manners, SHIM, StdinFrom, spawn};

    /// Far more than anything here takes.
    const LIMIT: Duration = Duration::from_secs(60);

    fn runtime() -> Runtime {
        install_hook();
        Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .unwrap()
    }

    fn thread() -> String {
        thread::current().name().unwrap_or_default().to_owned()
    }

    #[test]
    fn what_is_made_comes_and_a_panic_is_told() {
        let runtime = runtime();
        let makers = Makers::start(runtime.handle(), 2).unwrap();
        runtime.block_on(async {
            for _ in 0..1_000 {
                assert_eq!(makers.make(|| 7).await, Ok(7));
            }
            let nothing = makers.make(|| -> u8 { panic!("not this one") });
            let Err(Unmade::Panicked(why)) = nothing.await else {
                panic!("it is told");
            };
            assert!(why.starts_with("not this one"), "{why}");
            // The threads are there still, both of them.
            let both = tokio::join!(makers.make(thread), makers.make(thread));
            assert!(both.0.unwrap().starts_with("twolane-make-"));
            assert!(both.1.unwrap().starts_with("twolane-make-"));
            makers.close();
            assert_eq!(makers.make(|| 7).await, Err(Unmade::Closed));
        });
    }

    #[test]
    fn a_job_begins_here_and_goes_on_in_the_runtime() {
        let runtime = runtime();
        let makers = Arc::new(Makers::start(runtime.handle(), 2).unwrap());
        for _ in 0..1_000 {
            let (told, tells) = mpsc::channel();
            let theirs = Arc::clone(&makers);
            let job = async move {
                let made = theirs.make(thread).await;
                let mut is_first = true;
                poll_fn(|context| {
                    let waker = context.waker().clone();
                    told.send((thread(), made.clone().ok(), waker)).unwrap();
                    if mem::take(&mut is_first) {
                        Poll::Pending
                    } else {
                        Poll::Ready(())
                    }
                })
                .await;
            };
            makers.begin(Box::pin(job), &Haste::default());
            let (first, made, waker) = tells.recv_timeout(LIMIT).unwrap();
            assert!(first.starts_with("twolane-make-"), "{first}");
            // What it makes is made by itself there.
            assert_eq!(made, Some(first));
            waker.wake();
            let (second, ..) = tells.recv_timeout(LIMIT).unwrap();
            assert!(!second.starts_with("twolane-make-"), "{second}");
        }
    }

    #[test]
    fn who_wakes_it_while_it_begins_is_heard() {
        let runtime = runtime();
        let makers = Makers::start(runtime.handle(), 1).unwrap();
        let (told, tells) = mpsc::channel();
        let mut polls = 0;
        let job = poll_fn(move |context| {
            polls += 1;
            context.waker().wake_by_ref();
            told.send(polls).unwrap();
            if polls == 2 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        });
        makers.begin(Box::pin(job), &Haste::default());
        assert_eq!(tells.recv_timeout(LIMIT), Ok(1));
        assert_eq!(tells.recv_timeout(LIMIT), Ok(2));
    }

    #[test]
    fn who_is_in_haste_waits_for_no_turn() {
        let runtime = runtime();
        let makers = Makers::start(runtime.handle(), 1).unwrap();
        let (opens, closed) = mpsc::channel::<()>();
        let (told, tells) = mpsc::channel();
        let stands = async move {
            let _opened = closed.recv_timeout(LIMIT);
        };
        makers.begin(Box::pin(stands), &Haste::default());
        let tell = || {
            let told = told.clone();
            async move { told.send(thread()).unwrap() }
        };
        let (before, after) = (Haste::default(), Haste::default());
        before.make();
        makers.begin(Box::pin(tell()), &before);
        makers.begin(Box::pin(tell()), &after);
        after.make();
        for _ in 0..2 {
            let thread = tells.recv_timeout(LIMIT).unwrap();
            assert!(!thread.starts_with("twolane-make-"), "{thread}");
        }
        drop(opens);
    }

    #[test]
    fn what_is_made_has_the_turns_of_any_program() {
        let runtime = runtime();
        let makers = Makers::start(runtime.handle(), 1).unwrap();
        let make = || {
            let order = process::Order {
                program: "/bin/cat".into(),
                words: vec!["cat".into()],
                environment: Vec::new(),
                directory: "/".into(),
                stdin: StdinFrom::Pipe,
                stdout: None,
                helper: SHIM.into(),
                manners: Manners::default(),
                group: None,
            };
            let child = spawn(order).unwrap();
            let slices = [0, child.pid().as_raw_nonzero().get()].map(slice_of);
            child.end_at_once();
            slices
        };
        let [ours, theirs] = runtime.block_on(makers.make(make)).unwrap();
        assert!(ours < theirs || ours == 0, "{ours} ns, and {theirs} ns");
    }

    /// A maker that stays with what it has made: its thread is found busy for so long.
    fn staying(makers: &Arc<Makers>, end: OwnedFd, limit: Duration) -> mpsc::Receiver<bool> {
        let (told, tells) = mpsc::channel();
        let theirs = Arc::clone(makers);
        let stays = async move { told.send(theirs.stay(&end, limit)).unwrap() };
        makers.begin(Box::pin(stays), &Haste::default());
        tells
    }

    fn pipe() -> (OwnedFd, OwnedFd) {
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap()
    }

    #[test]
    fn a_maker_stays_with_what_it_has_made_until_it_ends_or_an_order_comes() {
        let runtime = runtime();
        let makers = Arc::new(Makers::start(runtime.handle(), 1).unwrap());
        for _ in 0..100 {
            let (end, writes) = pipe();
            let stays = staying(&makers, end, LIMIT);
            drop(writes);
            assert_eq!(stays.recv_timeout(LIMIT), Ok(true));
            // An order that comes is not kept waiting, and neither is one that has come.
            let (ends, writes): (Vec<_>, Vec<_>) = (0..2).map(|_| pipe()).unzip();
            let stay: Vec<_> = ends
                .into_iter()
                .map(|end| staying(&makers, end, 2 * LIMIT))
                .collect();
            assert_eq!(stay[0].recv_timeout(LIMIT), Ok(false));
            let thread = runtime.block_on(makers.make(thread)).unwrap();
            assert!(thread.starts_with("twolane-make-"), "{thread}");
            assert_eq!(stay[1].recv_timeout(LIMIT), Ok(false));
            drop(writes);
        }
        let (end, _writes) = pipe();
        let stays = staying(&makers, end, Duration::from_millis(1));
        assert_eq!(stays.recv_timeout(LIMIT), Ok(false));
        // Nobody else stands still.
        let (end, _) = pipe();
        assert!(!makers.stay(&end, LIMIT));
    }

    #[test]
    fn what_waits_is_dropped_when_it_is_closed() {
        let runtime = runtime();
        let makers = Makers::start(runtime.handle(), 1).unwrap();
        let (opens, closed) = mpsc::channel::<()>();
        let (began, begun) = mpsc::channel();
        let (kept, dropped) = mpsc::channel::<()>();
        let theirs = kept.clone();
        let stands = async move {
            began.send(()).unwrap();
            let _opened = closed.recv_timeout(LIMIT);
            pending::<()>().await;
            drop(theirs);
        };
        makers.begin(Box::pin(stands), &Haste::default());
        begun.recv_timeout(LIMIT).unwrap();
        let waits = async move { drop(kept) };
        makers.begin(Box::pin(waits), &Haste::default());
        makers.close();
        drop(opens);
        // Both are gone: the one that waited for its turn, and the one whose waker nobody has.
        assert_eq!(
            dropped.recv_timeout(LIMIT),
            Err(mpsc::RecvTimeoutError::Disconnected)
        );
    }
}
