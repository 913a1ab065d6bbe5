//! P: the processes of one store's commands, as the kernel has them: those that bear the store's mark in the
//! environment that they began with, and those in the control group of its commands, whatever they have wiped.

use std::path::Path;

use twolane::engine::id::RunId;
use twolane::lanes::MARK;

/// One process that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// Of which run it says that it is; `None` where only its control group tells whose it is.
    pub(crate) run: Option<RunId>,
    /// Of which attempt of that, where it says so.
    pub(crate) epoch: Option<u32>,
}

/// All of them.
pub(crate) fn read(state: &Path) -> std::io::Result<Vec<Process>> {
    let instance = match std::fs::read_to_string(state.join("instance")) {
        Ok(text) => text.trim().to_owned(),
        // It has never come so far that it could start one.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        if let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) {
            found.extend(look(pid, &instance));
        }
    }
    found.sort_unstable_by_key(|process| process.pid);
    Ok(found)
}

/// The process of this number, if it is one of them and lives.
fn look(pid: u32, instance: &str) -> Option<Process> {
    let read = |file: &str| std::fs::read(format!("/proc/{pid}/{file}"));
    // It may end at any moment.
    let environment = read("environ").ok()?;
    let variables: Vec<(&str, &str)> = environment
        .split(|byte| *byte == 0)
        .filter_map(|entry| str::from_utf8(entry).ok()?.split_once('='))
        .collect();
    let value = |name: &str| {
        let mut found = variables.iter().filter(|(other, _)| *other == name);
        found.next().map(|(_, value)| *value)
    };
    let own = format!("{instance}-");
    let run = value(MARK).and_then(|mark| mark.strip_prefix(&own));
    let groups = read("cgroup").ok()?;
    let group = format!("/runs-{instance}/");
    let is_in_group = String::from_utf8_lossy(&groups).contains(&group);
    let stat = read("stat").ok()?;
    let name_ends = stat.iter().rposition(|byte| *byte == b')')?;
    let is_dead = matches!(stat.get(name_ends + 2), Some(b'Z' | b'X'));
    ((run.is_some() || is_in_group) && !is_dead).then(|| Process {
        pid,
        run: run.and_then(|run| run.parse().ok()).map(RunId),
        epoch: value("TWOLANE_ATTEMPT").and_then(|epoch| epoch.parse().ok()),
    })
}
