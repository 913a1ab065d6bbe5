//! A real daemon in a directory of its own, and plain HTTP to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use twolane::clock::Clock;
use twolane::engine::time::Mono;

/// Far longer than anything here takes.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

const JOBS: &str = r#"
[pools.p]
lane = "io"
size = 1
[jobs.nap]
sleep = "5ms"
params.x = { type = "integer", default = 5 }
[jobs.long]
sleep = "1h"
[jobs.compute]
compute = { outer = 1_000, inner = 10, report_every = 250 }
[jobs.wish]
future = "somebody says so"
[jobs.shared-wish]
future = "somebody says so"
unique = { by = "job", on_duplicate = "join" }
[jobs.after-wish]
sleep = "1ms"
after = "shared-wish"
[jobs.then]
sleep = "1ms"
after = "nap"
[jobs.talk]
shell = "echo 'all is WELL'; echo 'no disk' >&2; echo '<3>it is over'; exit 3"
[jobs.echo]
shell = "while read -r line; do echo \"<$line>\"; done"
stdin = { open = true }
[jobs.once]
exec = ["/bin/sh", "-c", 'echo $TWOLANE_RUN >> "$1"', "sh", "{file}"]
params.file = { type = "text" }
on_crash = "fail"
"#;

pub(crate) struct Daemon {
    pub(crate) place: tempfile::TempDir,
    child: Child,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

fn serve(place: &Path, variables: &[(&str, &Path)]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_twolane"))
        .args(["serve", "--config", "twolane.toml"])
        .current_dir(place)
        .stdin(Stdio::null())
        .envs(variables.iter().copied())
        .stderr(std::fs::File::create(place.join("daemon.log")).unwrap())
        .spawn()
        .unwrap()
}

impl Daemon {
    pub(crate) fn start(settings: &str) -> Self {
        Self::start_with(settings, &[])
    }

    /// With these variables in its environment, too.
    pub(crate) fn start_with(settings: &str, variables: &[(&str, &Path)]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), settings, variables)
    }

    /// In this directory.
    pub(crate) fn start_in(
        place: tempfile::TempDir,
        settings: &str,
        variables: &[(&str, &Path)],
    ) -> Self {
        let daemon = format!(
            "[daemon]\njobs = [\"jobs.toml\"]\nstate_dir = \"state\"\nruntime_dir = \"run\"\n{settings}"
        );
        std::fs::write(place.path().join("twolane.toml"), daemon).unwrap();
        std::fs::write(place.path().join("jobs.toml"), JOBS).unwrap();
        let child = serve(place.path(), variables);
        let daemon = Self { place, child };
        daemon.wait();
        daemon
    }

    /// Another one, which goes on from where this one was killed.
    pub(crate) fn restart(&mut self) {
        self.child = serve(self.place.path(), &[]);
        self.wait();
    }

    /// Waits until somebody answers. That a connection is accepted says little after a kill: what the one that was
    /// killed had just forked holds its socket until it has become a command.
    fn wait(&self) {
        wait_for("an answer", || {
            let Ok(mut stream) = UnixStream::connect(self.socket()) else {
                return false;
            };
            stream.set_read_timeout(Some(LIMIT)).unwrap();
            let request = "GET /status HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
            let mut text = String::new();
            stream.write_all(request.as_bytes()).is_ok()
                && stream.read_to_string(&mut text).is_ok()
                && text.starts_with("HTTP/1.1 200 ")
        });
    }

    pub(crate) fn socket(&self) -> std::path::PathBuf {
        self.place.path().join("run/twolane.sock")
    }

    /// Asks over the socket, on a connection of its own.
    pub(crate) fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let stream = UnixStream::connect(self.socket()).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        exchange(stream, "localhost", method, path, headers, body)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "", "")
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        self.ask("POST", path, "content-type: application/json\r\n", body)
    }

    /// The most memory that it has had, in KiB.
    pub(crate) fn most_memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(path).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let words = line.unwrap().split_whitespace();
        words.take(1).map(|word| word.parse::<u64>().unwrap()).sum()
    }

    /// Ends it, as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it as a service manager does, and waits until it has left.
    pub(crate) fn terminate(&mut self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }

    /// What `twolane` prints in the daemon's directory with these arguments; and whether it went well.
    pub(crate) fn twolane(&self, args: &[&str]) -> (bool, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_twolane"))
            .args(["--socket", "run/twolane.sock", "--config", "twolane.toml"])
            .args(args)
            .env("TZ", "UTC")
            .current_dir(self.place.path())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (
            output.status.success(),
            text(output.stdout),
            text(output.stderr),
        )
    }

    /// Waits until a run is in this state.
    pub(crate) fn wait_for_state(&self, run: u64, state: &str) {
        wait_for(&format!("run {run} to be {state}"), || {
            self.get(&format!("/runs/{run}")).json()["state"] == state
        });
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let clock = Clock::start();
    while !holds() {
        assert!(
            clock.mono().since(Mono(0)) < LIMIT,
            "waited in vain for {what}"
        );
        std::thread::yield_now();
    }
}

/// Sends a request on a connection that is closed after it, and reads what comes back.
pub(crate) fn exchange(
    mut stream: impl Read + Write,
    host: &str,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> Answer {
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
    );
    // A daemon that has heard enough may close before all is sent.
    let _ = stream.write_all(request.as_bytes());
    answer(stream, &format!("{method} {path}"))
}

/// Reads what comes back on a connection that is closed then.
pub(crate) fn answer(mut stream: impl Read, to: &str) -> Answer {
    let mut text = String::new();
    // What had come before it was closed is the answer.
    let _ = stream.read_to_string(&mut text);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    let is_chunked = head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked");
    Answer {
        status: status.unwrap_or_else(|| panic!("no answer to {to}: {text:?}")),
        head: head.to_owned(),
        body: if is_chunked {
            unchunked(body)
        } else {
            body.to_owned()
        },
    }
}

fn unchunked(text: &str) -> String {
    let mut reader = BufReader::new(text.as_bytes());
    let mut whole = String::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let length = usize::from_str_radix(line.trim(), 16).unwrap_or(0);
        if length == 0 {
            return whole;
        }
        let mut chunk = vec![0; length + 2];
        reader.read_exact(&mut chunk).unwrap();
        whole.push_str(std::str::from_utf8(&chunk[..length]).unwrap());
    }
}

/// The mode of a file.
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().unwrap().permissions().mode() & 0o7777
}
