//! Every order gives exactly one end: under random stops, and through a shutdown.

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::Value;
use twolane::engine::outcome::{Failure, Outcome};
use twolane::engine::spec::Lane;
use twolane::lanes::{HandlerError, Handlers, Stopped};

use crate::support::{Bench, FOR_EVER, Gate, LIMIT, call, compute, id, sleep};

/// Random numbers that are the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn handlers() -> Handlers {
    Handlers::new()
        .io("panics", |_, _| async move {
            assert!(std::hint::black_box(false), "meant");
            Ok::<_, Stopped>(Value::Null)
        })
        .cpu("panics on cpu", |_, _| -> Result<Value, Stopped> {
            panic!("meant")
        })
        .io("waits", |context, _| async move {
            context.sleep(Duration::from_micros(300)).await?;
            context.progress(0.5, "");
            context.sleep(FOR_EVER).await?;
            Ok::<_, HandlerError>(Value::Null)
        })
}

#[test]
fn exactly_one_end_for_each_order_under_random_stops() {
    for seed in 1..=8 {
        one_end_each(seed);
    }
}

fn one_end_each(seed: u64) {
    const ATTEMPTS: u64 = 400;
    let mut random = Random(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
    let bench = Bench::new(handlers());
    for run in 0..ATTEMPTS {
        // More than the cpu lane takes at times, which ends the order too.
        let (lane, task) = match random.below(7) {
            0 => (Lane::Io, sleep(Duration::from_micros(random.below(500)))),
            1 => (Lane::Io, call("waits")),
            2 => (Lane::Io, call("panics")),
            3 => (Lane::Io, call("nobody")),
            4 => (Lane::Cpu, compute(1 + random.below(100), 100, Some(10))),
            5 => (Lane::Cpu, sleep(Duration::from_micros(random.below(500)))),
            _ => (Lane::Cpu, call("panics on cpu")),
        };
        bench.submit(run, lane, task);
        for _ in 0..random.below(3) {
            // Some of them have ended, and some are stopped twice.
            bench.lanes.stop(id(random.below(run + 1)));
        }
    }
    for run in 0..ATTEMPTS {
        bench.lanes.stop(id(run));
    }
    let mut ended = BTreeSet::new();
    for _ in 0..ATTEMPTS {
        let attempt = bench.end().attempt;
        assert!(ended.insert(attempt), "seed {seed}: two ends of {attempt}");
    }
    assert_eq!(bench.lanes.live(), 0);
    let further = bench.mail.ends.try_recv();
    assert!(further.is_err(), "seed {seed}: an end too many");
}

#[test]
fn a_shutdown_ends_what_runs_and_what_waits() {
    let bench = Bench::new(handlers());
    for run in 0..100 {
        bench.submit(run, Lane::Io, call("waits"));
    }
    for run in 100..102 {
        bench.submit(run, Lane::Cpu, compute(u64::MAX, 1, None));
    }
    bench.lanes.shutdown(LIMIT).unwrap();
    // All ends are there when it returns.
    let ended: Vec<_> = bench.mail.ends.try_iter().collect();
    assert_eq!(ended.len(), 102);
    assert!(ended.iter().all(|e| e.end.outcome == Outcome::Stopped));
    // Who comes too late is told so, by an end as well.
    bench.submit(200, Lane::Io, sleep(Duration::ZERO));
    bench.submit(201, Lane::Cpu, sleep(Duration::ZERO));
    for _ in 0..2 {
        let outcome = bench.end().end.outcome;
        assert!(
            matches!(outcome, Outcome::Failed(Failure::Error(_))),
            "{outcome:?}"
        );
    }
}

#[test]
fn a_shutdown_drops_futures_that_do_not_listen_and_names_threads_that_do_not() {
    let (open, gate) = Gate::new();
    let (began, begun) = channel();
    let began_too = began.clone();
    let handlers = Handlers::new()
        .io("deaf future", move |_, _| {
            began.send(()).unwrap();
            pending::<Result<Value, Stopped>>()
        })
        .cpu("deaf thread", move |_, _| {
            began_too.send(()).unwrap();
            gate.wait();
            Ok::<_, Stopped>(Value::Null)
        });
    let bench = Bench::new(handlers);
    bench.submit(1, Lane::Io, call("deaf future"));
    bench.submit(2, Lane::Cpu, call("deaf thread"));
    for _ in 0..2 {
        begun.recv_timeout(LIMIT).unwrap();
    }
    let late = bench.lanes.shutdown(Duration::from_millis(20)).unwrap_err();
    assert_eq!(late.attempts, [id(2)]);
    assert_eq!(late.to_string(), "still running: 2.1");
    let first = bench.end();
    assert_eq!(
        (first.attempt, first.end.outcome),
        (id(1), Outcome::Stopped)
    );
    assert!(bench.mail.ends.try_recv().is_err());
    drop(open);
    let second = bench.end();
    // It did its work after all.
    assert_eq!(second.attempt, id(2));
    assert!(matches!(second.end.outcome, Outcome::Succeeded(_)));
}
