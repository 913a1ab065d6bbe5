//! What a long queue costs: a million queued runs against one that is short. How long they take to be
//! accepted, how much memory each needs, how long `list` and `show` take beside them, how long the daemon
//! is away after SIGKILL, and whether runs still start as fast; each beside its limit.
//!
//! `cargo bench --bench depth [-- --runs N]`: N runs in the queue, 1,000,000 unless said otherwise; with
//! fewer, the memory that does not depend on them weighs more. Exits with 1 where a limit is not kept.
//!
//! Dispatch is from asking for the job to be resumed until its function has been called a thousand times,
//! in a lane of a thousand. As each of those runs lasts longer than that, none ends and none more starts
//! meanwhile: the work is the same, and only the length of the queue differs.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a program that measures time and prints a table, and has nobody to tell when its machine fails it"
)]

#[path = "../daemon/mod.rs"]
mod daemon;

use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdout, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use daemon::{Daemon, below, median, place};
use serde_json::{Value, json};
use twolane::{App, Handlers};

/// Runs that start at once.
const PLACES: u64 = 1_000;

/// How long each of them lasts: longer than all of them take to start and the job to be paused again.
const LASTS: Duration = Duration::from_millis(250);

/// Times that a command is measured.
const ROUNDS: usize = 15;

/// Times that dispatch is measured with each length of the queue.
const TURNS: usize = 40;

/// Calls of the function so far.
static CALLS: AtomicU64 = AtomicU64::new(0);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let first = arguments.get(1).map(String::as_str);
    if matches!(first, Some("serve" | "list" | "show")) {
        return App::new(Handlers::new().io("noop", called)).main();
    }
    let runs = arguments
        .iter()
        .skip_while(|word| *word != "--runs")
        .nth(1)
        .and_then(|number| number.parse().ok())
        .filter(|runs| *runs as u64 >= PLACES)
        .unwrap_or(1_000_000);
    let place = place();
    if depth(&place, runs) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The job's function: says each thousandth call.
async fn called(context: twolane::Context, _: Value) -> Result<Value, twolane::HandlerError> {
    if (CALLS.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(PLACES) {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{PLACES}").unwrap();
        out.flush().unwrap();
    }
    context.sleep(LASTS).await?;
    Ok(Value::Null)
}

fn start(place: &tempfile::TempDir) -> Daemon {
    let settings = format!("[lanes.io]\nconcurrency = {PLACES}\n");
    Daemon::start(place.path(), &settings)
}

/// Prints all figures with `runs` runs in the queue. Whether all limits are kept.
fn depth(place: &tempfile::TempDir, runs: usize) -> bool {
    let daemon = start(place);
    pause(&daemon);
    let base = resident(&daemon);
    let begun = Instant::now();
    daemon.submit(runs);
    let accepted = begun.elapsed().as_secs_f64();
    let rate = runs as f64 / accepted;
    println!("{runs} runs submitted in {accepted:.2} s: {rate:.0}/s");
    let each = (resident(&daemon) - base) / runs as f64;
    let mut kept = below("memory of the daemon over the base, B/run", each, 300.0);
    let middle = (runs / 2).to_string();
    for words in [&["list"][..], &["show", &middle]] {
        let mut times: Vec<f64> = (0..ROUNDS).map(|_| command(&daemon, words)).collect();
        let what = format!("`twolane {}`, ms (median of {ROUNDS})", words.join(" "));
        kept &= below(&what, median(&mut times) * 1e3, 50.0);
    }
    let begun = Instant::now();
    drop(daemon);
    let daemon = start(place);
    let away = begun.elapsed().as_secs_f64();
    assert_eq!(daemon.status().unfinished, runs as u64);
    kept &= below("from SIGKILL to the first answer, s", away, 3.0);
    kept & dispatch(daemon, runs as u64)
}

fn pause(daemon: &Daemon) {
    let what = json!({ "job": "noop" });
    daemon.client().post::<Value>("/pause", &what).unwrap();
}

/// Bytes of memory that the daemon has.
fn resident(daemon: &Daemon) -> f64 {
    let path = format!("/proc/{}/status", daemon.child.id());
    let status = std::fs::read_to_string(path).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib: f64 = line
        .and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .unwrap();
    kib * 1_024.0
}

/// How long a command takes, the start of its process included, in seconds.
fn command(daemon: &Daemon, words: &[&str]) -> f64 {
    let begun = Instant::now();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(words)
        .arg("--socket")
        .arg(&daemon.socket)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let took = begun.elapsed().as_secs_f64();
    assert!(output.status.success() && !output.stdout.is_empty());
    took
}

/// How fast runs start with `queued` in the queue, beside a daemon whose queue is short, turn by turn, so
/// that whatever else the machine does meets both. Whether the limit is kept.
fn dispatch(long: Daemon, queued: u64) -> bool {
    let other = place();
    let short = start(&other);
    pause(&short);
    let mut queues = [Queue::of(short, PLACES), Queue::of(long, queued)];
    let mut rates = [Vec::new(), Vec::new()];
    // The first turn warms both up.
    for turn in 0..=TURNS {
        for (queue, rates) in queues.iter_mut().zip(&mut rates) {
            let rate = queue.turn();
            if turn > 0 {
                rates.push(rate);
            }
        }
    }
    let [short, long] = rates.map(|mut rates| {
        let half = median(&mut rates);
        (rates[TURNS / 4], half, rates[TURNS * 3 / 4])
    });
    for (queued, (low, half, high)) in [(PLACES, short), (queued, long)] {
        println!(
            "dispatch with {queued} queued: {half:.0}/s (median of {TURNS}; half of them {low:.0} to {high:.0})"
        );
    }
    below(
        "time of a start, long queue over short",
        short.1 / long.1,
        1.15,
    )
}

/// A daemon whose job is paused, with as many runs of it as stay in its queue from turn to turn.
struct Queue {
    daemon: Daemon,
    calls: BufReader<ChildStdout>,
    queued: u64,
}

impl Queue {
    fn of(mut daemon: Daemon, queued: u64) -> Self {
        let calls = BufReader::new(daemon.child.stdout.take().unwrap());
        Self {
            daemon,
            calls,
            queued,
        }
    }

    /// Fills the queue up and lets a thousand start. How many that is in a second.
    fn turn(&mut self) -> f64 {
        let missing = self.queued - self.daemon.status().unfinished;
        self.daemon.submit(usize::try_from(missing).unwrap());
        let what = json!({ "job": "noop" });
        let begun = Instant::now();
        let client = self.daemon.client();
        client.post::<Value>("/resume", &what).unwrap();
        self.calls.read_line(&mut String::new()).unwrap();
        let took = begun.elapsed().as_secs_f64();
        pause(&self.daemon);
        let left = self.queued - PLACES;
        self.daemon.finish(left);
        assert_eq!(self.daemon.status().unfinished, left, "more have started");
        PLACES as f64 / took
    }
}
