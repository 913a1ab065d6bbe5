//! Traces: what a collector gets of a real daemon's runs, and that nobody waits for one that takes nothing.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use serde_json::Value;

/// Far longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

const FILE: &str = r#"
[daemon]
state_dir = "state"
runtime_dir = "run"
"#;

const JOBS: &str = r#"
[jobs.good]
sleep = "20ms"
[jobs.flaky]
shell = "exit 3"
retry = { attempts = 2, base = "1ms", max = "1ms" }
[jobs.long]
sleep = "1h"
"#;

/// A collector that answers each request with the next of `statuses`, and with 200 from then on.
fn collector(statuses: &'static [u16]) -> (String, Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (told, hear) = channel();
    std::thread::spawn(move || {
        let mut statuses = statuses.iter();
        for stream in listener.incoming() {
            let status = statuses.next().copied().unwrap_or(200);
            if answer(stream.unwrap(), status, &told).is_none() {
                return;
            }
        }
    });
    (address, hear)
}

/// Takes one request; `None` when nobody listens any more.
fn answer(stream: TcpStream, status: u16, told: &Sender<Value>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert_eq!(line, "POST /v1/traces HTTP/1.1\r\n");
    let (mut length, mut form) = (0, String::new());
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let Some((name, value)) = header.trim().split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "content-type" => form = value.to_owned(),
            _ => {}
        }
    }
    assert_eq!(form, "application/json");
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let mut stream = stream;
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}"
    );
    stream.write_all(head.as_bytes()).unwrap();
    if status != 200 {
        return Some(());
    }
    told.send(serde_json::from_slice(&body).unwrap()).ok()
}

struct Daemon {
    place: tempfile::TempDir,
    child: Option<Child>,
}

impl Daemon {
    fn start(address: &str) -> Self {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("twolane.toml"), FILE).unwrap();
        std::fs::create_dir(place.path().join("jobs.d")).unwrap();
        std::fs::write(place.path().join("jobs.d/jobs.toml"), JOBS).unwrap();
        let mut daemon = Self { place, child: None };
        daemon.serve(address);
        daemon
    }

    fn serve(&mut self, address: &str) {
        let child = Command::new(env!("CARGO_BIN_EXE_twolane"))
            .args(["serve", "--config", "twolane.toml"])
            .current_dir(self.place.path())
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", address)
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(self.place.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        self.child = Some(child);
        let ready = || self.twolane(&["status"]).0;
        wait_for("the daemon", ready);
    }

    fn twolane(&self, args: &[&str]) -> (bool, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_twolane"))
            .args(["--socket", "run/twolane.sock", "--config", "twolane.toml"])
            .args(args)
            .current_dir(self.place.path())
            .output()
            .unwrap();
        (
            output.status.success(),
            String::from_utf8(output.stdout).unwrap(),
        )
    }

    fn stop(&mut self) {
        self.twolane(&["stop"]);
        if let Some(mut child) = self.child.take() {
            child.wait().unwrap();
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _gone = child.kill();
            let _status = child.wait();
        }
    }
}

