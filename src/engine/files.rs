//! What a job does with files: plain values that the configuration makes and the lanes carry out.
//! Knows no file.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Work on files. Its paths, and the text of `write`, may have the names of the run's arguments in
/// braces (see [`braces`](super::braces)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileTask {
    /// What relative paths are taken from: the directory of the job file.
    pub directory: PathBuf,
    /// What to do.
    pub work: FileWork,
}

/// What to do with files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileWork {
    /// Hash many files at once.
    Hash {
        /// Paths and patterns of them.
        files: Vec<String>,
        /// How.
        algorithm: HashAlgorithm,
        /// Where all the hashes are written, in the form of `sha256sum`.
        manifest: Option<String>,
    },
    /// Make a smaller file of a file.
    Compress {
        /// What is read.
        from: String,
        /// What is written.
        to: String,
        /// How.
        format: Compression,
        /// How much time to spend, in the format's own range; `None`: as the format's own tool does.
        level: Option<u8>,
        /// Whether `from` stays.
        keep: bool,
    },
    /// The way back.
    Decompress {
        /// What is read.
        from: String,
        /// What is written.
        to: String,
        /// How.
        format: Compression,
        /// Whether `from` stays.
        keep: bool,
        /// The most bytes that may come out.
        max_bytes: u64,
    },
    /// Make a file of a text.
    Write {
        /// Which file.
        to: String,
        /// What stands in it.
        text: String,
        /// Put the text behind what is there, in place of a new file.
        append: bool,
        /// The permission bits; `None`: those of the file that it takes the place of, if there is one.
        mode: Option<u32>,
        /// Make the directories that are missing.
        make_dirs: bool,
    },
    /// Copy a file.
    Copy {
        /// What is read.
        from: String,
        /// What is written.
        to: String,
        /// Make the directories that are missing.
        make_dirs: bool,
    },
}

impl FileWork {
    /// The key that names it in a job file.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Hash { .. } => "hash",
            Self::Compress { .. } => "compress",
            Self::Decompress { .. } => "decompress",
            Self::Write { .. } => "write",
            Self::Copy { .. } => "copy",
        }
    }

    /// Whether it may execute in either lane; what may not computes.
    #[must_use]
    pub const fn fits_either_lane(&self) -> bool {
        match self {
            Self::Write { .. } | Self::Copy { .. } => true,
            Self::Hash { .. } | Self::Compress { .. } | Self::Decompress { .. } => false,
        }
    }

    /// All texts that may have placeholders, each with its key in a job file.
    #[must_use]
    pub fn templates(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::Hash {
                files, manifest, ..
            } => {
                let files = files.iter().map(|file| ("files", file.as_str()));
                let manifest = manifest.iter().map(|path| ("manifest", path.as_str()));
                files.chain(manifest).collect()
            }
            Self::Compress { from, to, .. }
            | Self::Decompress { from, to, .. }
            | Self::Copy { from, to, .. } => vec![("from", from), ("to", to)],
            Self::Write { to, text, .. } => vec![("to", to), ("text", text)],
        }
    }
}

/// How files are hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HashAlgorithm {
    /// SHA-256, what most others can check.
    Sha256,
    /// BLAKE3, several times as fast, and one large file on all cores.
    Blake3,
}

impl HashAlgorithm {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Blake3];

    /// The word for it in configuration and results.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Blake3 => "blake3",
        }
    }
}

/// A format of compressed files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Zstandard.
    Zstd,
    /// gzip.
    Gzip,
}

impl Compression {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Zstd, Self::Gzip];

    /// The word for it in configuration and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// What the names of such files end with.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Zstd => ".zst",
            Self::Gzip => ".gz",
        }
    }

    /// The format that a file of this name is in, by its end.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|format| name.ends_with(format.suffix()))
    }

    /// The highest level.
    #[must_use]
    pub const fn highest_level(self) -> u8 {
        match self {
            Self::Zstd => 22,
            Self::Gzip => 9,
        }
    }
}
