//! A task with what is run before and after it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::super::context::Context;
use super::super::handlers::Handlers;
use super::super::place::Place;
use super::super::{CatchPanic, catch};
use super::command::{Run, judge, supervise};
use super::{Clients, TaskError, TaskResult, task_cpu, task_io};
use crate::engine::command::{Stdin, Step};
use crate::engine::outcome::Failure;

/// What came of a task and of what was run after it.
pub(in super::super) struct Came {
    pub(in super::super) result: TaskResult,
    /// Why what was run after the task failed.
    pub(in super::super) teardown: Option<Failure>,
}

/// Carries out a task on the io lane, and what is run around it.
pub(in super::super) async fn run_io(
    context: Context,
    args: Option<&Value>,
    (handlers, clients): (&Handlers, &Clients),
    place: &Arc<Place>,
) -> Came {
    // Most have neither, and none takes memory for what it does not have.
    let begun = match place.job.setup {
        Some(_) => Box::pin(before(&context, args, place)).await,
        None => Ok(()),
    };
    let result = match begun {
        Ok(()) => {
            let task = task_io(context, args, (handlers, clients), place);
            after_setup(place, panicked(CatchPanic::new(task).await))
        }
        Err(error) => Err(error),
    };
    let teardown = match (&place.job.teardown, &result) {
        (None, _) | (_, Err(TaskError::NoRoom(_))) => None,
        (Some(_), Err(TaskError::Stopped)) if bug!("stop-without-teardown") => None,
        (Some(_), _) => Box::pin(after(args, place)).await,
    };
    Came { result, teardown }
}

/// The same on the cpu lane.
pub(in super::super) fn run_cpu(
    context: &Context,
    args: Option<&Value>,
    handlers: &Handlers,
    place: &Arc<Place>,
) -> Came {
    let runtime = &place.world.runtime;
    let begun = match place.job.setup {
        Some(_) => runtime.block_on(before(context, args, place)),
        None => Ok(()),
    };
    let result = begun.and_then(|()| {
        let came = catch(|| task_cpu(context, args, handlers, place));
        after_setup(place, panicked(came))
    });
    let teardown = match (&place.job.teardown, &result) {
        (None, _) | (_, Err(TaskError::NoRoom(_))) => None,
        (Some(_), _) => runtime.block_on(after(args, place)),
    };
    Came { result, teardown }
}

/// A panic is how a task ended, and what is run after it is run all the same.
fn panicked(came: Result<TaskResult, Arc<str>>) -> TaskResult {
    came.unwrap_or_else(|panic| Err(TaskError::Ended(Failure::Panic(panic))))
}

/// What had no room has begun all the same if its setup has been run.
fn after_setup(place: &Place, result: TaskResult) -> TaskResult {
    match result {
        Err(TaskError::NoRoom(why)) if place.job.setup.is_some() => Err(TaskError::Failed(why)),
        other => other,
    }
}

/// What is run before the task.
async fn before(
    context: &Context,
    args: Option<&Value>,
    place: &Arc<Place>,
) -> Result<(), TaskError> {
    let Some(step) = &place.job.setup else {
        return Ok(());
    };
    let ran = supervise(context, place, run_of(step, args, place)).await?;
    judge(&ran, &[]).map(drop).map_err(|error| match error {
        TaskError::Stopped | TaskError::NoRoom(_) => error,
        TaskError::Failed(_) | TaskError::Ended(_) => {
            let why = error.with(ran.words().as_deref());
            TaskError::failed(format!("its setup failed, so it was not begun: {why}"))
        }
    })
}

/// What is run after the task, whatever came of that.
pub(in super::super) async fn after(args: Option<&Value>, place: &Arc<Place>) -> Option<Failure> {
    let step = place.job.teardown.as_ref()?;
    // Of a task that was stopped before it could begin, this is the first that others see.
    place.mark_begun();
    let context = place.context_of_its_own();
    let what = Run {
        begins: false,
        ..run_of(step, args, place)
    };
    let ran = supervise(&context, place, what);
    let limit = place.job.teardown_timeout;
    let came = within(limit, ran, || context.cancel(), place).await;
    // Nobody else asks it to stop, so it is the lanes that go down, with which all timers end.
    let is_cut_short = match came {
        (_, true) => place.world.makers.is_closed(),
        (Err(TaskError::Stopped), false) => true,
        (_, false) => false,
    };
    if !is_cut_short {
        place.mark_torn_down();
    }
    match came {
        (_, true) => Some(Failure::Timeout(limit)),
        (Ok(ran), false) => match judge(&ran, &[]) {
            Ok(_) => None,
            Err(TaskError::Ended(failure)) => Some(failure),
            Err(error) => Some(Failure::Error(error.to_string().into())),
        },
        (Err(error), false) => Some(Failure::Error(error.to_string().into())),
    }
}

/// Waits for what is run, and asks it to stop when it has taken longer than `limit`; whether it had.
async fn within<T>(
    limit: Duration,
    ran: impl Future<Output = T>,
    stop: impl FnOnce(),
    place: &Place,
) -> (T, bool) {
    let limit = place.world.timers.sleep(limit);
    let mut ran = std::pin::pin!(ran);
    tokio::select! {
        ran = &mut ran => return (ran, false),
        () = limit => stop(),
    }
    (ran.await, true)
}

fn run_of<'a>(step: &'a Step, args: Option<&'a Value>, place: &Place) -> Run<'a> {
    Run {
        step,
        lane: place.job.lane,
        stdin: &Stdin::Nothing,
        pty: false,
        args,
        number: 0,
        begins: true,
        pipe_in: None,
        pipe_out: None,
        keep: 0,
    }
}
