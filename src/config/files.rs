//! Which files: patterns of job files, and the files that a newcomer starts from.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use glob::Pattern;

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
            let directory = Pattern::escape(&directory.to_string_lossy());
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
        files.extend(unnameable(&whole));
        // A file that is named outright has to be there; that it is not is found when it is read.
        if files.len() == before && !pattern.contains(['*', '?', '[']) {
            files.push(directory.join(pattern));
        }
    }
    files.sort();
    files.dedup();
    Ok(files)
}

/// The files of a pattern whose names are not UTF-8, which `glob` passes over without a word. What cannot be spelt
/// in a name is matched as one character.
fn unnameable(pattern: &str) -> Vec<PathBuf> {
    let whole = Path::new(pattern);
    let name = whole.file_name().and_then(OsStr::to_str);
    let (Some(parent), Some(Ok(name))) = (whole.parent(), name.map(Pattern::new)) else {
        return Vec::new();
    };
    let directories = parent.to_str().and_then(|parent| glob::glob(parent).ok());
    let directories = directories.into_iter().flatten().flatten();
    let entries = directories.filter_map(|directory| fs::read_dir(directory).ok());
    let entries = entries.flatten().flatten();
    let fits = |entry: &fs::DirEntry| {
        let file = entry.file_name();
        file.to_str().is_none() && name.matches(&file.to_string_lossy())
    };
    entries.filter(fits).map(|entry| entry.path()).collect()
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

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn files_are_found_whatever_they_are_called() {
        let place = tempfile::tempdir().expect("a directory");
        let strange = |text: &[u8]| place.path().join(OsString::from_vec(text.to_vec()));
        let all = [&b"a.toml"[..], b"b\xff.toml", b"c.txt", b"d\xff.txt"].map(strange);
        for file in &all {
            fs::write(file, "").expect("it is made");
        }
        let found = |pattern: &str| expand(&[pattern.to_owned()], place.path()).expect("a pattern");
        assert_eq!(found("*.toml"), all[..2]);
        assert_eq!(found("a*.toml"), all[..1]);
        assert_eq!(found("b?.toml"), all[1..2]);
        assert_eq!(found("*"), all);
    }
}