fn wait_for(what: &str, holds: impl Fn() -> bool) {
    let clock = twolane::clock::Clock::start();
    let begun = clock.mono();
    while !holds() {
        assert!(
            clock.mono().since(begun) < LIMIT,
            "waited in vain for {what}"
        );
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// The spans that come, until there are so many.
fn spans(hear: &Receiver<Value>, count: usize) -> Vec<Value> {
    let mut spans = Vec::new();
    while spans.len() < count {
        let request = hear.recv_timeout(LIMIT).expect("another request");
        let resource = &request["resourceSpans"][0];
        let named = |name: &str| said(&resource["resource"], name);
        assert_eq!(named("service.name"), "twolane");
        assert_eq!(named("service.version"), env!("CARGO_PKG_VERSION"));
        let scope = &resource["scopeSpans"][0];
        assert_eq!(scope["scope"]["name"], "twolane");
        spans.extend(scope["spans"].as_array().unwrap().iter().cloned());
    }
    spans
}

/// An attribute.
fn said(of: &Value, name: &str) -> String {
    let all = of["attributes"].as_array().unwrap();
    let found = all.iter().find(|pair| pair["key"] == name);
    let value = &found.unwrap_or_else(|| panic!("no {name} in {of}"))["value"];
    let (_, value) = value.as_object().unwrap().iter().next().unwrap();
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn is_hex(value: &Value, digits: usize) -> bool {
    let text = value.as_str().unwrap();
    text.len() == digits
        && text.chars().all(|c| c.is_ascii_hexdigit())
        && text.chars().any(|c| c != '0')
}

fn nanos(value: &Value) -> u128 {
    value.as_str().unwrap().parse().unwrap()
}

#[test]
fn a_run_is_a_trace_with_a_span_for_each_attempt() {
    // The first answer is one after which a collector is asked again.
    let (address, hear) = collector(&[503]);
    let mut daemon = Daemon::start(&address);
    for job in ["good", "flaky"] {
        daemon.twolane(&["submit", job, "--wait"]);
    }
    let all = spans(&hear, 5);
    let of = |name: &str| {
        all.iter()
            .filter(|span| span["name"] == name)
            .collect::<Vec<_>>()
    };
    for (job, state, attempts) in [("good", "succeeded", 1), ("flaky", "failed", 2)] {
        let [whole] = of(&format!("run {job}"))[..] else {
            panic!("one run of {job}: {all:#?}");
        };
        assert!(
            is_hex(&whole["traceId"], 32) && is_hex(&whole["spanId"], 16),
            "{whole}"
        );
        assert!(whole.get("parentSpanId").is_none(), "{whole}");
        assert_eq!(said(whole, "twolane.state"), state);
        assert!(said(whole, "twolane.by").starts_with("uid:"), "{whole}");
        let tries = of(job);
        assert_eq!(tries.len(), attempts, "{all:#?}");
        let mut before = nanos(&whole["startTimeUnixNano"]);
        for (number, attempt) in tries.iter().enumerate() {
            assert_eq!(attempt["traceId"], whole["traceId"]);
            assert_eq!(attempt["parentSpanId"], whole["spanId"]);
            assert_ne!(attempt["spanId"], whole["spanId"]);
            assert_eq!(attempt["kind"], 1);
            assert_eq!(said(attempt, "twolane.attempt"), (number + 1).to_string());
            assert_eq!(said(attempt, "twolane.job"), job);
            assert_eq!(said(attempt, "twolane.lane"), "io");
            let (from, to) = (&attempt["startTimeUnixNano"], &attempt["endTimeUnixNano"]);
            assert!(
                before <= nanos(from) && nanos(from) <= nanos(to),
                "{attempt}"
            );
            before = nanos(to);
            let failed = state == "failed";
            assert_eq!(attempt["status"]["code"] == 2, failed, "{attempt}");
            assert_eq!(
                failed,
                attempt["status"]["message"]
                    .as_str()
                    .is_some_and(|why| why.contains('3'))
            );
        }
        assert!(before <= nanos(&whole["endTimeUnixNano"]), "{whole}");
    }
    let good = of("good")[0];
    let took = nanos(&good["endTimeUnixNano"]) - nanos(&good["startTimeUnixNano"]);
    assert!((20_000_000..LIMIT.as_nanos()).contains(&took), "{took} ns");
    daemon.stop();
}

#[test]
fn a_daemon_that_starts_anew_goes_on_with_the_same_traces() {
    let (address, hear) = collector(&[]);
    let mut daemon = Daemon::start(&address);
    daemon.twolane(&["submit", "long"]);
    let run_is = |daemon: &Daemon, state: &str| {
        let (_, shown) = daemon.twolane(&["show", "1"]);
        shown.contains(&format!("run 1 of long {state}"))
    };
    wait_for("the start", || run_is(&daemon, "running"));
    if let Some(mut child) = daemon.child.take() {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    daemon.serve(&address);
    wait_for("another start", || run_is(&daemon, "running"));
    daemon.twolane(&["cancel", "1"]);
    let all = spans(&hear, 3);
    let of = |name: &str| {
        all.iter()
            .filter(|span| span["name"] == name)
            .collect::<Vec<_>>()
    };
    let (tries, whole) = (of("long"), of("run long")[0]);
    let states: Vec<String> = tries
        .iter()
        .map(|span| said(span, "twolane.state"))
        .collect();
    assert_eq!(states, ["interrupted", "cancelled"]);
    for attempt in tries {
        assert_eq!(attempt["traceId"], whole["traceId"]);
        assert_eq!(attempt["parentSpanId"], whole["spanId"]);
    }
    daemon.stop();
}

#[test]
fn a_collector_that_answers_nothing_holds_nobody_up() {
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", deaf.local_addr().unwrap());
    let mut daemon = Daemon::start(&address);
    let batch = "{\"job\":\"good\"}\n".repeat(200);
    let file = daemon.place.path().join("batch");
    std::fs::write(&file, batch).unwrap();
    assert!(
        daemon
            .twolane(&["submit", "--batch", file.to_str().unwrap()])
            .0
    );
    assert!(daemon.twolane(&["wait", "200", "--timeout", "50s"]).0);
    daemon.stop();
}

#[test]
fn what_nobody_takes_is_dropped_and_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let mut daemon = Daemon::start(&address);
    assert!(daemon.twolane(&["submit", "good", "--wait"]).0);
    let told = || std::fs::read_to_string(daemon.place.path().join("log")).unwrap();
    wait_for("a warning", || told().contains("traces cannot be sent to"));
    assert!(told().contains("spans=2"), "{}", told());
    daemon.stop();
}

#[test]
fn an_address_that_is_none_is_told() {
    for address in ["https://collector.example", "http://me:hush@127.0.0.1:1"] {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("twolane.toml"), FILE).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_twolane"))
            .args(["serve", "--config", "twolane.toml"])
            .current_dir(place.path())
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", address)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(3));
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(
            told.contains("is no address to send traces to\nhint: ") && !told.contains("hush"),
            "{told}"
        );
    }
}
