//! Control groups: by them alone is everything found that a command has started.

use std::path::Path;

use super::finding::Finding;
use super::{Patient, kernel};

const ROOT: &str = "/sys/fs/cgroup";

/// What bounds a job's memory, processor and number of processes.
const WANTED: [&str; 3] = ["cpu", "memory", "pids"];

pub(super) fn look(_: &Patient) -> Vec<Finding> {
    match kernel(&format!("{ROOT}/cgroup.controllers")) {
        None => vec![Finding::advice(
            "version",
            "there is no cgroup2 tree at /sys/fs/cgroup: what a command starts is found by other marks, \
             and jobs cannot be bounded by memory",
            "boot with systemd.unified_cgroup_hierarchy=1",
        )],
        Some(there) => vec![
            Finding::fine("version", format!("cgroup2 at {ROOT}")),
            controllers(&there),
            kill(),
        ],
    }
}

fn controllers(there: &str) -> Finding {
    let there: Vec<&str> = there.split_whitespace().collect();
    let missing: Vec<&str> = WANTED
        .into_iter()
        .filter(|one| !there.contains(one))
        .collect();
    if missing.is_empty() {
        return Finding::fine("controllers", there.join(" "));
    }
    Finding::advice(
        "controllers",
        format!("the kernel has no controller for {}", missing.join(", ")),
        "boot without cgroup v1 controllers (cgroup_no_v1=all), and with cgroup_enable=memory where that is off",
    )
}

/// Each group but the root has the file; one that is always there is systemd's own.
fn kill() -> Finding {
    let groups = ["init.scope", "system.slice"];
    let has = |group: &&str| Path::new(&format!("{ROOT}/{group}/cgroup.kill")).exists();
    let there = |group: &&str| Path::new(&format!("{ROOT}/{group}")).exists();
    if groups.iter().any(has) {
        Finding::fine("kill", "a group can be ended as a whole (cgroup.kill)")
    } else if groups.iter().any(there) {
        Finding::advice(
            "kill",
            "the kernel cannot end a group as a whole",
            "use Linux 5.14 or later",
        )
    } else {
        Finding::unknown("kill", "there is no group to look at")
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn a_missing_controller_is_named() {
        assert_eq!(controllers("cpu io memory pids").verdict, Verdict::Fine);
        let found = controllers("cpu io pids");
        assert_eq!(found.verdict, Verdict::Advice);
        assert!(found.what.contains("memory"), "{}", found.what);
    }
}
