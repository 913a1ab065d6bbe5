//! Slots of the past, on the real binary: what would be run, that each is run once though the daemon is killed in
//! the middle, and how one is ended.

use std::collections::BTreeMap;

use expect_test::expect;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Place, Process};

const SETTINGS: &str =
    "[daemon]\njobs = [\"jobs.toml\"]\nstate_dir = \"state\"\nruntime_dir = \"run\"\n";

const JOBS: &str = r#"
[jobs.hourly]
shell = "echo \"$TWOLANE_SCHEDULED\" >> ledger"
schedule = "0 * * * *"
[jobs.night]
shell = "exit 3"
schedule = { cron = "30 2 * * *", tz = "Europe/Berlin" }
[jobs.slow]
sleep = "1h"
schedule = ["0 1 * * *", "0 2 * * *"]
[jobs.never]
sleep = "1ms"
"#;

fn place() -> Place {
    Place::with(&[("twolane.toml", SETTINGS), ("jobs.toml", JOBS)])
}

fn serve(place: &Place) -> Process {
    let mut process = place.start(&["serve", "--config", "twolane.toml"]);
    process.wait_for("answering on");
    process
}

fn ask(place: &Place, args: &[&str]) -> (Option<i32>, String) {
    let socket = ["--socket", "run/twolane.sock", "--config", "twolane.toml"];
    let done = place.twolane(&[args, &socket].concat());
    (done.code, done.stdout + &done.stderr)
}

/// The backfill of this number, as `--list` has it.
fn listed(place: &Place, id: u64) -> Value {
    let (code, told) = ask(place, &["backfill", "--list", "--json"]);
    assert_eq!(code, Some(0), "{told}");
    let mut all = told
        .lines()
        .map(|line| -> Value { serde_json::from_str(line).unwrap() });
    all.find(|backfill| backfill["backfill"] == id).unwrap()
}

fn wait_for(place: &Place, id: u64, begun: u64) {
    let enough = |listed: &Value| listed["begun"].as_u64().unwrap() >= begun;
    // Each look takes a process of its own, so this does not spin.
    let mut looks = 0..5_000;
    assert!(
        looks.any(|_| enough(&listed(place, id))),
        "{}",
        listed(place, id)
    );
}

