//! The simulated lanes: attempts that end some time, well or badly, and whose ends travel at their own
//! speed, so that they overtake each other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use twolane::engine::action::StartOrder;
use twolane::engine::id::AttemptId;
use twolane::engine::outcome::{End, Failure, Measures, Outcome};
use twolane::engine::spec::{JobSpec, Lane};
use twolane::engine::time::{Mono, Now, Wall};

use crate::definitions::lane_size;
use crate::random::Random;
use crate::swarm::Swarm;

/// What executes, and the ends that are on their way.
#[derive(Default)]
pub(crate) struct Lanes {
    executing: BTreeMap<AttemptId, Work>,
    /// Ends by the time when they arrive.
    arriving: BTreeMap<(u64, AttemptId), End>,
    /// Beginnings by the time when they arrive.
    begun: BTreeSet<(u64, AttemptId)>,
    /// Attempts that the lanes were told to replace, of those that execute.
    replaced: BTreeSet<AttemptId>,
}

struct Work {
    lane: Lane,
    begins_at: u64,
    ends_at: u64,
    outcome: Outcome,
    /// Why what is run after it fails, however it went.
    teardown: Option<Failure>,
    stop: Stop,
}

/// What an attempt has done when it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Did {
    ItsWork,
    NotAll,
    /// There was no room for it: it has not even begun.
    Nothing,
}

/// The time of what does not come.
const NEVER: u64 = u64::MAX;

/// What an attempt does when it is asked to stop.
enum Stop {
    Obeys,
    /// It does not look at its cancel token.
    GoesOn,
    /// It never leaves.
    Stays,
}

impl Lanes {
    pub(crate) fn start(
        &mut self,
        order: &StartOrder,
        now: u64,
        random: &mut Random,
        swarm: &Swarm,
    ) {
        let no_room = order.job.begins_in_lane() && random.chance(swarm.no_room);
        let outcome = if no_room {
            Outcome::NoRoom("no process is to be had".into())
        } else if random.chance(swarm.fail) {
            Outcome::Failed(failure(&order.job, random))
        } else {
            Outcome::Succeeded(Arc::new(Value::from(order.attempt.run.0)))
        };
        let has_teardown = order.job.teardown.is_some() && !no_room;
        let mut begins_at = now;
        if order.tells_beginning() && !no_room {
            begins_at += random.below(3_000);
            let arrives = begins_at + random.below(300);
            self.begun.insert((arrives, order.attempt));
        }
        let work = Work {
            lane: order.job.lane,
            begins_at,
            ends_at: begins_at + 1 + random.below(4_000),
            outcome,
            teardown: (has_teardown && random.chance(30)).then_some(Failure::Exit(2)),
            stop: match random.below(100) {
                drawn if drawn < swarm.stay => Stop::Stays,
                drawn if drawn < swarm.stay + 15 => Stop::GoesOn,
                _ => Stop::Obeys,
            },
        };
        let before = self.executing.insert(order.attempt, work);
        assert!(
            before.is_none(),
            "attempt {} is started once",
            order.attempt
        );
        let lane = order.job.lane;
        let here = self.executing.iter().filter(|(_, work)| work.lane == lane);
        let (replaced, others): (Vec<_>, Vec<_>) =
            here.partition(|(attempt, _)| self.replaced.contains(attempt));
        let (replaced, size) = (replaced.len(), lane_size(lane));
        assert!(
            replaced + others.len() <= size + replaced.min(size),
            "the {lane} lane has room for {size}: {replaced} replaced, {} others",
            others.len()
        );
    }

    /// Another attempt is to have the place of this one.
    pub(crate) fn replace(&mut self, attempt: AttemptId) {
        if self.executing.contains_key(&attempt) {
            self.replaced.insert(attempt);
        }
    }

    /// What never left does so.
    pub(crate) fn let_go(&mut self, now: u64) {
        for work in self.executing.values_mut() {
            work.ends_at = work.ends_at.min(now + 1);
        }
    }

    pub(crate) fn stop(&mut self, attempt: AttemptId, now: u64) {
        let Some(work) = self.executing.get_mut(&attempt) else {
            return;
        };
        match work.stop {
            Stop::Obeys => {
                work.ends_at = work.ends_at.min(now + 1);
                if !matches!(work.outcome, Outcome::NoRoom(_)) {
                    work.outcome = Outcome::Stopped;
                }
            }
            Stop::GoesOn => {}
            Stop::Stays => work.ends_at = NEVER,
        }
    }

