//! A step of a job, with the arguments of a run, as an order for a child process.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::super::super::place::Place;
use super::super::TaskError;
use super::Run;
use super::environment::{arguments, environment, identity, key, text};
use crate::engine::command::{Invocation, Stdin, Surroundings};
use crate::engine::fill::fill;
use crate::process::{Bounds, Group, GroupBounds, Manners, Order, StdinFrom};

/// The shell of `shell`.
const SHELL: &str = "/bin/sh";

/// What programs take a terminal of a job's own for, unless the job says otherwise: with no kind of terminal
/// named, most show no colours.
const TERMINAL: &str = "xterm-256color";

/// A step with the arguments of its run, before anything of the machine was asked.
pub(super) struct Draft {
    place: Arc<Place>,
    around: Arc<Surroundings>,
    words: Vec<OsString>,
    arguments: Vec<(OsString, OsString)>,
    stdin: Stdin,
    pty: bool,
    number: usize,
    pipe_in: Option<File>,
    pipe_out: Option<File>,
}

impl Draft {
    pub(super) fn of(place: &Arc<Place>, what: &mut Run<'_>) -> Result<Self, TaskError> {
        Ok(Self {
            place: Arc::clone(place),
            around: Arc::clone(&what.step.surroundings),
            words: words(&what.step.run, what.args)?,
            arguments: arguments(what.args),
            stdin: what.stdin.clone(),
            pty: what.pty,
            number: what.number,
            pipe_in: what.pipe_in.take(),
            pipe_out: what.pipe_out.take(),
        })
    }

    /// Asks who the user is, what the files say and where the program lies, all of which may take its time:
    /// on a thread that may wait.
    pub(super) fn order(self) -> Result<Order, TaskError> {
        let (place, around) = (&*self.place, &*self.around);
        let user = identity(around)?;
        let mut environment = environment(place, around, user.as_ref(), self.arguments)?;
        if self.pty {
            let kind = || TERMINAL.into();
            environment.entry("TERM".into()).or_insert_with(kind);
        }
        environment.insert(STAGE.into(), stage(place, self.number).into());
        let program = program(&self.words[0], &environment, &around.directory)?;
        let group = group(place, around)?;
        Ok(Order {
            program,
            words: self.words,
            environment: environment.into_iter().collect(),
            directory: around.directory.clone(),
            stdin: match self.pipe_in {
                Some(pipe) => StdinFrom::File(pipe),
                None => stdin(&self.stdin)?,
            },
            stdout: self.pipe_out,
            helper: place.world.helper.clone(),
            manners: Manners {
                group: None,
                identity: user.map(|user| user.identity),
                umask: around.umask,
                nice: around.nice,
                bounds: bounds(around),
                terminal: self.pty,
            },
            group,
        })
    }
}

/// A control group for a command, where there are any. Without one it is swept up after as well as can be; but
/// what was to be kept within bounds does not begin where nobody can keep it there.
fn group(place: &Place, around: &Surroundings) -> Result<Option<Group>, TaskError> {
    let bounds = GroupBounds {
        memory: around.memory_max,
        processes: around.pids_max,
    };
    let unbounded = |why: String| {
        let key = match bounds.memory {
            Some(_) => "memory_max",
            None => "pids_max",
        };
        TaskError::failed(format!(
            "cannot keep its `{key}`, so it was not begun: {why}"
        ))
    };
    let Some(groups) = place.world.groups.as_ref() else {
        if bounds.is_none() {
            return Ok(None);
        }
        let why =
            "the daemon has no control group to divide (`Delegate=yes` of its unit gives it one)";
        return Err(unbounded(why.to_owned()));
    };
    if let Some(controller) = bounds.missing(groups.controllers()) {
        let below = groups.directory().display();
        return Err(unbounded(format!(
            "the control groups in {below} have no controller `{controller}`"
        )));
    }
    match groups.group(&bounds) {
        Ok(group) => Ok(Some(group)),
        Err(error) if bounds.is_none() => {
            tracing::warn!(
                target: "twolane::lanes",
                run = place.attempt.run.0,
                job = &*place.job.name,
                "cannot make a control group in {}, so the command runs without one: {error}",
                groups.directory().display()
            );
            Ok(None)
        }
        Err(error) => Err(unbounded(format!("cannot make its control group: {error}"))),
    }
}

/// The variable by which the processes of one command are told from those of another one of the same run.
const STAGE: &str = "TWOLANE_STAGE";

/// The entry in the environment that all processes of a command have.
pub(super) fn mark(place: &Place, number: usize) -> String {
    format!("{STAGE}={}", stage(place, number))
}

fn stage(place: &Place, number: usize) -> String {
    format!("{}/{number}", key(place))
}

/// The words of the command line, with arguments in their places.
fn words(run: &Invocation, args: Option<&Value>) -> Result<Vec<OsString>, TaskError> {
    match run {
        Invocation::Shell(script) => Ok([SHELL, "-c", script].map(OsString::from).to_vec()),
        Invocation::Exec(words) => words
            .iter()
            .map(|word| {
                fill(word, |name| args?.get(name).map(text))
                    .map(OsString::from)
                    .map_err(|name| {
                        TaskError::failed(format!(
                            "`{{{name}}}` stands for an argument that is not given"
                        ))
                    })
            })
            .collect(),
    }
}

/// The file of a program, found as a shell finds it.
fn program(
    word: &OsStr,
    environment: &BTreeMap<OsString, OsString>,
    directory: &Path,
) -> Result<PathBuf, TaskError> {
    if word.as_encoded_bytes().contains(&b'/') {
        return Ok(directory.join(word));
    }
    let path = environment
        .get(OsStr::new("PATH"))
        .cloned()
        .unwrap_or_default();
    let runs = |file: &PathBuf| {
        std::fs::metadata(file)
            .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    let all = std::env::split_paths(&path);
    all.map(|entry| directory.join(entry).join(word))
        .find(runs)
        .ok_or_else(|| {
            let (word, path) = (word.to_string_lossy(), path.to_string_lossy());
            TaskError::failed(format!(
                "cannot run `{word}`: there is no such program in PATH ({path})"
            ))
        })
}

fn stdin(said: &Stdin) -> Result<StdinFrom, TaskError> {
    Ok(match said {
        Stdin::Nothing => StdinFrom::Nothing,
        Stdin::Text(_) | Stdin::Open => StdinFrom::Pipe,
        Stdin::File(path) => {
            let opened = OpenOptions::new()
                .read(true)
                // A pipe would have us wait for its writer.
                .custom_flags(libc::O_NONBLOCK)
                .open(path);
            let file = opened.map_err(|error| {
                TaskError::failed(format!("cannot read {} for stdin: {error}", path.display()))
            })?;
            // The program expects reads that wait.
            rustix::io::ioctl_fionbio(&file, false)
                .map_err(|error| TaskError::failed(format!("cannot prepare stdin: {error}")))?;
            StdinFrom::File(file)
        }
    })
}

fn bounds(around: &Surroundings) -> Vec<(Bounds, u64)> {
    let bound = |kind: Bounds| Some((kind, *around.rlimits.get(kind.as_str())?));
    Bounds::ALL.into_iter().filter_map(bound).collect()
}
