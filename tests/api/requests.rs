//! Request by request: what is asked, and what comes back.

use serde_json::{Value, json};

use crate::daemon::{Daemon, mode};

/// What is asked and told: method, path, headers, body, status, and words of the answer.
type Case = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    u16,
    &'static str,
);

const JSON: &str = "content-type: application/json\r\n";

const MISTAKES: &[Case] = &[
    ("GET", "/nothing", "", "", 404, "openapi.json"),
    ("DELETE", "/runs", "", "", 405, "GET, POST"),
    ("GET", "/runs/1", "", "", 404, "no run 1"),
    ("GET", "/runs/x", "", "", 400, "whole number"),
    (
        "GET",
        "/runs/99999999999999999999",
        "",
        "",
        400,
        "whole number",
    ),
    ("GET", "/runs/18446744073709551615", "", "", 404, "no run"),
    ("GET", "/runs?state=fast", "", "", 400, "succeeded"),
    ("GET", "/runs?state=", "", "", 400, "succeeded"),
    ("GET", "/runs?state=failed,", "", "", 400, "succeeded"),
    ("GET", "/runs?limit=0", "", "", 400, "1 to 1000"),
    ("GET", "/runs?color=red", "", "", 400, "color"),
    ("POST", "/runs", "", "{}", 415, "application/json"),
    ("POST", "/runs", JSON, "{", 400, "EOF"),
    ("POST", "/runs", JSON, "{}", 422, "job"),
    (
        "POST",
        "/runs",
        JSON,
        "{\"job\":\"nap\",\"colour\":1}",
        422,
        "colour",
    ),
    (
        "POST",
        "/runs",
        JSON,
        "{\"job\":\"gone\"}",
        404,
        "no job `gone`",
    ),
    (
        "POST",
        "/runs",
        JSON,
        "{\"job\":\"nap\",\"args\":{\"y\":1}}",
        422,
        "`x`",
    ),
    (
        "POST",
        "/runs",
        JSON,
        "{\"job\":\"nap\",\"args\":{\"x\":\"1\"}}",
        422,
        "integer",
    ),
    (
        "POST",
        "/runs",
        JSON,
        "{\"job\":\"nap\",\"args\":[1]}",
        422,
        "object",
    ),
    (
        "POST",
        "/runs",
        JSON,
        "{\"job\":\"nap\",\"priority\":11}",
        422,
        "-10 to 10",
    ),
    (
        "POST",
        "/runs",
        JSON,
        "{\"job\":\"nap\",\"at\":\"soon\"}",
        422,
        "2026-",
    ),
    (
        "POST",
        "/runs",
        JSON,
        "{\"job\":\"nap\",\"key\":\"\"}",
        400,
        "visible ASCII",
    ),
    (
        "POST",
        "/runs",
        JSON,
        "{\"job\":\"a\",\"task\":{\"slep\":\"1s\"}}",
        422,
        "sleep",
    ),
    (
        "POST",
        "/runs",
        "content-type: application/json\r\nidempotency-key: good\r\n",
        "{\"job\":\"nap\",\"key\":\"\"}",
        400,
        "visible ASCII",
    ),
    (
        "POST",
        "/pause",
        JSON,
        "{\"job\":\"nap\",\"paused\":true}",
        422,
        "stands in answers",
    ),
    (
        "GET",
        "/events?after=9223372036854775808",
        "",
        "",
        400,
        "event",
    ),
    ("POST", "/runs", JSON, "[\"nap\"]", 422, "object"),
    ("POST", "/pause", JSON, "[\"cpu\"]", 422, "object"),
    (
        "POST",
        "/runs/7/complete",
        JSON,
        "[null, null]",
        422,
        "object",
    ),
    ("POST", "/runs/7/cancel", JSON, "", 404, "no run 7"),
    (
        "POST",
        "/runs/7/send",
        JSON,
        "{\"value\":1}",
        404,
        "no run 7",
    ),
    ("POST", "/runs/7/send", JSON, "{}", 422, "`value`"),
    (
        "POST",
        "/runs/7/send",
        JSON,
        "{\"value\":1,\"end\":true}",
        422,
        "`value`",
    ),
    ("POST", "/pause", JSON, "{\"pool\":\"q\"}", 404, "pool `q`"),
    (
        "POST",
        "/pause",
        JSON,
        "{\"pool\":\"p\",\"job\":\"nap\"}",
        422,
        "exactly one",
    ),
    (
        "POST",
        "/resume",
        JSON,
        "{\"lane\":\"gpu\"}",
        422,
        "io or cpu",
    ),
];

