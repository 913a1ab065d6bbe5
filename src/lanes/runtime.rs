//! The io lane's runtime, with all its threads or not at all: where the system gives none, tokio itself panics, and
//! its panic waits for ever for the threads that there are already. Knows nothing of what is run.

use std::io::{Error as IoError, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use super::panics::catch;
use super::priority::take_short_turns;

/// Virtual memory for each thread's stack; only what is used of it becomes real.
const STACK: usize = 2 << 20;

/// Threads that wait for file operations, which the kernel offers no other way to wait for. The first is there from
/// the beginning and the others come when needed, and they stay: where the system gives no more of them, work waits
/// for these. With none at all tokio panics, and does the work all the same when there is one again: a command
/// whose attempt has failed by then. A disk gets no faster by more than this.
const FILE_THREADS: usize = 64;

/// A runtime with `threads` threads, 1 or more, all of which are there; `name` makes their names.
///
/// # Errors
/// What the system said, which gave too few threads or no descriptor.
pub(super) fn start(
    threads: usize,
    name: impl Fn() -> String + Send + Sync + 'static,
) -> Result<Runtime, IoError> {
    let mut builder = Builder::new_multi_thread();
    builder
        .worker_threads(threads)
        .max_blocking_threads(FILE_THREADS)
        .thread_keep_alive(Duration::MAX)
        .thread_name_fn(name)
        .thread_stack_size(STACK)
        .on_thread_start(take_short_turns)
        // All: code that is embedded may use tokio's own timers, where that part is built in.
        .enable_all();
    build(builder)
}

/// A panic for want of a thread takes down what there is of the runtime, and waits for its threads, which nobody has
/// told to end. It does not where blocking is forbidden, as it is inside any runtime. So this is done inside one,
/// which has no thread of its own.
fn build(mut builder: Builder) -> Result<Runtime, IoError> {
    let outer = Builder::new_current_thread().build()?;
    let mut built = None;
    let is_inside_already =
        catch(|| outer.block_on(async { built = Some(catch(|| builder.build())) }));
    outer.shutdown_background();
    let built = match is_inside_already {
        Ok(()) => built,
        Err(_) => Some(catch(|| builder.build())),
    };
    let runtime = built
        .unwrap_or_else(|| Err("nothing was built".into()))
        .map_err(no_thread)??;
    match catch(|| drop(runtime.spawn_blocking(|| ()))) {
        Ok(()) => Ok(runtime),
        Err(panic) => {
            runtime.shutdown_background();
            Err(no_thread(panic))
        }
    }
}

/// What tokio has said. Where in tokio that is helps nobody.
fn no_thread(panic: Arc<str>) -> IoError {
    let said = panic.rsplit_once(" (").map_or(&*panic, |(said, _)| said);
    IoError::new(ErrorKind::WouldBlock, said)
}

#[cfg(test)]
mod tests {
    use super::super::install_hook;
    use super::*;

    /// More than there is room for: the system gives no such thread.
    const TOO_MUCH: usize = 1 << 46;

    fn without_threads() -> Result<Runtime, IoError> {
        install_hook();
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(2).thread_stack_size(TOO_MUCH);
        build(builder)
    }

    #[test]
    fn no_thread_is_an_error() {
        let error = without_threads().expect_err("there is no room for its stack");
        let said = error.to_string();
        assert!(said.starts_with("OS can't spawn worker thread"), "{said}");
        assert!(!said.contains(".rs"), "{said}");
    }

    #[test]
    fn it_can_be_had_inside_another_runtime() {
        let outer = Builder::new_current_thread().build().expect("a runtime");
        outer.block_on(async {
            start(2, || "io".to_owned())
                .expect("threads")
                .shutdown_background();
            let error = without_threads().expect_err("there is no room for its stack");
            assert!(error.to_string().contains("thread"), "{error}");
        });
    }
}
