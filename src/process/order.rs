//! What a child process is to be: its program, its surroundings, and what has to be arranged between
//! its birth and its program.

use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::cgroup::Group;

/// A child process that is wanted.
#[derive(Debug)]
pub struct Order {
    /// The file of the program.
    pub program: PathBuf,
    /// What it is told: its own name, and its arguments. Never empty.
    pub words: Vec<OsString>,
    /// Its environment, all of it.
    pub environment: Vec<(OsString, OsString)>,
    /// Where it begins.
    pub directory: PathBuf,
    /// What it reads.
    pub stdin: StdinFrom,
    /// Where what it writes goes, if that is not the pipe that comes with the child.
    pub stdout: Option<File>,
    /// The program that arranges what has to be: [`SHIM`](super::SHIM), or one that does the same.
    pub helper: PathBuf,
    /// What has to be arranged before the program begins.
    pub manners: Manners,
    /// The control group that it is put into before it runs anything. It goes with the child.
    pub group: Option<Group>,
}

/// What a child process reads.
#[derive(Debug)]
pub enum StdinFrom {
    /// Nothing.
    Nothing,
    /// A file, or the reading end of a pipe.
    File(File),
    /// What is written into the pipe that comes with the child.
    Pipe,
}

/// What has to be arranged between the birth of a process and its program. With nothing to arrange a
/// process is made in the fastest way there is; else a helper that is this very program arranges it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manners {
    /// The directory of the control group that the helper moves it into, where it cannot be born in it. Set
    /// by who makes the process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<PathBuf>,
    /// Whom it runs as.
    pub identity: Option<Identity>,
    /// Bits that files which it makes do not get.
    pub umask: Option<u32>,
    /// Added to the nice value.
    pub nice: Option<i32>,
    /// Bounds that the kernel keeps.
    pub bounds: Vec<(Bounds, u64)>,
    /// Its output goes through a terminal of its own.
    pub terminal: bool,
}

/// Whom a process runs as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The user's number.
    pub user: u32,
    /// The group's number.
    pub group: u32,
    /// The numbers of all groups that it belongs to.
    pub groups: Vec<u32>,
}

/// A bound that the kernel keeps for a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bounds {
    /// Bytes of address space.
    Memory,
    /// Seconds of CPU time.
    Cpu,
    /// Open files.
    Files,
    /// Bytes of a file that it writes.
    FileSize,
    /// Processes of its user.
    Processes,
    /// Bytes of a core dump.
    Core,
    /// Bytes of stack.
    Stack,
}

impl Bounds {
    /// All of them, in the order in which they are listed for people.
    pub const ALL: [Self; 7] = [
        Self::Memory,
        Self::Cpu,
        Self::Files,
        Self::FileSize,
        Self::Processes,
        Self::Core,
        Self::Stack,
    ];

    /// The word for it in messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::Files => "files",
            Self::FileSize => "file_size",
            Self::Processes => "processes",
            Self::Core => "core",
            Self::Stack => "stack",
        }
    }
}

impl Manners {
    /// Whether there is nothing to arrange.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}
