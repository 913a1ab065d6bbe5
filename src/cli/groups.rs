//! The control groups of commands: found, divided, and what an earlier daemon has left in them ended.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Exit;
use super::out::complain;
use crate::config::Settings;
use crate::process::{Groups, GroupsIn, Left, NoGroups, SHIM};

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
            tracing::info!(
                target: "twolane::daemon",
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
