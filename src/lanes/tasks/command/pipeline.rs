//! The command of a job with those that it reads from: all at once, each with its output in the next one's
//! input. The pipes are the kernel's, so they are bounded, and who reads slowly slows down who writes.

use std::fs::File;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use rustix::pipe::{PipeFlags, pipe_with};
use serde_json::Value;

use super::super::super::context::Context;
use super::super::super::place::Place;
use super::super::{TaskError, TaskResult};
use super::{Ran, Run, judge, result, supervise};
use crate::engine::command::{CommandSpec, RESULT_BYTES, ResultOf, Stdin};
use crate::engine::outcome::Failure;

/// What the commands end with, in the order in which they stand.
type Ends<'a> = Pin<Box<dyn Future<Output = Vec<Result<Ran, TaskError>>> + Send + 'a>>;

/// The task.
pub(in super::super) async fn run(
    context: &Context,
    place: &Arc<Place>,
    command: &CommandSpec,
    args: Option<&Value>,
) -> TaskResult {
    let runs = runs(place, command, args).map_err(|error| {
        TaskError::NoRoom(place.no_room(format!("cannot make a pipe: {error}")))
    })?;
    // Whoever fails to begin makes the others read an end, or write to nobody, and they end.
    let ends = all(context, place, runs).await;
    let last = ends.len() - 1;
    let words = ends.iter().map(|end| end.as_ref().ok()?.words());
    let words: Vec<Option<Arc<str>>> = words.collect();
    let mut results: Vec<TaskResult> = ends
        .into_iter()
        .enumerate()
        .map(|(at, end)| {
            let success = match command.from.get(at) {
                Some(stage) => &stage.success_exit,
                None => &command.success_exit,
            };
            let of = if at == last {
                command.result
            } else {
                ResultOf::Exit
            };
            end.and_then(|ran| result(judge(&ran, success)?, &ran, of))
        })
        .collect();
    // Who was cut off because nobody read any more failed on account of somebody else, if anybody did.
    let is_cause = |result: &TaskResult| result.is_err() && !is_cut_off(result);
    let cause = results.iter().position(is_cause);
    let at = cause
        .or_else(|| results.iter().position(Result::is_err))
        .unwrap_or(last);
    match results.swap_remove(at) {
        Err(TaskError::NoRoom(why)) => Err(without_room(why, &results)),
        Err(error @ (TaskError::Failed(_) | TaskError::Ended(_))) if at < last => {
            let job = &command.from[at].job;
            let why = error.with(words[at].as_deref());
            let why = format!("`{job}`, which it reads from, failed: {why}");
            Err(TaskError::failed(why))
        }
        Err(error @ TaskError::Ended(_)) => {
            if let Some(words) = &words[at] {
                let _first = place.last_words.set(Arc::clone(words));
            }
            Err(error)
        }
        result => result,
    }
}

/// What it means that there was no room for one of the commands, and this became of the others. Where none of them
/// has begun, the attempt has not, and is made again.
fn without_room(why: Arc<str>, others: &[TaskResult]) -> TaskError {
    let has_not_begun = |result: &TaskResult| matches!(result, Err(TaskError::NoRoom(_)));
    let was_asked = |result: &TaskResult| matches!(result, Err(TaskError::Stopped));
    if others.iter().all(has_not_begun) {
        TaskError::NoRoom(why)
    } else if others.iter().any(was_asked) {
        TaskError::Stopped
    } else {
        TaskError::failed(format!("{why}, and others of its commands had begun"))
    }
}

/// As a process ends whose reader has gone, and as a shell tells that.
fn is_cut_off(result: &TaskResult) -> bool {
    const CODE: i32 = 128 + libc::SIGPIPE;
    matches!(
        result,
        Err(TaskError::Ended(
            Failure::Signal(libc::SIGPIPE) | Failure::Exit(CODE)
        ))
    )
}

/// All commands, wired to each other.
fn runs<'a>(
    place: &Arc<Place>,
    command: &'a CommandSpec,
    args: Option<&'a Value>,
) -> io::Result<Vec<Run<'a>>> {
    let mut runs = Vec::with_capacity(command.from.len() + 1);
    let mut pipe_in = None;
    for (number, stage) in command.from.iter().enumerate() {
        let (reads, writes) = pipe_with(PipeFlags::CLOEXEC)?;
        runs.push(Run {
            step: &stage.step,
            lane: stage.lane,
            stdin: if number == 0 {
                &command.stdin
            } else {
                &Stdin::Nothing
            },
            pty: false,
            args,
            number,
            begins: true,
            pipe_in: pipe_in.replace(File::from(reads)),
            pipe_out: Some(File::from(writes)),
            keep: 0,
        });
    }
    runs.push(Run {
        step: &command.step,
        lane: command.lane.unwrap_or(place.job.lane),
        stdin: if runs.is_empty() {
            &command.stdin
        } else {
            &Stdin::Nothing
        },
        pty: command.pty,
        args,
        number: runs.len(),
        begins: true,
        pipe_in,
        pipe_out: None,
        keep: if command.result == ResultOf::Exit {
            0
        } else {
            RESULT_BYTES
        },
    });
    Ok(runs)
}

/// Watches over all of them at once.
fn all<'a>(context: &'a Context, place: &'a Arc<Place>, mut runs: Vec<Run<'a>>) -> Ends<'a> {
    Box::pin(async move {
        let Some(last) = runs.pop() else {
            return Vec::new();
        };
        if runs.is_empty() {
            return vec![supervise(context, place, last).await];
        }
        let (mut ends, end) =
            tokio::join!(all(context, place, runs), supervise(context, place, last));
        ends.push(end);
        ends
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::Done;
    use super::*;

    #[test]
    fn what_has_begun_in_part_is_not_made_again_for_want_of_room() {
        let no_room = || Err(TaskError::NoRoom("no room".into()));
        let cut_off = || Err(TaskError::Ended(Failure::Signal(libc::SIGPIPE)));
        let done = || Ok(Done::with(Value::Null));
        let stopped = || Err(TaskError::Stopped);
        for (others, told) in [
            (vec![], "NoRoom"),
            (vec![no_room(), no_room()], "NoRoom"),
            (vec![done()], "Failed"),
            (vec![no_room(), cut_off()], "Failed"),
            (vec![stopped(), done()], "Stopped"),
        ] {
            let error = without_room("no room".into(), &others);
            let error = format!("{error:?}");
            assert!(error.starts_with(told), "{error} after {}", others.len());
        }
    }
}
