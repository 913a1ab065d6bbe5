//! What the benchmarks of the daemon share: the daemon as a process of its own, its runs in a batch, and a
//! figure beside its limit. The program that uses this is its own daemon, when its first word is `serve`.

use std::io::Cursor;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use twolane::api::client::Client;
use twolane::api::wire::Status;

/// A daemon that is killed at the end.
pub(crate) struct Daemon {
    pub(crate) child: Child,
    pub(crate) socket: PathBuf,
}

impl Daemon {
    /// Starts it in `place`, with `settings` beside those that keep it there and with the job `noop`, which
    /// calls the function of that name, and waits until it answers.
    pub(crate) fn start(place: &Path, settings: &str) -> Self {
        let settings = format!(
            "[daemon]\njobs = [\"jobs.toml\"]\nstate_dir = \"state\"\nruntime_dir = \"run\"\n\
             [log]\nlevel = \"warn\"\n{settings}"
        );
        std::fs::write(place.join("twolane.toml"), settings).unwrap();
        std::fs::write(place.join("jobs.toml"), "[jobs.noop]\ncall = \"noop\"\n").unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["serve", "--config"])
            .arg(place.join("twolane.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let socket = place.join("run/twolane.sock");
        let daemon = Self { child, socket };
        while daemon.client().get::<Status>("/status").is_err() {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        daemon
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.socket)
    }

    pub(crate) fn status(&self) -> Status {
        self.client().get("/status").unwrap()
    }

    /// Has `runs` runs of the job accepted, in one batch.
    pub(crate) fn submit(&self, runs: usize) {
        let lines = "{\"job\":\"noop\"}\n".repeat(runs);
        let mut answers = 0;
        let told = self
            .client()
            .post_lines("/runs", Box::new(Cursor::new(lines)), |line| {
                assert!(line.starts_with("{\"run\":"), "{line}");
                answers += 1;
                ControlFlow::Continue(())
            });
        told.unwrap();
        assert_eq!(answers, runs);
    }

    /// Waits until no more than `left` runs are unfinished.
    pub(crate) fn finish(&self, left: u64) {
        while self.status().unfinished > left {
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// A directory beside the program: on the disk that it was built on, where one in `/tmp` may be in memory.
pub(crate) fn place() -> tempfile::TempDir {
    let program = std::env::current_exe().unwrap();
    tempfile::tempdir_in(program.parent().unwrap()).unwrap()
}

pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Says a value that is to be no higher than its limit. Whether it is not.
pub(crate) fn below(what: &str, value: f64, limit: f64) -> bool {
    let word = if value <= limit { "met" } else { "MISSED" };
    let share = value / limit;
    println!("{what}: {value:.2}, limit {limit}, ratio {share:.2}: {word}");
    value <= limit
}
