//! The daemon under test: started, killed, started again.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use twolane::api::client::Client;
use twolane::api::wire::Status;
use twolane::clock::Clock;
use twolane::engine::time::Mono;

/// Far longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct Daemon {
    place: PathBuf,
    /// In memory, as it is where a service manager makes it: what outlives a kill and no machine is kept there.
    runtime: TempDir,
    child: Option<Child>,
}

/// A command that keeps the ledger, of which a line builds up: so it is announced what comes next.
fn short(place: &Path) -> String {
    let ledger = place.join("ledger");
    let ledger = ledger.display();
    format!(
        "[pools.two]\nlane = \"io\"\nsize = 2\n\
         [jobs.short]\npool = \"two\"\nparams.id = {{ type = \"text\" }}\n\
         exec = [\"/bin/sh\", \"-c\", '''echo start $TWOLANE_RUN $TWOLANE_ATTEMPT $1 $$ >> {ledger} && \
         echo end $TWOLANE_RUN $TWOLANE_ATTEMPT $1 $$ 0 >> {ledger}''', \"sh\", \"{{id}}\"]\n"
    )
}

impl Daemon {
    pub(crate) fn new(place: &Path) -> Self {
        let runtime = tempfile::tempdir_in("/dev/shm")
            .or_else(|_| tempfile::tempdir())
            .unwrap();
        let settings = format!(
            "[daemon]\njobs = [\"jobs.toml\"]\nstate_dir = \"state\"\nruntime_dir = {:?}\n[log]\nlevel = \"warn\"\n",
            runtime.path()
        );
        let jobs = "[jobs.again]\ncall = \"io-mark\"\n\
                    [jobs.compute]\ncall = \"cpu-mark\"\n\
                    [jobs.once]\ncall = \"io-mark\"\non_crash = \"fail\"\n\
                    [jobs.tick]\ncall = \"io-mark\"\n\
                    schedule = { every = \"1s\", missed = \"all\", overlap = \"queue\" }\n";
        std::fs::write(place.join("twolane.toml"), settings).unwrap();
        std::fs::write(place.join("jobs.toml"), format!("{jobs}{}", short(place))).unwrap();
        Self {
            place: place.to_owned(),
            runtime,
            child: None,
        }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.runtime.path().join("twolane.sock")
    }

    /// All that it has, and the ledger of its jobs.
    pub(crate) fn place(&self) -> &Path {
        &self.place
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.socket())
    }

    /// Starts it, and waits until it answers.
    pub(crate) fn start(&mut self) {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.place.join("log"))
            .unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["serve", "--config"])
            .arg(self.place.join("twolane.toml"))
            .env("TWOLANE_LEDGER", self.place.join("ledger"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        let clock = Clock::start();
        while self.client().get::<Status>("/status").is_err() {
            let child = self.child.as_mut().unwrap();
            let ended = child.try_wait().unwrap();
            let log = || std::fs::read_to_string(self.place.join("log")).unwrap_or_default();
            assert!(ended.is_none(), "it ended: {ended:?}\n{}", log());
            assert!(
                clock.mono().since(Mono(0)) < LIMIT,
                "it does not answer\n{}",
                log()
            );
            std::thread::yield_now();
        }
    }

    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Has it leave in good order.
    pub(crate) fn stop(&mut self) {
        let _: Option<serde_json::Value> =
            self.client().post("/stop", &serde_json::json!({})).unwrap();
        let status = self.child.take().unwrap().wait().unwrap();
        assert!(status.success(), "{status}");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
    }
}
