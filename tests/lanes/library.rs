//! The lanes as a library: results, cancel, timeout, progress and bounds, from threads with a runtime
//! and without.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use tokio::runtime::Builder;
use twolane::{BuildError, Context, Lane, Lanes, Stopped, TaskError};

use crate::support::{FOR_EVER, Gate, LIMIT};

fn lanes() -> Lanes {
    Lanes::builder()
        .io_threads(2)
        .cpu_workers(2)
        .build()
        .unwrap()
}

/// Lanes whose one cpu thread waits until the opener is dropped.
fn blocked(queue: usize) -> (Lanes, crate::support::Opener) {
    let lanes = Lanes::builder().cpu_workers(1).queue(queue).build();
    let lanes = lanes.unwrap();
    let (open, gate) = Gate::new();
    let (began, begun) = channel();
    drop(lanes.cpu(move |_| {
        began.send(()).unwrap();
        gate.wait();
    }));
    begun.recv_timeout(LIMIT).unwrap();
    (lanes, open)
}

#[test]
fn results_come_to_threads_without_a_runtime() {
    let lanes = lanes();
    assert_eq!(lanes.cpu(|_| 6 * 7).wait(), Ok(42));
    assert_eq!(lanes.io(async { "x".repeat(3) }).wait(), Ok("xxx".into()));
    let nap = lanes.io_with(|context| async move { context.sleep(Duration::from_millis(1)).await });
    assert_eq!(nap.wait(), Ok(Ok(())));
}

#[test]
fn results_come_to_another_runtime_and_the_drop_there_is_harmless() {
    for threads in [1, 2] {
        let mut runtime = Builder::new_multi_thread();
        let runtime = runtime.worker_threads(threads).build().unwrap();
        let run = async {
            let lanes = lanes();
            let inner = lanes.clone();
            let sum = lanes.cpu(|_| (0..1_000_u64).into_par_iter().sum::<u64>());
            // A task of one lane that waits for one of the other.
            let both = lanes.io(async move { inner.cpu(|_| 1).await });
            assert_eq!(sum.await, Ok(499_500));
            assert_eq!(both.await, Ok(Ok(1)));
            drop(lanes);
        };
        runtime.block_on(runtime.spawn(run)).unwrap();
    }
}

#[test]
fn lanes_can_be_dropped_by_their_own_tasks() {
    for _ in 0..20 {
        let (told, hear) = channel();
        let lanes = lanes();
        let (held, held_too) = (lanes.clone(), lanes.clone());
        let (tell, tell_too) = (told.clone(), told);
        drop(lanes.io(async move {
            drop(held);
            tell.send(()).unwrap();
        }));
        drop(lanes.cpu(move |_| {
            drop(held_too);
            tell_too.send(()).unwrap();
        }));
        drop(lanes);
        // Either was done, or was dropped with the lanes.
        while hear.recv_timeout(LIMIT).is_ok() {}
    }
}

#[test]
fn a_dropped_handle_lets_the_task_go_on() {
    let (told, hear) = channel();
    let lanes = lanes();
    let tell = told.clone();
    drop(lanes.cpu(move |_| told.send("cpu").unwrap()));
    assert_eq!(hear.recv_timeout(LIMIT), Ok("cpu"));
    drop(lanes.io(async move { tell.send("io").unwrap() }));
    assert_eq!(hear.recv_timeout(LIMIT), Ok("io"));
}

#[test]
fn what_has_not_begun_is_cancelled_at_once() {
    let (lanes, open) = blocked(10);
    let ran = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&ran);
    let waiting = lanes.cpu(move |_| count.fetch_add(1, Ordering::SeqCst));
    waiting.cancel();
    assert_eq!(waiting.wait(), Err(TaskError::Cancelled));
    drop(open);
    assert_eq!(lanes.cpu(|_| ()).wait(), Ok(()));
    assert_eq!(ran.load(Ordering::SeqCst), 0);
}

