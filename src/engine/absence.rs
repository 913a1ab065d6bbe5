//! Jobs of which a success is expected in a time (`expect_within`): when each was last heard of, and what follows
//! when that is too long ago. Changed only as facts are taken in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::decide::Turn;
use super::fact::Fact;
use super::flow::Ties;
use super::spec::{Definitions, JobSpec, Name};
use super::time::{Mono, Now, Wall};

/// What is known of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    /// From here its time counts.
    pub(super) since: Now,
    /// It has been told that nothing came in time.
    pub(super) is_absent: bool,
    /// Where it stands in the table of what comes next.
    deadline: Option<Mono>,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Absences {
    heard: BTreeMap<Name, Heard>,
    next: BTreeSet<(Mono, Name)>,
}

impl Absences {
    /// Takes in definitions. Jobs of which nothing is expected any more are forgotten; those with a longer time
    /// than before may be in time again.
    pub(super) fn configure(&mut self, definitions: &Definitions, at: Mono) {
        self.next.clear();
        self.heard.retain(|name, heard| {
            let Some(within) = expected(definitions, name) else {
                return false;
            };
            heard.is_absent &= heard.since.mono.plus(within) <= at;
            heard.deadline = None;
            true
        });
        let names: Vec<Name> = self.heard.keys().cloned().collect();
        for name in names {
            self.plan(&name, definitions);
        }
    }

    /// Takes in that a job was heard of at `since`, or that nothing was heard of it from there on in its time.
    pub(super) fn heard(
        &mut self,
        job: &Name,
        since: Now,
        is_absent: bool,
        definitions: &Definitions,
    ) {
        let heard = self.heard.entry(Name::clone(job)).or_insert(Heard {
            since,
            is_absent,
            deadline: None,
        });
        (heard.since, heard.is_absent) = (since, is_absent);
        self.plan(job, definitions);
    }

    /// Puts a job where it belongs in the table of what comes next.
    fn plan(&mut self, job: &Name, definitions: &Definitions) {
        let Some(heard) = self.heard.get_mut(job) else {
            return;
        };
        let within = expected(definitions, job).filter(|_| !heard.is_absent);
        let deadline = within.map(|within| heard.since.mono.plus(within));
        if let Some(old) = std::mem::replace(&mut heard.deadline, deadline) {
            self.next.remove(&(old, Name::clone(job)));
        }
        if let Some(deadline) = deadline {
            self.next.insert((deadline, Name::clone(job)));
        }
    }

    /// Whose time is over next, and when.
    pub(super) fn first(&self) -> Option<(Mono, &Name)> {
        self.next.first().map(|(at, job)| (*at, job))
    }

    /// What is known of a job.
    pub(super) fn of_job(&self, job: &Name) -> Option<&Heard> {
        self.heard.get(job)
    }

    /// How many jobs are absent.
    pub(super) fn count(&self) -> usize {
        self.heard.values().filter(|heard| heard.is_absent).count()
    }

    /// Whether each job that is waited for stands in the table, and nothing else does; otherwise what is wrong.
    pub(super) fn fault(&self, definitions: &Definitions) -> Option<String> {
        let expected = self.heard.iter().filter_map(|(job, heard)| {
            let within = expected(definitions, job).filter(|_| !heard.is_absent)?;
            Some((heard.since.mono.plus(within), Name::clone(job)))
        });
        let expected: BTreeSet<(Mono, Name)> = expected.collect();
        (expected != self.next).then(|| {
            format!(
                "successes are expected at {expected:?}, and the table has {:?}",
                self.next
            )
        })
    }
}

/// In what time a job has to succeed.
fn expected(definitions: &Definitions, job: &Name) -> Option<Duration> {
    definitions.jobs.get(job)?.expect_within
}

impl Turn<'_> {
    /// Tells of each job whose time is over. Each is told of once, so this ends.
    pub(super) fn raise_absences(&mut self) {
        while let Some((at, job)) = self.state.absences.first()
            && at <= self.now.mono
            && !self.state.draining
            && !self.held
        {
            let Some((job, _)) = self.state.jobs.get(job) else {
                return;
            };
            let job = Arc::clone(job);
            let Some(heard) = self.state.absences.of_job(&job.name) else {
                return;
            };
            let since = heard.since;
            let within = job.expect_within.unwrap_or_default();
            self.record(Fact::Absent {
                job: Name::clone(&job.name),
                since,
                within,
            });
            self.hook_absent(&job, since.wall, within);
        }
    }

    /// A run of a job has succeeded.
    pub(super) fn succeeded(&mut self, job: &Name) {
        let known = self.state.jobs.get(job);
        if known.is_some_and(|(job, _)| job.expect_within.is_some()) {
            let heard = self.state.absences.of_job(job);
            let again = heard.is_some_and(|heard| heard.is_absent);
            let job = Name::clone(job);
            self.record(Fact::Heard { job, again });
        }
    }

    /// Lets the time of jobs of which nothing was expected before count from here.
    pub(super) fn expect_new(&mut self) {
        let is_new = |name: &&Name| self.state.absences.of_job(name).is_none();
        let jobs = self.state.jobs_in_order();
        let expected = jobs.filter(|(_, (job, _))| job.expect_within.is_some());
        let new: Vec<Name> = expected
            .map(|(name, _)| name)
            .filter(is_new)
            .cloned()
            .collect();
        for job in new {
            self.record(Fact::Heard { job, again: false });
        }
    }

    /// Runs the job that is to be run when nothing came in time, in the same breath.
    fn hook_absent(&mut self, job: &JobSpec, since: Wall, within: Duration) {
        let told = || {
            [
                ("job", json!(&*job.name)),
                // It is about none.
                ("run", json!(0)),
                ("state", json!("absent")),
                ("error", json!(absent(since, within))),
                ("error_kind", json!("absent")),
                ("result", json!(null)),
            ]
        };
        self.run_hook(job.on_absent.as_ref(), Ties::default(), told);
    }
}

/// What is said of a job that is absent.
#[must_use]
pub fn absent(since: Wall, within: Duration) -> String {
    let within = jiff::SignedDuration::try_from(within).unwrap_or_default();
    let since = super::schedule::spec::Moment(since);
    format!("no success within {within:#} since {since}")
}
