//! Why a file cannot be run, where the kernel's word for it says something else: what is not there may be its
//! interpreter. Reads its first line, and runs nothing.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::io::Errno;

/// The longest first line that the kernel looks at, in bytes.
const FIRST_LINE: u64 = 256;

/// Any of the bits by which somebody may run a file.
const RUNNABLE: u32 = 0o111;

/// What a file lacks that cannot be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// It is a directory.
    Directory,
    /// It is no program, and its first line names no interpreter.
    NoInterpreter,
    /// Its first line ends as lines do on Windows, which makes another name of its interpreter's.
    CarriageReturn,
    /// There is no such interpreter as its first line names.
    InterpreterGone(String),
    /// The interpreter that its first line names is there, and cannot be run itself.
    InterpreterFails(String),
    /// It is a program, and what loads it is not there.
    NoLoader,
    /// Nobody has the right to run it.
    NotExecutable,
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Directory => "it is a directory",
            Self::NoInterpreter => {
                "it is no program of this machine and does not begin with `#!` and an interpreter; with \
                 `exec = [\"sh\", \"FILE\"]` a shell reads it"
            }
            Self::CarriageReturn => {
                "its first line ends with a carriage return, which is taken for a part of the interpreter's name"
            }
            Self::InterpreterGone(name) => {
                return write!(f, "its first line asks for `{name}`, which is not there");
            }
            Self::InterpreterFails(name) => {
                return write!(f, "its first line asks for `{name}`, which cannot be run itself");
            }
            Self::NoLoader => {
                "the loader that it asks for is not there; was it built for another system?"
            }
            Self::NotExecutable => "nobody may run it; `chmod +x` lets them",
        })
    }
}

impl Hint {
    /// What `program` lacks, after this error of running it, as far as its file tells.
    pub(super) fn about(program: &Path, error: &io::Error) -> Option<Self> {
        let there = std::fs::metadata(program).ok()?;
        if there.is_dir() {
            return Some(Self::Directory);
        }
        let errno = Errno::from_io_error(error).filter(|_| there.is_file())?;
        if errno == Errno::NOEXEC {
            return Some(Self::NoInterpreter);
        }
        if errno == Errno::NOENT {
            let line = first_line(program).ok()?;
            return Some(line.map_or(Self::NoLoader, |line| Self::of_interpreter(&line)));
        }
        if errno != Errno::ACCESS {
            return None;
        }
        if !may_be_run(&there) {
            return Some(Self::NotExecutable);
        }
        let line = first_line(program).ok()??;
        let name = interpreter(&line);
        let there = std::fs::metadata(name).ok()?;
        (!may_be_run(&there)).then(|| Self::InterpreterFails(name.to_owned()))
    }

    /// What is wrong with the interpreter that stands behind `#!`.
    fn of_interpreter(line: &str) -> Self {
        let name = interpreter(line);
        if name.ends_with('\r') {
            Self::CarriageReturn
        } else if Path::new(name).exists() {
            Self::InterpreterFails(name.to_owned())
        } else {
            Self::InterpreterGone(name.to_owned())
        }
    }
}

/// What is said of a hint after an error.
pub(super) fn hinted(hint: Option<&Hint>) -> String {
    hint.map_or_else(String::new, |hint| format!(". hint: {hint}"))
}

/// What the first line asks for, as the kernel reads it.
fn interpreter(line: &str) -> &str {
    let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
    words.next().unwrap_or_default()
}

/// Whether anybody at all has the right to run a file.
fn may_be_run(file: &Metadata) -> bool {
    file.permissions().mode() & RUNNABLE != 0
}

/// What stands behind `#!` in the first line of a file, if it begins so.
fn first_line(program: &Path) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    BufReader::new(File::open(program)?.take(FIRST_LINE)).read_until(b'\n', &mut line)?;
    let line = line.strip_suffix(b"\n").unwrap_or(&line);
    let named = line.strip_prefix(b"#!");
    Ok(named.map(|named| String::from_utf8_lossy(named).into_owned()))
}
