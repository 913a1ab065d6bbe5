//! The daemon under test, and what is asked of it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use twolane::api::client::Client;

use crate::until::until;

pub(crate) struct Daemon {
    place: TempDir,
    child: Option<Child>,
}

impl Daemon {
    /// One with these jobs, that answers.
    pub(crate) fn start(jobs: &str) -> Self {
        let place = tempfile::tempdir().unwrap();
        let settings = "[daemon]\njobs = [\"jobs.toml\"]\nstate_dir = \"state\"\nruntime_dir = \"run\"\n\
                        [lanes.cpu]\nworkers = 1\n";
        std::fs::write(place.path().join("twolane.toml"), settings).unwrap();
        std::fs::write(place.path().join("jobs.toml"), jobs).unwrap();
        let mut daemon = Self { place, child: None };
        daemon.start_again();
        daemon
    }

    /// Starts it and waits until it answers.
    pub(crate) fn start_again(&mut self) {
        self.start_anew();
        self.answers();
    }

    /// Waits until it answers.
    pub(crate) fn answers(&mut self) {
        until("an answer", || {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "it ended: {ended:?}\n{}", self.log());
            self.client().get::<Value>("/status").ok()
        });
    }

    /// Starts it, and asks nothing of it.
    pub(crate) fn start_anew(&mut self) {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path("log"))
            .unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["serve", "--config"])
            .arg(self.path("twolane.toml"))
            .env("TWOLANE_PID_FILE", self.path("pid"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// Waits until it has ended by itself.
    pub(crate) fn ends(&mut self) {
        let mut child = self.child.take().unwrap();
        until("the daemon to be brought down", || {
            child.try_wait().unwrap()
        });
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.path("run/twolane.sock"))
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        let told: Option<Value> = self.client().post(path, body).unwrap();
        told.unwrap_or_default()
    }

    pub(crate) fn submit(&self, job: &str) -> u64 {
        let told = self.post("/runs", &json!({ "job": job }));
        told["run"].as_u64().unwrap()
    }

    pub(crate) fn show(&self, run: u64) -> Value {
        self.client().get(&format!("/runs/{run}")).unwrap()
    }

    pub(crate) fn wait_for(&self, run: u64, state: &str) -> Value {
        until(&format!("run {run} to be {state}\n{}", self.log()), || {
            let shown = self.show(run);
            (shown["state"] == state).then_some(shown)
        })
    }

    /// Runs a job to its end.
    pub(crate) fn run(&self, job: &str) -> Value {
        let run = self.submit(job);
        until(&format!("run {run} of {job}\n{}", self.log()), || {
            let shown = self.show(run);
            (!shown["ended"].is_null()).then_some(shown)
        })
    }

    pub(crate) fn cancel(&self, run: u64) -> Value {
        self.post(&format!("/runs/{run}/cancel"), &json!({}))
    }

    /// The number of the process that a function has written down.
    pub(crate) fn pid(&self) -> u32 {
        until("the number of a process", || {
            std::fs::read_to_string(self.path("pid")).ok()?.parse().ok()
        })
    }

    pub(crate) fn own_pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Has it leave in good order.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.post("/stop", &json!({}));
        let left = until("the daemon to leave", || {
            self.child.as_mut().unwrap().try_wait().unwrap()
        });
        self.child = None;
        left
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
    }
}

/// Whether a process of this number runs.
pub(crate) fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z"))
}
