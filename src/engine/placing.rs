//! Which lane a job belongs in, by what was measured of its attempts: what computes, or keeps a thread from
//! others, belongs in the cpu lane, and what waits in the io lane. Jobs with `lane = "auto"` go there; of the
//! others it is told once.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::capacity::{Capacities, CapacityName, Class, ClassId};
use super::decide::Turn;
use super::fact::Fact;
use super::id::RunId;
use super::line::Entry;
use super::outcome::Measures;
use super::run::Run;
use super::spec::{Definitions, JobSpec, Lane, Name, Priority};
use super::state::State;

/// So many attempts in a row have to say the same: one may have had a bad day, and a job that is now this
/// and now that stays where it is.
const VOTES: u32 = 3;

/// An attempt that was busy for so long is as good as all of them.
const LONG: Duration = Duration::from_secs(1);

/// What is over sooner harms nobody, and is measured too coarsely to say anything.
pub const SHORT: Duration = Duration::from_millis(10);

/// It computes if it is busy for at least one part in so many of its time...
const COMPUTES: u32 = 2;

/// ...and it waits if it is busy for less than one in so many. In between it is well where it is, and so a
/// job that has been moved is not moved back for a little less of the same.
const WAITS: u32 = 10;

/// What was measured of the attempt that made it plain where its job belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Its run.
    pub run: RunId,
    /// Where it was.
    pub lane: Lane,
    /// Where it belongs.
    pub fits: Lane,
    /// How long it took, without the time in which it waited for a processor.
    pub took: Duration,
    /// For how much of that it computed, or kept a thread from others.
    pub busy: Duration,
    /// Whether the job goes there; otherwise it is only told.
    pub moves: bool,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            run, lane, fits, ..
        } = self;
        let seconds = |duration: Duration| duration.as_secs_f64();
        let (busy, took) = (seconds(self.busy), seconds(self.took));
        let does = match fits {
            Lane::Cpu => "computes, or keeps a thread from others",
            Lane::Io => "waits",
        };
        write!(
            f,
            "it {does}, and is on the {lane} lane: run {run} was busy for {busy:.3} s of {took:.3} s"
        )?;
        if self.moves {
            write!(
                f,
                "; as it has `lane = \"auto\"`, it goes to the {fits} lane"
            )
        } else {
            write!(
                f,
                ". hint: write `lane = \"{fits}\"`, or `lane = \"auto\"`, in the job"
            )
        }
    }
}

/// What attempts have said so far, by job. Only jobs that are defined, and that some attempt says are in
/// the wrong lane, or that were moved.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Placing {
    jobs: BTreeMap<Name, Found>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Found {
    /// How many attempts in a row have said that it is in the wrong lane.
    votes: u32,
    /// What was found last.
    finding: Option<Finding>,
}

impl Placing {
    /// What was found out of a job.
    pub(super) fn finding(&self, job: &str) -> Option<Finding> {
        self.jobs.get(job)?.finding
    }

    /// The lane that a job was moved to.
    pub(super) fn lane_of(&self, job: &str) -> Option<Lane> {
        let finding = self.finding(job).filter(|finding| finding.moves);
        finding.map(|finding| finding.fits)
    }

    /// A job as it is defined, in the lane that it was moved to.
    fn placed(&self, job: &Arc<JobSpec>) -> Arc<JobSpec> {
        match self.lane_of(&job.name) {
            Some(lane) if job.auto && lane != job.lane => Arc::new(job.in_lane(lane)),
            Some(_) | None => Arc::clone(job),
        }
    }

    /// An attempt has left its lane.
    fn weigh(&mut self, job: &JobSpec, measures: &Measures) {
        let Some((lane, weight)) = vote(measures) else {
            return;
        };
        if lane == job.lane {
            // The common case, mostly without any entry.
            if let Some(found) = self.jobs.get_mut(&job.name) {
                found.votes = 0;
                if found.finding.is_none() {
                    self.jobs.remove(&job.name);
                }
            }
            return;
        }
        // A job that somebody has put into the cpu lane may have its reasons, such as a pool.
        let counts = if job.auto {
            self.lane_of(&job.name).is_none_or(|own| own == job.lane)
        } else {
            lane == Lane::Cpu && self.finding(&job.name).is_none()
        };
        if counts {
            let found = self.jobs.entry(Name::clone(&job.name)).or_default();
            found.votes = found.votes.saturating_add(weight);
        }
    }

