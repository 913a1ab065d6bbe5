//! A daemon of cardboard: it answers each request on a Unix socket with what the test says, and writes
//! down what it was asked. And the binary that asks it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};

use serde_json::Value;
use tempfile::TempDir;

/// An answer: how it is told that it is one, and what it says.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// JSON with this status.
    Json(u16, String),
    /// An `application/problem+json`.
    Problem(u16, &'static str),
    /// NDJSON to its end.
    Lines(String),
    /// Server-sent events; then nothing, until the other side goes away.
    Events(String),
    /// Server-sent events to their end.
    LastEvents(String),
    /// Half an answer, and the end.
    Half,
    /// What a daemon says that leaves before it knows what became of a request.
    Unknown,
}

/// What a command left, and what was asked.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// Method and path, and the body if there was one.
    pub(crate) asked: Vec<String>,
}

/// Runs `twolane` against a daemon that gives these answers, a connection each.
pub(crate) fn twolane(args: &[&str], answers: &[Answer]) -> Left {
    twolane_with(args, answers, "")
}

/// The same, with this on standard input.
pub(crate) fn twolane_with(args: &[&str], answers: &[Answer], input: &str) -> Left {
    let place = tempfile::tempdir().unwrap();
    let socket = place.path().join("s");
    let listener = UnixListener::bind(&socket).unwrap();
    let (sender, asked) = channel();
    let answers = answers.to_vec();
    let server = std::thread::spawn(move || serve(&listener, &answers, &sender));
    let mut left = start(args, &place, &socket, input);
    // Answers that nobody asked for are fetched here, so that the thread ends.
    while !server.is_finished() {
        let Ok(stream) = UnixStream::connect(&socket) else {
            break;
        };
        drop(stream);
    }
    left.asked = drain(&asked);
    left
}

/// Runs `twolane` where no daemon is.
pub(crate) fn alone(args: &[&str]) -> Left {
    let place = tempfile::tempdir().unwrap();
    let socket = place.path().join("nobody");
    start(args, &place, &socket, "")
}

fn start(args: &[&str], place: &TempDir, socket: &PathBuf, input: &str) -> Left {
    let mut child = Command::new(env!("CARGO_BIN_EXE_twolane"))
        .args(args)
        .current_dir(place.path())
        .env_clear()
        // By which `tests/zoo` has the program be wrong.
        .envs(std::env::var_os("TWOLANE_BUG").map(|bug| ("TWOLANE_BUG", bug)))
        .env("TZ", "UTC")
        .env("TWOLANE_SOCKET", socket)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let directory = place.path().to_string_lossy().into_owned();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(&directory, "DIR");
    Left {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
        asked: Vec::new(),
    }
}

fn drain(asked: &Receiver<String>) -> Vec<String> {
    asked.try_iter().collect()
}

fn serve(listener: &UnixListener, answers: &[Answer], asked: &Sender<String>) {
    for answer in answers {
        let (mut stream, _) = listener.accept().unwrap();
        let Some(request) = request(&stream) else {
            return;
        };
        asked.send(request).unwrap();
        // Who reads no further than it needs may be gone.
        let _ = give(&mut stream, answer);
    }
}

fn give(stream: &mut UnixStream, answer: &Answer) -> std::io::Result<()> {
    let whole = |status: u16, kind: &str, body: &str| {
        format!(
            "HTTP/1.1 {status} Some\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let chunk = |kind: &str, text: &str| {
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{text}\r\n",
            text.len()
        )
    };
    match answer {
        Answer::Json(status, body) => {
            stream.write_all(whole(*status, "application/json", body).as_bytes())
        }
        Answer::Problem(status, detail) => {
            let body = serde_json::json!({
                "type": "urn:twolane:some", "title": "some", "status": status, "detail": detail,
            });
            let kind = "application/problem+json";
            stream.write_all(whole(*status, kind, &body.to_string()).as_bytes())
        }
        Answer::Lines(text) => {
            stream.write_all(chunk("application/x-ndjson", text).as_bytes())?;
            stream.write_all(b"0\r\n\r\n")
        }
        Answer::Events(text) => {
            stream.write_all(chunk("text/event-stream", text).as_bytes())?;
            stream.read_to_end(&mut Vec::new()).map(|_| ())
        }
        Answer::LastEvents(text) => {
            stream.write_all(chunk("text/event-stream", text).as_bytes())?;
            stream.write_all(b"0\r\n\r\n")
        }
        Answer::Unknown => {
            let body = r#"{"type":"urn:twolane:outcome-unknown","title":"outcome-unknown","status":503,"detail":"it left"}"#;
            stream.write_all(whole(503, "application/problem+json", body).as_bytes())
        }
        Answer::Half => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"),
    }
}

