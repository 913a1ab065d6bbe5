//! What the kernel has (P) against what the store says (E).

use std::collections::BTreeSet;

use twolane::engine::id::RunId;
use twolane::engine::spec::TaskSpec;

use super::{At, Evidence, Expectations};
use crate::check::facts::Run;

/// **I10.** The processes of the store's commands are those of the attempts that run, and each command that runs has
/// one. Where all has come to rest there are none.
pub(super) fn i10_processes_are_what_runs(
    evidence: &Evidence,
    expectations: &Expectations,
    at: &mut At<'_>,
) {
    let mut there: BTreeSet<RunId> = BTreeSet::new();
    for process in &evidence.processes {
        let pid = process.pid;
        let run = process.run.and_then(|id| evidence.log.runs.get(&id));
        let running = run.and_then(Run::running);
        match (process.run, running, process.epoch) {
            // In the control group, and it has wiped what it was told.
            (None, ..) if expectations.is_live => {}
            (None, ..) => at.tell(|| format!("process {pid} of the commands' group is left")),
            (Some(id), None, _) => {
                at.tell(|| format!("process {pid} is of run {id}, which does not run"))
            }
            (Some(id), Some(running), Some(epoch)) if epoch != running => {
                at.tell(|| format!("process {pid} is of attempt {id}.{epoch}, and {running} runs"));
            }
            (Some(id), Some(_), _) => {
                there.insert(id);
            }
        }
    }
    for (id, run) in &evidence.log.runs {
        let is_process = run.job.isolate || matches!(run.job.task, TaskSpec::Command(_));
        if is_process && run.running().is_some() && !there.contains(id) {
            at.tell(|| format!("run {id} runs, and has no process"));
        }
    }
}