    /// What an attempt that was weighed has made plain.
    fn verdict(&self, job: &JobSpec, run: RunId, measures: &Measures) -> Option<Finding> {
        let votes = self.jobs.get(&job.name)?.votes;
        let (fits, _) = vote(measures)?;
        let plain = votes >= VOTES && fits != job.lane;
        plain.then(|| Finding {
            run,
            lane: job.lane,
            fits,
            took: took(measures),
            busy: busy(measures).unwrap_or_default(),
            moves: job.auto,
        })
    }

    fn found(&mut self, job: &Name, finding: Finding) {
        let found = self.jobs.entry(Name::clone(job)).or_default();
        found.votes = 0;
        found.finding = Some(finding);
    }

    /// What was found of a job counts no more.
    pub(super) fn forget(&mut self, job: &Name) {
        self.jobs.remove(job);
    }

    /// Lets go of what attempts of jobs have said that are no more.
    fn keep(&mut self, definitions: &Definitions) {
        self.jobs
            .retain(|name, found| found.finding.is_some() || definitions.jobs.contains_key(name));
    }

    /// The jobs of which something was found that counts no more with these definitions: they are no more, or
    /// now say otherwise.
    fn outdated(&self, definitions: &Definitions) -> Vec<Name> {
        let found = self.jobs.iter();
        let found = found.filter_map(|(name, found)| Some((name, found.finding?)));
        let outdated = found.filter(|(name, finding)| {
            let job = definitions.jobs.get(*name);
            !job.is_some_and(|job| {
                if finding.moves {
                    job.auto
                } else {
                    !job.auto && job.lane == finding.lane
                }
            })
        });
        outdated.map(|(name, _)| Name::clone(name)).collect()
    }
}

/// Where the measures of an attempt say that it belongs, and how much that counts; `None` where they do not
/// say anything.
fn vote(measures: &Measures) -> Option<(Lane, u32)> {
    let (busy, took) = (busy(measures)?, took(measures));
    if busy >= SHORT && busy.saturating_mul(COMPUTES) >= took {
        let weight = if busy >= LONG { VOTES } else { 1 };
        Some((Lane::Cpu, weight))
    } else {
        let waits = took >= SHORT && busy.saturating_mul(WAITS) < took;
        waits.then_some((Lane::Io, 1))
    }
}

/// For how long it had the machine: where others computed while it could have, its time does not count.
fn took(measures: &Measures) -> Duration {
    let whole = measures.took();
    let had = whole.saturating_sub(measures.delayed.unwrap_or_default());
    // What waited in line with several threads has waited for longer than it took.
    had.max(busy(measures).unwrap_or_default().min(whole))
}

fn busy(measures: &Measures) -> Option<Duration> {
    measures.cpu.max(measures.held)
}

impl State {
    /// An attempt of `job` has left its lane. Of jobs that come along with their submission nothing is
    /// learned: there is no end of their names.
    pub(super) fn weigh(&mut self, job: &JobSpec, measures: &Measures) {
        if self.jobs.get(&job.name).is_some() {
            self.placing.weigh(job, measures);
        }
    }

    /// Takes in what was found out of a job: where it is moved, all of its runs that wait in line go too.
    pub(super) fn misplaced(&mut self, name: &Name, finding: Finding) {
        self.placing.found(name, finding);
        if !finding.moves {
            return;
        }
        let waiting: Vec<ClassId> = self.capacities.classes_of(name).collect();
        if let Some((job, _)) = self.jobs.get(name) {
            let job = self.in_lane(job, finding.fits);
            let class = self.capacities.class_of(&job);
            self.jobs.insert(Name::clone(name), (job, class));
        }
        for class in waiting {
            self.move_waiting(class, finding.fits);
            self.let_go(class, name);
        }
    }

