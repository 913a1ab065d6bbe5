//! The reference model: what the facts of one run may say, in which order. Far simpler than the engine,
//! and written from the words of the design alone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use twolane::engine::fact::{Fact, FinalState, Record};
use twolane::engine::id::{AttemptId, RunId};
use twolane::engine::outcome::{Interruption, NO_ROOM_GAP, NO_ROOM_PAUSE, StopReason};
use twolane::engine::spec::{CRASHES_BOUND, JobSpec};
use twolane::engine::time::Mono;

use crate::alone::Alone;
use crate::parts::Wholes;
use crate::tries::Tries;
use crate::waits::Waits;

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Waiting,
    Running(u32),
    Stopping(u32),
    Unresponsive(u32),
    Succeeded,
    Over,
}

/// All runs that are on the disk.
#[derive(Default)]
pub(crate) struct Model {
    pub(crate) runs: BTreeMap<RunId, Stage>,
    epochs: BTreeMap<RunId, u32>,
    crashes: BTreeMap<RunId, u32>,
    /// Attempts whose start is on the disk.
    pub(crate) started: Vec<AttemptId>,
    /// Attempts that may begin before that.
    pub(crate) announced: Vec<AttemptId>,
    /// Attempts that may have begun when the plug was pulled.
    pub(crate) unsure: usize,
    /// How many waited in their lane when the daemon went down.
    pub(crate) unbegun: usize,
    /// Runs of which there is only one at a time.
    pub(crate) alone: Alone,
    /// Runs that are spread into parts.
    wholes: Wholes,
    /// Runs of which attempts fail.
    tries: Tries,
    /// Runs that come after others.
    pub(crate) waits: Waits,
    /// Runs for which there was no room, with when they are tried again.
    pub(crate) without_room: BTreeMap<RunId, Mono>,
    /// Why the attempt of a run was asked to stop, the last time.
    asked: BTreeMap<RunId, StopReason>,
    /// How often that was so that another one could follow it, and then that none was to.
    asked_again: u64,
    /// How many attempts did not leave their lane in time.
    pub(crate) unresponsive: usize,
    /// Runs of which somebody was told that they stop.
    unwanted: BTreeSet<RunId>,
    /// How many of them there were.
    stopped: u64,
    /// How many attempts there was no room for.
    pub(crate) no_room: usize,
    /// How often somebody has asked the daemon to leave.
    pub(crate) leaves: u64,
    /// Whether anything may start: since the daemon has opened, and until it drains or goes down.
    is_open: bool,
    records: u64,
}

