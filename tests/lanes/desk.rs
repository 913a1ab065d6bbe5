//! A directory to work in, and work on files in few words.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use twolane::engine::files::{Compression, FileTask, FileWork, HashAlgorithm};
use twolane::engine::spec::{Lane, TaskSpec};
use twolane::inbox::Ended;
use twolane::lanes::Handlers;

use crate::support::{Bench, order};

/// Lanes and a directory to work in.
pub(crate) struct Desk {
    pub(crate) bench: Bench,
    pub(crate) dir: TempDir,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self {
            bench: Bench::new(Handlers::new()),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn get(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn task(&self, work: FileWork) -> TaskSpec {
        TaskSpec::File(FileTask {
            directory: self.dir.path().to_owned(),
            work,
        })
    }

    pub(crate) fn run(&self, lane: Lane, work: FileWork) -> Box<Ended> {
        self.bench.run(lane, self.task(work))
    }

    /// On the cpu lane with these arguments.
    pub(crate) fn run_with(&self, work: FileWork, args: Value) -> Box<Ended> {
        let mut order = order(1, Lane::Cpu, self.task(work));
        order.args = Some(args.into());
        self.bench.lanes.submit(order).unwrap();
        self.bench.end()
    }

    /// The names in the directory, also those that begin with a dot.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).unwrap();
        let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
        let mut names: Vec<String> = entries.map(|entry| name(entry.unwrap())).collect();
        names.sort();
        names
    }

    /// Whether a tool takes what is there; `None` where there is no such tool.
    pub(crate) fn tool(&self, tool: &str, args: &[&str]) -> Option<bool> {
        let mut command = Command::new(tool);
        command.args(args).current_dir(self.dir.path());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        match command.status() {
            Ok(status) => Some(status.success()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => panic!("{tool}: {error}"),
        }
    }
}

/// Bytes that compress a little, and no two places of which are alike.
pub(crate) fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 7_u64;
    let words = std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes().map(|byte| byte & 0x3f)
    });
    words.flatten().take(bytes).collect()
}

pub(crate) fn hash(files: &[&str], algorithm: HashAlgorithm, manifest: Option<&str>) -> FileWork {
    FileWork::Hash {
        files: files.iter().map(|file| (*file).to_owned()).collect(),
        algorithm,
        manifest: manifest.map(str::to_owned),
    }
}

pub(crate) fn compress(from: &str, to: &str, format: Compression) -> FileWork {
    FileWork::Compress {
        from: from.to_owned(),
        to: to.to_owned(),
        format,
        level: None,
        keep: true,
    }
}

pub(crate) fn decompress(from: &str, to: &str, format: Compression) -> FileWork {
    FileWork::Decompress {
        from: from.to_owned(),
        to: to.to_owned(),
        format,
        keep: true,
        max_bytes: 1 << 40,
    }
}

pub(crate) fn write(to: &str, text: &str) -> FileWork {
    FileWork::Write {
        to: to.to_owned(),
        text: text.to_owned(),
        append: false,
        mode: None,
        make_dirs: false,
    }
}

pub(crate) fn append(to: &str, text: &str, mode: Option<u32>) -> FileWork {
    FileWork::Write {
        to: to.to_owned(),
        text: text.to_owned(),
        append: true,
        mode,
        make_dirs: false,
    }
}

pub(crate) fn copy(from: &str, to: &str, make_dirs: bool) -> FileWork {
    FileWork::Copy {
        from: from.to_owned(),
        to: to.to_owned(),
        make_dirs,
    }
}

pub(crate) fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}