    /// Moves the runs that wait in the lines of a class to another lane.
    fn move_waiting(&mut self, class: ClassId, lane: Lane) {
        let moves = |run: &Run| run.job.auto && run.job.lane != lane;
        let entries: Vec<_> = self
            .capacities
            .class(class)
            .entries()
            .filter(|(_, _, run)| moves(self.run(*run)))
            .collect();
        // They have the same definition, mostly, and then they share the new one as well.
        let mut last: Option<(Arc<JobSpec>, Arc<JobSpec>)> = None;
        let mut to = class;
        for (_, _, id) in &entries {
            let old = Arc::clone(&self.run(*id).job);
            let job = match &last {
                Some((before, job)) if Arc::ptr_eq(before, &old) => Arc::clone(job),
                Some(_) | None => self.in_lane(&old, lane),
            };
            to = self.relane(*id, &job);
            last = Some((old, job));
        }
        self.capacities.transfer(entries, class, to);
    }

    /// A job in another lane; the defined one, if it is that.
    pub(super) fn in_lane(&self, job: &JobSpec, lane: Lane) -> Arc<JobSpec> {
        let job = job.in_lane(lane);
        match self.jobs.get(&job.name) {
            Some((defined, _)) if **defined == job => Arc::clone(defined),
            Some(_) | None => Arc::new(job),
        }
    }

    /// Puts an unfinished run under a job that differs in its lane, and gives its class. Where it stands in
    /// line, that is left to the caller, and so is the class that it leaves.
    pub(super) fn relane(&mut self, id: RunId, job: &Arc<JobSpec>) -> ClassId {
        let class = self.class_of(job);
        let run = self.run_mut(id);
        run.job = Arc::clone(job);
        let before = std::mem::replace(&mut run.class, class);
        self.capacities.class_mut(before).runs -= 1;
        class
    }

    /// Puts a run that stands nowhere into another lane, if it is to go there. Gives its class.
    pub(super) fn settle(&mut self, id: RunId, class: ClassId, lane: Lane) -> ClassId {
        let job = &self.run(id).job;
        if job.lane == lane {
            return class;
        }
        let job = self.in_lane(job, lane);
        let to = self.relane(id, &job);
        self.let_go(class, &job.name);
        to
    }

    /// Puts the definitions in force, each job in the lane that it was moved to.
    pub(super) fn place_jobs(&mut self, definitions: &Definitions) {
        self.placing.keep(definitions);
        let jobs = definitions.jobs.iter().map(|(name, job)| {
            let job = self.placing.placed(job);
            let class = self.capacities.class_of(&job);
            (Arc::clone(name), (job, class))
        });
        self.jobs = jobs.collect();
    }
}

impl Capacities {
    /// The classes of the runs of a job.
    fn classes_of(&self, job: &Name) -> impl Iterator<Item = ClassId> {
        let own = CapacityName::Job(Name::clone(job));
        let needs = move |class: &Class| {
            let mut needs = class.needs.iter();
            needs.any(|need| self.capacity(need.capacity).name == own)
        };
        let classes = self.iter_classes();
        classes.filter_map(move |(id, class)| needs(class).then_some(id))
    }

    /// Moves runs from their lines to those of another class.
    fn transfer(&mut self, entries: Vec<(Priority, Entry, RunId)>, from: ClassId, to: ClassId) {
        for (priority, Entry { ticket, since, .. }, run) in entries {
            let lines = &mut self.class_mut(from).lines;
            if let Some(line) = lines.get_mut(&priority) {
                line.remove(ticket);
                if line.len() == 0 {
                    lines.remove(&priority);
                }
            }
            let lines = &mut self.class_mut(to).lines;
            lines.entry(priority).or_default().push(ticket, since, run);
        }
        self.order(from);
        self.order(to);
    }
}

impl Turn<'_> {
    /// These definitions are about to be put in force. On record, since what was found stands there, too.
    pub(super) fn reconsider(&mut self, definitions: &Definitions) {
        for job in self.state.placing.outdated(definitions) {
            self.record(Fact::Reconsidered { job });
        }
    }

    /// Tells of a job that the attempt which has just ended has made plain to be in the wrong lane.
    pub(super) fn judge(&mut self, job: &JobSpec, run: RunId, measures: &Measures) {
        if let Some(finding) = self.state.placing.verdict(job, run, measures) {
            let job = Name::clone(&job.name);
            self.record(Fact::Misplaced { job, finding });
        }
    }
}