impl Model {
    /// A record is on the disk.
    #[expect(
        clippy::too_many_lines,
        reason = "one arm for each kind of fact, and nothing in them to split off"
    )]
    pub(crate) fn take(&mut self, record: &Record) {
        self.records += 1;
        assert_eq!(record.number, self.records, "records have no gaps");
        self.waits.take(&record.fact);
        self.alone.take(&record.fact);
        self.wholes.take(&record.fact, &self.runs);
        self.tries.take(&record.fact, record.at.mono);
        let Some((run, job)) = record.fact.run() else {
            return self.take_of_none(&record.fact);
        };
        self.without_room.remove(&run);
        let before = self.runs.get(&run).copied();
        let expect = |holds: bool| {
            assert!(
                holds,
                "run {run} was {before:?}, and then {:?}",
                record.fact
            );
        };
        let stage = match &record.fact {
            Fact::Accepted { .. } => {
                expect(before.is_none());
                Stage::Waiting
            }
            Fact::Retried { epoch, .. } => {
                expect(matches!(before, Some(Stage::Over | Stage::Succeeded)));
                expect(*epoch == self.epochs.get(&run).copied().unwrap_or(0));
                self.crashes.remove(&run);
                self.unwanted.remove(&run);
                Stage::Waiting
            }
            Fact::Gathered { state, .. } => {
                expect(before == Some(Stage::Waiting) && job.fan_out.is_some());
                match state {
                    FinalState::Succeeded => Stage::Succeeded,
                    FinalState::Failed(_) | FinalState::Cancelled(_) => Stage::Over,
                }
            }
            Fact::Released { .. } | Fact::Due { .. } | Fact::Met { .. } | Fact::Spread { .. } => {
                expect(before == Some(Stage::Waiting));
                Stage::Waiting
            }
            Fact::Started { epoch, .. } => {
                expect(before == Some(Stage::Waiting) && self.is_open);
                expect(!self.unwanted.contains(&run));
                let last = self.epochs.insert(run, *epoch).unwrap_or(0);
                expect(*epoch == last + 1);
                self.started.push(AttemptId { run, epoch: *epoch });
                self.asked.remove(&run);
                Stage::Running(*epoch)
            }
            Fact::Began { epoch, .. } => {
                expect(before == Some(Stage::Running(*epoch)));
                expect(job.timeout.is_some() && job.begins_in_lane());
                Stage::Running(*epoch)
            }
            Fact::Sent { epoch, .. } => {
                expect(before == Some(Stage::Running(*epoch)) && job.task.takes_input());
                Stage::Running(*epoch)
            }
            Fact::Stopping { epoch, reason, .. } => {
                let again = before == Some(Stage::Stopping(*epoch));
                expect(before == Some(Stage::Running(*epoch)) || again);
                expect(self.stops_for(run, *reason) == again);
                Stage::Stopping(*epoch)
            }
            Fact::Retrying { epoch, .. } => {
                expect(is_active(before, *epoch));
                Stage::Waiting
            }
            Fact::GivenUp { .. } => {
                expect(before == Some(Stage::Waiting) && job.run_timeout.is_some());
                Stage::Over
            }
            Fact::Unresponsive {
                epoch,
                asked,
                reason,
                ..
            } => {
                let again = before == Some(Stage::Unresponsive(*epoch));
                expect(before == Some(Stage::Stopping(*epoch)) || again);
                expect(self.stops_for(run, *reason) == again);
                expect(*asked >= job.grace + after_the_task(job));
                self.unresponsive += usize::from(!again);
                Stage::Unresponsive(*epoch)
            }
            Fact::Interrupted {
                epoch,
                cause: Interruption::Unsure,
                ..
            } => {
                let attempt = AttemptId { run, epoch: *epoch };
                expect(before == Some(Stage::Waiting) && self.announced.contains(&attempt));
                let last = self.epochs.insert(run, *epoch).unwrap_or(0);
                expect(*epoch == last + 1);
                self.unsure += 1;
                Stage::Waiting
            }
            Fact::Interrupted {
                epoch,
                cause: Interruption::NoRoom(_),
                due,
                ..
            } => {
                expect(is_active(before, *epoch));
                let due = due.expect("it says when it is tried again");
                expect(self.is_fair(due, record.at.mono));
                self.without_room.insert(run, due);
                self.no_room += 1;
                Stage::Waiting
            }
            Fact::Interrupted { epoch, cause, .. } => {
                expect(is_active(before, *epoch));
                self.unbegun += usize::from(*cause == Interruption::Unbegun);
                if *cause == Interruption::Crash && !job.task.is_future() {
                    let crashes = self.crashes.entry(run).or_default();
                    *crashes += 1;
                    expect(*crashes <= CRASHES_BOUND);
                }
                Stage::Waiting
            }
            Fact::Ended { epoch, state, .. } => {
                expect(is_active(before, *epoch));
                match state {
                    FinalState::Succeeded => Stage::Succeeded,
                    FinalState::Failed(_) | FinalState::Cancelled(_) => Stage::Over,
                }
            }
            Fact::Cancelled { .. } | Fact::Skipped { .. } => {
                expect(before == Some(Stage::Waiting));
                Stage::Over
            }
            Fact::Opened
            | Fact::Draining
            | Fact::Leaving
            | Fact::Evaluated { .. }
            | Fact::Misplaced { .. }
            | Fact::Reconsidered { .. }
            | Fact::BackfillAccepted { .. }
            | Fact::BackfillMoved { .. }
            | Fact::BackfillEnded { .. }
            | Fact::ClockSet { .. }
            | Fact::Heard { .. }
            | Fact::Absent { .. }
            | Fact::Announced { .. }
            | Fact::Configured { .. }
            | Fact::Paused { .. }
            | Fact::Resumed { .. } => return,
        };
        self.runs.insert(run, stage);
    }

    /// Whether a run for which there was no room at `now` may be tried again then: after a pause, 5 ms away from each
    /// other one that waits for room, and no later where none of them is in the way.
    fn is_fair(&self, due: Mono, now: Mono) -> bool {
        let first = now.plus(NO_ROOM_PAUSE);
        let mut others = self.without_room.values();
        let apart = |other: &Mono| due.since(*other).max(other.since(due)) >= NO_ROOM_GAP;
        let in_the_way = |other: &Mono| other.plus(NO_ROOM_GAP) > first;
        due >= first && others.clone().all(apart) && (due == first || others.any(in_the_way))
    }

    /// A fact that is about no run.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the others say nothing of what may come next"
    )]
    fn take_of_none(&mut self, fact: &Fact) {
        match fact {
            Fact::Announced { attempts } => self.announced = attempts.to_vec(),
            Fact::Opened => self.is_open = true,
            Fact::Draining => self.is_open = false,
            // By itself that changes nothing.
            Fact::Leaving => self.leaves += 1,
            _ => {}
        }
    }

    /// What has been seen beside the kinds of facts, and how often.
    pub(crate) fn seen(&self) -> BTreeMap<&'static str, u64> {
        let after = |kind: &str| self.tries.again.get(kind).copied().unwrap_or(0);
        let by = |kind: &str| self.tries.ended.get(kind).copied().unwrap_or(0);
        BTreeMap::from([
            ("told that it stops", self.stopped),
            ("stops for another reason", self.asked_again),
            ("refused beside one like it", self.alone.refused),
            ("in the place of one that ran", self.alone.replaced),
            ("skipped beside one like it", self.alone.skipped),
            ("spread by what it was given", self.wholes.given),
            ("spread into nothing", self.wholes.empty),
            ("released for one of several", self.waits.any),
            ("tried again after exit", after("exit")),
            ("tried again after signal", after("signal")),
            ("tried again after timeout", after("timeout")),
            ("ended by exit", by("exit")),
            ("ended by out_of_memory", by("out_of_memory")),
        ])
    }

    /// Somebody has cancelled a run, and is told that it stops: with all of its parts.
    pub(crate) fn cancel(&mut self, run: RunId) {
        self.stopped += u64::from(self.unwanted.insert(run));
        self.unwanted.extend(self.wholes.parts(run));
    }

    /// An attempt stops for this reason from now on; whether it did so for another one. That may only be because another
    /// attempt was to follow it, and does not.
    fn stops_for(&mut self, run: RunId, reason: StopReason) -> bool {
        let before = self
            .asked
            .insert(run, reason)
            .filter(|before| *before != reason);
        let Some(before) = before else {
            return false;
        };
        let was_to_follow = matches!(before, StopReason::Interrupt | StopReason::Timeout);
        let follows = matches!(reason, StopReason::Interrupt | StopReason::Timeout);
        assert!(
            was_to_follow && !follows,
            "run {run} stops {reason} after {before}"
        );
        self.asked_again += 1;
        true
    }

    /// The daemon goes down.
    pub(crate) const fn crash(&mut self) {
        self.is_open = false;
    }

    pub(crate) fn is_over(&self, run: RunId) -> bool {
        matches!(self.runs.get(&run), Some(Stage::Over | Stage::Succeeded))
    }
}

/// What is run after the task has time of its own.
fn after_the_task(job: &JobSpec) -> Duration {
    let teardown = job.teardown.as_ref();
    teardown.map_or(Duration::ZERO, |_| job.teardown_timeout)
}

/// Whether an attempt of this epoch is in its lane.
fn is_active(stage: Option<Stage>, epoch: u32) -> bool {
    let active = [
        Stage::Running(epoch),
        Stage::Stopping(epoch),
        Stage::Unresponsive(epoch),
    ];
    stage.is_some_and(|stage| active.contains(&stage))
}
