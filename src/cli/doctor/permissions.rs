//! Who else may read what is the daemon's, and who may tell it what to run.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Patient;
use super::finding::Finding;
use crate::cli::durable::LOGS;
use crate::cli::place::SOCKET;
use crate::cli::readable::{self, Closed, Reader};
use crate::config::{self, RolesSettings};

/// The permissions of a group's members and of everybody else.
const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
const OTHERS_ENTER: u32 = 0o001;
const NOT_OWNER: u32 = 0o077;

pub(super) fn look(patient: &Patient) -> Vec<Finding> {
    let mut found = vec![
        private("state", &patient.state, NOT_OWNER, "chmod 700"),
        doors(&patient.runtime, &patient.loaded.settings.api.roles),
    ];
    let secrets = patient.loaded.directory.join("credentials");
    if secrets.exists() {
        found.push(private("credentials", &secrets, NOT_OWNER, "chmod 700"));
    }
    let files = config::expand(
        &patient.loaded.settings.daemon.jobs,
        &patient.loaded.directory,
    );
    let orders = readable::orders(&patient.loaded.directory, files.unwrap_or_default());
    found.push(writers(&orders));
    if let Some(reader) = Reader::daemon(&patient.state) {
        if patient.state.exists() {
            found.push(owners(&patient.state, reader.uid()));
        }
        found.push(readers(&orders, &reader));
    }
    found
}

/// Whether the socket lets in whom it should, and nobody can put another one in its place. Who may enter its
/// directory is told apart by the socket, or by their roles.
fn doors(runtime: &Path, roles: &RolesSettings) -> Finding {
    let name = "runtime";
    let (place, socket) = (runtime.display(), runtime.join(SOCKET));
    let mode = |path: &Path| fs::metadata(path).map(|there| there.mode() & 0o7777);
    match (mode(runtime), mode(&socket)) {
        (Ok(mode), _) if mode & (GROUP_WRITES | OTHERS_WRITE) != 0 => Finding::wrong(
            name,
            format!("{place} has mode {mode:o}: others could put a socket of theirs in its place"),
            format!("chmod go-w {place}"),
        ),
        (Ok(directory), Ok(mode))
            if roles.gives_nothing() && directory & OTHERS_ENTER & mode >> 1 != 0 =>
        {
            Finding::wrong(
                name,
                format!(
                    "{} has mode {mode:o}: any user may ask for anything",
                    socket.display()
                ),
                format!(
                    "chmod o-rw {}, or say in `[api.roles]` who may do what",
                    socket.display()
                ),
            )
        }
        (Ok(mode), _) => Finding::fine(name, format!("{place} has mode {mode:o}")),
        (Err(error), _) if error.kind() == std::io::ErrorKind::NotFound => {
            Finding::fine(name, format!("{place} is not there yet"))
        }
        (Err(error), _) => Finding::unknown(name, format!("{place} cannot be looked at: {error}")),
    }
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

/// Whether the daemon may read what is written for it.
fn readers(orders: &[PathBuf], reader: &Reader) -> Finding {
    match Closed::to(reader, orders) {
        None => Finding::fine("readable", "the daemon may read what is written for it"),
        Some(closed) => Finding::wrong("readable", closed.what(), closed.cure()),
    }
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
    }

    #[test]
    fn a_socket_is_open_to_others_only_where_roles_decide() {
        let place = tempfile::tempdir().unwrap();
        let socket = place.path().join(SOCKET);
        fs::write(&socket, "").unwrap();
        let roles = |read: &[&str]| RolesSettings {
            read: read.iter().map(|&name| name.to_owned()).collect(),
            submit: Vec::new(),
            control: Vec::new(),
            token: config::ApiRole::Control,
        };
        let (nobody, somebody) = (roles(&[]), roles(&["user:app"]));
        let cases = [
            // As the unit, the package and the daemon itself make it.
            (0o755, 0o660, &nobody, Verdict::Fine),
            (0o755, 0o666, &somebody, Verdict::Fine),
            (0o755, 0o666, &nobody, Verdict::Wrong),
            (0o750, 0o666, &nobody, Verdict::Fine),
            (0o700, 0o660, &nobody, Verdict::Fine),
            (0o775, 0o660, &nobody, Verdict::Wrong),
            (0o757, 0o660, &somebody, Verdict::Wrong),
        ];
        for (directory, mode, roles, expected) in cases {
            for (path, bits) in [(place.path(), directory), (&socket, mode)] {
                fs::set_permissions(path, fs::Permissions::from_mode(bits)).unwrap();
            }
            let found = doors(place.path(), roles);
            assert_eq!(found.verdict, expected, "{directory:o} {mode:o}: {found:?}");
        }
    }
}
