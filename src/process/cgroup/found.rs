//! Where the control group of a process is, and whether it was left to this program to divide.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Pid;

/// The directory of this process's group, where a cgroup2 file system shows it.
pub(super) fn own() -> Option<PathBuf> {
    let name = name_of("self")?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    mounts.lines().find_map(|line| directory(line, &name))
}

/// The directory of the group `name` if this line of `mountinfo` is a cgroup2 file system that shows it.
fn directory(line: &str, name: &str) -> Option<PathBuf> {
    let (mount, source) = line.split_once(" - ")?;
    if source.split(' ').next() != Some("cgroup2") {
        return None;
    }
    let mut fields = mount.split(' ').skip(3);
    let (root, place) = (fields.next()?, fields.next()?);
    let below = Path::new(name).strip_prefix(root).ok()?;
    Some(Path::new(place).join(below))
}

/// The group that was left to this program: this one, or the one above, of which it was put into a part.
pub(super) fn delegated(own: &Path) -> Option<&Path> {
    [Some(own), own.parent()]
        .into_iter()
        .flatten()
        .find(|path| is_delegated(path))
}

/// Whether systemd has left a group to its service. It says so for all to see, and so that only root sees it.
fn is_delegated(path: &Path) -> bool {
    ["user.delegate", "trusted.delegate"].iter().any(|name| {
        let mut value = [0; 1];
        rustix::fs::getxattr(path, *name, &mut value[..])
            .is_ok_and(|length| value[..length] == *b"1")
    })
}

/// Whether a process is in a group or below it.
pub(super) fn is_below(pid: Pid, path: &Path) -> bool {
    // What the kernel tells begins at the root of the name space, which need not be that of the mount: the
    // last two parts are this scheduler's own, and no other group has them.
    let mut last: Vec<_> = path.components().rev().take(2).collect();
    last.reverse();
    let wanted: PathBuf = last.into_iter().collect();
    name_of(&pid.as_raw_nonzero().to_string()).is_some_and(|name| {
        Path::new(&name)
            .ancestors()
            .any(|group| group.ends_with(&wanted))
    })
}

/// The name of a process's group.
fn name_of(process: &str) -> Option<String> {
    let groups = fs::read_to_string(format!("/proc/{process}/cgroup")).ok()?;
    let name = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_where_its_file_system_is_mounted() {
        let line = |root: &str, kind: &str| {
            format!("30 23 0:26 {root} /sys/fs/cgroup rw,nosuid shared:4 - {kind} cgroup2 rw")
        };
        let found = |root: &str, kind: &str, name: &str| directory(&line(root, kind), name);
        let there = |path: &str| Some(PathBuf::from(path));
        assert_eq!(found("/", "cgroup2", "/a/b"), there("/sys/fs/cgroup/a/b"));
        assert_eq!(found("/", "cgroup2", "/"), there("/sys/fs/cgroup/"));
        assert_eq!(found("/a", "cgroup2", "/a/b"), there("/sys/fs/cgroup/b"));
        assert_eq!(found("/c", "cgroup2", "/a/b"), None);
        assert_eq!(found("/", "cgroup", "/a/b"), None);
    }
}
