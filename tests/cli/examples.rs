//! The numbered examples: there is one for each of the programs that they come from, and what they print is
//! what they are there for. Those on commands, requests and files are tested beside these.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use crate::commands::{SERVE, ask, daemon};
use crate::support::{Place, Process, shipped};

fn text(name: &str) -> String {
    fs::read_to_string(shipped("config/examples").join(name)).unwrap()
}

/// A daemon that has the jobs of an example.
fn serve(name: &str) -> (Place, Process) {
    let place = daemon(&text(name));
    let process = started(&place);
    (place, process)
}

fn started(place: &Place) -> Process {
    let mut process = place.start(&SERVE);
    process.wait_for("answering on");
    process
}

fn submit(place: &Place, args: &[&str]) -> String {
    let all: Vec<&str> = ["submit"].iter().chain(args).copied().collect();
    ask(place, &all).trim().to_owned()
}

fn show(place: &Place, run: &str) -> Value {
    serde_json::from_str(&ask(place, &["show", run, "--json"])).unwrap()
}

#[test]
fn there_is_one_for_each_of_the_thirteen() {
    let mut numbers: Vec<String> = fs::read_dir(shipped("config/examples"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with('s') && name[1..3].parse::<u32>().is_ok())
        .map(|name| name[1..3].to_owned())
        .collect();
    numbers.sort();
    let expected: Vec<String> = (1..=13).map(|n| format!("{n:02}")).collect();
    assert_eq!(numbers, expected);
}

/// Three jobs side by side: all begin before any has ended.
#[test]
fn s02_computations_and_a_wait_keep_each_other_from_nothing() {
    let file = shipped("config/examples/s02-executor.toml");
    let ended = Place::with(&[]).twolane(&["run", file.to_str().unwrap()]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let place = |text: &str| {
        let found = ended.stdout.find(&format!("{text}: "));
        found.unwrap_or_else(|| panic!("{text} in {}", ended.stdout))
    };
    for end in ["computed", "computed more", "read"] {
        for start in ["computing", "computing more", "reading"] {
            assert!(place(start) < place(end), "{}", ended.stdout);
        }
    }
    for text in ["computing, 50 percent", "computing more, 75 percent"] {
        assert!(place(text) < place("computed more"));
    }
}

/// A result that somebody else brings, and what comes after it.
#[test]
fn s04_a_future_ends_with_what_somebody_brings() {
    let (place, mut process) = serve("s04-future.toml");
    let publish = submit(&place, &["publish"]);
    process.wait_for("approval: started");
    let told = show(&place, &publish);
    assert_eq!(told["state"], "blocked", "{told}");
    let run = told["after"][0].to_string();
    assert_eq!(show(&place, &run)["state"], "running");
    ask(
        &place,
        &["complete", &run, "--result", "{\"by\": \"a person\"}"],
    );
    ask(&place, &["wait", &publish]);
    assert_eq!(show(&place, &run)["result"]["by"], "a person");
    let log = ask(&place, &["logs", &publish]);
    assert_eq!(log, "approved: {\"by\":\"a person\"}\n");
    process.signal(Signal::TERM);
    assert_eq!(process.finish().code, Some(0));
}

/// Nothing of a future executes that could end by itself: on the way down it goes, and is there again after.
#[test]
fn what_somebody_may_bring_one_day_is_not_waited_for_on_the_way_down() {
    let place = daemon("[jobs.approval]\nfuture = \"yes or no\"\n");
    let mut process = started(&place);
    let run = submit(&place, &["approval"]);
    for way_down in ["stop", "drain"] {
        process.wait_for("approval: started");
        ask(&place, &[way_down]);
        let ended = process.finish();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        process = started(&place);
    }
    process.wait_for("approval: started");
    ask(&place, &["complete", &run, "--result", "\"yes\""]);
    let shown = show(&place, &run);
    assert_eq!(shown["state"], "succeeded", "{shown}");
    let history = shown["history"].as_array().unwrap();
    let interrupted = history.iter().filter(|e| e["event"] == "interrupted");
    let reasons: Vec<&Value> = interrupted.map(|event| &event["reason"]).collect();
    assert_eq!(reasons, ["the daemon was shut down"; 2], "{shown}");
    process.signal(Signal::TERM);
    assert_eq!(process.finish().code, Some(0));
}

/// A job that blocks is named, those beside it are not held up, and it finds its own lane.
#[test]
fn s09_what_blocks_is_named_and_moved_and_holds_up_nobody() {
    let file = shipped("config/examples/s09-blocker.toml");
    let ended = Place::with(&[]).twolane(&["run", "--json", file.to_str().unwrap()]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let lines: Vec<Value> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let place = |what: &str, is_it: &dyn Fn(&Value) -> bool| {
        let found = lines.iter().position(is_it);
        found.unwrap_or_else(|| panic!("{what} in {}", ended.stdout))
    };
    let words = |line: &Value, words: &str| {
        let message = line["message"].as_str().or(line["text"].as_str());
        message.is_some_and(|message| message.contains(words)) || line.to_string().contains(words)
    };
    let of = |line: &Value, job: &str, event: &str| line["job"] == job && line["event"] == event;
    let named = place("the warning", &|line| words(line, "job `blocker` blocks"));
    let moved = place("the move", &|line| of(line, "blocker", "moved"));
    let first_end = place("its end", &|line| {
        of(line, "blocker", "finished") && line["lane"] == "io" && line["attempt"] == 1
    });
    assert!(named < first_end, "it is named while it blocks");
    // The ticks wait a twentieth of a second each, all at once, beside what takes seconds.
    let ticks = lines.iter().filter(|line| of(line, "tick", "finished"));
    assert!(ticks.count() >= 10);
    let last_tick = lines.iter().rposition(|line| of(line, "tick", "finished"));
    assert!(last_tick < Some(moved), "nobody waited for it");
    let summary = &lines.last().unwrap()["summary"]["runs"];
    let lanes: Vec<&str> = summary
        .as_array()
        .unwrap()
        .iter()
        .filter(|run| run["job"] == "blocker")
        .skip(1)
        .map(|run| run["lane"].as_str().unwrap())
        .collect();
    assert_eq!(
        (lanes.len(), lanes[0], lanes[4]),
        (5, "io", "cpu"),
        "{lanes:?}"
    );
}

/// Two sets: those that are done, and those that are not.
#[test]
fn s10_a_wait_with_a_limit_tells_what_is_done_and_what_is_pending() {
    let (place, process) = serve("s10-wait.toml");
    let (quick, slow) = (submit(&place, &["quick"]), submit(&place, &["slow"]));
    ask(&place, &["wait", &quick]);
    let args = [
        "--socket",
        "run/twolane.sock",
        "wait",
        &quick,
        &slow,
        "--timeout",
        "100ms",
    ];
    let ended = place.twolane(&args);
    assert_eq!(ended.code, Some(9), "{ended:?}");
    let expected = format!("done: {quick} succeeded\npending: {slow} running\n");
    assert_eq!(ended.stdout, expected);
    assert_eq!(
        ask(&place, &["wait", &quick, &slow, "--any"]),
        format!("done: {quick} succeeded\n")
    );
    ask(&place, &["cancel", &slow]);
    process.signal(Signal::TERM);
    assert_eq!(process.finish().code, Some(0));
}

/// Answered at once, asked for later, tried again, and there after a kill.
#[test]
fn s13_a_queue_answers_at_once_tries_again_and_outlives_a_kill() {
    let (place, mut process) = serve("s13-queue.toml");
    let run = submit(&place, &["count", "--arg", "text=how many words are these"]);
    process.wait_for("count: retrying");
    process.signal(Signal::KILL);
    assert_eq!(process.finish().code, None);
    let process = started(&place);
    ask(&place, &["wait", &run]);
    let told = show(&place, &run);
    assert_eq!(told["state"], "succeeded", "{told}");
    assert!(told["attempts"].as_u64() >= Some(2), "{told}");
    let log = ask(&place, &["logs", &run]);
    assert!(log.trim_end().ends_with('5'), "{log}");
    process.signal(Signal::TERM);
    assert_eq!(process.finish().code, Some(0));
}
