//! The tasks `exec` and `shell`, and what is run before and after a task: a child process that is watched
//! over, so that nothing of it escapes and its end is told as it was.

pub(crate) mod environment;
mod feed;
mod making;
mod order;
mod output;
mod pipeline;

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::io::unix::AsyncFd;
use tokio::select;

use super::super::context::Context;
use super::super::lock;
use super::super::place::Place;
use super::{Done, TaskError, TaskResult};
use crate::engine::command::{RESULT_BYTES, ResultOf, Stdin, Step};
use crate::engine::outcome::Failure;
use crate::engine::placing::SHORT;
use crate::engine::spec::Lane;
use crate::inbox::OutStream;
use crate::process::{Child, Ending, SHIM_FAILED, Starved, Tree, Usage};

use making::begin;
use output::Said;

pub(super) use pipeline::run;

/// How long what a command has left behind gets to end when it is asked to.
const LEFT_GRACE: Duration = Duration::from_secs(1);

/// Between two looks at what is left. No descriptor tells of processes that are not one's own children.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How long the rest of the output is waited for when everything has ended that could write it.
const DRAIN: Duration = Duration::from_secs(1);

/// One thing to run, with what belongs to it.
pub(super) struct Run<'a> {
    pub(super) step: &'a Step,
    pub(super) lane: Lane,
    pub(super) stdin: &'a Stdin,
    pub(super) pty: bool,
    pub(super) args: Option<&'a Value>,
    /// Its place among those of the same run that run at the same time.
    pub(super) number: usize,
    /// With its making the attempt begins, if it has not.
    pub(super) begins: bool,
    /// What it reads, instead of what `stdin` says.
    pub(super) pipe_in: Option<File>,
    /// Where it writes, instead of to the run's log.
    pub(super) pipe_out: Option<File>,
    /// How many bytes of its standard output are kept for its result.
    pub(super) keep: usize,
}

/// How something that was run came to its end.
pub(super) struct Ran {
    pub(super) ending: Ending,
    /// The kernel had ended processes of it for want of memory; looked at where it did not end well.
    starved: Option<Starved>,
    /// It had been asked to stop before it ended.
    was_asked: bool,
    /// The last line of its errors.
    last_words: String,
    /// What it wrote to its standard output, as far as it was to be kept.
    out: Said,
}

/// The most of a command's last words that is told as the reason of its failure, in characters.
const WORDS: usize = 200;

impl Ran {
    /// Whether it had been asked to stop before it ended.
    pub(super) const fn was_asked(&self) -> bool {
        self.was_asked
    }

    /// That it ran out of memory, where that is known.
    pub(super) fn out_of_memory(&self) -> Option<TaskError> {
        let Starved { at_own_bound: own } = self.starved?;
        Some(TaskError::Ended(Failure::OutOfMemory { own }))
    }

    /// The last line of its errors, if there is one.
    pub(super) fn words(&self) -> Option<Arc<str>> {
        let words = self.last_words.as_str();
        let end = words.char_indices().nth(WORDS).map(|(at, _)| at);
        let told = match end {
            Some(end) => format!("{}…", &words[..end]).into(),
            None => words.into(),
        };
        (!words.is_empty()).then_some(told)
    }
}

/// What the end of a command means.
pub(super) fn judge(ran: &Ran, success: &[i32]) -> TaskResult {
    if ran.was_asked {
        return Err(TaskError::Stopped);
    }
    let failed = |failure| Err(ran.out_of_memory().unwrap_or(TaskError::Ended(failure)));
    match ran.ending {
        Ending::Exit(code) if success.contains(&code) || (success.is_empty() && code == 0) => {
            Ok(Done::with(json!({ "exit": code })))
        }
        Ending::Exit(code)
            if code == i32::from(SHIM_FAILED) && ran.last_words.starts_with("twolane: cannot ") =>
        {
            Err(TaskError::failed(&ran.last_words["twolane: ".len()..]))
        }
        // Whatever was left of it made of that.
        Ending::Exit(code) => failed(Failure::Exit(code)),
        Ending::Signal(signal) => failed(Failure::Signal(signal)),
    }
}

