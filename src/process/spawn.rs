//! Makes child processes. Whoever makes one stands still until its program has been loaded.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, kill_process, kill_process_group, pidfd_open, waitpid,
};

use super::birth::{Birth, Born, NotBorn};
use super::cgroup::Group;
use super::files::{given_open_files, lower_open_files};
use super::order::{Bounds, Order, StdinFrom};
use super::unrunnable::{Hint, hinted};
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
    /// The writing ends of what it writes: as long as they are here, its end alone tells that it has ended, and
    /// not that of each pipe before.
    _kept: [Option<OwnedFd>; 2],
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
    #[error("cannot run {program}: {source}{}", hinted(.hint.as_ref()))]
    Program {
        /// As it was asked for.
        program: String,
        /// Why.
        source: io::Error,
        /// What it lacks.
        hint: Option<Hint>,
    },
}

impl Child {
    /// Its number, which is also that of its group.
    #[must_use]
    pub const fn pid(&self) -> Pid {
        self.pid
    }

    /// Ends it, with its group, and waits for that: somebody cannot watch over it, and it has hardly begun.
    pub fn end_at_once(mut self) {
        end_at_once(self.pid);
        self.is_waited = true;
        orphans::forget(self.pid);
    }

    /// How it has ended; `None` if it has not. With how long it was delayed only where that is asked for:
    /// that is a file of `/proc` to be read, a thirtieth of all that a short command costs.
    ///
    /// # Errors
    /// If somebody else has taken note of its end.
    pub fn take_end(
        &mut self,
        with_delay: bool,
    ) -> io::Result<Option<(wait::Ending, wait::Usage)>> {
        let end = wait::take(self.pid, with_delay);
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
pub fn spawn(mut order: Order) -> Result<Child, SpawnError> {
    let group = order.group.take();
    let (theirs, ours) = streams(&mut order).map_err(|error| explain(error, &order))?;
    let within = match &group {
        Some(group) if group.bears() => Some(group.open().map_err(|error| explain(error, &order))?),
        Some(group) => {
            order.manners.group = Some(group.path().to_owned());
            None
        }
        None => None,
    };
    let (made, kept) = match born(&order, within.as_ref(), &theirs) {
        Err(NotBorn::Nobody(_)) if within.is_none() => (made(&order, theirs)?, [None, None]),
        born => {
            let born = born.map_err(|error| explain(error.into(), &order))?;
            (born, kept(&order, theirs, &ours))
        }
    };
    orphans::register(made.pid);
    Ok(Child {
        pid: made.pid,
        pidfd: Some(made.pidfd),
        stdin: ours.stdin,
        stdout: ours.stdout,
        stderr: ours.stderr,
        group,
        _kept: kept,
        is_waited: false,
    })
}

/// Those of its ends that are kept: of pipes that are read here.
fn kept(order: &Order, theirs: Theirs, ours: &Ours) -> [Option<OwnedFd>; 2] {
    // A terminal that is kept would hide that nobody has it any more.
    let is_piped = !order.manners.terminal;
    let out = (is_piped && ours.stdout.is_some()).then_some(theirs.1);
    [out, is_piped.then_some(theirs.2)]
}

/// Makes it in the fast way, within its control group if it has one.
fn born(order: &Order, group: Option<&OwnedFd>, theirs: &Theirs) -> Result<Born, NotBorn> {
    let (program, words) = begins_with(order);
    let birth = Birth {
        program: &program,
        words: &words,
        environment: &order.environment,
        directory: &order.directory,
        streams: [&theirs.0, &theirs.1, &theirs.2],
        group,
        open_files: given_open_files().filter(|_| !bounds_files(order)),
        leads: leads(order),
    };
    birth.bear()
}

/// Makes it in the usual way.
fn made(order: &Order, theirs: Theirs) -> Result<Born, SpawnError> {
    let (program, words) = begins_with(order);
    let mut command = Command::new(&*program);
    command
        .arg0(&words[0])
        .args(&words[1..])
        .env_clear()
        .envs(order.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(&order.directory)
        .stdin(theirs.0)
        .stdout(theirs.1)
        .stderr(theirs.2);
    if leads(order) {
        command.process_group(0);
    }
    let spawned = command.spawn().map_err(|error| explain(error, order))?;
    let pid = Pid::from_child(&spawned);
    if !bounds_files(order) {
        lower_open_files(pid);
    }
    match pidfd_open(pid, PidfdFlags::NONBLOCK) {
        Ok(pidfd) => Ok(Born { pid, pidfd }),
        Err(error) => {
            end_at_once(pid);
            Err(SpawnError::Watch(error.into()))
        }
    }
}

/// Ends a child that has hardly begun, with its group, and waits for that: nobody could watch over it.
fn end_at_once(pid: Pid) {
    let _ = kill_process_group(pid, Signal::KILL);
    let _ = kill_process(pid, Signal::KILL);
    let _ = waitpid(Some(pid), WaitOptions::empty());
}

/// Whether it is to lead a process group. Where there is a terminal, the helper makes a session, and with that
/// a group, of its own.
const fn leads(order: &Order) -> bool {
    !order.manners.terminal
}

/// Whether the helper bounds how many files it may have open.
fn bounds_files(order: &Order) -> bool {
    let mut bounds = order.manners.bounds.iter();
    bounds.any(|(bound, _)| *bound == Bounds::Files)
}

/// The program that the process has first, with its words: its own, or the helper that arranges things.
fn begins_with(order: &Order) -> (Cow<'_, Path>, Cow<'_, [OsString]>) {
    if order.manners.is_plain() {
        return ((&*order.program).into(), (&*order.words).into());
    }
    ((&*order.helper).into(), shim::words(order).into())
}

/// What the child reads, what it writes, and where its errors go.
struct Theirs(OwnedFd, OwnedFd, OwnedFd);

/// The other ends, where there are any.
struct Ours {
    stdin: Option<OwnedFd>,
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
}

fn streams(order: &mut Order) -> io::Result<(Theirs, Ours)> {
    if order.manners.terminal {
        let (ours, theirs) = shim::terminal()?;
        let ours = Ours {
            stdin: Some(ours.try_clone()?.into()),
            stdout: Some(ours.into()),
            stderr: None,
        };
        let again = || Ok::<_, io::Error>(theirs.try_clone()?.into());
        return Ok((Theirs(again()?, again()?, again()?), ours));
    }
    let pipe = || pipe_with(PipeFlags::CLOEXEC);
    let (stdin, their_stdin) = match std::mem::replace(&mut order.stdin, StdinFrom::Nothing) {
        StdinFrom::Nothing => (None, nothing()?),
        StdinFrom::File(file) => (None, file.into()),
        StdinFrom::Pipe => {
            let (reads, writes) = pipe()?;
            (Some(writes), reads)
        }
    };
    let (stdout, their_stdout) = match order.stdout.take() {
        Some(file) => (None, file.into()),
        None => {
            let (reads, writes) = pipe()?;
            (Some(reads), writes)
        }
    };
    let (stderr, their_stderr) = pipe()?;
    let ours = Ours {
        stdin,
        stdout,
        stderr: Some(stderr),
    };
    Ok((Theirs(their_stdin, their_stdout, their_stderr), ours))
}

/// What holds nothing to be read. It is opened once, for all children.
fn nothing() -> io::Result<OwnedFd> {
    static NOTHING: OnceLock<File> = OnceLock::new();
    let nothing = match NOTHING.get() {
        Some(opened) => opened,
        None => {
            let opened = File::open("/dev/null")?;
            NOTHING.get_or_init(|| opened)
        }
    };
    Ok(nothing.try_clone()?.into())
}

fn may_enter(directory: &Path) -> bool {
    rustix::fs::access(directory, rustix::fs::Access::EXEC_OK).is_ok()
}

/// What an error of making a process means.
fn explain(error: io::Error, order: &Order) -> SpawnError {
    let directory = &*order.directory;
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
        // It can be seen, and not be entered.
        Ok(_) if !may_enter(directory) => SpawnError::Directory {
            directory: directory.display().to_string(),
            source: error,
        },
        Ok(_) => {
            let (program, _) = begins_with(order);
            SpawnError::Program {
                program: program.display().to_string(),
                hint: Hint::about(&program, &error),
                source: error,
            }
        }
    }
}
