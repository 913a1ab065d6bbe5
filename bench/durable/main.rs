//! What durability costs: runs a second from a batch and from single requests, and how long one run takes
//! from being asked for to being over, each durable when it is accepted and when it ends; beside the bare
//! SQLite that commits as many rows in groups of the same size.
//!
//! `cargo bench --bench durable [-- --runs N]`: N runs in the batch, 100,000 unless said otherwise. Exits with 1 where
//! a goal is missed.
//!
//! The runs are of the io lane, which carries ten thousand at once: as each start has to be on the disk
//! before it happens, a lane that carries two at once starts two a commit.
//!
//! The program is its own daemon: with `serve` it is `twolane` with a function that does nothing.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a program that measures time and prints a table, and has nobody to tell when its machine fails it"
)]

#[path = "../daemon/mod.rs"]
mod daemon;

use std::io::{BufRead, BufReader, Read, Write};
use std::ops::ControlFlow;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use daemon::{Daemon, below, median};
use rusqlite::Connection;
use serde_json::{Value, json};
use twolane::api::wire::Event;
use twolane::{App, Handlers};

/// Clients of single requests, and the requests of all of them together.
const CLIENTS: usize = 64;
const REQUESTS: u64 = 20_000;

/// Single runs at low load.
const SINGLES: usize = 100;

/// Between two of them: at low load, a stream of events may look at once, which it does a few times in 50 ms.
const BETWEEN: Duration = Duration::from_millis(60);

/// Rows in a group of the bare commits.
const GROUP: usize = 4_096;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|first| first == "serve") {
        let noop =
            |_: twolane::Context, _: Value| async { Ok::<_, twolane::HandlerError>(Value::Null) };
        return App::new(Handlers::new().io("noop", noop)).main();
    }
    let runs = arguments
        .iter()
        .skip_while(|word| *word != "--runs")
        .nth(1)
        .and_then(|number| number.parse().ok())
        .unwrap_or(100_000);
    let place = daemon::place();
    let rows = 3 * runs;
    let bare = bare_groups(&place.path().join("bare.db"), rows);
    let commit = bare_commit(&place.path().join("one.db"));
    let daemon = Daemon::start(place.path(), "");
    println!("each run durable when it is accepted and when it ends\n");
    println!(
        "bare SQLite, {rows} rows in groups of {GROUP}: {:>10.0} rows/s, which is {:.0} runs/s",
        bare,
        bare / 3.0
    );
    let (accepted, finished) = batch(&daemon, runs);
    println!("batch of {runs}: accepted {accepted:>10.0}/s");
    let mut met = above(
        "batch of no-op runs, submitted to finished, runs/s",
        finished,
        20_000.0,
    );
    println!(
        "    {:.2} of what the bare commits allow",
        finished / (bare / 3.0)
    );
    let singles = single_requests(&daemon);
    met &= above(
        &format!("single requests of {CLIENTS} clients, runs/s"),
        singles,
        5_000.0,
    );
    let latency = latency(&daemon);
    println!(
        "one run at low load, submitted to finished: p50 {:.2} ms; one bare synced commit: p50 {:.2} ms",
        latency * 1e3,
        commit * 1e3
    );
    if met & below("ratio of the two", latency / commit, 5.0) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Says a value that is to be no lower than its goal. Whether it is not.
fn above(what: &str, value: f64, goal: f64) -> bool {
    let word = if value >= goal { "met" } else { "MISSED" };
    println!("{what}: {value:.0}, goal {goal}: {word}");
    value >= goal
}

fn bare(path: &Path) -> Connection {
    let db = Connection::open(path).unwrap();
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000;
         CREATE TABLE rows (number INTEGER PRIMARY KEY, payload TEXT)",
    )
    .unwrap();
    db
}

