//! The end of the library's lanes: what was accepted is finished, what does not stop is named.

use std::sync::mpsc::channel;
use std::time::Duration;

use tokio::runtime::Builder;
use twolane::{Lane, Lanes, TaskError};

use crate::support::{FOR_EVER, Gate, LIMIT};

fn lanes() -> Lanes {
    Lanes::builder()
        .io_threads(2)
        .cpu_workers(1)
        .pool("one", Lane::Cpu, 1)
        .build()
        .unwrap()
}

#[test]
fn what_was_accepted_is_finished_and_what_comes_later_is_refused() {
    let lanes = lanes();
    let pool = lanes.pool("one").unwrap();
    let (open, gate) = Gate::new();
    let first = lanes.cpu(move |_| gate.wait());
    let waiting = lanes.cpu(|_| 2);
    let pooled = pool.cpu(|_| 3);
    let nap = lanes.io_with(|context| async move { context.sleep(Duration::from_millis(2)).await });
    let shutdown = lanes.shutdown(LIMIT);
    assert_eq!(lanes.cpu(|_| ()).wait(), Err(TaskError::ShutDown));
    assert_eq!(lanes.io(async {}).wait(), Err(TaskError::ShutDown));
    assert_eq!(pool.cpu(|_| ()).wait(), Err(TaskError::ShutDown));
    drop(open);
    shutdown.wait().unwrap();
    assert_eq!(first.wait(), Ok(()));
    assert_eq!(waiting.wait(), Ok(2));
    assert_eq!(pooled.wait(), Ok(3));
    assert_eq!(nap.wait(), Ok(Ok(())));
}

#[test]
fn what_takes_too_long_is_cancelled_and_what_waits_is_dropped() {
    let lanes = lanes();
    let (began, begun) = channel();
    let tell = began.clone();
    let computing = lanes.cpu(move |context| {
        began.send(()).unwrap();
        context.sleep_blocking(FOR_EVER)
    });
    let waiting = lanes.io(async move {
        tell.send(()).unwrap();
        std::future::pending::<()>().await;
    });
    for _ in 0..2 {
        begun.recv_timeout(LIMIT).unwrap();
    }
    let queued = lanes.cpu(|_| ());
    let pooled = lanes.pool("one").unwrap().cpu(|_| ());
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let end = lanes.shutdown(Duration::from_millis(1));
    runtime.block_on(async { end.await }).unwrap();
    assert_eq!(computing.wait(), Ok(Err(twolane::Stopped)));
    assert_eq!(waiting.wait(), Err(TaskError::Cancelled));
    assert_eq!(queued.wait(), Err(TaskError::ShutDown));
    assert_eq!(pooled.wait(), Err(TaskError::ShutDown));
}

#[test]
fn what_does_not_stop_is_named_by_its_place() {
    let lanes = lanes();
    let (open, gate) = Gate::new();
    let (began, begun) = channel();
    let tell = began.clone();
    let line = line!() + 1;
    let deaf = lanes.cpu(move |_| {
        began.send(()).unwrap();
        gate.wait();
        1
    });
    // A future that does not listen either is dropped, which ends it.
    let future = lanes.io_with(|_context| async move {
        tell.send(()).unwrap();
        std::future::pending::<()>().await;
    });
    for _ in 0..2 {
        begun.recv_timeout(LIMIT).unwrap();
    }
    let late = lanes.shutdown(Duration::ZERO).wait().unwrap_err();
    assert_eq!(
        late.to_string(),
        format!(
            "still running: a task of the cpu lane started at tests/lanes/shutdown.rs:{line}:22"
        )
    );
    assert_eq!(future.wait(), Err(TaskError::ShutDown));
    drop(open);
    assert_eq!(deaf.wait(), Ok(1));
}

#[test]
fn handles_outlive_their_lanes() {
    let lanes = lanes();
    let (open, gate) = Gate::new();
    let (began, begun) = channel();
    let running = lanes.cpu(move |_| {
        began.send(()).unwrap();
        gate.wait();
        1
    });
    begun.recv_timeout(LIMIT).unwrap();
    let queued = lanes.cpu(|_| ());
    let pooled = lanes.pool("one").unwrap().cpu(|_| ());
    let waiting = lanes.io(std::future::pending::<()>()).timeout(FOR_EVER);
    drop(lanes);
    assert_eq!(queued.wait(), Err(TaskError::ShutDown));
    assert_eq!(pooled.wait(), Err(TaskError::ShutDown));
    assert_eq!(waiting.wait(), Err(TaskError::ShutDown));
    drop(open);
    assert_eq!(running.wait(), Ok(1));
}
