//! What the kernel tells of memory in a control group: whether it had to end a process there, and why.

use std::fs;
use std::path::Path;

/// The kernel's own count of what became of a group for want of memory.
const EVENTS: &str = "memory.events";

/// Processes were ended by the kernel for want of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Starved {
    /// The group itself had all that its bound lets it have. Else the machine, or a group above, had no more.
    pub at_own_bound: bool,
}

/// What became of the processes in the group of this directory; `None` where none was ended for want of
/// memory, or the kernel does not count that here.
pub(super) fn starved(group: &Path) -> Option<Starved> {
    let events = fs::read_to_string(group.join(EVENTS)).ok()?;
    let count = |name: &str| {
        events
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
            .unwrap_or(0)
    };
    // How many is not told: of a group that is ended as a whole, one process may be counted twice.
    (count("oom_kill") > 0 || count("oom_group_kill") > 0).then(|| Starved {
        at_own_bound: count("oom") > 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_ended_for_want_of_memory_is_read_from_the_kernels_count() {
        let dir = tempfile::tempdir().expect("a directory");
        let read = |events: &str| {
            fs::write(dir.path().join(EVENTS), events).expect("written");
            starved(dir.path())
        };
        let killed = |at_own_bound| Some(Starved { at_own_bound });
        assert_eq!(starved(dir.path()), None, "there is no such file");
        assert_eq!(read("low 0\nhigh 0\nmax 12\noom 0\noom_kill 0\n"), None);
        // At its bound, and what had asked for more was told so: nothing was ended.
        assert_eq!(read("max 12\noom 3\noom_kill 0\noom_group_kill 0\n"), None);
        assert_eq!(
            read("max 12\noom 1\noom_kill 2\noom_group_kill 1\n"),
            killed(true)
        );
        assert_eq!(read("max 0\noom 0\noom_kill 1\n"), killed(false));
        // Before Linux 5.17 there is no count of groups that were ended as a whole.
        assert_eq!(read("max 3\noom 1\noom_kill 1\n"), killed(true));
        assert_eq!(read("nonsense\noom_kill x\n"), None);
    }
}
