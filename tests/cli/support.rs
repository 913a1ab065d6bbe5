//! Starts the binary in a directory of its own and waits for what it says, always with a limit.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use tempfile::TempDir;

use crate::until::LIMIT;

/// A directory with files in which the binary runs. It goes with the test.
pub(crate) struct Place {
    directory: TempDir,
}

/// What a finished process left.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    /// A directory with these files.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let place = Self { directory };
        for (name, text) in files {
            place.write(name, text);
        }
        place
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Runs `twolane` with these arguments to its end.
    pub(crate) fn twolane(&self, args: &[&str]) -> Finished {
        self.start(args).finish()
    }

    /// Starts `twolane` with these arguments.
    pub(crate) fn start(&self, args: &[&str]) -> Process {
        self.start_with(args, &[])
    }

    /// Starts `twolane` with these arguments and this environment beside `PATH`.
    pub(crate) fn start_with(&self, args: &[&str], env: &[(&str, &str)]) -> Process {
        self.start_program(Path::new(env!("CARGO_BIN_EXE_twolane")), args, env)
    }

    /// The same of another file than the one that was built.
    pub(crate) fn start_program(
        &self,
        program: &Path,
        args: &[&str],
        env: &[(&str, &str)],
    ) -> Process {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TZ", "UTC")
            // The zoo's, of a program that has bugs to be switched on.
            .envs(std::env::var_os("TWOLANE_BUG").map(|bug| ("TWOLANE_BUG", bug)))
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Process::of(command.spawn().unwrap())
    }
}

/// A running process and the lines it prints. Killed if a test fails before its end.
pub(crate) struct Process {
    child: Child,
    lines: Receiver<Line>,
    stdout: String,
    stderr: String,
}

enum Line {
    Out(String),
    Err(String),
}

impl Process {
    fn of(mut child: Child) -> Self {
        let (sender, lines) = channel();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let to_err = sender.clone();
        std::thread::spawn(move || read(out, |line| sender.send(Line::Out(line)).is_ok()));
        std::thread::spawn(move || read(err, |line| to_err.send(Line::Err(line)).is_ok()));
        Self {
            child,
            lines,
            stdout: String::new(),
            stderr: String::new(),
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until a line (of either stream) contains `text`.
    pub(crate) fn wait_for(&mut self, text: &str) {
        loop {
            match self.next_line() {
                Some(line) if line.contains(text) => return,
                Some(_) => {}
                None => panic!(
                    "it ended without saying {text:?}:\n{}\n{}",
                    self.stdout, self.stderr
                ),
            }
        }
    }

    /// Sends it a signal by its number.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.id().cast_signed()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Finished {
        while self.next_line().is_some() {}
        let code = self.status().code();
        Finished {
            code,
            stdout: std::mem::take(&mut self.stdout),
            stderr: std::mem::take(&mut self.stderr),
        }
    }

    /// Both streams are at their end, so the process is, or is about to be.
    fn status(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    fn next_line(&mut self) -> Option<String> {
        match self.lines.recv_timeout(LIMIT) {
            Ok(Line::Out(line)) => {
                self.stdout.push_str(&line);
                Some(line)
            }
            Ok(Line::Err(line)) => {
                self.stderr.push_str(&line);
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                panic!(
                    "nothing for {LIMIT:?}, after:\n{}\n{}",
                    self.stdout, self.stderr
                )
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(stream: impl Read, mut hand: impl FnMut(String) -> bool) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut bytes = Vec::new();
        match stream.read_until(b'\n', &mut bytes) {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let line = String::from_utf8(bytes).unwrap();
                if !hand(line) {
                    return;
                }
            }
        }
    }
}

/// A file of the repository.
pub(crate) fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}
