//! The control groups of commands: found, divided, and what an earlier daemon has left in them ended.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Exit;
use super::out::complain;
use crate::config::Settings;
use crate::engine::spec::{Definitions, JobSpec};
use crate::process::{Controllers, Groups, GroupsIn, Left, NoGroups, SHIM};

/// Looks for processes of an earlier life, each with a fifth of a second for what it finds to end.
const ROUNDS: usize = 25;

/// What `daemon.cgroup` asks for; `None`: no groups. One that was named and cannot be had is an error, which
/// is told here.
pub(super) fn claim(settings: &Settings, instance: &str) -> Result<Option<Arc<Groups>>, Exit> {
    let which = match settings.daemon.cgroup.as_str() {
        "off" => return Ok(None),
        "auto" => GroupsIn::Own,
        path => GroupsIn::Directory(PathBuf::from(path)),
    };
    match Groups::claim(&which, instance, Path::new(SHIM)) {
        Ok(groups) => {
            let Controllers { memory, processes } = groups.controllers();
            tracing::info!(
                target: "twolane::daemon",
                memory_max = memory,
                pids_max = processes,
                "each command has a control group of its own below {}",
                groups.directory().display()
            );
            tell(&groups.end_all(ROUNDS));
            Ok(Some(Arc::new(groups)))
        }
        Err(why) => match (which, &why) {
            (GroupsIn::Directory(path), _) => {
                complain(&format!(
                    "cannot use {}, which `daemon.cgroup` names: {why}\nhint: name a directory of a cgroup2 file \
                     system that this user may divide, or write `cgroup = \"auto\"`",
                    path.display()
                ));
                Err(Exit::System)
            }
            (GroupsIn::Own, NoGroups::NotDelegated) => {
                tracing::debug!(target: "twolane::daemon", "commands have no control groups: {why}");
                Ok(None)
            }
            (GroupsIn::Own, _) => {
                tracing::warn!(
                    target: "twolane::daemon",
                    "commands have no control groups: {why}; what they leave behind is found as well as can be"
                );
                Ok(None)
            }
        },
    }
}

/// Tells of jobs whose bounds nobody can keep: their runs will fail.
pub(super) fn tell_unbounded(groups: Option<&Groups>, definitions: &Definitions) {
    let controllers = groups.map_or_else(Controllers::default, |groups| groups.controllers());
    for job in definitions.jobs.values() {
        if let Some(key) = unbounded(job, controllers) {
            tracing::warn!(
                target: "twolane::daemon",
                job = &*job.name,
                "nobody can keep its `{key}` here, so its runs will fail: {}",
                match groups {
                    None => "the daemon has no control group to divide (`Delegate=yes` of its unit gives it one)",
                    Some(_) => "the daemon's control group has no controller for it",
                }
            );
        }
    }
}

/// The first key of a job that asks for a bound which these controllers do not keep.
pub(super) fn unbounded(job: &JobSpec, controllers: Controllers) -> Option<&'static str> {
    let around = || job.steps().map(|step| &step.surroundings);
    let memory = !controllers.memory && around().any(|around| around.memory_max.is_some());
    let processes = !controllers.processes && around().any(|around| around.pids_max.is_some());
    match (memory, processes) {
        (true, _) => Some("memory_max"),
        (false, true) => Some("pids_max"),
        (false, false) => None,
    }
}

fn tell(left: &Left) {
    if left.ended > 0 {
        tracing::warn!(
            target: "twolane::daemon",
            processes = left.ended,
            "processes were left in control groups of an earlier daemon: they were ended before anything starts"
        );
    }
    if !left.stubborn.is_empty() {
        tracing::error!(
            target: "twolane::daemon",
            pids = ?left.stubborn,
            "processes in control groups of an earlier daemon cannot be ended"
        );
    }
}
