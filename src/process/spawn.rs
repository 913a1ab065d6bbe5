//! Makes child processes. Whoever makes one stands still until its program has been loaded.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::cgroup::Group;
use super::files::lower_open_files;
use super::order::{Bounds, Order, StdinFrom};
use super::{orphans, shim, wait};

/// A child that has begun. It leads a process group of its own.
#[derive(Debug)]
pub struct Child {
    pid: Pid,
    /// Becomes readable when it has ended.
    pub pidfd: Option<OwnedFd>,
    /// The writing end of what it reads, with [`StdinFrom::Pipe`].
    pub stdin: Option<OwnedFd>,
    /// The reading end of what it writes.
    pub stdout: Option<OwnedFd>,
    /// The reading end of its errors; none of a child with a terminal.
    pub stderr: Option<OwnedFd>,
    /// Its control group.
    pub group: Option<Group>,
    is_waited: bool,
}

/// Why there is no child.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The machine has no room for it now: processes, memory or descriptors are short.
    #[error("there is no room for another process now: {0}")]
    Scarce(#[source] io::Error),
    /// It has begun, but its end could not have been noticed, so it was ended at once.
    #[error("cannot watch over the process: {0}")]
    Watch(#[source] io::Error),
    /// This directory cannot be entered.
    #[error("cannot begin in {directory}: {source}")]
    Directory {
        /// The directory.
        directory: String,
        /// Why.
        source: io::Error,
    },
    /// This program cannot be run.
    #[error("cannot run {program}: {source}")]
    Program {
        /// As it was asked for.
        program: String,
        /// Why.
        source: io::Error,
    },
}

impl Child {
    /// Its number, which is also that of its group.
    #[must_use]
    pub const fn pid(&self) -> Pid {
        self.pid
    }

    /// How it has ended; `None` if it has not.
    ///
    /// # Errors
    /// If somebody else has taken note of its end.
    pub fn take_end(&mut self) -> io::Result<Option<(wait::Ending, wait::Usage)>> {
        let end = wait::take(self.pid);
        if !matches!(end, Ok(None)) {
            self.is_waited = true;
            orphans::forget(self.pid);
        }
        end
    }
}

impl Drop for Child {
    /// A child that nobody waits for is one of those that are buried when they have ended.
    fn drop(&mut self) {
        if !self.is_waited {
            orphans::forget(self.pid);
        }
    }
}

/// Makes a child on the calling thread, which stands still until the program is loaded, and whose nice
/// value and scheduling policy it inherits.
///
/// # Errors
/// [`SpawnError`], and then there is no child.
pub fn spawn(order: Order) -> Result<Child, SpawnError> {
    let program = order.program.display().to_string();
    let directory = order.directory.clone();
    let failed = |error: io::Error| explain(error, &directory, &program);
    let terminal = order.manners.terminal;
    let bounds_files = order
        .manners
        .bounds
        .iter()
        .any(|(bound, _)| *bound == Bounds::Files);
    let mut command = if order.manners.is_plain() {
        let mut command = Command::new(&order.program);
        command.arg0(&order.words[0]).args(&order.words[1..]);
        command
    } else {
        shim::command(&order)
    };
    command
        .env_clear()
        .envs(order.environment)
        .current_dir(&order.directory);
    let mut stdin = None;
    let mut stdout = None;
    if terminal {
        let (ours, theirs) = shim::terminal().map_err(failed)?;
        let again = |end: &File| end.try_clone().map_err(failed);
        command
            .stdin(again(&theirs)?)
            .stdout(again(&theirs)?)
            .stderr(theirs);
        stdin = Some(again(&ours)?.into());
        stdout = Some(ours.into());
    } else {
        // The helper makes a session, and with that a group, of its own where there is a terminal.
        command.process_group(0);
        command.stdin(match order.stdin {
            StdinFrom::Nothing => Stdio::null(),
            StdinFrom::File(file) => file.into(),
            StdinFrom::Pipe => Stdio::piped(),
        });
        command.stdout(order.stdout.map_or_else(Stdio::piped, Stdio::from));
        command.stderr(Stdio::piped());
    }
    let mut child = command.spawn().map_err(failed)?;
    let pid = Pid::from_child(&child);
    orphans::register(pid);
    if !bounds_files {
        lower_open_files(pid);
    }
    match pidfd_open(pid, PidfdFlags::NONBLOCK) {
        Ok(pidfd) => Ok(Child {
            pid,
            pidfd: Some(pidfd),
            stdin: stdin.or_else(|| child.stdin.take().map(OwnedFd::from)),
            stdout: stdout.or_else(|| child.stdout.take().map(OwnedFd::from)),
            stderr: child.stderr.take().map(OwnedFd::from),
            group: order.group,
            is_waited: false,
        }),
        Err(error) => {
            // Nobody could wait for it. It has hardly begun.
            orphans::forget(pid);
            let _ = child.kill();
            let _ = child.wait();
            Err(SpawnError::Watch(error.into()))
        }
    }
}

/// What an error of making a process means.
fn explain(error: io::Error, directory: &std::path::Path, program: &str) -> SpawnError {
    let scarce = [Errno::AGAIN, Errno::MFILE, Errno::NFILE, Errno::NOMEM];
    let errno = Errno::from_io_error(&error);
    if errno.is_some_and(|errno| scarce.contains(&errno)) {
        return SpawnError::Scarce(error);
    }
    match std::fs::metadata(directory) {
        Ok(found) if !found.is_dir() => SpawnError::Directory {
            directory: directory.display().to_string(),
            source: Errno::NOTDIR.into(),
        },
        Err(source) => SpawnError::Directory {
            directory: directory.display().to_string(),
            source,
        },
        Ok(_) => SpawnError::Program {
            program: program.to_owned(),
            source: error,
        },
    }
}
