//! The making of a command's process, on a thread that may stand still meanwhile, up to where the runtime
//! watches over it.

use std::io::{Error as IoError, ErrorKind};
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::select;

use super::super::super::context::Context;
use super::super::super::makers::{Makers, Unmade};
use super::super::super::place::Place;
use super::super::TaskError;
use super::Run;
use super::order::Draft;
use crate::engine::command::Stdin;
use crate::engine::outcome::Failure;
use crate::engine::spec::Lane;
use crate::process::{Child, Order, Reader, SpawnError, Writer, spawn, watch};

/// A child process and the descriptors by which the runtime hears of it.
pub(super) struct Wired {
    pub(super) child: Child,
    /// Becomes readable when it has ended; none of one that has.
    pub(super) end: Option<AsyncFd<OwnedFd>>,
    pub(super) stdin: Option<Writer>,
    pub(super) out: Option<Reader>,
    pub(super) err: Option<Reader>,
}

/// Makes the process. Whoever is asked to stop before its turn has come does not wait for that; one whose
/// process is being made is not let go before there is one that can be ended, or none.
pub(super) async fn begin(
    context: &Context,
    place: &Arc<Place>,
    what: &mut Run<'_>,
) -> Result<Wired, TaskError> {
    let draft = Draft::of(place, what)?;
    let (begins, at) = (what.begins, Arc::clone(place));
    let makers = may_stay_with(what).then(|| Arc::clone(&place.world.makers));
    let order = move || {
        if begins {
            at.begin();
        }
        draft.order()
    };
    let made = match what.lane {
        Lane::Io => {
            let claim = Claim::default();
            let theirs = claim.clone();
            let make = move || {
                let order = order()?;
                let is_mine = theirs.take();
                is_mine
                    .then(|| make(order, makers.as_deref()))
                    .ok_or(TaskError::Stopped)
            };
            let mut making = pin!(place.world.makers.make(make));
            let made = select! {
                made = &mut making => made,
                () = context.cancelled() => {
                    if claim.take() {
                        return Err(TaskError::Stopped);
                    }
                    making.await
                }
            };
            made.map_err(|unmade| match unmade {
                Unmade::Closed => TaskError::Stopped,
                Unmade::Panicked(why) => TaskError::Ended(Failure::Panic(why)),
            })??
        }
        // Made on the lane's own thread, a child has its weight.
        Lane::Cpu => make(order()?, None),
    };
    made.map_err(|error| failed(error, place))
}

/// How long whoever has made a process stays with it. Most of those that are run often are over by then, and
/// whoever wants to stop one hardly waits.
const STAY: Duration = Duration::from_millis(5);

/// Whether there is nothing else to do while it runs.
fn may_stay_with(what: &Run<'_>) -> bool {
    let is_fed = matches!(what.stdin, Stdin::Text(_) | Stdin::Open);
    let is_piped = what.pipe_in.is_some() || what.pipe_out.is_some();
    what.begins && !is_fed && !is_piped && !what.pty
}

/// Makes a process; where it was made by `makers` stays with it for a moment.
fn make(order: Order, makers: Option<&Makers>) -> Result<Wired, SpawnError> {
    let mut child = spawn(order)?;
    let stayed = makers.zip(child.pidfd.as_ref());
    let wired = match stayed.is_some_and(|(makers, end)| makers.stay(end, STAY)) {
        true => unwatched(&mut child),
        false => wire(&mut child),
    };
    match wired {
        Ok((end, [out, err], stdin)) => Ok(Wired {
            child,
            end,
            stdin,
            out,
            err,
        }),
        Err(error) => {
            child.end_at_once();
            Err(SpawnError::Watch(error))
        }
    }
}

type Ends = (
    Option<AsyncFd<OwnedFd>>,
    [Option<Reader>; 2],
    Option<Writer>,
);

/// What is left of a child that has ended.
fn unwatched(child: &mut Child) -> Result<Ends, IoError> {
    let reader = |end| Option::map(end, Reader::of_ended).transpose();
    let readers = [reader(child.stdout.take())?, reader(child.stderr.take())?];
    Ok((None, readers, None))
}

fn wire(child: &mut Child) -> Result<Ends, IoError> {
    let none = || IoError::new(ErrorKind::NotFound, "no descriptor");
    let end = watch(child.pidfd.take().ok_or_else(none)?, Interest::READABLE)?;
    let reader = |end| Option::map(end, Reader::new).transpose();
    let readers = [reader(child.stdout.take())?, reader(child.stderr.take())?];
    let stdin = child.stdin.take().map(Writer::new).transpose()?;
    Ok((Some(end), readers, stdin))
}

fn failed(error: SpawnError, place: &Place) -> TaskError {
    match error {
        SpawnError::Scarce(_) => TaskError::NoRoom(place.no_room(error.to_string())),
        // The lanes go down, and with them what was to watch over it.
        SpawnError::Watch(_) if place.world.makers.is_closed() => TaskError::Stopped,
        SpawnError::Directory { .. } | SpawnError::Program { .. } | SpawnError::Watch(_) => {
            TaskError::failed(error.to_string())
        }
    }
}

/// What either who makes a process has, or who has given it up.
#[derive(Clone, Debug, Default)]
struct Claim(Arc<AtomicBool>);

impl Claim {
    /// Takes it; whether nobody had.
    fn take(&self) -> bool {
        !self.0.swap(true, Ordering::SeqCst)
    }
}
