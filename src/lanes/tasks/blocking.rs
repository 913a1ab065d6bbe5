//! From the io lane to the threads that wait for file operations, and back.

use std::panic::resume_unwind;

use tokio::task::spawn_blocking;

use super::super::context::{Context, Stopped};
use super::TaskError;
use crate::clock::thread_cpu;

/// Carries `work` out on one of tokio's threads for file operations. Work that has begun is waited
/// for, also by a task that is to stop: when this returns, nothing goes on.
pub(super) async fn carry<T: Send + 'static>(
    context: &Context,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, TaskError> {
    let spender = context.clone();
    let mut handle = spawn_blocking(move || {
        let before = thread_cpu();
        let done = work();
        spender.spend(thread_cpu().saturating_sub(before));
        done
    });
    let ended = tokio::select! {
        biased;
        ended = &mut handle => ended,
        () = context.cancelled() => {
            // Takes it back if it has not begun.
            handle.abort();
            handle.await
        }
    };
    ended.map_err(|error| match error.try_into_panic() {
        Ok(payload) => resume_unwind(payload),
        Err(_taken_back) => Stopped.into(),
    })
}