/// What the run of a command that has done its work has as its result.
pub(super) fn result(done: Done, ran: &Ran, of: ResultOf) -> TaskResult {
    if of == ResultOf::Exit {
        return Ok(done);
    }
    let failed = |what: &str| {
        Err(TaskError::failed(format!(
            "its output is no result: {what}"
        )))
    };
    if ran.out.is_longer {
        return failed(&format!("it has more than {RESULT_BYTES} bytes"));
    }
    let Ok(text) = str::from_utf8(&ran.out.kept) else {
        return failed("it is no text in UTF-8");
    };
    if of == ResultOf::Json {
        return match serde_json::from_str(text) {
            Ok(value) => Ok(Done::with(value)),
            Err(error) => failed(&format!("it is no JSON: {error}")),
        };
    }
    let line = text.strip_suffix('\n').unwrap_or(text);
    Ok(Done::with(line.strip_suffix('\r').unwrap_or(line).into()))
}

/// Runs something and watches over it until nothing of it is left.
pub(super) async fn supervise(
    context: &Context,
    place: &Arc<Place>,
    mut what: Run<'_>,
) -> Result<Ran, TaskError> {
    let wired = begin(context, place, &mut what).await?;
    let (mut child, end) = (wired.child, wired.end);
    let mark = order::mark(place, what.number);
    let tree = Tree::of(child.pid(), mark).within(child.group.take());
    let mut guard = Guard(Some(tree));
    let is_over = AtomicBool::new(false);
    let pump = |reader, stream, keep| output::pump(reader, &is_over, stream, place, keep);
    let mut out = pin!(pump(wired.out, OutStream::Out, what.keep));
    let mut err = pin!(pump(wired.err, OutStream::Err, 0));
    let mut feed = pin!(feed::feed(wired.stdin, what.stdin, what.pty, place));
    let (mut said, mut fed, mut last_words) = (None, false, None);
    let mut stage = Stage::Runs;
    let mut timer = pin!(place.world.timers.sleep(Duration::ZERO));
    loop {
        select! {
            biased;
            ended = ended_by(end.as_ref()) => match ended {
                Ok(()) => break,
                // The lanes go down; what is left is ended as this is dropped.
                Err(_) => return Err(TaskError::Stopped),
            },
            () = context.cancelled(), if stage == Stage::Runs => {
                stage = Stage::Asked;
                guard.ask_to_end(place).await;
                timer.set(place.world.timers.sleep(place.job.grace));
            }
            () = &mut timer, if stage != Stage::Runs => {
                stage = Stage::Killed;
                guard.signal_all(place, Signal::KILL).await;
                timer.set(place.world.timers.sleep(LEFT_GRACE));
            }
            all = &mut out, if said.is_none() => said = Some(all),
            words = &mut err, if last_words.is_none() => last_words = Some(words),
            () = &mut feed, if !fed => fed = true,
        }
    }
    // The kernel may tell of it once more when somebody takes note of it.
    drop(end);
    // Before its end is taken note of: until then its number, by which the rest is found, is nobody else's.
    end_what_is_left(&guard, place).await;
    let ended = ended(&mut child, place).await;
    let ending = ended.as_ref().ok().map(|(ending, _)| *ending);
    let starved = look_back(guard.tree(), ending);
    guard.disarm(place);
    let (ending, usage) = ended?;
    lock(&place.used).add(usage);
    // Nothing of it is left that could write, so what is in the pipes is all.
    is_over.store(true, Ordering::SeqCst);
    timer.set(place.world.timers.sleep(DRAIN));
    let rest = async {
        let said = match said {
            Some(said) => said,
            None => out.await,
        };
        match last_words {
            Some(errors) => (said, errors),
            None => (said, err.await),
        }
    };
    let (out, errors) = select! {
        biased;
        all = rest => all,
        () = &mut timer => <(Said, Said)>::default(),
    };
    Ok(Ran {
        ending,
        starved,
        was_asked: stage != Stage::Runs,
        last_words: errors.last_words,
        out,
    })
}

/// What became of something that has ended for want of memory, as far as that may be why it did. Where it was
/// killed, its whole control group may have been.
fn look_back(tree: &Tree, ending: Option<Ending>) -> Option<Starved> {
    if ending == Some(Ending::Signal(Signal::KILL.as_raw())) {
        tree.spoil_group();
    }
    let ended_well = ending == Some(Ending::Exit(0));
    (!ended_well).then(|| tree.starved()).flatten()
}

