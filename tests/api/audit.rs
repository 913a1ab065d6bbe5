//! Who asked for what: on record with each change, shown by every command that tells of it, and in the log.

use serde_json::Value;

use crate::daemon::{Daemon, wait_for};
use crate::roles::Door;

/// What is on record: the kind of each event with its run, and who asked.
fn on_record(daemon: &Daemon) -> Vec<(String, Option<u64>, Option<String>)> {
    let (good, told, error) = daemon.twolane(&["events", "--json"]);
    assert!(good, "{error}");
    let text = |event: &Value, name: &str| event[name].as_str().map(str::to_owned);
    told.lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|event| {
            let kind = text(&event, "event").unwrap();
            (kind, event["run"].as_u64(), text(&event, "by"))
        })
        .collect()
}

fn submit(daemon: &Daemon, job: &str) -> u64 {
    let answer = daemon.post("/runs", &format!(r#"{{"job":"{job}"}}"#));
    answer.json()["run"].as_u64().expect("a run")
}

fn is(daemon: &Daemon, run: u64, state: &str) {
    wait_for(state, || {
        daemon.get(&format!("/runs/{run}")).json()["state"] == state
    });
}

#[test]
fn each_change_is_on_record_with_the_user_that_asked_for_it() {
    let daemon = Daemon::start("");
    let own = format!("uid:{}", rustix::process::getuid().as_raw());
    let long = submit(&daemon, "long");
    is(&daemon, long, "running");
    daemon.post(&format!("/runs/{long}/cancel"), "");
    is(&daemon, long, "cancelled");
    daemon.post(&format!("/runs/{long}/retry"), "");
    let wish = submit(&daemon, "wish");
    is(&daemon, wish, "running");
    daemon.post(&format!("/runs/{wish}/complete"), r#"{"result":1}"#);
    let echo = submit(&daemon, "echo");
    is(&daemon, echo, "running");
    let sent = daemon.post(&format!("/runs/{echo}/send"), r#"{"value":"secret"}"#);
    assert_eq!(sent.status, 200, "{sent:?}");
    daemon.post(&format!("/runs/{echo}/send"), r#"{"end":true}"#);
    is(&daemon, echo, "succeeded");
    daemon.post("/pause", r#"{"pool":"p"}"#);
    daemon.post("/resume", r#"{"pool":"p"}"#);
    let jobs = daemon.place.path().join("jobs.toml");
    let more = std::fs::read_to_string(&jobs).unwrap() + "[jobs.more]\nsleep = \"1ms\"\n";
    std::fs::write(&jobs, more).unwrap();
    daemon.post("/reload", "{}");
    let batch = "{\"job\":\"nap\"}\n{\"job\":\"then\"}\n";
    daemon.ask(
        "POST",
        "/runs",
        "content-type: application/x-ndjson\r\n",
        batch,
    );

    let told = on_record(&daemon);
    let own_ones = [
        ("accepted", Some(long)),
        ("stopping", Some(long)),
        ("retried", Some(long)),
        ("finished", Some(wish)),
        ("sent", Some(echo)),
        ("paused", None),
        ("resumed", None),
        ("configured", None),
    ];
    let by = |kind: &str, run: Option<u64>| {
        let of = told.iter().filter(|(k, r, _)| k == kind && *r == run);
        of.map(|(.., by)| by.clone()).collect::<Vec<_>>()
    };
    for (kind, run) in own_ones {
        let by = by(kind, run);
        assert!(
            by.contains(&Some(own.clone())),
            "{kind} {run:?}: {by:?} in {told:?}"
        );
    }
    assert_eq!(by("sent", Some(echo)).len(), 2, "{told:?}");
    // What the daemon begins with is its own; what follows by itself is nobody's.
    assert_eq!(by("configured", None)[0].as_deref(), Some("daemon"));
    assert_eq!(by("cancelled", Some(long)), [None]);
    assert_eq!(by("started", Some(wish)), [None]);
    let accepted = told.iter().filter(|(kind, ..)| kind == "accepted");
    for (_, run, by) in accepted {
        assert_eq!(by.as_ref(), Some(&own), "run {run:?}");
    }
    let (_, shown, _) = daemon.twolane(&["show", &long.to_string()]);
    assert!(shown.contains(&format!("  by        {own}\n")), "{shown}");
    assert!(
        shown.contains(&format!("stopping: on request, by {own}")),
        "{shown}"
    );
    let (_, events, _) = daemon.twolane(&["events"]);
    assert!(!events.contains("secret"), "{events}");
    let log = std::fs::read_to_string(daemon.place.path().join("daemon.log")).unwrap();
    let line = log.lines().find(|line| line.contains("stopping")).unwrap();
    assert!(line.contains(&format!("by={own}")), "{line}");
}

#[test]
fn who_comes_with_a_token_is_known_by_its_name_and_is_told_of_where_refused() {
    let door = Door::open_with("read", "tokens = [\"ci:submit\"]\n");
    let run = door.ask_as("ci", "POST", "/runs", r#"{"job":"long"}"#);
    assert_eq!(run.status, 201, "{run:?}");
    for _ in 0..5 {
        assert_eq!(door.ask_as("ci", "POST", "/runs/1/cancel", "").status, 403);
        assert_eq!(door.ask("POST", "/stop", "").status, 403);
    }
    let told = on_record(&door.daemon);
    let accepted = told.iter().find(|(kind, ..)| kind == "accepted").unwrap();
    assert_eq!(accepted.2.as_deref(), Some("token:ci"));
    assert!(told.iter().all(|(kind, ..)| kind != "stopping"), "{told:?}");
    // The log is written beside what is answered.
    let path = door.daemon.place.path().join("daemon.log");
    let read = || std::fs::read_to_string(&path).unwrap();
    wait_for("what was refused in the log", || {
        read()
            .lines()
            .filter(|line| line.contains("refused"))
            .count()
            >= 2
    });
    let log = read();
    let refused: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("refused"))
        .collect();
    // Each is told of at once, and what it asks for again soon is only counted.
    assert_eq!(refused.len(), 2, "{log}");
    for (line, (who, what)) in refused.iter().zip([
        ("token:ci", "post /runs/1/cancel"),
        ("token:default", "post /stop"),
    ]) {
        let parts = ["WARN", what, who, "needs the role `control`"];
        assert!(parts.iter().all(|part| line.contains(part)), "{line}");
    }
}

#[test]
fn who_asks_the_daemon_to_leave_is_on_record() {
    let daemon = Daemon::start("");
    let own = format!("uid:{}", rustix::process::getuid().as_raw());
    let (good, told, error) = daemon.twolane(&["stop"]);
    assert!(good, "{told}{error}");
    let db = daemon.place.path().join("state/twolane.db");
    wait_for("what is left behind", || {
        let place = daemon.place.path().join("state");
        twolane::store::SqliteLog::open(
            &twolane::store::StorePlace::new(place),
            twolane::store::Retention::default(),
        )
        .is_ok()
    });
    let reader = twolane::store::Reader::new(db);
    let records = reader.facts_after(0, 1000).unwrap();
    let last = &records[records.len() - 2..];
    for (record, fact) in last.iter().zip(["Leaving", "Draining"]) {
        assert_eq!(format!("{:?}", record.fact), fact);
        assert_eq!(
            record.by.as_ref().map(ToString::to_string),
            Some(own.clone())
        );
    }
}
