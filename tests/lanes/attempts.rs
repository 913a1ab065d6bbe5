//! How an attempt counts, what it says on its way, and promise 4: the io lane does not feel the cpu
//! lane.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use twolane::engine::outcome::{Failure, Outcome};
use twolane::engine::spec::Lane;
use twolane::inbox::NOTES_BOUND;
use twolane::lanes::{HandlerError, Handlers, LaneSettings, Stopped};
use twolane::{Context, Lanes};

use crate::support::{Bench, FOR_EVER, Gate, LIMIT, call, compute, id, order, sleep, value};

#[test]
fn promise_4_the_io_lane_does_not_feel_the_cpu_lane() {
    let bench = Bench::new(Handlers::new().io("echo", |context, args| async move {
        context.sleep(Duration::from_millis(1)).await?;
        Ok::<_, HandlerError>(args)
    }));
    // Both threads compute without an end.
    for run in [1, 2] {
        bench.submit(run, Lane::Cpu, compute(u64::MAX, 1_000, None));
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    for run in 1_000..1_300 {
        let task = match run % 3 {
            0 => sleep(Duration::from_millis(run % 10)),
            1 => call("echo"),
            _ => twolane::engine::spec::TaskSpec::Read {
                path: file.path().to_owned(),
            },
        };
        bench.submit(run, Lane::Io, task);
    }
    for _ in 1_000..1_300 {
        let ended = bench.end();
        assert!(ended.attempt >= id(1_000), "the cpu lane came to an end");
        value(&ended);
    }
    for run in [1, 2] {
        bench.lanes.stop(id(run));
        assert_eq!(bench.end().end.outcome, Outcome::Stopped);
    }
}

#[test]
fn a_stop_before_the_beginning_leaves_nothing_to_begin() {
    let (open, gate) = Gate::new();
    let began = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = Arc::clone(&began);
    let settings = LaneSettings {
        cpu_workers: 1,
        ..LaneSettings::default()
    };
    let handlers = Handlers::new().cpu("gate", move |_, _| {
        counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        gate.wait();
        Ok::<_, Stopped>(Value::Null)
    });
    let bench = Bench::with(settings, handlers);
    bench.submit(1, Lane::Cpu, call("gate"));
    while began.load(std::sync::atomic::Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    bench.submit(2, Lane::Cpu, call("gate"));
    bench.lanes.stop(id(2));
    drop(open);
    value(&bench.end());
    let ended = bench.end();
    assert_eq!(ended.attempt, id(2));
    assert_eq!(ended.end.outcome, Outcome::Stopped);
    assert_eq!(began.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[test]
fn a_task_knows_which_attempt_of_which_run_it_is() {
    fn told(context: &Context) -> Result<Value, HandlerError> {
        Ok(json!([context.run(), context.attempt()]))
    }
    let handlers = Handlers::new()
        .io("which-io", |context, _| async move { told(&context) })
        .cpu("which-cpu", |context, _| told(context));
    let bench = Bench::new(handlers);
    for (run, lane, handler) in [(7, Lane::Io, "which-io"), (8, Lane::Cpu, "which-cpu")] {
        bench.submit(run, lane, call(handler));
        assert_eq!(*value(&bench.end()), json!([run, 1]));
    }
    // A task of the library is none of a run.
    let lanes = Lanes::new().unwrap();
    let told = lanes.cpu(|context| (context.run(), context.attempt()));
    assert_eq!(told.wait().unwrap(), (None, None));
}

#[test]
fn what_a_task_says_at_its_end_counts() {
    let bench = Bench::new(
        Handlers::new()
            .io("done anyway", |context, _| async move {
                context.cancelled().await;
                Ok::<_, Stopped>(json!("done"))
            })
            .io("fails", |context, _| async move {
                context.cancelled().await;
                Err::<Value, _>("lost the connection")
            })
            .io("stops", |context, _| async move {
                context.sleep(FOR_EVER).await?;
                Ok::<_, HandlerError>(Value::Null)
            })
            .cpu("stops by itself", |_, _| Err::<Value, _>(Stopped)),
    );
    let check = |run: u64, name: &str, expected: &Outcome| {
        // A number of its own: an end is sent a little before its attempt leaves the lane's table.
        let attempt = bench.submit(run, Lane::Io, call(name));
        bench.lanes.stop(attempt);
        let outcome = bench.end().end.outcome;
        // A stop that came before the beginning is one that was obeyed.
        if outcome != Outcome::Stopped {
            assert_eq!(&outcome, expected, "{name}");
        }
    };
    let failed = |message: &str| Outcome::Failed(Failure::Error(Arc::from(message)));
    for round in (0..60).step_by(3) {
        let done = Outcome::Succeeded(Arc::new(json!("done")));
        check(round, "done anyway", &done);
        check(round + 1, "fails", &failed("lost the connection"));
        check(round + 2, "stops", &Outcome::Stopped);
    }
    assert_eq!(
        bench.run(Lane::Cpu, call("stops by itself")).end.outcome,
        failed("it says that it was asked to stop, but nobody asked it to")
    );
}

#[test]
fn notes_that_nobody_takes_are_folded_and_counted() {
    let bench = Bench::new(Handlers::new().cpu("talk", |context, _| {
        for n in 1..=100 {
            context.progress(f64::from(n) / 100.0, format!("{n} of 100"));
        }
        context.progress(None, "nearly");
        context.progress(1.5, "");
        Ok::<_, Stopped>(Value::Null)
    }));
    let ended = bench.run(Lane::Cpu, call("talk"));
    assert_eq!(ended.notes.len(), 16);
    assert_eq!(ended.end.measures.coalesced, 102 - 16);
    let said: Vec<_> = ended
        .notes
        .iter()
        .map(|note| note.progress.message.as_deref().unwrap())
        .collect();
    assert_eq!(said[..2], ["1 of 100", "2 of 100"]);
    // Each of the last ones stands for those before it where it says nothing itself.
    assert_eq!(said[15], "nearly");
    assert_eq!(ended.notes[15].progress.fraction, Some(1.0));
    // All was announced once, and the end has taken it along.
    let sources: Vec<_> = bench.mail.notes.try_iter().collect();
    assert_eq!(sources.len(), 1);
    assert!(sources[0].take().is_empty());
}

#[test]
fn notes_come_while_the_attempt_runs() {
    let (open, gate) = Gate::new();
    let handlers = Handlers::new().cpu("talk", move |context, _| {
        context.progress(0.5, "half");
        gate.wait();
        context.progress(0.75, "more");
        Ok::<_, Stopped>(Value::Null)
    });
    let bench = Bench::new(handlers);
    let attempt = bench.submit(1, Lane::Cpu, call("talk"));
    let source = bench.mail.notes.recv_timeout(LIMIT).unwrap();
    assert_eq!(source.attempt(), attempt);
    let notes = source.take();
    assert_eq!(notes.len(), 1);
    assert_eq!(notes[0].progress.message.as_deref(), Some("half"));
    assert_eq!(notes[0].progress.fraction, Some(0.5));
    drop(open);
    assert_eq!(bench.end().notes.len(), 1);
}

#[test]
fn no_note_is_lost_when_nobody_reads_the_announcements() {
    let many = NOTES_BOUND as u64 + 200;
    let bench = Bench::new(Handlers::new().io("talk", |context, _| async move {
        context.progress(None, "one");
        Ok::<_, Stopped>(Value::Null)
    }));
    for run in 0..many {
        bench.submit(run, Lane::Io, call("talk"));
    }
    let mut notes = 0;
    for _ in 0..many {
        notes += bench.end().notes.len() as u64;
    }
    assert_eq!(notes, many);
}

#[test]
fn more_than_the_lanes_carry_is_given_back() {
    let settings = LaneSettings {
        io_concurrency: 2,
        cpu_workers: 1,
        ..LaneSettings::default()
    };
    let bench = Bench::with(settings, Handlers::new());
    assert_eq!(settings.capacity(), 3);
    // Each of them may be replaced, so twice as many find room.
    for run in 1..=6 {
        bench.submit(run, Lane::Io, sleep(FOR_EVER));
    }
    let over = order(7, Lane::Cpu, sleep(FOR_EVER));
    let refused = bench.lanes.submit(over.clone()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "attempt 7.1 is one more than the 6 that the lanes carry at once"
    );
    assert_eq!(*refused.order, over);
    for run in 1..=6 {
        bench.lanes.stop(id(run));
    }
    // An end that nobody has received still takes room.
    while bench.mail.ends.len() < 6 {
        std::thread::yield_now();
    }
    assert!(bench.lanes.submit(over.clone()).is_err());
    let ended: BTreeSet<_> = (0..6).map(|_| bench.end().attempt).collect();
    assert_eq!(ended, (1..=6).map(id).collect());
    bench.lanes.submit(over).unwrap();
    bench.lanes.stop(id(7));
    assert_eq!(bench.end().attempt, id(7));
}