#[test]
fn each_mistake_has_its_status_and_says_what_to_do() {
    let daemon = Daemon::start("");
    let long = format!("{{\"job\":\"{}\"}}", "x".repeat(2 << 20));
    let too_long = [("POST", "/runs", JSON, long.as_str(), 413, "large")];
    for (method, path, headers, body, status, expected) in MISTAKES.iter().copied().chain(too_long)
    {
        let answer = daemon.ask(method, path, headers, body);
        assert_eq!(
            answer.status, status,
            "{method} {path} {:.80}: {answer:?}",
            body
        );
        assert!(
            answer.head.contains("application/problem+json"),
            "{answer:?}"
        );
        let problem = answer.json();
        assert!(answer.body.contains(expected), "{method} {path}: {problem}");
        assert_eq!(problem["status"], status);
    }
    assert_eq!(
        daemon.get("/status").json()["records"],
        2,
        "none of it left a fact"
    );
}

#[test]
fn a_run_lives_its_life() {
    let daemon = Daemon::start("");
    let answer = daemon.post("/runs", r#"{"job":"nap","args":{"x":7}}"#);
    assert_eq!(answer.status, 201, "{answer:?}");
    assert!(answer.head.contains("location: /runs/1"), "{answer:?}");
    assert_eq!(answer.json(), json!({ "run": 1, "state": "queued" }));
    daemon.wait_for_state(1, "succeeded");
    let story = daemon.get("/runs/1").json();
    assert_eq!(story["args"], json!({ "x": 7 }));
    let events: Vec<&str> = story["history"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|e| e["event"].as_str())
        .collect();
    assert_eq!(events, ["accepted", "started", "finished"]);

    let retried = daemon.post("/runs/1/retry", "");
    assert_eq!(
        (retried.status, retried.json()),
        (200, json!({ "run": 1, "state": "queued" }))
    );
    daemon.wait_for_state(1, "succeeded");
    assert_eq!(daemon.get("/runs/1").json()["attempts"], 2);

    assert_eq!(daemon.post("/runs", r#"{"job":"long"}"#).status, 201);
    daemon.wait_for_state(2, "running");
    assert_eq!(daemon.post("/runs/2/retry", "").status, 409);
    assert_eq!(daemon.post("/runs/2/complete", "{}").status, 409);
    assert!(daemon.get("/runs/2/explain").body.contains("running"));
    assert_eq!(daemon.post("/runs/2/cancel", "").status, 200);
    daemon.wait_for_state(2, "cancelled");
    assert_eq!(daemon.post("/runs/2/cancel", "").status, 409);

    assert_eq!(daemon.post("/runs", r#"{"job":"wish"}"#).status, 201);
    daemon.wait_for_state(3, "running");
    let why = daemon.get("/runs/3/explain").body;
    assert!(
        why.contains("waiting for") && why.contains("`twolane complete`): somebody says so"),
        "{why}"
    );
    assert_eq!(
        daemon
            .post("/runs/3/complete", r#"{"result":{"yes":true}}"#)
            .status,
        200
    );
    assert_eq!(
        daemon.get("/runs/3").json()["result"],
        json!({ "yes": true })
    );

    let then = daemon.post("/runs", r#"{"job":"then"}"#).json();
    assert_eq!(then, json!({ "run": 4, "state": "queued", "with": [5] }));
    daemon.wait_for_state(4, "succeeded");
    let page = daemon.get("/runs?limit=2&state=succeeded").json();
    assert_eq!(page["before"], 4);
    let next = daemon
        .get("/runs?limit=2&state=succeeded,cancelled&before=4")
        .json();
    let runs: Vec<u64> = next["runs"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|run| run["run"].as_u64())
        .collect();
    assert_eq!(runs, [3, 2]);
}

#[test]
fn the_same_key_is_the_same_run_also_in_parallel() {
    let daemon = Daemon::start("");
    let ask = |body: &str| {
        daemon.ask(
            "POST",
            "/runs",
            "content-type: application/json\r\nidempotency-key: k\r\n",
            body,
        )
    };
    let answers: Vec<(u16, u64)> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..16)
            .map(|_| scope.spawn(|| ask(r#"{"job":"nap"}"#)))
            .collect();
        let answers = asked.into_iter().map(|thread| thread.join().unwrap());
        answers
            .map(|answer| (answer.status, answer.json()["run"].as_u64().unwrap()))
            .collect()
    });
    assert!(answers.iter().all(|(_, run)| *run == 1), "{answers:?}");
    assert_eq!(
        answers.iter().filter(|(status, _)| *status == 201).count(),
        1,
        "{answers:?}"
    );
    let other = ask(r#"{"job":"compute"}"#);
    assert_eq!(other.status, 409, "{other:?}");
}

#[test]
fn who_misspells_a_job_is_told_which_one_may_be_meant() {
    let daemon = Daemon::start("");
    for (job, hint) in [
        ("compue", "hint: did you mean `compute`?"),
        ("xyzxyz", "hint: `twolane jobs` lists the jobs"),
    ] {
        let (well, _, said) = daemon.twolane(&["submit", job]);
        let told = format!("there is no job `{job}`\n{hint}\n");
        assert!(!well && said.ends_with(&told), "{said}");
    }
}

#[test]
fn a_batch_is_answered_line_by_line_in_order() {
    let daemon = Daemon::start("");
    let mut lines = String::new();
    for n in 0..2_000 {
        lines.push_str(match n % 4 {
            0 => "{\"job\":\"nap\"}\n",
            1 => "{\"job\":\"gone\"}\n",
            2 => "no JSON\n",
            _ => "{\"job\":\"compute\",\"priority\":3}\n",
        });
    }
    let answer = daemon.ask(
        "POST",
        "/runs",
        "content-type: application/x-ndjson\r\n",
        &lines,
    );
    assert_eq!(answer.status, 200, "{:.200}", answer.body);
    let answers: Vec<Value> = answer
        .body
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), 2_000);
    let mut last = 0;
    for (n, answer) in answers.iter().enumerate() {
        match n % 4 {
            1 => assert_eq!(answer["status"], 404),
            2 => assert_eq!(answer["status"], 400),
            _ => {
                let run = answer["run"].as_u64().unwrap();
                assert_eq!(run, last + 1);
                last = run;
            }
        }
    }
}

#[test]
fn promise_6_a_full_queue_answers_429_and_names_the_bound() {
    let daemon = Daemon::start("[queue]\nmax_runs = 2\n");
    assert_eq!(daemon.post("/runs", r#"{"job":"long"}"#).status, 201);
    assert_eq!(daemon.post("/runs", r#"{"job":"long"}"#).status, 201);
    let full = daemon.post("/runs", r#"{"job":"long"}"#);
    assert_eq!(full.status, 429, "{full:?}");
    assert!(full.body.contains("queue.max_runs"), "{full:?}");
    assert!(
        full.head.to_ascii_lowercase().contains("retry-after"),
        "{full:?}"
    );
}

#[test]
fn files_are_for_nobody_else() {
    let daemon = Daemon::start("");
    let place = daemon.place.path();
    assert_eq!(mode(&place.join("state")), 0o700);
    assert_eq!(mode(&place.join("state/twolane.db")), 0o600);
    // Who may connect is said by the socket alone.
    assert_eq!(mode(&place.join("run")), 0o755);
    assert_eq!(mode(&daemon.socket()), 0o660);
}

#[test]
fn what_is_served_is_as_it_is_described() {
    let daemon = Daemon::start("");
    assert_eq!(daemon.post("/runs", r#"{"job":"compute"}"#).status, 201);
    daemon.wait_for_state(1, "succeeded");
    let document = daemon.get("/openapi.json").json();
    for (path, schema) in [
        ("/runs", "Runs"),
        ("/runs/1", "RunStory"),
        ("/runs/1/explain", "Explained"),
        ("/status", "Status"),
        ("/jobs", "Jobs"),
        ("/runs/99", "Problem"),
    ] {
        let mut whole = document.clone();
        whole["$ref"] = json!(format!("#/components/schemas/{schema}"));
        let validator = jsonschema::validator_for(&whole).unwrap();
        let answer = daemon.get(path).json();
        let faults: Vec<String> = validator
            .iter_errors(&answer)
            .map(|fault| format!("{fault}"))
            .collect();
        assert!(faults.is_empty(), "{path}: {faults:?}");
    }
    assert_eq!(daemon.get("/healthz").json(), json!({ "ok": true }));
}

/// A body, its schema, and whether it is one: what the document takes is accepted, what it does not is not.
const BODIES: &[(&str, &str, &str, bool)] = &[
    ("/runs", "Submit", r#"{"job":"nap"}"#, true),
    ("/runs", "Submit", r#"{"job":"nap","priority":3.0}"#, true),
    ("/runs", "Submit", r#"{"job":"nap","priority":3.5}"#, false),
    ("/runs", "Submit", r#"{"job":"","task":{}}"#, false),
    ("/runs", "Submit", r#"{"job":"a","task":{}}"#, false),
    (
        "/runs",
        "Submit",
        r#"{"job":"a b","task":{"sleep":"1s"}}"#,
        false,
    ),
    (
        "/runs",
        "Submit",
        r#"{"job":"a","task":{"sleep":"1 s"}}"#,
        true,
    ),
    (
        "/runs",
        "Submit",
        r#"{"job":"a","task":{"sleep":"1"}}"#,
        false,
    ),
    (
        "/runs",
        "Submit",
        r#"{"job":"a","task":{"sleep":"1s","timeout":"0s"}}"#,
        false,
    ),
    (
        "/runs",
        "Submit",
        r#"{"job":"a","task":{"sleep":"1s","read":"x"}}"#,
        false,
    ),
    (
        "/runs",
        "Submit",
        r#"{"job":"a","task":{"sleep":"1s","pool":"p","lane":"io"}}"#,
        true,
    ),
    (
        "/runs",
        "Submit",
        r#"{"job":"a","task":{"sleep":"1s","pool":"p","lane":"cpu"}}"#,
        false,
    ),
    (
        "/runs",
        "Submit",
        r#"{"job":"a","task":{"sleep":"1s","pool":"q"}}"#,
        false,
    ),
    (
        "/runs",
        "Submit",
        r#"{"job":"a","task":{"sleep":"1s","after":"nap"}}"#,
        false,
    ),
    (
        "/runs",
        "Submit",
        r#"{"job":"a","task":{"future":"x","lane":"cpu"}}"#,
        false,
    ),
    (
        "/runs",
        "Submit",
        r#"{"job":"a","task":{"call":"x"}}"#,
        false,
    ),
    (
        "/runs",
        "Submit",
        r#"{"job":"a","task":{"compute":{"outer":1}}}"#,
        false,
    ),
    (
        "/runs",
        "Submit",
        r#"{"job":"a","task":{"compute":{"outer":2.0,"inner":1}}}"#,
        true,
    ),
    (
        "/runs",
        "Submit",
        r#"{"job":"a","task":{"compute":{"outer":4294967296,"inner":1}}}"#,
        false,
    ),
    (
        "/runs",
        "Submit",
        r#"{"job":"a","task":{"sleep":"1s","messages":{"started":"{x}"}}}"#,
        false,
    ),
    (
        "/runs",
        "Submit",
        r#"{"job":"a","task":{"sleep":"1s","params":{"n":{}}}}"#,
        false,
    ),
    (
        "/runs",
        "Submit",
        r#"{"job":"a","task":{"sleep":"1s","params":{"n":{"type":"integer","default":"1"}}}}"#,
        false,
    ),
    (
        "/runs",
        "Submit",
        r#"{"job":"a","task":{"sleep":"1s","params":{"n":{"type":"any","default":[18446744073709551615]}}}}"#,
        true,
    ),
    (
        "/runs",
        "Submit",
        r#"{"job":"a","task":{"sleep":"1s","params":{"n":{"type":"any","default":[null]}}}}"#,
        false,
    ),
    (
        "/runs/1/complete",
        "Complete",
        r#"{"result":1,"error":"x"}"#,
        false,
    ),
    (
        "/runs/1/complete",
        "Complete",
        r#"{"result":null,"error":"x"}"#,
        true,
    ),
    (
        "/runs/1/complete",
        "Complete",
        r#"{"result":1,"error":null}"#,
        true,
    ),
    ("/pause", "What", r#"{"lane":"cpu","job":null}"#, true),
    ("/pause", "What", r#"{"lane":"gpu"}"#, false),
    ("/pause", "What", "{}", false),
    ("/pause", "What", r#"{"lane":"cpu","job":"nap"}"#, false),
];

#[test]
fn what_is_accepted_is_as_it_is_described() {
    let daemon = Daemon::start("");
    let document = daemon.get("/openapi.json").json();
    for (path, schema, body, good) in BODIES {
        let mut whole = document.clone();
        whole["$ref"] = json!(format!("#/components/schemas/{schema}"));
        let validator = jsonschema::validator_for(&whole).unwrap();
        let value: Value = serde_json::from_str(body).unwrap();
        assert_eq!(validator.is_valid(&value), *good, "{body}");
        let answer = daemon.post(path, body);
        assert_eq!(
            !matches!(answer.status, 400 | 422),
            *good,
            "{body}: {answer:?}"
        );
    }
}
