//! What is far larger or deeper than anybody sends in earnest: it is refused with a word, in bounded memory, and the
//! daemon goes on.

use std::io::Write;
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use crate::daemon::{Answer, Daemon, LIMIT, answer};

/// How much a flood sends, and in which pieces.
const FLOOD: usize = 100 << 20;
const PIECE: usize = 1 << 20;

/// How much more memory than before, in KiB, the daemon may have needed meanwhile: a few of the longest bodies.
const MORE: u64 = 16 << 10;

fn assert_little_more(daemon: &Daemon, before: u64) {
    // The kernel counts roughly, so that the most may be less than before.
    let more = daemon.most_memory().saturating_sub(before);
    assert!(more < MORE, "{more} KiB more than {before}");
}

/// Sends a head, and then so much of `piece` as it is let; what comes back.
fn flood(daemon: &Daemon, head: &str, piece: &[u8]) -> Answer {
    let mut stream = UnixStream::connect(daemon.socket()).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    // A daemon that has heard enough closes before all is sent.
    let whole = (0..FLOOD / PIECE).all(|_| stream.write_all(piece).is_ok());
    if whole {
        let _ = stream.shutdown(std::net::Shutdown::Write);
    }
    answer(stream, head)
}

/// A piece of a body whose length is not told.
fn chunked(piece: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat()
}

fn head(path: &str, form: &str, length: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/{form}\r\n{length}\r\n\r\n"
    )
}

