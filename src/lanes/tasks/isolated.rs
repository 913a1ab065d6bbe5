//! A task in a process of its own, seen from outside: the process is watched over like that of a command,
//! and what it tells over a socket is taken as if the task had said it here. So a kill is certain, and
//! what brings the process down harms nobody else.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as Socket;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::select;
use tokio::sync::mpsc;

use super::super::context::Context;
use super::super::inbox::Sent as Waiting;
use super::super::isolated::{Order, Said, Sent, TASK_WORD, line};
use super::super::place::Place;
use super::command::{Ran, Run, supervise};
use super::{Done, TaskError, TaskResult};
use crate::engine::command::{Invocation, Stdin, Step, Surroundings};
use crate::engine::outcome::{Failure, Outcome};
use crate::inbox::Refused;
use crate::process::{Ending, SHIM, is_entered};

/// The longest line that a process may tell: more than any result that people look at, and little enough
/// that a task gone mad does not take the daemon's memory.
const LINE_BYTES: usize = 64 << 20;

/// What is taken at once; and what may wait to be written, beyond which nothing sent is taken up.
const CHUNK_BYTES: usize = 64 << 10;

/// How long the rest of what a process has told is waited for when it has ended.
const REST: Duration = Duration::from_secs(1);

/// How an attempt ended, by the word of its process.
struct End {
    outcome: Outcome,
    late: Option<Duration>,
}

/// Carries out the task of a place in a process of its own.
pub(super) async fn run(context: &Context, args: Option<&Value>, place: &Arc<Place>) -> TaskResult {
    let helper = &place.world.helper;
    if helper == Path::new(SHIM) && !is_entered() {
        return Err(TaskError::failed(
            "`isolate` starts this program once more, and it is not made for that: let its `main` be \
             that of `twolane::App`, or leave `isolate` out",
        ));
    }
    let made = Socket::pair().and_then(|(ours, theirs)| {
        ours.set_nonblocking(true)?;
        Ok((UnixStream::from_std(ours)?, theirs))
    });
    let (ours, theirs) = made.map_err(|error| {
        TaskError::NoRoom(place.no_room(format!("cannot make a socket for its process: {error}")))
    })?;
    let step = step(helper);
    let what = Run {
        step: &step,
        lane: place.job.lane,
        stdin: &Stdin::Nothing,
        pty: false,
        args: None,
        number: 0,
        pipe_in: Some(File::from(OwnedFd::from(theirs))),
        pipe_out: None,
        keep: 0,
        begins: true,
    };
    let mut talk = pin!(talk(context, ours, order(place, args), place));
    let mut told = None;
    let ran = {
        let mut ran = pin!(supervise(context, place, what));
        loop {
            select! {
                end = &mut talk, if told.is_none() => told = Some(end),
                ran = &mut ran => break ran?,
            }
        }
    };
    let told = match told {
        Some(told) => told,
        // All that had the other end is gone, so this is what it had told before.
        None => select! {
            end = &mut talk => end,
            () = place.world.timers.sleep(REST) => Ok(None),
        },
    };
    match told? {
        Some(end) => ended(end),
        None => Err(crashed(&ran)),
    }
}

/// The attempt without what is run around it, which is not the process's business.
fn order(place: &Place, args: Option<&Value>) -> Vec<u8> {
    let mut job = (*place.job).clone();
    job.isolate = false;
    job.setup = None;
    job.teardown = None;
    line(&Order {
        run: place.attempt.run.0,
        epoch: place.attempt.epoch,
        job: Arc::new(job),
        args: args.cloned().map(Arc::new),
    })
}

/// This program, in the surroundings that it has.
fn step(helper: &Path) -> Step {
    let words = [&*helper.to_string_lossy(), TASK_WORD].map(Arc::from);
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    Step {
        run: Invocation::Exec(words.into()),
        surroundings: Arc::new(Surroundings {
            directory: std::env::current_dir().unwrap_or_else(|_| "/".into()),
            pass_env: names.map(Arc::from).collect(),
            ..Surroundings::default()
        }),
    }
}

/// What the process's word means here.
fn ended(End { outcome, late }: End) -> TaskResult {
    match outcome {
        Outcome::Succeeded(value) => Ok(Done {
            value: Arc::unwrap_or_clone(value),
            late,
        }),
        Outcome::Stopped => Err(TaskError::Stopped),
        Outcome::Failed(failure) => Err(TaskError::Ended(failure)),
        Outcome::NoRoom(why) => Err(TaskError::Failed(why)),
    }
}

