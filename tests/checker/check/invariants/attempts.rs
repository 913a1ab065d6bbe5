//! What the jobs wrote down (L) against what the store says of their attempts (E).

use std::collections::BTreeSet;

use twolane::engine::id::AttemptId;
use twolane::engine::outcome::Interruption;
use twolane::engine::spec::OnCrash;

use super::{At, Evidence, Expectations};
use crate::check::facts::{Left, Run, What};
use crate::check::ledger::{Entry, Mark};

/// **I3.** An attempt that has succeeded has written that it is done, with 0. One that has written how it ends is on
/// record as that, or as lost (the daemon went down under it, or it was stopped): never as a success where it was
/// none, never with another code, and never forgotten; nor is one that has begun.
pub(super) fn i3_no_end_is_forgotten_or_made_up(
    evidence: &Evidence,
    expectations: &Expectations,
    at: &mut At<'_>,
) {
    for (id, run) in &evidence.log.runs {
        if !expectations.ledger_jobs.contains(&*run.job.name) {
            continue;
        }
        for step in &run.steps {
            if let What::Left(epoch, Left::Succeeded) = step.what {
                let mut own = evidence.ledger.of(*id).iter();
                if !own.any(|entry| entry.epoch == epoch && entry.mark == Mark::End(0)) {
                    at.tell(|| format!("attempt {id}.{epoch} succeeded, and has not written so"));
                }
            }
        }
    }
    for (attempt, entry) in evidence.ledger.entries() {
        // One whose start is on record nowhere is told of by I4.
        let Some(run) = evidence.log.runs.get(&attempt.run) else {
            continue;
        };
        let Some(left) = run.left(attempt.epoch) else {
            let runs = run.running() == Some(attempt.epoch);
            // Of an announced one the start may come on record a moment later.
            let may_run = run.over().is_none() && evidence.log.announced.contains_key(&attempt);
            if !(expectations.is_live && (runs || may_run)) {
                at.tell(|| format!("attempt {attempt} has written {entry:?}, and is forgotten"));
            }
            continue;
        };
        if let Mark::End(code) = entry.mark {
            let is_other = if *left == Left::Succeeded {
                code != 0
            } else {
                left.exit().is_some_and(|exit| exit != code)
            };
            if is_other {
                at.tell(|| format!("attempt {attempt} has written {code}, and is {left:?}"));
            }
        }
    }
}

/// **I4.** Each start that was written has an earlier record of it: that it starts, or that it may (announced), and
/// was not on its way back to the line before it had begun. It is of the run that has the key of it. That the record is
/// the earlier one shows where the daemon is killed in between.
pub(super) fn i4_no_start_without_its_record(
    evidence: &Evidence,
    _: &Expectations,
    at: &mut At<'_>,
) {
    for (attempt, entry) in evidence.ledger.entries() {
        let AttemptId { run: id, epoch } = attempt;
        let Some(run) = evidence.log.runs.get(&id) else {
            at.tell(|| format!("attempt {attempt} has written {entry:?}, and is not on record"));
            continue;
        };
        let key = run.key.as_deref().unwrap_or("-");
        if key != entry.key {
            at.tell(|| format!("attempt {attempt} of {key} has written {}", entry.key));
        }
        if entry.mark != Mark::Start {
            continue;
        }
        if !run.has_started(epoch) && !evidence.log.announced.contains_key(&attempt) {
            at.tell(|| format!("attempt {attempt} has started without a record of it"));
        }
        if run.left(epoch).is_some_and(Left::had_not_begun) {
            at.tell(|| format!("attempt {attempt} is on record as never begun, and has"));
        }
    }
}