#[test]
fn a_body_of_a_hundred_megabytes_is_refused_in_bounded_memory() {
    let daemon = Daemon::start("");
    let plain = vec![b'x'; PIECE];
    let chunk = chunked(&plain);
    let (told, untold) = (
        format!("content-length: {FLOOD}"),
        "transfer-encoding: chunked",
    );
    // What is needed for one is needed before it is measured.
    assert_eq!(
        flood(&daemon, &head("/runs", "json", &told), &plain).status,
        413
    );
    let before = daemon.most_memory();
    for path in [
        "/runs",
        "/runs/1/send",
        "/runs/1/complete",
        "/pause",
        "/resume",
    ] {
        let answer = flood(&daemon, &head(path, "json", &told), &plain);
        assert_eq!(answer.status, 413, "{path}: {answer:?}");
        let answer = flood(&daemon, &head(path, "json", untold), &chunk);
        assert_eq!(answer.status, 413, "{path}: {answer:?}");
    }
    // A batch may be as long as anybody likes, but not one line of it.
    let answer = flood(&daemon, &head("/runs", "x-ndjson", untold), &chunk);
    assert!(
        answer.body.contains("longer than 1048576 bytes"),
        "{answer:?}"
    );
    let blank = [" ".repeat((16 << 10) - 1).as_bytes(), b"\n"].concat();
    let blank = chunked(&blank.repeat(PIECE / blank.len()));
    let answer = flood(&daemon, &head("/runs", "x-ndjson", untold), &blank);
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, ""),
        "{answer:?}"
    );
    assert_little_more(&daemon, before);
    assert_eq!(daemon.post("/runs", r#"{"job":"nap"}"#).status, 201);
}

#[test]
fn a_head_of_a_megabyte_is_refused_in_bounded_memory() {
    let daemon = Daemon::start("");
    let ask = |path: &str, headers: &str| {
        let answer = daemon.ask("GET", path, headers, "");
        (answer.status, answer)
    };
    let before = daemon.most_memory();
    // Up to 64 KiB it is taken, and what has come with the last piece of that.
    let header = |bytes: usize| format!("x-much: {}\r\n", "x".repeat(bytes));
    assert_eq!(ask("/status", &header(60 << 10)).0, 200);
    for bytes in [128 << 10, 1 << 20, 16 << 20] {
        let (status, answer) = ask("/status", &header(bytes));
        assert_eq!(status, 431, "{bytes}: {answer:?}");
        let (status, answer) = ask(&format!("/{}", "x".repeat(bytes)), "");
        assert!([414, 431].contains(&status), "{bytes}: {answer:?}");
    }
    let many = "x: y\r\n".repeat(100_000);
    assert_eq!(ask("/status", &many).0, 431);
    assert_little_more(&daemon, before);
    assert_eq!(ask("/status", "").0, 200);
}

/// Lists in each other, so many.
fn lists(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

#[test]
fn json_of_ten_thousand_levels_is_refused_where_it_stands() {
    let daemon = Daemon::start("");
    let objects = |depth: usize| "{\"a\":".repeat(depth) + "1" + &"}".repeat(depth);
    for deep in [lists(10_000), objects(10_000), "[".repeat(500_000)] {
        for body in [
            format!(r#"{{"job":"nap","args":{{"x":{deep}}}}}"#),
            format!(r#"{{"job":"a","task":{{"sleep":{deep}}}}}"#),
            deep.clone(),
        ] {
            let answer = daemon.post("/runs", &body);
            assert!([400, 422].contains(&answer.status), "{answer:?}");
            assert!(answer.json()["detail"].is_string(), "{answer:?}");
        }
        for path in ["/runs/1/send", "/runs/1/complete", "/pause", "/resume"] {
            let answer = daemon.post(path, &format!(r#"{{"value":{deep},"result":{deep}}}"#));
            assert!([400, 422].contains(&answer.status), "{path}: {answer:?}");
        }
        // In a batch it costs its own line.
        let good = r#"{"job":"nap"}"#;
        let body = format!("{good}\n{{\"job\":\"nap\",\"args\":{{\"x\":{deep}}}}}\n{good}\n");
        let answer = daemon.ask(
            "POST",
            "/runs",
            "content-type: application/x-ndjson\r\n",
            &body,
        );
        let lines: Vec<Value> = answer
            .body
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let states: Vec<&Value> = lines.iter().map(|line| &line["status"]).collect();
        assert_eq!(
            states,
            [&Value::Null, &json!(400), &Value::Null],
            "{lines:?}"
        );
    }
}

/// Asks for a run of a job that comes along, with such arguments; the status of the answer.
fn given(daemon: &Daemon, value: &str) -> Answer {
    let task = r#"{"sleep":"1ms","params":{"x":{"type":"any"}}}"#;
    let body = format!(r#"{{"job":"any","task":{task},"args":{{"x":{value}}}}}"#);
    daemon.post("/runs", &body)
}

/// The run of an answer.
fn run(answer: &Answer) -> u64 {
    answer.json()["run"].as_u64().unwrap()
}

#[test]
fn what_is_kept_is_not_deeper_than_can_be_read_again() {
    let mut daemon = Daemon::start("");
    let mut kept = Vec::new();
    for depth in [
        1, 62, 63, 64, 65, 66, 100, 120, 122, 123, 124, 125, 126, 127,
    ] {
        let value = lists(depth);
        // Arguments are an object around it.
        let answer = given(&daemon, &value);
        if depth < 64 {
            kept.push((run(&answer), "succeeded"));
        } else {
            assert!([400, 422].contains(&answer.status), "{depth}: {answer:?}");
            assert!(
                answer.body.contains("nested deeper") || depth > 120,
                "{answer:?}"
            );
        }
        // What somebody brings.
        let wish = run(&daemon.post("/runs", r#"{"job":"wish"}"#));
        daemon.wait_for_state(wish, "running");
        let path = format!("/runs/{wish}/complete");
        let answer = daemon.post(&path, &format!(r#"{{"result":{value}}}"#));
        if depth <= 64 {
            assert_eq!(answer.status, 200, "{depth}: {answer:?}");
            kept.push((wish, "succeeded"));
        } else {
            assert!([400, 422].contains(&answer.status), "{depth}: {answer:?}");
            kept.push((wish, "running"));
        }
        // What a command gives.
        let told =
            json!({"job": "tells", "task": {"shell": format!("echo '{value}'"), "result": "json"}});
        let tells = run(&daemon.post("/runs", &told.to_string()));
        kept.push((tells, if depth <= 64 { "succeeded" } else { "failed" }));
    }
    for (run, state) in &kept {
        daemon.wait_for_state(*run, state);
    }
    daemon.kill();
    let (good, out, err) = daemon.twolane(&["store", "verify", "--state-dir", "state"]);
    assert!(good, "{out}{err}");
}