/// What it means that a process ended without a word of how the attempt did.
fn crashed(ran: &Ran) -> TaskError {
    if ran.was_asked() {
        return TaskError::Stopped;
    }
    if let Some(error) = ran.out_of_memory() {
        return error;
    }
    let how = match ran.ending {
        Ending::Exit(code) => Failure::Exit(code).to_string(),
        Ending::Signal(signal) => format!("was {}", Failure::Signal(signal)),
    };
    TaskError::failed(match ran.words() {
        Some(words) => format!("the process of the task {how}: {words}"),
        None => format!("the process of the task {how}"),
    })
}

/// Tells the process what to do, passes on what is sent to it, and takes what it says; until it says how
/// the attempt ended, or has nothing more to say.
async fn talk(
    context: &Context,
    socket: UnixStream,
    order: Vec<u8>,
    place: &Place,
) -> Result<Option<End>, TaskError> {
    let mut inbox = place.open_inbox();
    let mut talk = Talk {
        context,
        output: order,
        input: Vec::new(),
        looked: 0,
        waiting: BTreeMap::new(),
        number: 0,
    };
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let wanted = if talk.output.is_empty() {
            Interest::READABLE
        } else {
            Interest::READABLE | Interest::WRITABLE
        };
        let ready = select! {
            ready = socket.ready(wanted) => ready,
            sent = next(&mut inbox), if inbox.is_some() && talk.output.len() < CHUNK_BYTES => {
                match sent {
                    Some(sent) => talk.pass_on(sent),
                    None => inbox = None,
                }
                continue;
            }
        };
        // Where the lanes go down, or the process is gone, there is no more to hear.
        let Ok(ready) = ready else { return Ok(None) };
        if ready.is_readable() {
            match socket.try_read(&mut chunk) {
                Ok(n @ 1..) => {
                    talk.input.extend_from_slice(&chunk[..n]);
                    if let Some(end) = talk.take()? {
                        return Ok(Some(end));
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Ok(0) | Err(_) => return Ok(None),
            }
        }
        if ready.is_writable() {
            match socket.try_write(&talk.output) {
                Ok(written) => drop(talk.output.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // What it has said before can still be read.
                Err(_) => talk.output.clear(),
            }
        }
    }
}

async fn next(inbox: &mut Option<mpsc::Receiver<Waiting>>) -> Option<Waiting> {
    inbox.as_mut()?.recv().await
}

/// What goes to and fro.
struct Talk<'a> {
    context: &'a Context,
    output: Vec<u8>,
    input: Vec<u8>,
    /// Bytes of the input in which no line ends.
    looked: usize,
    /// What was passed on and is not answered.
    waiting: BTreeMap<u64, Waiting>,
    number: u64,
}

impl Talk<'_> {
    fn pass_on(&mut self, mut sent: Waiting) {
        self.number += 1;
        let number = self.number;
        let value = sent.value.take();
        self.output.extend(line(&Sent { number, value }));
        self.waiting.insert(number, sent);
    }

    /// Takes the lines that have come; the end, if that was among them.
    fn take(&mut self) -> Result<Option<End>, TaskError> {
        while let Some(at) = self.input[self.looked..].iter().position(|b| *b == b'\n') {
            let rest = self.input.split_off(self.looked + at + 1);
            let said = std::mem::replace(&mut self.input, rest);
            self.looked = 0;
            let said = serde_json::from_slice(&said).map_err(|error| {
                TaskError::failed(format!("what its process told cannot be read: {error}"))
            })?;
            match said {
                Said::Progress { fraction, message } => {
                    self.context
                        .progress(fraction, message.as_deref().unwrap_or_default());
                }
                Said::Answered { number, told } => {
                    if let Some(sent) = self.waiting.remove(&number) {
                        sent.answer(told.result());
                    }
                }
                Said::Ended { outcome, late } => return Ok(Some(End { outcome, late })),
            }
        }
        self.looked = self.input.len();
        if self.looked > LINE_BYTES {
            return Err(TaskError::failed(format!(
                "its process told more than {} MiB at once, which is the bound of a result",
                LINE_BYTES >> 20
            )));
        }
        Ok(None)
    }
}

impl Drop for Talk<'_> {
    fn drop(&mut self) {
        for sent in std::mem::take(&mut self.waiting).into_values() {
            sent.answer(Err(Refused::Ended));
        }
    }
}
