//! Panics of any payload, in any place, end the task that they come from and harm nothing else.

use std::panic::panic_any;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use serde_json::Value;
use twolane::engine::outcome::{Failure, Outcome};
use twolane::engine::spec::Lane;
use twolane::lanes::{Handlers, Stopped};
use twolane::{Lanes, TaskError};

use crate::support::{Bench, Gate, call};

/// A payload that panics when it is dropped, with one that does so too.
struct Bomb(u32);

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0 > 0 {
            panic_any(Bomb(self.0 - 1));
        }
    }
}

/// Panics with one of many kinds of payload.
fn panic_somehow(kind: u64) {
    match kind {
        0 => panic!("a text"),
        1 => panic!("a text with {}", "parts"),
        2 => panic_any(42),
        3 => panic_any(Bomb(3)),
        4 => panic_any(Box::new(Bomb(1))),
        5 => drop(Bomb(2)),
        _ => (0..100)
            .into_par_iter()
            .for_each(|n| assert!(n != 50, "in a part of it")),
    }
}

const KINDS: u64 = 7;

/// What is told of each kind, without the place.
const TOLD: [&str; KINDS as usize] = [
    "a text",
    "a text with parts",
    "a panic without a text",
    "a panic without a text",
    "a panic without a text",
    "a panic without a text",
    "in a part of it",
];

#[test]
fn an_attempt_that_panics_fails_and_no_thread_is_lost() {
    let together = Arc::new(Barrier::new(2));
    let handlers = Handlers::new()
        .io("panic", |_, args| async move {
            panic_somehow(args.as_u64().unwrap());
            Ok::<_, Stopped>(Value::Null)
        })
        .cpu("panic on cpu", |_, args| {
            panic_somehow(args.as_u64().unwrap());
            Ok::<_, Stopped>(Value::Null)
        })
        .cpu("together", move |_, _| {
            // Passes only when both threads of the lane are there.
            together.wait();
            Ok::<_, Stopped>(Value::Null)
        });
    let bench = Bench::new(handlers);
    for (lane, name) in [(Lane::Io, "panic"), (Lane::Cpu, "panic on cpu")] {
        // On the io lane, rayon would use a pool of its own.
        let kinds = if lane == Lane::Io { KINDS - 1 } else { KINDS };
        for kind in 0..kinds {
            let mut order = crate::support::order(1, lane, call(name));
            order.args = Some(Arc::new(Value::from(kind)));
            bench.lanes.submit(order).unwrap();
            let told = TOLD[usize::try_from(kind).unwrap()];
            match bench.end().end.outcome {
                Outcome::Failed(Failure::Panic(message)) => {
                    let place = message.strip_prefix(told).unwrap();
                    assert!(place.starts_with(" (tests/lanes/panics.rs:"), "{message}");
                }
                other @ (Outcome::Failed(_)
                | Outcome::Succeeded(_)
                | Outcome::Stopped
                | Outcome::NoRoom(_)) => {
                    panic!("{kind}: {other:?}")
                }
            }
        }
    }
    for run in [1, 2] {
        bench.submit(run, Lane::Cpu, call("together"));
    }
    for _ in 0..2 {
        crate::support::value(&bench.end());
    }
}

#[test]
fn a_handle_tells_of_the_panic_and_its_place() {
    let lanes = Lanes::builder().cpu_workers(2).build().unwrap();
    let line = line!() + 1;
    let computing = lanes.cpu(|_| -> u32 { panic!("on cpu {}", 1) });
    let expected = format!("on cpu 1 (tests/lanes/panics.rs:{line}:44)");
    assert_eq!(computing.wait(), Err(TaskError::Panicked(expected.into())));
    let waiting = lanes.io(async { panic_somehow(0) });
    let message = waiting.wait().unwrap_err().to_string();
    assert!(message.starts_with("the task panicked: a text (tests/lanes/panics.rs:"));
}

#[test]
fn what_panics_while_it_is_dropped_harms_nothing() {
    let lanes = Lanes::builder().cpu_workers(1).build().unwrap();
    for _ in 0..3 {
        // A result that nobody takes; what a task has captured; a future that is cancelled.
        let (open, gate) = Gate::new();
        let (gate, gate_too) = (Arc::clone(&gate), gate);
        drop(lanes.cpu(move |_| {
            gate.wait();
            Bomb(2)
        }));
        drop(lanes.io(async move {
            gate_too.wait();
            Bomb(1)
        }));
        drop(open);
        let captured = Bomb(2);
        let _panicked = lanes.cpu(move |_| drop(captured)).wait();
        let captured = Bomb(1);
        let cancelled = lanes.io(async move {
            let _captured = captured;
            std::future::pending::<()>().await;
        });
        cancelled.cancel();
        assert_eq!(cancelled.wait(), Err(TaskError::Cancelled));
    }
    assert_eq!(lanes.cpu(|_| 1).wait(), Ok(1));
    let nap = lanes.io_with(|context| async move { context.sleep(Duration::ZERO).await });
    assert_eq!(nap.wait(), Ok(Ok(())));
}
