//! Each task on each lane: what it gives, what it measures, and how soon it stops.

use std::time::Duration;

use serde_json::{Value, json};
use twolane::engine::id::RunId;
use twolane::engine::outcome::Outcome;
use twolane::engine::spec::{Lane, TaskSpec};
use twolane::lanes::{HandlerError, Handlers};

use crate::support::{Bench, FOR_EVER, call, compute, error, order, sleep, value};

#[test]
fn sleep_measures_how_late_it_was() {
    let bench = Bench::new(Handlers::new());
    for lane in Lane::ALL {
        let asked = Duration::from_millis(20);
        let measures = bench.run(lane, sleep(asked)).end.measures;
        let late = measures.late.unwrap();
        let took = measures.ended.mono.since(measures.began.mono);
        assert!(took >= asked + late, "{lane}: {took:?}, late {late:?}");
        let cpu = measures.cpu.unwrap();
        assert!(cpu < took, "{cpu:?} of {took:?}");
        assert_eq!(measures.held, None);
    }
}

#[test]
fn the_io_lanes_sleep_is_late_by_less_than_a_millisecond() {
    let bench = Bench::new(Handlers::new());
    // The machine may be busy with anything at one moment, but not each time.
    let best = (0..50)
        .filter_map(|_| {
            let ended = bench.run(Lane::Io, sleep(Duration::from_micros(1_500)));
            ended.end.measures.late
        })
        .min();
    assert!(best.unwrap() < Duration::from_micros(500), "{best:?}");
}

#[test]
fn ten_thousand_sleepers_wait_at_once() {
    let bench = Bench::new(Handlers::new());
    for run in 0..10_000 {
        bench.submit(run, Lane::Io, sleep(FOR_EVER));
    }
    for run in 0..10_000 {
        bench.lanes.stop(crate::support::id(run));
    }
    for _ in 0..10_000 {
        assert_eq!(bench.end().end.outcome, Outcome::Stopped);
    }
}

#[test]
fn compute_gives_what_the_loops_give() {
    let bench = Bench::new(Handlers::new());
    let check = |outer: u64, inner: u64| {
        // sum of i - j over both loops
        let (o, n) = (i128::from(outer), i128::from(inner));
        let sum = n * (o * (o - 1) / 2) - o * (n * (n - 1) / 2);
        for lane in Lane::ALL {
            let ended = bench.run(lane, compute(outer, inner, None));
            assert_eq!(value(&ended)["sum"], json!(i64::try_from(sum).unwrap()));
        }
    };
    check(0, 5);
    check(5, 0);
    check(1, 1);
    check(1_000, 500);
    check(3, 200_000);
    check(200_000, 3);
}

#[test]
fn compute_reports_between_beginning_and_end() {
    let bench = Bench::new(Handlers::new());
    let check = |outer, every, expected: &[f64]| {
        for lane in Lane::ALL {
            let ended = bench.run(lane, compute(outer, 3, every));
            let mut notes: Vec<_> = bench.mail.notes.try_iter().collect::<Vec<_>>();
            let taken: Vec<_> = notes.drain(..).flat_map(|source| source.take()).collect();
            let fractions: Vec<_> = taken
                .iter()
                .chain(&ended.notes)
                .map(|note| note.progress.fraction.unwrap())
                .collect();
            assert_eq!(fractions, expected);
            assert!(ended.notes.iter().all(|note| note.attempt.run == RunId(1)));
        }
    };
    check(8, Some(2), &[0.25, 0.5, 0.75]);
    check(4, Some(3), &[0.75]);
    check(4, Some(4), &[]);
    check(4, Some(9), &[]);
    check(4, None, &[]);
}

