//! Control groups: by them alone is everything found that a command has started.

use std::path::Path;

use super::finding::Finding;
use super::{Patient, kernel};
use crate::cli::groups::unbounded;
use crate::engine::spec::JobSpec;
use crate::process::Controllers;

const ROOT: &str = "/sys/fs/cgroup";

/// What bounds a job's memory, processor and number of processes.
const WANTED: [&str; 3] = ["cpu", "memory", "pids"];

pub(super) fn look(patient: &Patient) -> Vec<Finding> {
    let there = kernel(&format!("{ROOT}/cgroup.controllers"));
    let mut found = tree(there.as_deref());
    let jobs = patient.jobs.iter();
    let jobs = jobs.flat_map(|jobs| jobs.definitions.jobs.values());
    found.extend(bounds(
        jobs.map(|job| &**job),
        there.as_deref().unwrap_or_default(),
    ));
    found
}

fn tree(there: Option<&str>) -> Vec<Finding> {
    match there {
        None => vec![Finding::advice(
            "version",
            "there is no cgroup2 tree at /sys/fs/cgroup: what a command starts is found by other marks, \
             and jobs cannot be bounded by memory",
            "boot with systemd.unified_cgroup_hierarchy=1",
        )],
        Some(there) => vec![
            Finding::fine("version", format!("cgroup2 at {ROOT}")),
            controllers(there),
            kill(),
        ],
    }
}

/// Whether the bounds can be kept that jobs ask for; of no interest where none does.
fn bounds<'a>(jobs: impl Iterator<Item = &'a JobSpec>, there: &str) -> Option<Finding> {
    let has = |name| {
        there
            .split_whitespace()
            .any(|controller| controller == name)
    };
    let kernel = Controllers {
        memory: has("memory"),
        processes: has("pids"),
    };
    let mut asking = jobs
        .filter(|job| unbounded(job, Controllers::default()).is_some())
        .peekable();
    asking.peek()?;
    let in_vain = asking.find_map(|job| Some((&job.name, unbounded(job, kernel)?)));
    Some(match in_vain {
        None => Finding::fine(
            "bounds",
            "the kernel can keep `memory_max` and `pids_max` of the jobs that have them",
        ),
        Some((job, key)) => Finding::wrong(
            "bounds",
            format!("`{job}` has `{key}`, which nobody can keep here: its runs fail"),
            "boot without cgroup v1 controllers (cgroup_no_v1=all), or take the key out",
        ),
    })
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
    use std::collections::BTreeMap;

    use super::super::finding::Verdict;
    use super::*;
    use crate::engine::command::{Invocation, Step, Surroundings};
    use crate::engine::spec::{Lane, TaskSpec};

    #[test]
    fn a_missing_controller_is_named() {
        assert_eq!(controllers("cpu io memory pids").verdict, Verdict::Fine);
        let found = controllers("cpu io pids");
        assert_eq!(found.verdict, Verdict::Advice);
        assert!(found.what.contains("memory"), "{}", found.what);
    }

    #[test]
    fn a_bound_that_nobody_can_keep_is_wrong() {
        let job = |name: &str, around: Surroundings| {
            let mut job = JobSpec::new(name.into(), Lane::Io, TaskSpec::Read { path: "a".into() });
            job.teardown = Some(Box::new(Step {
                run: Invocation::Shell("true".into()),
                surroundings: around.into(),
            }));
            (name.to_owned(), job)
        };
        let jobs = BTreeMap::from([
            job("plain", Surroundings::default()),
            job(
                "fat",
                Surroundings {
                    memory_max: Some(1 << 30),
                    ..Surroundings::default()
                },
            ),
            job(
                "many",
                Surroundings {
                    pids_max: Some(9),
                    ..Surroundings::default()
                },
            ),
        ]);
        let found = |names: &[&str], there| {
            let jobs = names.iter().map(|name| &jobs[*name]);
            bounds(jobs, there).map(|found| (found.verdict, found.what))
        };
        let verdict = |names: &[&str], there| found(names, there).map(|(verdict, _)| verdict);
        assert_eq!(verdict(&["plain"], ""), None);
        assert_eq!(
            verdict(&["plain", "fat", "many"], "cpu memory pids"),
            Some(Verdict::Fine)
        );
        let (wrong, what) = found(&["plain", "fat", "many"], "memory io").expect("found");
        assert_eq!(wrong, Verdict::Wrong);
        assert_eq!(
            what,
            "`many` has `pids_max`, which nobody can keep here: its runs fail"
        );
        assert_eq!(verdict(&["fat"], "pids"), Some(Verdict::Wrong));
    }
}
