//! Keeps panics inside the task that they come from: catches them with any payload, and says where
//! they happened. A task's panic is told once, as its failure, and not on standard error too.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::pin::Pin;
use std::sync::{Arc, Mutex, Once};
use std::task::{Context as TaskContext, Poll};
use std::thread::panicking;

use super::lock;

/// Runs `work`; what it panicked with is its error, as text with the place where it is known.
pub(crate) fn catch<T>(work: impl FnOnce() -> T) -> Result<T, Arc<str>> {
    let outer = enter();
    let result = catch_unwind(AssertUnwindSafe(work));
    leave(outer);
    result.map_err(|payload| {
        let message = describe(payload.as_ref());
        discard(payload);
        message
    })
}

/// A future whose panics, also those of its drop, are its error. It is dropped as soon as it ends.
pub(crate) struct CatchPanic<'a, T> {
    inner: Option<Pin<Box<dyn Future<Output = T> + Send + 'a>>>,
}

impl<'a, T> CatchPanic<'a, T> {
    pub(crate) fn new(future: impl Future<Output = T> + Send + 'a) -> Self {
        Self {
            inner: Some(Box::pin(future)),
        }
    }
}

impl<T> Future for CatchPanic<'_, T> {
    type Output = Result<T, Arc<str>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let Some(inner) = self.inner.as_mut() else {
            return Poll::Pending;
        };
        let polled = match catch(|| inner.as_mut().poll(context)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(value)) => Ok(value),
            Err(panic) => Err(panic),
        };
        let inner = self.inner.take();
        // The work was done before; a panic in cleaning up after it is still the task's failure.
        let dropped = catch(|| drop(inner));
        Poll::Ready(polled.and_then(|value| dropped.map(|()| value)))
    }
}

impl<T> Drop for CatchPanic<'_, T> {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take() {
            // Nobody is left to hear of a panic in here.
            let _unheard = catch(|| drop(inner));
        }
    }
}

/// Makes panics inside tasks silent and their places known; all other panics go to the hook that
/// was there before. Done once in a process.
pub(crate) fn install_hook() {
    static ONCE: Once = Once::new();
    if panicking() {
        // The system's hooks cannot be changed on a thread that panics: left for the next lanes.
        return;
    }
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            // A panic while the thread's own data is being destroyed finds no mark: not a task's.
            let task = IN_TASK.try_with(Cell::get).unwrap_or(false);
            let lane = LANE_THREAD.try_with(Cell::get).unwrap_or(false);
            match (task, lane) {
                (true, _) => remember(info),
                (false, true) => remember_for_others(info),
                (false, false) => before(info),
            }
        }));
    });
}

/// Marks the calling thread as one that runs nothing but tasks and parts of tasks.
pub(crate) fn mark_lane_thread() {
    LANE_THREAD.set(true);
}

thread_local! {
    static IN_TASK: Cell<bool> = const { Cell::new(false) };
    static LANE_THREAD: Cell<bool> = const { Cell::new(false) };
    /// The last panic of the task that runs on this thread.
    static LAST: RefCell<Option<Panic>> = const { RefCell::new(None) };
}

/// Panics in parts of a task that another thread of the pool has taken over (`par_iter`). They come
/// back to the task without their place, which is found here by the message.
static ELSEWHERE: Mutex<VecDeque<Panic>> = Mutex::new(VecDeque::new());

/// Places that are kept for a task to find: more than there are threads that can panic at once.
const ELSEWHERE_BOUND: usize = 64;

struct Panic {
    message: String,
    place: String,
}

fn remember(info: &PanicHookInfo<'_>) {
    LAST.with_borrow_mut(|last| *last = Some(Panic::of(info)));
}

fn remember_for_others(info: &PanicHookInfo<'_>) {
    let mut elsewhere = lock(&ELSEWHERE);
    if elsewhere.len() == ELSEWHERE_BOUND {
        elsewhere.pop_front();
    }
    elsewhere.push_back(Panic::of(info));
}

impl Panic {
    fn of(info: &PanicHookInfo<'_>) -> Self {
        Self {
            message: text(info.payload()).to_owned(),
            place: info
                .location()
                .map_or_else(String::new, ToString::to_string),
        }
    }
}

/// Marks the thread as running a task; returns whether it was one already.
fn enter() -> bool {
    IN_TASK.replace(true)
}

fn leave(outer: bool) {
    IN_TASK.set(outer);
}

/// The message with its place.
fn describe(payload: &(dyn Any + Send + 'static)) -> Arc<str> {
    let message = text(payload);
    let place = LAST
        .take()
        .filter(|last| last.message == message)
        .map(|last| last.place)
        .or_else(|| {
            let mut elsewhere = lock(&ELSEWHERE);
            let at = elsewhere.iter().rposition(|p| p.message == message)?;
            elsewhere.remove(at).map(|panic| panic.place)
        });
    match place {
        Some(place) if !place.is_empty() => format!("{message} ({place})").into(),
        Some(_) | None => message.into(),
    }
}

/// What people are told of a payload.
fn text<'a>(payload: &'a (dyn Any + Send + 'static)) -> &'a str {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "a panic without a text"
    }
}

/// Drops a payload whose own drop may panic, with a payload whose drop may panic, and so on: the
/// second one is leaked rather than trusted.
fn discard(payload: Box<dyn Any + Send>) {
    let outer = enter();
    if let Err(next) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(next);
    }
    LAST.take();
    leave(outer);
}