/// Rows a second of a bare table in groups.
fn bare_groups(path: &Path, rows: usize) -> f64 {
    let mut db = bare(path);
    let payload = "x".repeat(100);
    let begun = Instant::now();
    for first in (0..rows).step_by(GROUP) {
        let group = db.transaction().unwrap();
        {
            let mut insert = group
                .prepare_cached("INSERT INTO rows VALUES (?1, ?2)")
                .unwrap();
            for number in first..(first + GROUP).min(rows) {
                insert
                    .execute((i64::try_from(number).unwrap(), &payload))
                    .unwrap();
            }
        }
        group.commit().unwrap();
    }
    rows as f64 / begun.elapsed().as_secs_f64()
}

/// The median time of one commit of one row, in seconds.
fn bare_commit(path: &Path) -> f64 {
    let db = bare(path);
    let mut times: Vec<f64> = (0..SINGLES)
        .map(|number| {
            let begun = Instant::now();
            db.execute(
                "INSERT INTO rows VALUES (?1, 'x')",
                [i64::try_from(number).unwrap()],
            )
            .unwrap();
            begun.elapsed().as_secs_f64()
        })
        .collect();
    median(&mut times)
}

/// Runs a second, accepted and finished.
fn batch(daemon: &Daemon, runs: usize) -> (f64, f64) {
    let begun = Instant::now();
    daemon.submit(runs);
    let accepted = begun.elapsed().as_secs_f64();
    daemon.finish(0);
    let finished = begun.elapsed().as_secs_f64();
    (runs as f64 / accepted, runs as f64 / finished)
}

/// Runs a second that many clients get accepted, each with one request at a time on its connection.
fn single_requests(daemon: &Daemon) -> f64 {
    let left = Arc::new(AtomicU64::new(REQUESTS));
    let begun = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (left, socket) = (Arc::clone(&left), daemon.socket.clone());
            std::thread::spawn(move || {
                let mut stream = UnixStream::connect(socket).unwrap();
                let mut answers = BufReader::new(stream.try_clone().unwrap());
                while left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
                    .is_ok()
                {
                    post(&mut stream, &mut answers);
                }
            })
        })
        .collect();
    for client in clients {
        client.join().unwrap();
    }
    let accepted = begun.elapsed().as_secs_f64();
    daemon.finish(0);
    REQUESTS as f64 / accepted
}

/// One request on a connection that stays; the run's number.
fn post(stream: &mut UnixStream, answers: &mut BufReader<UnixStream>) -> u64 {
    let body = json!({ "job": "noop" }).to_string();
    let head = "POST /runs HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut length = 0;
    let mut line = String::new();
    answers.read_line(&mut line).unwrap();
    assert!(line.contains(" 201 "), "{line}");
    while line != "\r\n" {
        line.clear();
        answers.read_line(&mut line).unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut text = vec![0; length];
    answers.read_exact(&mut text).unwrap();
    serde_json::from_slice::<Value>(&text).unwrap()["run"]
        .as_u64()
        .unwrap()
}

/// The median time from asking for a run to hearing that it is over, in seconds.
fn latency(daemon: &Daemon) -> f64 {
    let after = daemon.status().records;
    let (told, hear) = std::sync::mpsc::channel();
    let client = daemon.client();
    std::thread::spawn(move || {
        let _ = client.lines(&format!("/events?after={after}"), |line| {
            let event: Option<Event> = serde_json::from_str(line).ok();
            if let Some(event) = event.filter(|event| event.event == "finished")
                && told.send((event.run, Instant::now())).is_err()
            {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
    });
    let mut stream = UnixStream::connect(&daemon.socket).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    let mut times: Vec<f64> = (0..SINGLES)
        .map(|_| {
            std::thread::sleep(BETWEEN);
            let begun = Instant::now();
            let run = post(&mut stream, &mut answers);
            let (over, at) = hear.recv().unwrap();
            assert_eq!(over, Some(run));
            at.duration_since(begun).as_secs_f64()
        })
        .collect();
    median(&mut times)
}