/// **I5.** Each attempt starts once at most, in the ledger and on record, and ends once; a run of a job with
/// `on_crash = "fail"` that is not tried again after failures starts once at most in all.
pub(super) fn i5_each_attempt_starts_once(evidence: &Evidence, _: &Expectations, at: &mut At<'_>) {
    let mut seen = BTreeSet::new();
    for (attempt, entry) in evidence.ledger.entries() {
        if !seen.insert((attempt, entry.mark == Mark::Start)) {
            at.tell(|| format!("attempt {attempt} has written {:?} twice", entry.mark));
        }
    }
    for (id, run) in &evidence.log.runs {
        let mut seen = BTreeSet::new();
        for step in &run.steps {
            if let What::Started(epoch) = step.what
                && !seen.insert(epoch)
            {
                at.tell(|| format!("attempt {id}.{epoch} is started twice on record"));
            }
        }
        if !is_once(run) {
            continue;
        }
        let starts = evidence.ledger.of(*id).iter();
        let written = starts.filter(|entry| entry.mark == Mark::Start).count();
        let had_begun = |epoch: &&u32| !run.left(**epoch).is_some_and(Left::had_not_begun);
        let recorded = seen.iter().filter(had_begun).count();
        if written > 1 || recorded > 1 {
            let job = &run.job.name;
            at.tell(|| {
                format!("run {id} of {job} started {written} times, {recorded} of them on record")
            });
        }
    }
}

/// Whether a run must not be done twice, whatever happens.
fn is_once(run: &Run) -> bool {
    let is_retried = run.steps.iter().any(|step| step.what == What::Retried);
    let may_not = run.job.on_crash == OnCrash::Fail && !run.job.task.is_future();
    may_not && run.job.retry.is_none() && !is_retried
}

/// **I6.** The attempts of a run never overlap: what a later one has written comes after all that earlier ones have, a
/// process begins one of them when it has ended the one before, an end comes after its start, and on record each
/// attempt begins when the one before it has left, with a higher number.
pub(super) fn i6_attempts_follow_each_other(
    evidence: &Evidence,
    _: &Expectations,
    at: &mut At<'_>,
) {
    for (id, entries) in &evidence.ledger.runs {
        written(entries, |words| at.tell(|| format!("run {id}: {words}")));
    }
    for (id, run) in &evidence.log.runs {
        recorded(run, |words| at.tell(|| format!("run {id}: {words}")));
    }
}

fn written(entries: &[Entry], mut tell: impl FnMut(String)) {
    let mut open: Option<&Entry> = None;
    let mut last = 0;
    for entry in entries {
        let Entry { epoch, process, .. } = entry;
        if *epoch < last {
            tell(format!("attempt {epoch} writes after attempt {last}"));
        }
        last = last.max(*epoch);
        match (open, entry.mark) {
            (Some(other), Mark::Start) if other.process == *process => {
                tell(format!(
                    "attempt {epoch} starts in {process} while {} runs there",
                    other.epoch
                ));
            }
            (_, Mark::Start) => {}
            (Some(start), Mark::End(_)) if start.epoch == *epoch && start.process == *process => {}
            (_, Mark::End(_)) => tell(format!("attempt {epoch} ends in {process} unstarted")),
        }
        open = (entry.mark == Mark::Start).then_some(entry);
    }
}

fn recorded(run: &Run, mut tell: impl FnMut(String)) {
    let (mut running, mut last) = (None, 0);
    for step in &run.steps {
        match &step.what {
            What::Started(epoch) => {
                if let Some(other) = running {
                    tell(format!("attempt {epoch} begins while {other} runs"));
                }
                if *epoch <= last {
                    tell(format!("attempt {epoch} comes after {last}"));
                }
                (running, last) = (Some(*epoch), *epoch);
            }
            // It may have begun, and its start is not on record.
            What::Left(epoch, Left::Interrupted(Interruption::Unsure)) => {
                if running.is_some() || *epoch <= last {
                    tell(format!("attempt {epoch} may have begun after {last}"));
                }
                (running, last) = (None, (*epoch).max(last));
            }
            What::Left(epoch, _) => {
                if running != Some(*epoch) {
                    tell(format!(
                        "attempt {epoch} leaves in record {}, and {running:?} runs",
                        step.number
                    ));
                }
                running = None;
            }
            What::Accepted | What::Over(_) | What::Retried => {}
        }
    }
}
