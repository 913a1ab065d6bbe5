//! Whether the daemon, which is another user than root, may read what is written for it.

use std::ffi::CString;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Uid, User, getgrouplist, getuid};

/// A user with all its groups.
#[derive(Debug)]
pub(super) struct Reader {
    uid: u32,
    groups: Vec<u32>,
}

impl Reader {
    /// The daemon's user as root sees it: whom the state directory belongs to, or before the first start whom
    /// the unit names. None where that is root itself, which may read everything, and for who is not root.
    pub(super) fn daemon(state: &Path) -> Option<Self> {
        if !getuid().is_root() {
            return None;
        }
        let (uid, gid) = match fs::metadata(state) {
            Ok(there) => (there.uid(), there.gid()),
            Err(_) => of_the_unit()?,
        };
        (uid != 0).then(|| Self::of(uid, gid))
    }

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

    pub(super) const fn uid(&self) -> u32 {
        self.uid
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

/// The user whom the unit names, with its own group.
fn of_the_unit() -> Option<(u32, u32)> {
    if !sd_notify::booted().unwrap_or(false) {
        return None;
    }
    let asked = ["show", "twolane.service", "--property=User", "--value"];
    let name = super::printed::printed("systemctl", &asked)?;
    let user = User::from_name(&name).ok()??;
    Some((user.uid.as_raw(), user.gid.as_raw()))
}

/// Files and directories that the daemon may not read.
#[derive(Debug)]
pub(super) struct Closed(Vec<String>);

impl Closed {
    /// Those that are closed to this reader, if any. Files with an access list are not judged.
    pub(super) fn to(reader: &Reader, orders: &[PathBuf]) -> Option<Self> {
        let is_closed = |path: &&PathBuf| {
            let listed = rustix::fs::getxattr(*path, "system.posix_acl_access", &mut [0; 0][..]);
            listed.is_err() && fs::metadata(path).is_ok_and(|there| !reader.may(&there))
        };
        let closed = orders.iter().filter(is_closed);
        let closed: Vec<String> = closed.map(|path| path.display().to_string()).collect();
        (!closed.is_empty()).then_some(Self(closed))
    }

    /// What is wrong.
    pub(super) fn what(&self) -> String {
        format!("the daemon may not read {}", self.0.join(", "))
    }

    /// What to do.
    pub(super) fn cure(&self) -> String {
        let them = self.0.join(" ");
        format!(
            "chmod o+rX {them}, or where others are not to read it: chgrp twolane {them}; chmod g+rX {them}"
        )
    }
}

/// All files that say what runs, with the directories in which somebody could put another one.
pub(super) fn orders(directory: &Path, files: Vec<PathBuf>) -> Vec<PathBuf> {
    let parents = files
        .iter()
        .filter_map(|file| file.parent().map(Path::to_owned));
    let mut all: Vec<PathBuf> = parents.collect();
    all.extend([
        directory.to_owned(),
        directory.join("twolane.toml"),
        directory.join("conf.d"),
    ]);
    all.extend(files);
    all.sort();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_the_daemon_may_not_read_is_found() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("jobs.toml");
        fs::write(&file, "").unwrap();
        let there = fs::metadata(&file).unwrap();
        let reader = |uid, groups| Reader { uid, groups };
        let cases = [
            (0o600, reader(there.uid(), vec![]), false),
            (0o640, reader(there.uid() + 1, vec![there.gid()]), false),
            (0o640, reader(there.uid() + 1, vec![]), true),
            (0o604, reader(there.uid() + 1, vec![]), false),
            (0o044, reader(there.uid(), vec![there.gid()]), true),
        ];
        for (bits, reader, expected) in cases {
            fs::set_permissions(&file, fs::Permissions::from_mode(bits)).unwrap();
            let found = Closed::to(&reader, std::slice::from_ref(&file));
            assert_eq!(found.is_some(), expected, "{bits:o}: {found:?}");
        }
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o704)).unwrap();
        let other = reader(there.uid() + 1, vec![]);
        let closed = Closed::to(&other, &[place.path().to_owned()]);
        assert!(closed.is_some(), "a directory needs more");
    }
}
