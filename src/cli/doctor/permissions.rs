//! Who else may read what is the daemon's, and who may tell it what to run.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Patient;
use super::finding::Finding;
use crate::config;

/// The permissions of a group's members and of everybody else.
const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
const OTHERS: u32 = 0o007;
const NOT_OWNER: u32 = 0o077;

pub(super) fn look(patient: &Patient) -> Vec<Finding> {
    let mut found = vec![
        private("state", &patient.state, NOT_OWNER, "chmod 700"),
        private("runtime", &patient.runtime, OTHERS, "chmod 750"),
    ];
    let secrets = patient.loaded.directory.join("credentials");
    if secrets.exists() {
        found.push(private("credentials", &secrets, NOT_OWNER, "chmod 700"));
    }
    found.push(writers(&orders(patient)));
    found
}

/// Whether nobody but those who should has any right to a directory.
fn private(name: &'static str, path: &Path, refused: u32, cure: &str) -> Finding {
    let place = path.display();
    match fs::metadata(path) {
        Ok(there) if there.mode() & refused != 0 => Finding::wrong(
            name,
            format!(
                "{place} has mode {:o}: it is open to others",
                there.mode() & 0o7777
            ),
            format!("{cure} {place}"),
        ),
        Ok(there) => Finding::fine(
            name,
            format!("{place} has mode {:o}", there.mode() & 0o7777),
        ),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Finding::fine(name, format!("{place} is not there yet"))
        }
        Err(error) => Finding::unknown(name, format!("{place} cannot be looked at: {error}")),
    }
}

/// All files that say what runs, with the directories in which somebody could put another one.
fn orders(patient: &Patient) -> Vec<PathBuf> {
    let directory = &patient.loaded.directory;
    let files = config::expand(&patient.loaded.settings.daemon.jobs, directory).unwrap_or_default();
    let parents = files
        .iter()
        .filter_map(|file| file.parent().map(Path::to_owned));
    let mut all: Vec<PathBuf> = parents.collect();
    all.extend([
        directory.clone(),
        directory.join("twolane.toml"),
        directory.join("conf.d"),
    ]);
    all.extend(files);
    all.sort();
    all.dedup();
    all
}

fn writers(orders: &[PathBuf]) -> Finding {
    let there = |path: &PathBuf| Some((path.clone(), fs::metadata(path).ok()?));
    let open: Vec<String> = orders
        .iter()
        .filter_map(there)
        .filter(|(_, of)| is_open(of))
        .map(|(path, _)| path.display().to_string())
        .collect();
    if open.is_empty() {
        return Finding::fine("jobs", "only its owner may say what runs");
    }
    Finding::wrong(
        "jobs",
        format!("others may write what the daemon runs: {}", open.join(", ")),
        format!("chmod go-w {}", open.join(" ")),
    )
}

/// A directory with the sticky bit is as open.
fn is_open(of: &Metadata) -> bool {
    let by_group = of.mode() & GROUP_WRITES != 0 && of.gid() != of.uid();
    by_group || of.mode() & OTHERS_WRITE != 0
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn what_is_open_to_others_is_named_with_its_cure() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("jobs.toml");
        fs::write(&file, "").unwrap();
        let mode = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        for (bits, expected) in [(0o644, Verdict::Fine), (0o646, Verdict::Wrong)] {
            mode(&file, bits);
            let found = writers(std::slice::from_ref(&file));
            assert_eq!(found.verdict, expected, "{found:?}");
        }
        for (bits, expected) in [(0o700, Verdict::Fine), (0o755, Verdict::Wrong)] {
            mode(place.path(), bits);
            let found = private("state", place.path(), NOT_OWNER, "chmod 700");
            assert_eq!(found.verdict, expected, "{found:?}");
        }
        let missing = private("state", Path::new("/does/not/exist"), NOT_OWNER, "");
        assert_eq!(missing.verdict, Verdict::Fine);
    }
}
