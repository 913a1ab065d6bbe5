//! `twolane run`: order, results, exit codes, signals, formats.

use rustix::process::Signal;
use serde_json::Value;

use crate::support::Place;

const QUICK: &str = r#"
[jobs.quick]
sleep = "10ms"

[jobs.sum]
compute = { outer = 10, inner = 10, report_every = 5 }
messages.progress = "{job} at {percent}"

[jobs.last]
sleep = "1ms"
after = ["quick", "sum"]
"#;

#[test]
fn all_jobs_run_and_the_summary_says_how() {
    let place = Place::with(&[("jobs.toml", QUICK)]);
    let finished = place.twolane(&["run", "jobs.toml"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(finished.stdout.contains("sum at 50"), "{}", finished.stdout);
    let header = finished
        .stdout
        .lines()
        .find(|line| line.trim_start().starts_with("RUN"));
    assert_eq!(
        header
            .unwrap()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" "),
        "RUN JOB AFTER LANE STATE WAIT RUN TIME CPU LATE RESULT"
    );
    let rows: Vec<&str> = finished.stdout.lines().rev().take(3).collect();
    assert!(
        rows.iter().all(|row| row.contains("succeeded")),
        "{}",
        finished.stdout
    );
    assert_eq!(finished.stderr, "", "nothing to complain about");
}

#[test]
fn named_jobs_bring_what_they_come_after() {
    let place = Place::with(&[("jobs.toml", QUICK)]);
    for (name, expected) in [("quick", 1), ("last", 3)] {
        let finished = place.twolane(&["run", "--json", "jobs.toml", name]);
        assert_eq!(finished.code, Some(0), "{finished:?}");
        let lines: Vec<Value> = finished
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let runs = lines.last().unwrap()["summary"]["runs"]
            .as_array()
            .unwrap()
            .clone();
        assert_eq!(runs.len(), expected, "{runs:?}");
    }
}

#[test]
fn exit_codes_tell_what_went_wrong() {
    let place = Place::with(&[
        ("jobs.toml", QUICK),
        (
            "fails.toml",
            "[jobs.a]\nread = \"missing\"\n[jobs.b]\nsleep = \"1ms\"\nafter = \"a\"",
        ),
        ("late.toml", "[jobs.a]\nsleep = \"1h\"\ntimeout = \"20ms\""),
        ("empty.toml", "[limits.m]\nsize = 1"),
        ("wrong.toml", "[jobs.a]\nslep = \"1s\""),
    ]);
    for (args, code, says) in [
        (&["run", "fails.toml"][..], 1, "missing"),
        (&["run", "late.toml"], 1, "timeout"),
        (&["run"], 2, "FILE|JOB"),
        (&["run", "quick"], 2, "no job file"),
        (&["run", "jobs.toml", "quik"], 2, "there is a job `quick`"),
        (&["frobnicate"], 2, "frobnicate"),
        (&["run", "wrong.toml"], 3, "wrong.toml:2:1"),
        (&["run", "empty.toml"], 3, "no job in these files"),
        (&["run", "nowhere.toml"], 3, "nowhere.toml"),
        (
            &["run", "jobs.toml", "--set", "lanes.cpu.workers=many"],
            3,
            "lanes.cpu.workers",
        ),
        (
            &["run", "jobs.toml", "--config", "none.toml"],
            3,
            "none.toml",
        ),
    ] {
        let finished = place.twolane(args);
        assert_eq!(finished.code, Some(code), "{args:?}: {finished:?}");
        let said = format!("{}{}", finished.stdout, finished.stderr);
        assert!(said.contains(says), "{args:?} says {says:?}: {said}");
    }
}

#[test]
fn promise_6_a_bound_that_is_reached_is_named() {
    let place = Place::with(&[("jobs.toml", QUICK)]);
    let finished = place.twolane(&["run", "jobs.toml", "--set", "queue.max_runs=2"]);
    assert_eq!(finished.code, Some(3), "{finished:?}");
    let names_it = finished
        .stderr
        .contains("the bound of 2 unfinished runs (`queue.max_runs`)");
    assert!(names_it, "{finished:?}");
    assert!(
        !finished.stdout.contains("started"),
        "all or nothing: {finished:?}"
    );
}

#[test]
fn what_comes_after_a_failure_is_skipped_and_said() {
    let place = Place::with(&[(
        "jobs.toml",
        "[jobs.a]\nread = \"missing\"\n[jobs.b]\nsleep = \"1ms\"\nafter = \"a\"",
    )]);
    let finished = place.twolane(&["run", "jobs.toml"]);
    assert_eq!(finished.code, Some(1));
    let row = finished.stdout.lines().last().unwrap();
    assert!(
        row.contains("skipped") && row.contains("run 1 of `a`"),
        "{row}"
    );
}

#[test]
fn an_interrupt_stops_everything_and_says_so() {
    let place = Place::with(&[(
        "jobs.toml",
        "[jobs.a]\nsleep = \"1h\"\n[jobs.b]\nsleep = \"1h\"\nafter = \"a\"\n\
         [jobs.c]\ncompute = { outer = 1_000_000_000, inner = 1_000_000 }",
    )]);
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 143)] {
        let mut process = place.start(&["run", "jobs.toml"]);
        process.wait_for("run 3 c: started");
        process.signal(signal);
        let finished = process.finish();
        assert_eq!(finished.code, Some(code), "{finished:?}");
        let rows = finished.stdout.lines().rev().take(3);
        assert!(
            rows.clone().all(|row| row.contains("cancelled")),
            "{}",
            finished.stdout
        );
    }
}

#[test]
fn json_is_one_object_a_line() {
    let place = Place::with(&[("jobs.toml", QUICK)]);
    let finished = place.twolane(&["run", "--json", "jobs.toml"]);
    let lines: Vec<Value> = finished
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let started = lines.iter().find(|line| line["job"] == "sum").unwrap();
    for key in ["time", "level", "job", "run", "lane", "attempt", "state"] {
        assert!(started.get(key).is_some(), "{key} in {started}");
    }
    let run = &lines.last().unwrap()["summary"]["runs"][1];
    assert_eq!(run["result"]["sum"], 0, "{run}");
}
