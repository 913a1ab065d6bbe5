//! Looks into the past: through a daemon and, when it is gone, from its files; both say the same.

use serde_json::Value;

use crate::daemon::Daemon;

/// Submits a job and waits for its end; the run.
fn done(daemon: &Daemon, job: &str, state: &str) -> u64 {
    let answer = daemon.post("/runs", &format!("{{\"job\":\"{job}\"}}"));
    let run = answer.json()["run"].as_u64().unwrap();
    daemon.wait_for_state(run, state);
    run
}

fn texts(found: &Value) -> Vec<&str> {
    let lines = found["lines"].as_array().unwrap();
    lines
        .iter()
        .map(|line| line["text"].as_str().unwrap())
        .collect()
}

#[test]
fn history_tells_how_the_runs_of_a_job_went() {
    let daemon = Daemon::start("");
    for _ in 0..3 {
        done(&daemon, "nap", "succeeded");
    }
    let failed = done(&daemon, "talk", "failed");
    let why = daemon.get(&format!("/runs/{failed}/explain")).body;
    assert!(why.contains("it has failed: exited with code 3: "), "{why}");
    let history = daemon.get("/history").json();
    let jobs = history["jobs"].as_array().unwrap();
    let names: Vec<&str> = jobs
        .iter()
        .map(|job| job["job"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["nap", "talk"]);
    let nap = &jobs[0];
    assert_eq!(nap["looked_at"], 3);
    assert_eq!(nap["success_rate"], 1.0);
    assert_eq!(nap["states"], serde_json::json!({"succeeded": 3}));
    let p50 = nap["run_seconds"]["p50"].as_f64().unwrap();
    assert!((0.005..10.0).contains(&p50), "{nap}");
    assert!(nap["run_seconds"]["max"].as_f64().unwrap() >= p50);
    assert!(nap["wait_seconds"]["p95"].as_f64().unwrap() >= 0.0);
    assert_eq!(jobs[1]["success_rate"], 0.0);
    assert_eq!(jobs[1]["failures"], serde_json::json!({"exit": 1}));
    assert_eq!(jobs[1]["last"][0]["run"], failed);

    let newest = daemon.get("/history?job=nap&last=2").json();
    assert_eq!(newest["jobs"][0]["looked_at"], 2);
    assert_eq!(newest["jobs"][0]["more"], true);
    assert_eq!(newest["jobs"][0]["last"].as_array().unwrap().len(), 2);
    let later = daemon.get("/history?since=2200-01-01T00:00:00Z").json();
    assert_eq!(later["jobs"], serde_json::json!([]));

    let (well, table, _) = daemon.twolane(&["history"]);
    assert!(
        well && table.contains("100%") && table.contains("0.0%"),
        "{table}"
    );
    let (_, one, _) = daemon.twolane(&["history", "talk"]);
    assert!(
        one.contains("failures  1 exit") && one.contains("last runs:"),
        "{one}"
    );
    for gone in [&["history", "gone"][..], &["timeline", "--job", "gone"]] {
        let (well, _, told) = daemon.twolane(gone);
        assert!(
            !well && told.contains("no run of gone on record"),
            "{gone:?}: {told}"
        );
    }
    // It has runs, only none in this time.
    let early = [
        "timeline",
        "--job",
        "talk",
        "--until",
        "2001-01-01T00:00:00Z",
        "--since",
    ];
    assert!(
        daemon
            .twolane(&[&early[..], &["2000-01-01T00:00:00Z"]].concat())
            .0
    );
}

#[test]
fn lines_are_found_in_many_logs_by_job_time_level_and_text() {
    let daemon = Daemon::start("");
    let first = done(&daemon, "talk", "failed");
    let second = done(&daemon, "talk", "failed");
    done(&daemon, "compute", "succeeded");
    let found = |query: &str| daemon.get(&format!("/logs?{query}")).json();
    let well = ["all is WELL", "no disk", "<3>it is over"];
    let mut of_first = found(&format!("run={first}"));
    of_first["lines"]
        .as_array_mut()
        .unwrap()
        .sort_by_key(|line| line["number"].as_u64());
    assert_eq!(of_first["lines"].as_array().unwrap().len(), 3, "{of_first}");
    for text in well {
        assert!(texts(&of_first).contains(&text), "{of_first}");
    }
    let grave = found("job=talk&level=error");
    assert_eq!(texts(&grave), ["<3>it is over"; 2]);
    let runs: Vec<&Value> = grave["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| &line["run"])
        .collect();
    assert_eq!(runs, [first, second]);
    assert_eq!(texts(&found("level=warn&text=DISK")), ["no disk"; 2]);
    assert!(found("job=compute")["lines"].as_array().unwrap().len() >= 3);
    assert_eq!(texts(&found("text=well&job=compute")), [""; 0]);
    let newest = found("job=talk&limit=1");
    assert_eq!(
        (texts(&newest).len(), &newest["more"]),
        (1, &Value::from(true))
    );
    assert_eq!(texts(&found("until=2001-01-01T00:00:00Z")), [""; 0]);
    assert_eq!(texts(&found("since=2200-01-01T00:00:00Z")), [""; 0]);
    for (query, status, word) in [
        ("level=loud", 400, "warn"),
        ("since=yesterday", 400, "RFC 3339"),
        ("limit=0", 400, "1 to 10000"),
        ("run=99", 404, "no run 99"),
        ("colour=red", 400, "colour"),
    ] {
        let answer = daemon.get(&format!("/logs?{query}"));
        assert_eq!(answer.status, status, "{query}");
        assert!(answer.body.contains(word), "{query}: {}", answer.body);
    }
    let (well, lines, _) = daemon.twolane(&["logs", "--job", "talk", "--level", "error"]);
    assert!(well && lines.lines().count() == 2, "{lines}");
    assert!(
        lines.contains(&format!("error {first} talk: <3>it is over")),
        "{lines}"
    );
    // Of what was said today nothing is missing; of a job that never ran there is nothing to say.
    let (well, lines, _) = daemon.twolane(&["logs", "--job", "talk", "--since", "2024-05-15"]);
    assert!(well && lines.contains("it is over"), "{lines}");
    let (well, lines, told) = daemon.twolane(&["logs", "--job", "talk", "--text", "never said"]);
    assert!(well && lines.is_empty(), "{lines}{told}");
    let (well, _, told) = daemon.twolane(&["logs", "--job", "nosuch"]);
    assert!(
        !well && told.contains("no run of nosuch on record"),
        "{told}"
    );
    for command in ["logs", "timeline"] {
        let (well, _, told) = daemon.twolane(&[command, "--since", "2999-01-01"]);
        assert!(
            !well && told.contains("2999-01-01T00:00:00.000000Z is still to come"),
            "{told}"
        );
    }
}

/// The example of the two computations and the read: both compute at the same time, each in a slot of its
/// own, while the read waits beside them.
#[test]
fn s2_the_timeline_shows_both_computations_side_by_side_and_the_read_beside_them() {
    let demo =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config/demo.toml")).unwrap();
    // Shorter, and as many at a time on any machine.
    let demo = demo
        .replace("outer = 1_000_000", "outer = 40_000")
        .replace("\"20s\"", "\"300ms\"");
    let daemon = Daemon::start("[lanes.cpu]\nworkers = 2\n");
    std::fs::write(daemon.place.path().join("jobs.toml"), demo).unwrap();
    assert_eq!(daemon.post("/reload", "").json()["reloaded"], true);
    let jobs = ["computer", "computer2", "async_read_file"];
    let lines: String = jobs.map(|job| format!("{{\"job\":\"{job}\"}}\n")).concat();
    let batch = daemon.ask(
        "POST",
        "/runs",
        "content-type: application/x-ndjson\r\n",
        &lines,
    );
    assert_eq!(batch.status, 200, "{batch:?}");
    for run in 1..=3 {
        daemon.wait_for_state(run, "succeeded");
    }
    let told = daemon.get("/timeline").json();
    let bars = told["bars"].as_array().unwrap();
    let bar = |job: &str| bars.iter().find(|bar| bar["job"] == job).unwrap();
    let [one, two, read] = jobs.map(bar);
    for (bar, lane) in [(one, "cpu"), (two, "cpu"), (read, "io")] {
        assert_eq!(
            (&bar["lane"], &bar["state"]),
            (&lane.into(), &"succeeded".into()),
            "{bar}"
        );
    }
    let begins = [one, two, read].map(|bar| bar["started"].as_str().unwrap());
    let first_end = one["ended"].as_str().unwrap();
    assert!(begins.iter().all(|begin| *begin < first_end), "{told}");
    assert_ne!(one["slot"], two["slot"]);
    assert_eq!(read["slot"], 1);

    let (well, picture, _) = daemon.twolane(&["timeline", "--fit"]);
    for row in ["cpu 1 │", "cpu 2 │", "io 1  │", "computer2", "█ succeeded"] {
        assert!(well && picture.contains(row), "{row}:\n{picture}");
    }
    let (well, _, _) = daemon.twolane(&["timeline", "--svg", "demo.svg"]);
    let svg = std::fs::read_to_string(daemon.place.path().join("demo.svg")).unwrap();
    assert!(well && svg.matches("<title>").count() == 3, "{svg}");
    assert_eq!(
        daemon
            .get("/timeline?since=2026-01-01T00:00:00Z&until=2025-01-01T00:00:00Z")
            .status,
        200
    );
}

#[test]
fn what_is_past_is_told_without_a_daemon_too() {
    let mut daemon = Daemon::start("");
    done(&daemon, "talk", "failed");
    let questions: [&[&str]; 5] = [
        &["history", "--json"],
        &["history", "talk", "--json"],
        &["logs", "--level", "error", "--json"],
        &["logs", "1", "--json"],
        &[
            "timeline",
            "--json",
            "--since",
            "2020-01-01T00:00:00Z",
            "--until",
            "2200-01-01T00:00:00Z",
        ],
    ];
    let with: Vec<_> = questions.map(|args| daemon.twolane(args)).into();
    daemon.kill();
    for (args, (_, with, _)) in questions.iter().zip(with) {
        let (well, without, told) = daemon.twolane(args);
        assert!(well, "{args:?}: {told}");
        assert_eq!(without, with, "{args:?}");
        assert!(told.contains("reading the store in "), "{told}");
        let (well, named, told) = daemon.twolane(&[args, &["--state-dir", "state"][..]].concat());
        assert!(well && told.is_empty(), "{told}");
        assert_eq!(named, with, "{args:?}");
    }
    assert!(!daemon.twolane(&["logs", "99"]).0);
    let (well, _, told) = daemon.twolane(&["history", "--state-dir", "nowhere"]);
    assert!(!well && told.contains("nowhere"), "{told}");
}
