//! Tasks on files: their paths and texts filled in, and which is carried out how on which lane.

use serde_json::Value;

use super::super::context::Context;
use super::fill::{fill, path};
use super::spread::threads;
use super::{TaskError, TaskResult, copy, hash, squeeze, write};
use crate::engine::files::{FileTask, FileWork};

/// On the io lane: what waits for a disk. What computes belongs to the other lane.
pub(super) async fn run_io(context: &Context, task: &FileTask, args: Option<&Value>) -> TaskResult {
    match prepare(task, args)? {
        Order::Write(order) => write::run_io(context, order).await,
        Order::Copy(order) => copy::run_io(context, order).await,
        Order::Hash(_) | Order::Compress(..) | Order::Decompress(..) => {
            Err(TaskError::failed(format!(
                "`{}` computes, and would keep the io lane's other jobs waiting: give the job \
                 `lane = \"cpu\"`",
                task.work.kind()
            )))
        }
    }
}

/// On the cpu lane, on as many of its threads as `cpus` says, or on those that are free.
pub(super) fn run_cpu(
    context: &Context,
    task: &FileTask,
    args: Option<&Value>,
    cpus: Option<u32>,
) -> TaskResult {
    match prepare(task, args)? {
        Order::Write(order) => write::run_cpu(context, &order),
        Order::Copy(order) => copy::run_cpu(context, &order),
        Order::Hash(order) => hash::run(context, &order, cpus),
        Order::Compress(way, level) => squeeze::compress(context, &way, level, threads(cpus)),
        Order::Decompress(way, max_bytes) => squeeze::decompress(context, &way, max_bytes),
    }
}

/// A task with the arguments of the run in their places.
enum Order<'a> {
    Hash(hash::Order<'a>),
    Compress(squeeze::Way, Option<u8>),
    Decompress(squeeze::Way, u64),
    Write(write::Order),
    Copy(copy::Order),
}

fn prepare<'a>(task: &'a FileTask, args: Option<&'a Value>) -> Result<Order<'a>, TaskError> {
    let at = |template: &str| path(&task.directory, template, args);
    Ok(match &task.work {
        FileWork::Hash {
            files,
            algorithm,
            manifest,
        } => Order::Hash(hash::Order {
            directory: &task.directory,
            files,
            args,
            algorithm: *algorithm,
            manifest: manifest.as_deref().map(at).transpose()?,
        }),
        FileWork::Compress {
            from,
            to,
            format,
            level,
            keep,
        } => {
            let way = squeeze::Way::new(at(from)?, at(to)?, *format, *keep)?;
            Order::Compress(way, *level)
        }
        FileWork::Decompress {
            from,
            to,
            format,
            keep,
            max_bytes,
        } => {
            let way = squeeze::Way::new(at(from)?, at(to)?, *format, *keep)?;
            Order::Decompress(way, *max_bytes)
        }
        FileWork::Write {
            to,
            text,
            append,
            mode,
            make_dirs,
        } => Order::Write(write::Order {
            to: at(to)?,
            text: fill(text, args)?,
            append: *append,
            mode: *mode,
            make_dirs: *make_dirs,
        }),
        FileWork::Copy {
            from,
            to,
            make_dirs,
        } => Order::Copy(copy::Order {
            from: at(from)?,
            to: at(to)?,
            make_dirs: *make_dirs,
        }),
    })
}