#[test]
fn each_slot_is_run_once_though_the_daemon_is_killed_in_the_middle() {
    let place = place();
    let mut process = serve(&place);
    let week = ["--from", "2024-01-01", "--to", "2024-01-08T00:00:00Z"];
    let (code, told) = ask(&place, &[&["backfill", "hourly"][..], &week].concat());
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(
        told,
        "backfill 1: 168 slots of hourly by 0 * * * * UTC are run, 1 at a time; 0 left out\n"
    );
    for begun in [5, 40, 90] {
        wait_for(&place, 1, begun);
        process.signal(Signal::KILL);
        process.finish();
        process = serve(&place);
    }
    process.wait_for("INFO hourly: backfill done  reason=\"backfill 1 done: 168 of 168 slots run, 168 succeeded, 0 failed\"");
    let (_, told) = ask(&place, &["list", "--job", "hourly", "--all", "--json"]);
    let runs: Vec<Value> = told
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    // One run for each slot, and of a run that was killed with the daemon another attempt.
    let slots: BTreeMap<&str, u64> = runs
        .iter()
        .map(|run| {
            (
                run["slot"].as_str().unwrap(),
                run["attempts"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!((runs.len(), slots.len()), (168, 168));
    let ledger = std::fs::read_to_string(place.path().join("ledger")).unwrap();
    let mut written: BTreeMap<String, u64> = BTreeMap::new();
    for slot in ledger.lines() {
        *written.entry(slot.replace('Z', ".000000Z")).or_default() += 1;
    }
    assert_eq!(written.len(), 168);
    for (slot, times) in written {
        assert!(times <= slots[&*slot], "{slot} was run {times} times");
    }
    let (_, told) = ask(&place, &["events", "--json"]);
    let accepted = told
        .lines()
        .find(|line| line.contains("\"event\":\"backfill\""));
    let uid = rustix::process::getuid().as_raw();
    assert!(accepted.unwrap().contains(&format!("\"by\":\"uid:{uid}\"")));
    let (_, told) = ask(&place, &[&["backfill", "hourly"][..], &week].concat());
    assert!(
        told.contains("nothing to do: there are 168 slots of hourly"),
        "{told}"
    );
    process.signal(Signal::TERM);
    process.finish();
}

#[test]
fn a_dry_run_says_what_changes_of_the_clock_do_and_what_has_run() {
    let place = place();
    let spring = [
        "backfill",
        "night",
        "--from",
        "2024-03-30",
        "--to",
        "2024-04-02",
        "--dry-run",
    ];
    let dry = |more: &[&str]| {
        let (code, told) = ask(&place, &[&spring[..], more].concat());
        assert_eq!(code, Some(0), "{told}");
        told
    };
    let offline = dry(&["--file", "jobs.toml"]);
    expect![[r#"
         SLOT                  SHOWN                           RUN  NOTE
         2024-03-30T01:30:00Z  Sat 2024-03-30 02:30:00 +01:00  yes
         2024-03-31T01:00:00Z  Sun 2024-03-31 03:00:00 +02:00  yes  for 02:30:00, which the clock skips
         2024-04-01T00:30:00Z  Mon 2024-04-01 02:30:00 +02:00  yes
        3 slots of night by 30 2 * * * Europe/Berlin would be run, 0 left out
    "#]]
    .assert_eq(&offline);
    let without = dry(&[]);
    assert!(
        without.contains("worked out from the job files"),
        "{without}"
    );
    assert!(without.contains("3 slots of night"), "{without}");
    let mut process = serve(&place);
    assert_eq!(dry(&[]), offline);
    ask(
        &place,
        &[
            "backfill",
            "night",
            "--from",
            "2024-03-31",
            "--to",
            "2024-04-01",
        ],
    );
    process.wait_for(
        "backfill done  reason=\"backfill 1 done: 1 of 1 slots run, 0 succeeded, 1 failed\"",
    );
    expect![[r#"
         SLOT                  SHOWN                           RUN               NOTE
         2024-03-30T01:30:00Z  Sat 2024-03-30 02:30:00 +01:00  yes
         2024-03-31T01:00:00Z  Sun 2024-03-31 03:00:00 +02:00  no: run 1 failed  for 02:30:00, which the clock skips
         2024-04-01T00:30:00Z  Mon 2024-04-01 02:30:00 +02:00  yes
        2 slots of night by 30 2 * * * Europe/Berlin would be run, 1 left out
    "#]]
    .assert_eq(&dry(&[]));
    assert!(dry(&["--again=failed"]).contains("3 slots of night"));
    // What follows without `=` is not its value.
    assert!(dry(&["--again", "--max-concurrent", "2"]).contains("3 slots of night"));
    process.signal(Signal::TERM);
    process.finish();
}

#[test]
fn what_is_no_backfill_is_refused_and_told_why() {
    let place = place();
    let process = serve(&place);
    let month = ["--from", "2024-01-01", "--to", "2024-02-01"];
    let refused: [(&[&str], i32, &str); 10] = [
        (&["gone"], 7, "there is no job `gone`"),
        (&["never"], 8, "job `never` has no schedule"),
        (
            &["slow"],
            8,
            "several schedules: say which, by its number: 1 (0 1 * * * UTC)",
        ),
        (&["slow", "--schedule", "3"], 7, "no schedule \"3\""),
        (&["hourly", "--to", "2999-01-01"], 8, "is in the future"),
        (&["hourly", "--to", "2023-01-01"], 8, "nothing in between"),
        (
            &["hourly", "--from", "1990-01-01"],
            8,
            "more than 100000 slots",
        ),
        (&["hourly", "--to", "soon"], 2, "`soon` is no time"),
        (
            &["hourly", "--dry-run", "--to", "2023-01-01"],
            8,
            "nothing in between",
        ),
        (
            &["slow", "--schedule", "0 3 * * *"],
            7,
            "no schedule \"0 3 * * *\"",
        ),
    ];
    for (args, exit, words) in refused {
        let from = if args.contains(&"--from") {
            &[][..]
        } else {
            &month[..2]
        };
        let (code, told) = ask(&place, &[&["backfill"], args, from].concat());
        assert!(told.contains(words), "{args:?}: {told}");
        assert_eq!(code, Some(exit), "{args:?}: {told}");
    }
    process.signal(Signal::KILL);
    process.finish();
}

#[test]
fn what_the_files_alone_cannot_answer_is_refused_too() {
    let place = place();
    let offline = ["backfill", "hourly", "--dry-run", "--file", "jobs.toml"];
    for (more, words) in [
        (
            &["--to", "2023-01-01"][..],
            "`--from` is not before `--to`, so there is nothing in between",
        ),
        (&["--to", "2999-01-01"], "is in the future"),
        (&["--again"], "cannot be used with"),
    ] {
        let from = ["--from", "2024-01-01"];
        let (code, told) = ask(&place, &[&offline[..], &from, more].concat());
        assert!(told.contains(words), "{more:?}: {told}");
        assert_eq!(code, Some(2), "{more:?}: {told}");
    }
}

#[test]
fn a_schedule_is_said_by_its_place_by_what_it_is_told_by_or_as_it_is_written() {
    let place = place();
    let process = serve(&place);
    let month = ["--from", "2024-01-01", "--to", "2024-02-01"];
    for asked in ["2", "0 2 * * * UTC", "0 2 * * *"] {
        let dry = ["backfill", "slow", "--dry-run", "--schedule", asked];
        for file in [&[][..], &["--file", "jobs.toml"]] {
            let (code, told) = ask(&place, &[&dry[..], &month, file].concat());
            assert!(
                told.contains("31 slots of slow by 0 2 * * * UTC would be run"),
                "{asked}: {told}"
            );
            assert_eq!(code, Some(0), "{asked}: {told}");
        }
    }
    process.signal(Signal::KILL);
    process.finish();
}

#[test]
fn one_that_is_cancelled_runs_no_more_slots() {
    let place = place();
    let mut process = serve(&place);
    let month = ["--from", "2024-01-01", "--to", "2024-02-01"];
    let slow = [
        "backfill",
        "slow",
        "--schedule",
        "2",
        "--max-concurrent",
        "3",
    ];
    let (code, told) = ask(&place, &[&slow[..], &month].concat());
    assert_eq!(code, Some(0), "{told}");
    // As it is when it is only tried.
    for tried in [&[][..], &["--dry-run"]] {
        let (code, told) = ask(&place, &[&slow[..], &month, tried].concat());
        assert!(
            told.contains("backfill 1 has slots of the same schedule in this time"),
            "{tried:?}: {told}"
        );
        assert_eq!(code, Some(8), "{tried:?}: {told}");
    }
    let february = ["--from", "2024-02-01", "--to", "2024-03-01", "--dry-run"];
    let (code, told) = ask(&place, &[&slow[..], &february].concat());
    assert_eq!(code, Some(0), "{told}");
    assert!(ask(&place, &["status"]).1.contains("backfills: 1 go on"));
    let (_, told) = ask(&place, &["show", "1"]);
    assert!(
        told.contains("2024-01-01T02:00:00.000000Z of 0 2 * * * UTC, by backfill 1"),
        "{told}"
    );
    let (code, told) = ask(&place, &["backfill", "--cancel", "1"]);
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(
        told,
        "backfill 1 cancelled: 3 of 31 slots run, 3 unfinished at its end\n"
    );
    let (code, told) = ask(&place, &["backfill", "--cancel", "1"]);
    assert!(
        told.contains("backfill 1 is over already") && code == Some(8),
        "{told}"
    );
    let (code, told) = ask(&place, &["backfill", "--cancel", "7"]);
    assert!(
        told.contains("there is no backfill 7") && code == Some(7),
        "{told}"
    );
    process.wait_for("backfill done  reason=\"backfill 1 cancelled on request: 3 of 31 slots run");
    assert_eq!(listed(&place, 1)["state"], "cancelled");
    process.signal(Signal::KILL);
    process.finish();
}