    /// Attempts whose time has come leave their lane: each one's number and what it has done.
    pub(crate) fn leave(&mut self, now: u64, random: &mut Random) -> Vec<(AttemptId, Did)> {
        let over: Vec<AttemptId> = self
            .executing
            .iter()
            .filter(|(_, work)| work.ends_at <= now)
            .map(|(attempt, _)| *attempt)
            .collect();
        let mut left = Vec::new();
        for attempt in over {
            let work = self.executing.remove(&attempt).unwrap();
            self.replaced.remove(&attempt);
            let did = match work.outcome {
                Outcome::Succeeded(_) => Did::ItsWork,
                Outcome::Failed(_) | Outcome::Stopped => Did::NotAll,
                Outcome::NoRoom(_) => Did::Nothing,
            };
            left.push((attempt, did));
            let end = End {
                words: words(&work.outcome, random),
                outcome: work.outcome,
                teardown: work.teardown,
                measures: measures(random),
            };
            self.arriving
                .insert((now + random.below(500), attempt), end);
        }
        left
    }

    /// The next end that has arrived.
    pub(crate) fn arrived(&mut self, now: u64) -> Option<(AttemptId, End)> {
        let entry = self.arriving.first_entry()?;
        let (at, attempt) = *entry.key();
        (at <= now).then(|| (attempt, entry.remove()))
    }

    /// The next beginning that has arrived.
    pub(crate) fn begun(&mut self, now: u64) -> Option<AttemptId> {
        let (at, attempt) = *self.begun.first()?;
        (at <= now && self.begun.remove(&(at, attempt))).then_some(attempt)
    }

    /// When something happens next.
    pub(crate) fn next(&self) -> Option<u64> {
        let ends = self.executing.values().map(|work| work.ends_at);
        let ends = ends.filter(|at| *at != NEVER).min();
        let arrives = self.arriving.keys().map(|(at, _)| *at).next();
        let begins = self.begun.first().map(|(at, _)| *at);
        ends.into_iter().chain(arrives).chain(begins).min()
    }

    /// What waits in its lane still.
    pub(crate) fn unbegun(&self, now: u64) -> impl Iterator<Item = AttemptId> + '_ {
        let waits = self
            .executing
            .iter()
            .filter(move |(_, work)| work.begins_at > now);
        waits.map(|(attempt, _)| *attempt)
    }

    pub(crate) fn executing(&self) -> impl Iterator<Item = AttemptId> + '_ {
        self.executing.keys().copied()
    }

    /// The daemon goes down, and everything in it. What had been on its way may still turn up later, as
    /// something from before.
    pub(crate) fn crash(&mut self) -> Vec<(AttemptId, End)> {
        self.executing.clear();
        self.begun.clear();
        self.replaced.clear();
        std::mem::take(&mut self.arriving)
            .into_iter()
            .map(|((_, attempt), end)| (attempt, end))
            .collect()
    }
}

/// Why an attempt fails: where it has a process, also as processes do.
fn failure(job: &JobSpec, random: &mut Random) -> Failure {
    let kinds = if job.begins_in_lane() { 7 } else { 2 };
    match random.below(kinds) {
        0 => Failure::Error("no luck".into()),
        1 => Failure::Panic("oh".into()),
        2 => Failure::Exit(1),
        3 => Failure::Exit(75),
        4 => Failure::Signal(9),
        5 => Failure::OutOfMemory { own: true },
        _ => Failure::OutOfMemory { own: false },
    }
}

/// What a command says last.
fn words(outcome: &Outcome, random: &mut Random) -> Option<Arc<str>> {
    let exited = matches!(outcome, Outcome::Failed(Failure::Exit(_)));
    (exited && random.chance(50)).then(|| "no such thing".into())
}

/// Of attempts that wait, that compute, and that keep a thread.
fn measures(random: &mut Random) -> Measures {
    let ended = Now {
        wall: Wall(1_000_000),
        mono: Mono(1_000_000_000),
    };
    let share = Duration::from_millis(random.of(&[0, 0, 0, 300, 700, 1_000]));
    let held = random.chance(30).then_some(share);
    let cpu = Some(if held.is_some() {
        Duration::ZERO
    } else {
        share
    });
    Measures {
        ended,
        cpu,
        held,
        ..Measures::default()
    }
}
