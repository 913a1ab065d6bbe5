//! What the kernel can bound for a control group, and the bounds of a command's group.

use std::fs;
use std::io;
use std::path::Path;

/// Which controllers the groups below this one have; writing `+NAME` gives them another one.
pub(super) const PASSED_ON: &str = "cgroup.subtree_control";

/// Bounds that the kernel keeps for all processes of a group together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupBounds {
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Processes and threads.
    pub processes: Option<u64>,
}

impl GroupBounds {
    /// Whether there is nothing to bound.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.memory.is_none() && self.processes.is_none()
    }

    /// The first of them that `controllers` cannot keep: the controller that is missing.
    #[must_use]
    pub const fn missing(&self, controllers: Controllers) -> Option<&'static str> {
        if self.memory.is_some() && !controllers.memory {
            return Some(MEMORY);
        }
        if self.processes.is_some() && !controllers.processes {
            return Some(PIDS);
        }
        None
    }

    /// Sets them for a group that is empty.
    pub(super) fn set(&self, group: &Path) -> io::Result<()> {
        let write = |file: &str, value: u64| {
            fs::write(group.join(file), value.to_string())
                .map_err(|error| io::Error::new(error.kind(), format!("{file}: {error}")))
        };
        if let Some(bytes) = self.memory {
            write("memory.max", bytes)?;
            // All of a command or nothing: what is left of one that has lost a process is of no use to anybody.
            write("memory.oom.group", 1)?;
        }
        if let Some(processes) = self.processes {
            write("pids.max", processes)?;
        }
        Ok(())
    }
}

/// Which of them the kernel can keep here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Controllers {
    /// Those of memory; and it counts what it ends for want of it.
    pub memory: bool,
    /// Those of processes.
    pub processes: bool,
}

const MEMORY: &str = "memory";
const PIDS: &str = "pids";

impl Controllers {
    /// Has the groups below `runs` get what there is, by way of all that is between it and `base`. What is
    /// not there to be passed on, or may not be, is done without.
    pub(super) fn pass_on(base: &Path, runs: &Path) -> Self {
        for controller in [MEMORY, PIDS] {
            for group in [base, runs] {
                let _ = fs::write(group.join(PASSED_ON), format!("+{controller}"));
            }
        }
        let there = fs::read_to_string(runs.join(PASSED_ON)).unwrap_or_default();
        let has = |controller| there.split_whitespace().any(|name| name == controller);
        Self {
            memory: has(MEMORY),
            processes: has(PIDS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_written_as_the_kernel_takes_them() {
        let dir = tempfile::tempdir().expect("a directory");
        let read = |file: &str| fs::read_to_string(dir.path().join(file)).ok();
        let bounds = GroupBounds {
            memory: Some(64 << 20),
            processes: None,
        };
        bounds.set(dir.path()).expect("set");
        assert_eq!(read("memory.max").as_deref(), Some("67108864"));
        assert_eq!(read("memory.oom.group").as_deref(), Some("1"));
        assert_eq!(read("pids.max"), None);
        let bounds = GroupBounds {
            memory: None,
            processes: Some(64),
        };
        bounds.set(dir.path()).expect("set");
        assert_eq!(read("pids.max").as_deref(), Some("64"));
        let error = bounds.set(&dir.path().join("gone")).expect_err("not there");
        assert!(error.to_string().starts_with("pids.max: "), "{error}");
    }

    #[test]
    fn the_controller_that_is_missing_is_named() {
        let both = GroupBounds {
            memory: Some(1),
            processes: Some(1),
        };
        let missing = |memory, processes| both.missing(Controllers { memory, processes });
        assert_eq!(missing(true, true), None);
        assert_eq!(missing(false, true), Some("memory"));
        assert_eq!(missing(true, false), Some("pids"));
        assert_eq!(GroupBounds::default().missing(Controllers::default()), None);
    }
}
