//! Which files: patterns of job files, and the files that a newcomer starts from.

use std::path::{Path, PathBuf};

/// Why a pattern names no files.
#[derive(Debug, thiserror::Error)]
pub enum PatternError {
    /// It cannot be understood.
    #[error("cannot understand the pattern `{pattern}` of `daemon.jobs`: {reason}")]
    Syntax {
        /// The pattern.
        pattern: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// A directory cannot be read.
    #[error("cannot look for `{pattern}` of `daemon.jobs`: {error}")]
    Read {
        /// The pattern.
        pattern: String,
        /// What the system says.
        error: glob::GlobError,
    },
}

/// The files that `patterns` name, each once, sorted by path. Relative patterns are taken from
/// `directory`. A pattern may name none.
///
/// # Errors
/// A pattern that cannot be understood, or a directory that cannot be read.
pub fn expand(patterns: &[String], directory: &Path) -> Result<Vec<PathBuf>, PatternError> {
    let mut files = Vec::new();
    for pattern in patterns {
        // What the directory is called is no pattern.
        let whole = if Path::new(pattern).is_absolute() {
            pattern.clone()
        } else {
            let directory = glob::Pattern::escape(&directory.to_string_lossy());
            Path::new(&directory)
                .join(pattern)
                .to_string_lossy()
                .into_owned()
        };
        let found = glob::glob(&whole).map_err(|error| PatternError::Syntax {
            pattern: pattern.clone(),
            reason: error.msg,
        })?;
        let before = files.len();
        for path in found {
            files.push(path.map_err(|error| PatternError::Read {
                pattern: pattern.clone(),
                error,
            })?);
        }
        // A file that is named outright has to be there; that it is not is found when it is read.
        if files.len() == before && !pattern.contains(['*', '?', '[']) {
            files.push(directory.join(pattern));
        }
    }
    files.sort();
    files.dedup();
    Ok(files)
}

/// The commented files to start from: name and text of each.
#[must_use]
pub const fn starter() -> [(&'static str, &'static str); 2] {
    [
        ("twolane.toml", include_str!("../../config/twolane.toml")),
        (
            "jobs.d/example.toml",
            include_str!("../../config/jobs.d/example.toml"),
        ),
    ]
}
