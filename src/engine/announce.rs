//! Attempts that may begin before their own start is on record.
//!
//! Nothing starts that is not on record. Where a long line of short commands waits, each start would wait
//! for the disk, and the disk would commit little at a time. So the log says ahead of time which attempts
//! come next: a start that was announced, with the announcement on disk, need not wait for its own commit.
//! Whoever goes on after a crash finds the announcement, and takes what was announced and has no start on
//! record as begun: that attempt is never made again, the run gets another one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::capacity::{ClassId, Need};
use super::decide::Turn;
use super::fact::Fact;
use super::id::{AttemptId, RunId};
use super::outcome::Interruption;
use super::state::State;
use super::time::Mono;

/// How many of one line are announced, at most: twice what a busy lane starts until a commit comes that nobody
/// is in a hurry for. They are announced anew when half of them are left.
const AHEAD: usize = 64;

/// A line that is shorter gains nothing.
const LINE: usize = 8;

/// Nor does one of which something starts more seldom: a commit takes less.
const PACE: Duration = Duration::from_millis(50);

/// How many are announced in all, at most.
pub(super) const BOUND: usize = 512;

/// What is announced and has not started.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Announced {
    /// By run: the attempt's epoch, and the first record of those that have announced it without a gap.
    runs: BTreeMap<RunId, (u32, u64)>,
    /// Of the classes that started something lately the last two instants at which they did so.
    paces: BTreeMap<ClassId, (Option<Mono>, Mono)>,
}

impl Announced {
    /// Takes in record `number`: these are announced, and no others.
    pub(super) fn announce(&mut self, attempts: &[AttemptId], number: u64) {
        let before = std::mem::take(&mut self.runs);
        let entry = |attempt: &AttemptId| {
            let known = before.get(&attempt.run);
            let known = known.filter(|(epoch, _)| *epoch == attempt.epoch);
            let since = known.map_or(number, |(_, since)| *since);
            (attempt.run, (attempt.epoch, since))
        };
        self.runs = attempts.iter().map(entry).collect();
    }

    /// Something of a class started.
    pub(super) fn started(&mut self, class: ClassId, at: Mono) {
        if self.paces.len() >= BOUND {
            self.paces.retain(|_, (_, last)| at.since(*last) < PACE);
        }
        if self.paces.len() < BOUND || self.paces.contains_key(&class) {
            let pace = self.paces.entry(class).or_insert((None, at));
            if pace.1 != at {
                *pace = (Some(pace.1), at);
            }
        }
    }

    /// Whether something of a class starts at short intervals.
    fn is_fast(&self, class: ClassId) -> bool {
        let pace = self.paces.get(&class);
        pace.is_some_and(|(before, last)| before.is_some_and(|before| last.since(before) < PACE))
    }

    /// Something else became of a run.
    pub(super) fn withdraw(&mut self, run: RunId) {
        if !self.runs.is_empty() {
            self.runs.remove(&run);
        }
    }

    /// The record that an attempt's announcement rests on, if it is announced.
    pub(super) fn since(&self, attempt: AttemptId) -> Option<u64> {
        let (epoch, since) = self.runs.get(&attempt.run)?;
        (*epoch == attempt.epoch).then_some(*since)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.runs.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = AttemptId> + '_ {
        let attempt = |(run, (epoch, _)): (&RunId, &(u32, u64))| AttemptId {
            run: *run,
            epoch: *epoch,
        };
        self.runs.iter().map(attempt)
    }
}

impl State {
    /// What waits for something that was paused does not come next any more.
    pub(super) fn withdraw_paused(&mut self) {
        let mut announced = std::mem::take(&mut self.announced);
        announced.runs.retain(|run, _| {
            // A recovery knows only what is not over.
            let Some(found) = self.runs.get(*run) else {
                return false;
            };
            let class = self.capacities.class(found.class);
            let is_paused = |need: &Need| self.capacities.capacity(need.capacity).paused;
            !class.needs.iter().any(is_paused)
        });
        self.announced = announced;
    }

    /// What is to be announced from here on, if that is to change.
    fn to_announce(&self, class: ClassId) -> Option<Box<[AttemptId]>> {
        if !self.announced.is_fast(class) {
            return None;
        }
        let line = self.capacities.steady_line(class, LINE)?;
        // All of a class are of one job, be it in another version.
        let (_, first) = line.front()?;
        if !self.run(first).job.may_begin_unrecorded() {
            return None;
        }
        let next = |run: RunId| {
            let found = self.run(run);
            let epoch = found.next_epoch();
            let attempt = AttemptId { run, epoch };
            found.job.may_begin_unrecorded().then_some(attempt)
        };
        let is_announced = |attempt: AttemptId| self.announced.since(attempt).is_some();
        // Those between them were announced with the last one, but for what has come into the line since.
        let half = line.len().min(AHEAD) / 2;
        let soon = [0, half - 1].map(|at| line.iter().nth(at));
        let mut soon = soon.into_iter().flatten().filter_map(|(_, run)| next(run));
        if soon.all(is_announced) || self.announced.len() + AHEAD > BOUND {
            return None;
        }
        let ahead = line.iter().take(AHEAD).filter_map(|(_, run)| next(run));
        let ahead = ahead.filter(|attempt| !is_announced(*attempt));
        Some(self.announced.iter().chain(ahead).collect())
    }
}

impl Turn<'_> {
    /// Announces what comes next in the line of a class that something has just started of.
    pub(super) fn announce(&mut self, class: ClassId) {
        if let Some(attempts) = self.state.to_announce(class) {
            self.record(Fact::Announced { attempts });
        }
    }

    /// From here on nothing starts that was announced.
    pub(super) fn withdraw_all(&mut self) {
        if !self.state.announced.is_empty() {
            let attempts = Box::default();
            self.record(Fact::Announced { attempts });
        }
    }

    /// After a crash: what was announced may have begun.
    pub(super) fn settle_announced(&mut self) {
        let announced: Vec<AttemptId> = self.state.announced.iter().collect();
        for AttemptId { run, epoch } in announced {
            let found = self.state.runs.get(run);
            let next = found.filter(|found| found.is_next(epoch));
            if let Some(job) = next.map(|found| Arc::clone(&found.job)) {
                let cause = Interruption::Unsure;
                self.record(Fact::Interrupted {
                    run,
                    job,
                    epoch,
                    cause,
                    due: None,
                });
            }
        }
        self.withdraw_all();
    }
}