#[test]
fn a_cancelled_future_is_gone_when_its_handle_says_so() {
    struct Alive(Arc<AtomicUsize>);
    impl Drop for Alive {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let lanes = lanes();
    for _ in 0..100 {
        let alive = Arc::new(AtomicUsize::new(1));
        let guard = Alive(Arc::clone(&alive));
        let (began, begun) = channel();
        let handle = lanes.io(async move {
            let _guard = guard;
            began.send(()).unwrap();
            std::future::pending::<()>().await;
        });
        begun.recv_timeout(LIMIT).unwrap();
        handle.watch().cancel();
        assert_eq!(handle.wait(), Err(TaskError::Cancelled));
        assert_eq!(alive.load(Ordering::SeqCst), 0);
    }
}

#[test]
fn a_task_with_a_context_says_itself_what_a_cancel_means() {
    let lanes = lanes();
    let (began, begun) = channel();
    let tell = began.clone();
    let waiting = lanes.io_with(|context| async move {
        tell.send(()).unwrap();
        context.cancelled().await;
        "cleaned up"
    });
    let computing = lanes.cpu(move |context: &Context| {
        began.send(()).unwrap();
        let mut rounds = 0_u64;
        loop {
            context.check()?;
            rounds += 1;
            if rounds == u64::MAX {
                return Ok::<_, Stopped>(rounds);
            }
        }
    });
    for _ in 0..2 {
        begun.recv_timeout(LIMIT).unwrap();
    }
    waiting.cancel();
    computing.cancel();
    assert_eq!(waiting.wait(), Ok("cleaned up"));
    assert_eq!(computing.wait(), Ok(Err(Stopped)));
}

#[test]
fn a_timeout_is_heard_at_once_and_told_to_the_task() {
    let lanes = lanes();
    let limit = Duration::from_millis(5);
    let (open, gate) = Gate::new();
    let (began, begun) = channel();
    let (told, hear) = channel();
    let computing = lanes.cpu(move |context| {
        began.send(()).unwrap();
        gate.wait();
        told.send(context.is_cancelled()).unwrap();
    });
    begun.recv_timeout(LIMIT).unwrap();
    // The task still computes when its handle has given up on it.
    assert_eq!(
        computing.timeout(limit).wait(),
        Err(TaskError::TimedOut(limit))
    );
    assert_eq!(lanes.status().cpu_running, 1);
    drop(open);
    assert_eq!(hear.recv_timeout(LIMIT), Ok(true));
    let waiting = lanes.io(std::future::pending::<()>()).timeout(limit);
    assert_eq!(waiting.wait(), Err(TaskError::TimedOut(limit)));
}

#[test]
fn a_timeout_counts_the_waiting_too_and_holds_without_its_handle() {
    let (lanes, open) = blocked(10);
    let limit = Duration::from_millis(1);
    let (told, hear) = channel::<()>();
    let queued = lanes.cpu(move |_| told.send(()).unwrap()).timeout(limit);
    assert_eq!(queued.wait(), Err(TaskError::TimedOut(limit)));
    let (stopped, stop) = channel();
    drop(
        lanes
            .io_with(|context| async move {
                context.cancelled().await;
                stopped.send(()).unwrap();
            })
            .timeout(limit),
    );
    stop.recv_timeout(LIMIT).unwrap();
    drop(open);
    // It never ran.
    assert!(hear.recv_timeout(LIMIT).is_err());
}

#[test]
fn a_timeout_that_is_not_reached_changes_nothing() {
    let lanes = lanes();
    for _ in 0..100 {
        let done = lanes.cpu(|_| 1).timeout(FOR_EVER).timeout(LIMIT);
        assert_eq!(done.wait(), Ok(1));
    }
}

#[test]
fn progress_is_the_last_word() {
    let lanes = lanes();
    let (open, gate) = Gate::new();
    let (began, begun) = channel();
    let handle = lanes.cpu(move |context| {
        context.progress(0.25, "a quarter");
        context.progress(0.5, "half");
        began.send(()).unwrap();
        gate.wait();
    });
    begun.recv_timeout(LIMIT).unwrap();
    let watch = handle.watch();
    for progress in [handle.progress(), watch.progress()] {
        let progress = progress.unwrap();
        assert_eq!(progress.fraction, Some(0.5));
        assert_eq!(progress.message.as_deref(), Some("half"));
    }
    assert!(!watch.is_finished());
    drop(open);
    assert_eq!(handle.wait(), Ok(()));
    assert!(watch.is_finished());
}

#[test]
fn a_full_queue_says_which_and_how_long_it_is() {
    let (lanes, open) = blocked(2);
    let waiting: Vec<_> = (0..2).map(|n| lanes.cpu(move |_| n)).collect();
    let full = lanes.cpu(|_| 9).wait().unwrap_err();
    let expected = TaskError::Full {
        queue: "cpu".into(),
        bound: 2,
    };
    assert_eq!(full, expected);
    assert_eq!(
        full.to_string(),
        "the queue of `cpu` is full: 2 tasks wait in it"
    );
    drop(open);
    let results: Vec<_> = waiting.into_iter().map(|h| h.wait().unwrap()).collect();
    assert_eq!(results, [0, 1]);
}

#[test]
fn settings_that_cannot_be_are_named() {
    let check = |built: Result<Lanes, BuildError>, expected: &str| {
        assert_eq!(built.unwrap_err().to_string(), expected);
    };
    let builder = Lanes::builder;
    check(
        builder().queue(0).build(),
        "`queue` is 0: it must be 1 or more",
    );
    check(
        builder().nice(20).build(),
        "`nice` is 20: it must be from 0 (like all others) to 19 (least)",
    );
    check(
        builder().pool("p", Lane::Io, 0).build(),
        "pool `p` has size 0: it must be 1 or more",
    );
    check(
        builder()
            .pool("p", Lane::Io, 1)
            .pool("p", Lane::Cpu, 1)
            .build(),
        "there are two pools named `p`",
    );
}
