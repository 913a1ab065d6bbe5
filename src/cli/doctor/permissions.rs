//! Who else may read what is the daemon's, and who may tell it what to run.

use std::ffi::CString;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Uid, User, getgrouplist, getuid};

use super::Patient;
use super::finding::Finding;
use crate::cli::durable::LOGS;
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
    let orders = orders(patient);
    found.push(writers(&orders));
    // The daemon's user is whom its state belongs to; as root, this looks at another's.
    if let Ok(state) = fs::metadata(&patient.state)
        && getuid().is_root()
        && state.uid() != 0
    {
        found.push(owners(&patient.state, state.uid()));
        found.push(readers(&orders, &Reader::of(state.uid(), state.gid())));
    }
    found
}

/// Files of others that are named.
const NAMED: usize = 5;

/// Whether all in the state directory is the daemon's. What root leaves there, the daemon cannot use.
fn owners(state: &Path, uid: u32) -> Finding {
    let logs = state.join(LOGS);
    let entries = [state, &logs].map(|directory| fs::read_dir(directory).into_iter().flatten());
    let of_others = entries.into_iter().flatten().flatten().filter(|entry| {
        let there = entry.metadata();
        there.is_ok_and(|there| there.uid() != uid)
    });
    let of_others: Vec<String> = of_others
        .map(|entry| entry.path().display().to_string())
        .collect();
    if of_others.is_empty() {
        return Finding::fine(
            "owner",
            format!("all in {} is the daemon's", state.display()),
        );
    }
    let named = of_others.iter().take(NAMED).map(String::as_str);
    let mut named = named.collect::<Vec<_>>().join(", ");
    if of_others.len() > NAMED {
        let more = of_others.len() - NAMED;
        named.push_str(&format!(", and {more} more"));
    }
    Finding::wrong(
        "owner",
        format!("the daemon has no right to {named}"),
        format!("chown -R --reference={0} {0}", state.display()),
    )
}

/// A user with all its groups.
struct Reader {
    uid: u32,
    groups: Vec<u32>,
}

impl Reader {
    fn of(uid: u32, gid: u32) -> Self {
        let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
        let name = user.and_then(|user| CString::new(user.name).ok());
        let all = name.and_then(|name| getgrouplist(&name, Gid::from_raw(gid)).ok());
        let all = all.unwrap_or_else(|| vec![Gid::from_raw(gid)]);
        Self {
            uid,
            groups: all.into_iter().map(Gid::as_raw).collect(),
        }
    }

    /// Whether it may read a file, or list a directory and look into it; by its mode alone.
    fn may(&self, of: &Metadata) -> bool {
        let shift = match of {
            of if of.uid() == self.uid => 6,
            of if self.groups.contains(&of.gid()) => 3,
            _ => 0,
        };
        let needed = if of.is_dir() { 0o5 } else { 0o4 };
        of.mode() >> shift & needed == needed
    }
}

/// Whether the daemon may read what is written for it. Files with an access list are not judged.
fn readers(orders: &[PathBuf], reader: &Reader) -> Finding {
    let is_closed = |path: &&PathBuf| {
        let listed = rustix::fs::getxattr(*path, "system.posix_acl_access", &mut [0; 0][..]);
        listed.is_err() && fs::metadata(path).is_ok_and(|there| !reader.may(&there))
    };
    let closed = orders.iter().filter(is_closed);
    let closed: Vec<String> = closed.map(|path| path.display().to_string()).collect();
    if closed.is_empty() {
        return Finding::fine("readable", "the daemon may read what is written for it");
    }
    let them = closed.join(" ");
    Finding::wrong(
        "readable",
        format!("the daemon may not read {}", closed.join(", ")),
        format!(
            "chmod o+rX {them}, or where others are not to read it: chgrp twolane {them}; chmod g+rX {them}"
        ),
    )
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

    #[test]
    fn what_the_daemon_has_no_right_to_is_named() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("jobs.toml");
        fs::write(&file, "").unwrap();
        let there = fs::metadata(&file).unwrap();
        let own = owners(place.path(), there.uid());
        assert_eq!(own.verdict, Verdict::Fine, "{own:?}");
        let others = owners(place.path(), there.uid() + 1);
        assert_eq!(others.verdict, Verdict::Wrong);
        assert!(others.what.contains("jobs.toml"), "{}", others.what);
        let reader = |uid, groups| Reader { uid, groups };
        let cases = [
            (0o600, reader(there.uid(), vec![]), Verdict::Fine),
            (
                0o640,
                reader(there.uid() + 1, vec![there.gid()]),
                Verdict::Fine,
            ),
            (0o640, reader(there.uid() + 1, vec![]), Verdict::Wrong),
            (0o604, reader(there.uid() + 1, vec![]), Verdict::Fine),
            (
                0o044,
                reader(there.uid(), vec![there.gid()]),
                Verdict::Wrong,
            ),
        ];
        for (bits, reader, expected) in cases {
            fs::set_permissions(&file, fs::Permissions::from_mode(bits)).unwrap();
            let found = readers(std::slice::from_ref(&file), &reader);
            assert_eq!(found.verdict, expected, "{bits:o}: {found:?}");
        }
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o704)).unwrap();
        let closed = readers(&[place.path().to_owned()], &reader(there.uid() + 1, vec![]));
        assert_eq!(closed.verdict, Verdict::Wrong, "a directory needs more");
    }
}
