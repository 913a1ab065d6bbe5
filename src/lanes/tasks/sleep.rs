//! The `sleep` task: waits for a time and measures how much later than that it went on.

use std::time::Duration;

use serde_json::Value;

use super::super::context::Context;
use super::{Done, TaskResult};
use crate::clock::kernel_nanos;

/// On the io lane: by the lane's timer.
pub(super) async fn run_io(context: &Context, duration: Duration) -> TaskResult {
    let start = kernel_nanos();
    context.sleep(duration).await?;
    Ok(done(start, duration))
}

/// On the cpu lane: blocks one of its threads, which a stop wakes at once.
pub(super) fn run_cpu(context: &Context, duration: Duration) -> TaskResult {
    let start = kernel_nanos();
    context.sleep_blocking(duration)?;
    Ok(done(start, duration))
}

fn done(start: u64, asked: Duration) -> Done {
    let took = Duration::from_nanos(kernel_nanos().saturating_sub(start));
    Done {
        value: Value::Null,
        late: Some(took.saturating_sub(asked)),
    }
}