/// `METHOD PATH BODY`; `None` if there is no request.
fn request(stream: &UnixStream) -> Option<String> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    let asked = first.strip_suffix(" HTTP/1.1\r\n")?.to_owned();
    let (mut length, mut chunked) = (0, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
        chunked |= line == "transfer-encoding: chunked";
    }
    let body = if chunked {
        chunks(&mut reader)
    } else {
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        String::from_utf8(body).unwrap()
    };
    let body = body.trim_end();
    Some(if body.is_empty() {
        asked
    } else {
        format!("{asked} {body}")
    })
}

fn chunks(reader: &mut impl BufRead) -> String {
    let mut body = Vec::new();
    loop {
        let mut size = String::new();
        reader.read_line(&mut size).unwrap();
        let size = usize::from_str_radix(size.trim_end(), 16).unwrap();
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk).unwrap();
        body.extend_from_slice(&chunk[..size]);
        if size == 0 {
            return String::from_utf8(body).unwrap();
        }
    }
}

/// JSON as an answer.
pub(crate) fn json(value: &Value) -> Answer {
    Answer::Json(200, value.to_string())
}

/// Server-sent events with these numbers and data.
pub(crate) fn events(events: &[Value]) -> Answer {
    let text = events.iter().map(|event| {
        let (number, name) = (&event["number"], event["event"].as_str().unwrap());
        format!("id: {number}\nevent: {name}\ndata: {event}\n\n")
    });
    Answer::Events(format!(": hello\n\n{}", text.collect::<String>()))
}

/// A run in this state, as the API has it.
pub(crate) fn a_run(number: u64, state: &str) -> Value {
    serde_json::json!({
        "run": number, "job": "thumbs", "state": state, "reason": null, "lane": "cpu",
        "task": "call", "pool": null, "priority": 0, "accepted": "2020-01-01T00:00:00.000000Z",
        "started": null, "ended": null, "wait_seconds": 0.25, "run_seconds": 3.0,
        "cpu_seconds": null, "attempts": 1, "args": null, "result": null, "failure": null,
        "key": null, "after": [],
    })
}

/// The same with a history of one event.
pub(crate) fn a_story(number: u64, state: &str) -> Value {
    let mut story = a_run(number, state);
    story["history"] = serde_json::json!([an_event(number, number, state)]);
    story
}

/// An event about a run.
pub(crate) fn an_event(number: u64, run: u64, state: &str) -> Value {
    serde_json::json!({
        "number": number, "at": "2020-01-01T00:00:00.000000Z", "event": state, "run": run,
        "job": "thumbs", "attempt": 1, "state": state,
    })
}

/// A daemon that has decided so many facts.
pub(crate) fn a_status(records: u64) -> Value {
    serde_json::json!({
        "version": "0.1.0", "pid": 7, "started": "2020-01-01T00:00:00.000000Z", "up_seconds": 1.0,
        "draining": false, "runs": {"running": 1, "queued": 0}, "unfinished": 1, "max_runs": 1000,
        "capacities": [
            {"kind": "lane", "name": "cpu", "size": 2, "used": 1, "paused": true},
        ],
        "jobs": 3, "records": records, "uncommitted": 0, "max_uncommitted": 64, "trouble": null,
    })
}

/// A file in a directory that goes with the test.
pub(crate) fn file(text: &str) -> (TempDir, String) {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("batch.ndjson");
    fs::write(&path, text).unwrap();
    let path = path.to_string_lossy().into_owned();
    (place, path)
}
