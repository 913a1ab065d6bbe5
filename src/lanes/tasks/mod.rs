//! The tasks that jobs are made of, one file each, in a form for each lane (and what several share:
//! `atomic`, `blocking`, `fill`, `meter`). Knows the context it is
//! given and nothing of attempts or runs.

mod around;
mod atomic;
mod blocking;
mod call;
pub(super) mod command;
mod compute;
mod copy;
mod files;
mod fill;
mod hash;
mod http;
mod isolated;
mod meter;
mod read;
mod sleep;
mod spread;
mod squeeze;
mod unfinished;
mod write;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::context::{Context, Stopped};
use super::handlers::Handlers;
use super::place::Place;
use super::{Cpu, measured};
use crate::engine::outcome::Failure;
use crate::engine::spec::TaskSpec;

pub(super) use http::Clients;

/// What came of a task.
pub(super) type TaskResult = Result<Done, TaskError>;

/// A task did its work.
#[derive(Debug, PartialEq)]
pub(super) struct Done {
    /// Its result; `null` where it has none.
    pub(super) value: Value,
    /// How much later than asked for it ended, if it waits for a time.
    pub(super) late: Option<Duration>,
}

impl Done {
    const fn with(value: Value) -> Self {
        Self { value, late: None }
    }
}

/// A task did not do its work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TaskError {
    /// It was asked to stop and did.
    #[error("{}", Stopped)]
    Stopped,
    /// It gave up, for this reason.
    #[error("{0}")]
    Failed(Arc<str>),
    /// Its command ended in a way that is no success.
    #[error("{0}")]
    Ended(Failure),
    /// The machine had no room for it; nothing of it has begun.
    #[error("{0}")]
    NoRoom(Arc<str>),
}

impl From<Stopped> for TaskError {
    fn from(Stopped: Stopped) -> Self {
        Self::Stopped
    }
}

impl TaskError {
    /// The reason, with the last words of the command that it is about.
    fn with(&self, words: Option<&str>) -> String {
        match (self, words) {
            (Self::Ended(_), Some(words)) => format!("{self}: {words}"),
            _ => self.to_string(),
        }
    }

    fn failed(reason: impl Into<Arc<str>>) -> Self {
        Self::Failed(reason.into())
    }
}

/// The engine starts no attempt of a future in a lane; an order made by hand may say so.
fn in_no_lane() -> TaskError {
    TaskError::failed("a future executes in no lane: it waits to be completed")
}

pub(super) use around::{Came, after, run_cpu, run_io};

/// Carries out a task on the io lane. Each kind has a place of its own in memory, so that thousands that wait for
/// little do not take as much as the largest kind.
async fn task_io(
    context: Context,
    args: Option<&Value>,
    (handlers, clients): (&Handlers, &Clients),
    place: &Arc<Place>,
) -> TaskResult {
    if place.job.isolate {
        return Box::pin(isolated::run(&context, args, place)).await;
    }
    match &place.job.task {
        TaskSpec::Command(command) => Box::pin(command::run(&context, place, command, args)).await,
        TaskSpec::Sleep { duration } => sleep::run_io(&context, *duration).await,
        TaskSpec::Read { path } => read::run_io(&context, path).await,
        TaskSpec::Compute {
            outer,
            inner,
            report_every,
        } => compute::run(&context, *outer, *inner, *report_every),
        TaskSpec::Call { handler, args: own } => {
            call::run_io(context, handlers, handler, own, args).await
        }
        TaskSpec::Http(spec) => {
            let secrets = place.secrets.read(&spec.secrets);
            let secrets = secrets.map_err(TaskError::failed)?;
            Box::pin(http::run_io(&context, spec, (args, &secrets), clients)).await
        }
        TaskSpec::File(task) => Box::pin(files::run_io(&context, task, args)).await,
        TaskSpec::Future { .. } => Err(in_no_lane()),
    }
}

/// Carries out a task on the cpu lane.
fn task_cpu(
    context: &Context,
    args: Option<&Value>,
    handlers: &Handlers,
    place: &Arc<Place>,
) -> TaskResult {
    if place.job.isolate {
        let run = isolated::run(context, args, place);
        return place.world.runtime.block_on(run);
    }
    match &place.job.task {
        TaskSpec::Command(command) => {
            let run = command::run(context, place, command, args);
            place.world.runtime.block_on(run)
        }
        TaskSpec::Sleep { duration } => sleep::run_cpu(context, *duration),
        TaskSpec::Read { path } => read::run_cpu(context, path),
        TaskSpec::Compute {
            outer,
            inner,
            report_every,
        } => compute::run(context, *outer, *inner, *report_every),
        // A function for the io lane that has turned out to keep its thread.
        TaskSpec::Call { handler, args: own } if place.job.auto => {
            let run = call::run_io(context.clone(), handlers, handler, own, args);
            let run = measured(run, &place.used, Cpu::Around);
            place.world.runtime.block_on(run)
        }
        TaskSpec::Call { handler, args: own } => {
            call::run_cpu(context, handlers, handler, own, args)
        }
        TaskSpec::Http(_) => Err(TaskError::failed(
            "a request executes on the io lane only: give the job `lane = \"io\"`",
        )),
        TaskSpec::File(task) => files::run_cpu(context, task, args, place.job.cpus),
        TaskSpec::Future { .. } => Err(in_no_lane()),
    }
}
