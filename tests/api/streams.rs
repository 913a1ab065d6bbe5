//! Streams: events that can be taken up again, logs that are followed, and an end in good time.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use serde_json::Value;

use crate::daemon::{Daemon, LIMIT, wait_for};

fn open(daemon: &Daemon, path: &str, headers: &str) -> BufReader<UnixStream> {
    let mut stream = UnixStream::connect(daemon.socket()).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n"
    )
    .unwrap();
    BufReader::new(stream)
}

/// The next line that begins like this.
fn next(stream: &mut BufReader<UnixStream>, beginning: &str) -> String {
    loop {
        let mut line = String::new();
        assert_ne!(
            stream.read_line(&mut line).unwrap(),
            0,
            "it ended before {beginning:?}"
        );
        if let Some(rest) = line.strip_prefix(beginning) {
            return rest.trim().to_owned();
        }
    }
}

#[test]
fn events_come_in_order_and_can_be_taken_up_again() {
    let daemon = Daemon::start("");
    let mut all = open(&daemon, "/events?after=0", "");
    assert_eq!(next(&mut all, "id: "), "1");
    assert_eq!(next(&mut all, "id: "), "2");
    assert_eq!(daemon.post("/runs", r#"{"job":"nap"}"#).status, 201);
    for (id, event) in [("3", "accepted"), ("4", "started"), ("5", "finished")] {
        assert_eq!(next(&mut all, "id: "), id);
        assert_eq!(next(&mut all, "event: "), event);
    }
    let mut again = open(&daemon, "/events", "last-event-id: 4\r\n");
    assert_eq!(next(&mut again, "id: "), "5");
    let mut new = open(&daemon, "/events", "");
    next(&mut new, "HTTP/1.1 200");
    assert_eq!(daemon.post("/runs", r#"{"job":"nap"}"#).status, 201);
    assert_eq!(next(&mut new, "id: "), "6");
}

#[test]
fn events_of_single_runs_leave_the_others_out() {
    let daemon = Daemon::start("");
    for _ in 0..4 {
        assert_eq!(daemon.post("/runs", r#"{"job":"nap"}"#).status, 201);
    }
    let mut some = open(&daemon, "/events?after=0&run=4,2", "");
    for run in 1..=4 {
        daemon.wait_for_state(run, "succeeded");
    }
    let mut runs: Vec<u64> = (0..6)
        .map(|_| {
            let event: Value = serde_json::from_str(&next(&mut some, "data: ")).unwrap();
            event["run"].as_u64().unwrap()
        })
        .collect();
    runs.sort_unstable();
    assert_eq!(runs, [2, 2, 2, 4, 4, 4]);
    assert_eq!(daemon.post("/runs", r#"{"job":"nap"}"#).status, 201);
    let mut new = open(&daemon, "/events?after=0&run=5", "");
    assert_eq!(next(&mut new, "event: "), "accepted");
    let many: Vec<String> = (1..=101).map(|run: u32| run.to_string()).collect();
    for wrong in ["", "x", "1,", "-1", "1;2", &many.join(",")] {
        let answer = daemon.get(&format!("/events?run={wrong}"));
        assert_eq!(answer.status, 400, "{wrong}: {answer:?}");
        assert!(answer.body.contains("up to 100 of them"), "{answer:?}");
    }
}

#[test]
fn a_log_is_followed_to_its_end() {
    let daemon = Daemon::start("");
    assert_eq!(daemon.post("/runs", r#"{"job":"compute"}"#).status, 201);
    let answer = daemon.get("/runs/1/log?follow=true");
    assert_eq!(answer.status, 200, "{answer:?}");
    daemon.wait_for_state(1, "succeeded");
    wait_for("the whole log", || {
        daemon.get("/runs/1/log").body.lines().count() == 3
    });
    assert_eq!(daemon.get("/runs/1/log?after=2").body.lines().count(), 1);
}

#[test]
fn open_streams_keep_no_daemon_from_leaving() {
    let daemon = Daemon::start("");
    let mut stream = open(&daemon, "/events?after=0", "");
    next(&mut stream, "id: ");
    let _idle = UnixStream::connect(daemon.socket()).unwrap();
    assert_eq!(daemon.post("/stop", "").status, 202);
    wait_for("the socket to go", || !daemon.socket().exists());
}
