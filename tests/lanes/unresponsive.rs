//! Attempts that do not leave their lanes: others are carried in their places, until they do.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};
use twolane::engine::outcome::Outcome;
use twolane::engine::spec::{Lane, TaskSpec};
use twolane::lanes::{Context, HandlerError, Handlers, LaneSettings};

use crate::support::{Bench, LIMIT, error, order};

fn call(handler: &str) -> TaskSpec {
    TaskSpec::Call {
        handler: handler.into(),
        args: Value::Null,
    }
}

/// A handler `deaf` that looks at no cancel token, but ends with its gate, and one, `quick`, that ends.
fn handlers(gate: Receiver<()>, begun: impl Fn() + Send + Sync + 'static) -> Handlers {
    let gate = Mutex::new(gate);
    let deaf = move |_: &Context, _| {
        begun();
        let _closed = gate.lock().unwrap().recv();
        Ok::<_, HandlerError>(json!("at last"))
    };
    Handlers::new()
        .cpu("deaf", deaf)
        .cpu("quick", |_, _| Ok::<_, HandlerError>(json!(1)))
}

#[test]
fn a_thread_that_is_held_is_replaced_until_it_is_free_again() {
    let (open, gate) = channel();
    let (began, begun) = channel();
    let handlers = handlers(gate, move || began.send(()).unwrap());
    let settings = LaneSettings {
        io_threads: 1,
        cpu_workers: 1,
        ..LaneSettings::default()
    };
    let bench = Bench::with(settings, handlers);
    let deaf = bench.submit(1, Lane::Cpu, call("deaf"));
    begun.recv_timeout(LIMIT).unwrap();
    bench.lanes.stop(deaf);
    let quick = bench.submit(2, Lane::Cpu, call("quick"));
    bench.lanes.replace(deaf);
    bench.lanes.replace(deaf);
    assert_eq!(bench.end().attempt, quick);
    for run in 3..50 {
        let quick = bench.submit(run, Lane::Cpu, call("quick"));
        assert_eq!(bench.end().attempt, quick);
    }
    assert_eq!(bench.lanes.live(), 1);
    drop(open);
    let ended = bench.end();
    assert_eq!(ended.attempt, deaf);
    assert_eq!(
        ended.end.outcome,
        Outcome::Succeeded(json!("at last").into())
    );
    bench.lanes.replace(deaf);
    let quick = bench.submit(50, Lane::Cpu, call("quick"));
    assert_eq!(bench.end().attempt, quick);
    bench.lanes.shutdown(LIMIT).unwrap();
}

#[test]
fn a_place_of_the_io_lane_that_is_held_is_replaced_too() {
    static HELD: AtomicUsize = AtomicUsize::new(0);
    let (open, gate) = tokio::sync::watch::channel(());
    let deaf = move |_: Context, _| {
        let mut gate = gate.clone();
        async move {
            HELD.fetch_add(1, Ordering::SeqCst);
            let _closed = gate.changed().await;
            Ok::<_, HandlerError>(Value::Null)
        }
    };
    let settings = LaneSettings {
        io_threads: 1,
        io_concurrency: 1,
        cpu_workers: 1,
        ..LaneSettings::default()
    };
    let quick = |_: Context, _| async { Ok::<_, HandlerError>(Value::Null) };
    let handlers = Handlers::new().io("deaf", deaf).io("quick", quick);
    let bench = Bench::with(settings, handlers);
    let deaf = bench.submit(1, Lane::Io, call("deaf"));
    let quick = bench.submit(2, Lane::Io, call("quick"));
    bench.lanes.replace(deaf);
    assert_eq!(bench.end().attempt, quick);
    drop(open);
    assert_eq!(bench.end().attempt, deaf);
    assert_eq!(HELD.load(Ordering::SeqCst), 1);
    bench.lanes.shutdown(LIMIT).unwrap();
}

#[test]
fn a_program_that_cannot_be_started_for_a_task_refuses_to_isolate_it() {
    let bench = Bench::new(Handlers::new());
    let mut order = order(1, Lane::Cpu, call("quick"));
    std::sync::Arc::make_mut(&mut order.job).isolate = true;
    bench.lanes.submit(order).unwrap();
    let ended = bench.end();
    let why = error(&ended);
    assert!(
        why.contains("let its `main` be that of `twolane::App`"),
        "{why}"
    );
}