#[test]
fn whatever_runs_stops_soon() {
    let bench = Bench::new(Handlers::new().io("wait", |context, _| async move {
        context.cancelled().await;
        context.check().map(|()| Value::Null)
    }));
    let endless = [
        (Lane::Io, sleep(FOR_EVER)),
        (Lane::Io, compute(1, u64::MAX, None)),
        (Lane::Io, compute(u64::MAX, 0, None)),
        (Lane::Io, call("wait")),
        (Lane::Cpu, sleep(FOR_EVER)),
        (Lane::Cpu, compute(1, u64::MAX, None)),
        (Lane::Cpu, compute(u64::MAX, 0, None)),
        (Lane::Cpu, compute(u64::MAX, u64::MAX, None)),
    ];
    for (kind, (lane, task)) in (0..).zip(endless) {
        // The machine may be busy with anything at one moment, but not each time.
        let soonest = (0..5)
            .map(|n| {
                // A number of its own: an end is sent a little before its attempt leaves the table.
                let attempt = bench.submit(5 * kind + n, lane, task.clone());
                let asked = bench.clock.mono();
                bench.lanes.stop(attempt);
                let ended = bench.end();
                assert_eq!(ended.end.outcome, Outcome::Stopped);
                assert_eq!(ended.end.measures.late, None);
                ended.end.measures.ended.mono.since(asked)
            })
            .min();
        assert!(soonest < Some(Duration::from_millis(100)), "{task:?}");
    }
}

#[test]
fn read_gives_size_lines_and_text() {
    let bench = Bench::new(Handlers::new());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.txt");
    std::fs::write(&path, "one\nzwei\n三").unwrap();
    for lane in Lane::ALL {
        let ended = bench.run(lane, TaskSpec::Read { path: path.clone() });
        let expected = json!({
            "bytes": 12, "lines": 3, "text": "one\nzwei\n三",
            "truncated": false, "lossless": true,
        });
        assert_eq!(value(&ended), &expected);
    }
}

#[test]
fn read_holds_no_more_of_a_large_file_than_its_beginning() {
    let bench = Bench::new(Handlers::new());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("large");
    let file = std::fs::File::create(&path).unwrap();
    // A hole: large to read, small on the disk.
    file.set_len(20 << 20).unwrap();
    for lane in Lane::ALL {
        let ended = bench.run(lane, TaskSpec::Read { path: path.clone() });
        let value = value(&ended);
        assert_eq!(value["bytes"], 20 << 20);
        assert_eq!(value["truncated"], true);
        assert_eq!(value["text"].as_str().unwrap().len(), 64 << 10);
    }
}

#[test]
fn read_names_what_it_cannot_read_and_why() {
    let bench = Bench::new(Handlers::new());
    let dir = tempfile::tempdir().unwrap();
    let here = |name: &str| dir.path().join(name);
    rustix::fs::mkfifoat(rustix::fs::CWD, here("pipe"), rustix::fs::Mode::RUSR).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(here("socket")).unwrap();
    let check = |path: std::path::PathBuf, why: &str| {
        for lane in Lane::ALL {
            let ended = bench.run(lane, TaskSpec::Read { path: path.clone() });
            let expected = format!("cannot read {}: {why}", path.display());
            assert_eq!(error(&ended), expected);
        }
    };
    check(here("missing"), "No such file or directory (os error 2)");
    check(here("."), "it is a directory, not a regular file");
    check(here("pipe"), "it is a named pipe, not a regular file");
    check(here("socket"), "it is a socket, not a regular file");
    check("/dev/zero".into(), "it is a device, not a regular file");
    drop(socket);
}

#[test]
fn call_gives_arguments_and_takes_results_and_errors() {
    let bench = Bench::new(
        Handlers::new()
            .io("echo", |_, args| async move { Ok::<_, HandlerError>(args) })
            .cpu("count", |_, args| Ok::<_, HandlerError>(args))
            .cpu("fail", |_, _| Err("no more of it".to_owned())),
    );
    for (lane, name) in [(Lane::Io, "echo"), (Lane::Cpu, "count")] {
        let mut order = order(
            1,
            lane,
            TaskSpec::Call {
                handler: name.into(),
                args: json!({"a": 1, "b": 2}),
            },
        );
        order.args = Some(json!({"b": 3}).into());
        bench.lanes.submit(order).unwrap();
        assert_eq!(value(&bench.end()), &json!({"a": 1, "b": 3}));
    }
    let check = |lane, name, expected: &str| {
        assert_eq!(error(&bench.run(lane, call(name))), expected);
    };
    check(Lane::Cpu, "fail", "no more of it");
    let unknown = "no handler is registered as `nobody` in this program";
    check(Lane::Io, "nobody", unknown);
    check(Lane::Cpu, "nobody", unknown);
    check(
        Lane::Io,
        "count",
        "the handler `count` is registered for the cpu lane, and the job runs on the io lane: \
         give the job `lane = \"cpu\"`",
    );
}
