//! What a command is: what is run, in which surroundings, and what it reads. Plain values.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::spec::{JobSpec, Lane, Name, TaskSpec};

/// A command as the task of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandSpec {
    /// What is run, and where.
    pub step: Step,
    /// What it reads.
    #[serde(default)]
    pub stdin: Stdin,
    /// The exit codes that count as success; 0 alone where there are none.
    #[serde(default)]
    pub success_exit: Vec<i32>,
    /// Whether it has a terminal of its own.
    #[serde(default)]
    pub pty: bool,
    /// The commands that it reads from, each of which reads from the one before it; then `stdin` is what the
    /// first one reads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<Stage>,
    /// The lane whose weight it has, where that is another one than its job's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<Lane>,
    /// What its run has as its result.
    #[serde(default, skip_serializing_if = "ResultOf::is_exit")]
    pub result: ResultOf,
}

impl CommandSpec {
    /// A command that runs this, and says nothing else of itself.
    #[must_use]
    pub fn of(step: Step) -> Self {
        Self {
            step,
            stdin: Stdin::default(),
            success_exit: Vec::new(),
            pty: false,
            from: Vec::new(),
            lane: None,
            result: ResultOf::default(),
        }
    }
}

/// What the result of a command's run is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResultOf {
    /// Its exit code: `{"exit": 0}`.
    #[default]
    Exit,
    /// What it writes to its standard output, as a text without the line end that it ends with.
    Text,
    /// The same, read as JSON.
    Json,
}

impl ResultOf {
    /// The one of this word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        match word {
            "exit" => Some(Self::Exit),
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
    fn is_exit(&self) -> bool {
        *self == Self::Exit
    }
}

/// The most bytes of a command's output that become a result.
pub const RESULT_BYTES: usize = 64 << 10;

/// A command that another one reads from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// The job that it is the task of.
    pub job: Name,
    /// The lane whose weight it has.
    pub lane: Lane,
    /// What is run, and where.
    pub step: Step,
    /// The exit codes that count as success; 0 alone where there are none.
    #[serde(default)]
    pub success_exit: Vec<i32>,
}

/// Something to run: the task itself, or what is run before or after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// What.
    pub run: Invocation,
    /// Where, and as whom.
    pub surroundings: Arc<Surroundings>,
}

impl JobSpec {
    /// All commands of its runs, in no particular order.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        let command = if let TaskSpec::Command(command) = &self.task {
            Some(command)
        } else {
            None
        };
        let stages = command.into_iter().flat_map(|command| &command.from);
        let around = [&self.setup, &self.teardown].into_iter().flatten();
        command
            .map(|command| &command.step)
            .into_iter()
            .chain(stages.map(|stage| &stage.step))
            .chain(around.map(|step| &**step))
    }
}

/// What is run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Invocation {
    /// A program and its arguments, which no shell looks at. `{name}` in an argument is the argument of
    /// that name of the run. Never empty.
    Exec(Vec<Arc<str>>),
    /// A text for `/bin/sh`.
    Shell(Arc<str>),
}

/// Where a command runs, and as whom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Surroundings {
    /// Where it begins; an absolute path.
    pub directory: PathBuf,
    /// Variables of its environment.
    pub env: BTreeMap<Name, Arc<str>>,
    /// A file with more of them, as `NAME=VALUE` a line; `env` goes before.
    pub env_file: Option<PathBuf>,
    /// Variables whose values are read each time an attempt begins, and shown nowhere.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<Name, Secret>,
    /// Variables that it gets as the daemon has them.
    pub pass_env: Vec<Name>,
    /// Whom it runs as; only a daemon that is root can do that.
    pub user: Option<Name>,
    /// The group it runs as; the user's own where only that is named.
    pub group: Option<Name>,
    /// Permissions that files which it makes do not get.
    pub umask: Option<u32>,
    /// Added to its nice value.
    pub nice: Option<i32>,
    /// Bounds that the kernel keeps, by the names of [`RLIMITS`].
    pub rlimits: BTreeMap<Name, u64>,
    /// Bytes of memory that all its processes have together. Kept by its control group; it fails where it
    /// cannot have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_max: Option<u64>,
    /// Processes and threads that there are of it at a time; as above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids_max: Option<u64>,
}

/// Where the value of a secret is. The value itself stands in no job, fact or log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Secret {
    /// In this file; an absolute path.
    File(PathBuf),
    /// In the credential of this name that the service manager gives the daemon.
    Credential(Name),
}

/// The bounds that the kernel keeps for a process.
pub const RLIMITS: [&str; 7] = [
    "memory",
    "cpu",
    "files",
    "file_size",
    "processes",
    "core",
    "stack",
];

/// What a command reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stdin {
    /// Nothing.
    #[default]
    Nothing,
    /// This text.
    Text(Arc<str>),
    /// This file; an absolute path.
    File(PathBuf),
    /// What is sent to it while it runs.
    Open,
}

/// How long a command has to end after it was asked to, unless its job says otherwise.
pub const GRACE: Duration = Duration::from_secs(10);

/// How long it takes at most, once a process was ended by force, until nothing of it is left and what it
/// wrote has been read.
pub const KILL_TIME: Duration = Duration::from_secs(3);

/// The variable of an argument: in capitals, and with `_` for what no variable has in its name.
#[must_use]
pub fn variable(name: &str) -> String {
    let letter = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    let name: String = name.chars().map(letter).collect();
    format!("TWOLANE_ARG_{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arguments_variable_is_in_capitals() {
        assert_eq!(variable("file"), "TWOLANE_ARG_FILE");
        assert_eq!(variable("max-width.px"), "TWOLANE_ARG_MAX_WIDTH_PX");
    }
}