/// Has come when a process has ended, of which this descriptor tells; at once without one.
async fn ended_by(end: Option<&AsyncFd<OwnedFd>>) -> io::Result<()> {
    match end {
        Some(end) => end.readable().await.map(drop),
        None => Ok(()),
    }
}

/// How far a command is on its way out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Runs,
    /// It was asked to end.
    Asked,
    /// It was not asked any more.
    Killed,
}

/// How a process ended that has. Whoever traces it is told first: that is waited for.
async fn ended(child: &mut Child, place: &Place) -> Result<(Ending, Usage), TaskError> {
    let begun = place.begun().map(|begun| begun.mono);
    let lived = begun.map(|begun| place.world.clock.now().mono.since(begun));
    // What is over sooner is judged by nobody, whatever held it up.
    let with_delay = lived.is_none_or(|lived| lived >= SHORT);
    loop {
        match child.take_end(with_delay) {
            Ok(Some(end)) => return Ok(end),
            Ok(None) => place.world.timers.sleep(LOOK_AGAIN).await,
            Err(error) => {
                let why = format!("how it ended was told to somebody else: {error}");
                return Err(TaskError::failed(why));
            }
        }
    }
}

/// Ends what a command has left behind: first as it is asked to, then by force, until nothing is left.
async fn end_what_is_left(guard: &Guard, place: &Arc<Place>) {
    if guard.left(place).await == 0 {
        return;
    }
    let left = guard.signal_all(place, Signal::TERM).await;
    if left > 0 {
        tracing::info!(
            target: "twolane::lanes",
            run = place.attempt.run.0,
            job = &*place.job.name,
            processes = left,
            "the command has ended and left processes behind: they are ended too"
        );
    }
    let mut waited = Duration::ZERO;
    while guard.left(place).await > 0 {
        // Where the lanes go down nothing is looked at any more, so this ends.
        place.world.timers.sleep(LOOK_AGAIN).await;
        waited += LOOK_AGAIN;
        if waited >= LEFT_GRACE {
            guard.signal_all(place, Signal::KILL).await;
        }
    }
}

/// Ends a command whose task is dropped.
struct Guard(Option<Tree>);

impl Guard {
    fn tree(&self) -> &Tree {
        // There is one until the guard itself is gone.
        self.0.as_ref().expect("a guard has its tree")
    }

    /// Asks its group to end, having looked, on a thread that may wait, for what has left that.
    async fn ask_to_end(&mut self, place: &Arc<Place>) {
        if !self.tree().has_group() {
            let tree = self.tree().clone();
            let looked = place.world.runtime.spawn_blocking(|| tree.with_strays());
            // Where the lanes go down there is no time for that.
            if let Ok(tree) = looked.await {
                self.0 = Some(tree);
            }
        }
        self.tree().signal_group(Signal::TERM);
        // A process that was halted hears nothing.
        self.tree().signal_group(Signal::CONT);
    }

    /// How much is left of it. Looks closer, on a thread that may wait, only if there is something.
    async fn left(&self, place: &Arc<Place>) -> usize {
        if !self.tree().may_have_left() {
            return 0;
        }
        let tree = self.tree().clone();
        let left = place.world.runtime.spawn_blocking(move || tree.left());
        left.await.unwrap_or(0)
    }

    /// Signals all of it, on a thread that may wait for the file system.
    async fn signal_all(&self, place: &Arc<Place>, signal: Signal) -> usize {
        let tree = self.tree().clone();
        let counted = place
            .world
            .runtime
            .spawn_blocking(move || tree.signal_all(signal));
        // Where the lanes go down, the group is all that there is time for; see the guard's drop.
        counted.await.unwrap_or(0)
    }

    fn disarm(mut self, place: &Place) {
        if let Some(tree) = self.0.take().filter(Tree::has_group) {
            drop(place.world.runtime.spawn_blocking(move || drop(tree)));
        }
    }
}

impl Drop for Guard {
    /// The lanes go down. Where there is no control group to go with this, whoever left the process group is
    /// found by the mark, once for all commands, when the lanes have gone.
    fn drop(&mut self) {
        if let Some(tree) = &self.0 {
            tree.signal_group(Signal::KILL);
        }
    }
}
