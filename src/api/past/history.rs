//! How the newest runs of each job went.

use serde::Deserialize;

use super::super::{view, wire};
use super::{PastError, moment, was_decided, within};
use crate::engine::StateKind;
use crate::engine::time::Wall;
use crate::store::{Reader, RunFilter, Story};

/// Runs of one job that are looked at, where nobody says how many, and the most.
const LAST: (usize, usize) = (1_000, 10_000);

/// Runs that are looked at in all where no job is named: each job gets the same share of them.
const IN_ALL: usize = 10_000;

/// Jobs that are looked at.
const JOBS: usize = 500;

/// Runs that are shown: of one job, of each of several.
const SHOWN: (usize, usize) = (10, 1);

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryQuery {
    /// Of this job only.
    pub job: Option<String>,
    /// The newest so many runs of each.
    pub last: Option<usize>,
    /// Those only that were accepted since then, in RFC 3339.
    pub since: Option<wire::Moment>,
}

/// How the newest runs of each job went.
///
/// # Errors
/// If the question is wrong, or the store cannot be read.
pub fn history(reader: &Reader, query: &HistoryQuery) -> Result<wire::History, PastError> {
    let last = within("last", query.last, LAST.0, LAST.1)?;
    let since = moment("since", query.since.as_deref(), Wall(i64::MIN))?;
    if let Some(job) = &query.job {
        let told = of_job(reader, job, last, since, SHOWN.0)?;
        let jobs = if told.looked_at == 0 {
            vec![]
        } else {
            vec![told]
        };
        return Ok(wire::History { jobs, more: false });
    }
    let mut names = reader.job_names(None, JOBS + 1)?;
    let more = names.len() > JOBS;
    names.truncate(JOBS);
    let share = last.min(IN_ALL / names.len().max(1));
    let jobs = names
        .iter()
        .map(|job| of_job(reader, job, share, since, SHOWN.1));
    let mut jobs = jobs.collect::<Result<Vec<_>, _>>()?;
    jobs.retain(|job| job.looked_at > 0);
    Ok(wire::History { jobs, more })
}

/// What adds up over the runs of a job.
#[derive(Default)]
struct Sums {
    looked_at: u64,
    oldest: Option<Wall>,
    states: Vec<StateKind>,
    failures: std::collections::BTreeMap<String, u64>,
    further_attempts: u64,
    runs: Vec<f64>,
    waits: Vec<f64>,
    last: Vec<wire::Run>,
}

fn of_job(
    reader: &Reader,
    job: &str,
    last: usize,
    since: Wall,
    shown: usize,
) -> Result<wire::JobHistory, PastError> {
    let filter = RunFilter {
        job: Some(job.to_owned()),
        ..RunFilter::default()
    };
    let mut sums = Sums::default();
    let mut more = false;
    // One more than is looked at tells whether there is more.
    reader.each_run(&filter, last + 1, |story| {
        more = sums.looked_at == last as u64;
        let wanted = story.accepted >= since && !more;
        if wanted {
            sums.add(&story, shown);
        }
        wanted
    })?;
    Ok(sums.told(job, more))
}

impl Sums {
    fn add(&mut self, story: &Story, shown: usize) {
        let run = view::run(story);
        self.looked_at += 1;
        self.oldest = Some(story.accepted);
        self.states.push(story.state);
        if let Some(failure) = &run.failure {
            *self.failures.entry(failure.clone()).or_default() += 1;
        }
        self.further_attempts += story.attempts.len().saturating_sub(1) as u64;
        self.runs.extend(run.run_seconds);
        self.waits.extend(wait(story));
        if self.last.len() < shown {
            self.last.push(run);
        }
    }

    fn told(self, job: &str, more: bool) -> wire::JobHistory {
        let mut states = std::collections::BTreeMap::new();
        for state in &self.states {
            *states.entry(state.as_str().to_owned()).or_default() += 1;
        }
        let decided = self
            .states
            .iter()
            .filter(|state| was_decided(**state))
            .count();
        let succeeded = self
            .states
            .iter()
            .filter(|state| **state == StateKind::Succeeded);
        #[expect(
            clippy::cast_precision_loss,
            reason = "at most ten thousand runs are looked at"
        )]
        let rate = succeeded.count() as f64 / decided as f64;
        wire::JobHistory {
            job: job.to_owned(),
            looked_at: self.looked_at,
            more,
            since: self.oldest.map(view::moment),
            states,
            failures: self.failures,
            success_rate: (decided > 0).then_some(rate),
            further_attempts: self.further_attempts,
            run_seconds: spread(self.runs),
            wait_seconds: spread(self.waits),
            last: self.last,
        }
    }
}

/// From when a run could start, as far as it and not the machine is concerned, until its first attempt began.
fn wait(story: &Story) -> Option<f64> {
    let accepted = story.facts.first()?.at.mono;
    let from = story.due.map_or(accepted, |due| due.max(accepted));
    let first = story.attempts.first()?;
    Some(first.begun().since(from).as_secs_f64())
}

/// How numbers are spread; nothing where there are none.
fn spread(mut numbers: Vec<f64>) -> Option<wire::Spread> {
    numbers.sort_unstable_by(f64::total_cmp);
    let max = *numbers.last()?;
    // The smallest number that so many of a hundred do not exceed.
    let rank = |percent: usize| {
        let place = (numbers.len() * percent).div_ceil(100).max(1) - 1;
        numbers.get(place).copied().unwrap_or(max)
    };
    Some(wire::Spread {
        p50: rank(50),
        p95: rank(95),
        max,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_made_of_numbers_that_were_there() {
        let up_to = |n: u32| (1..=n).map(f64::from).rev().collect::<Vec<_>>();
        let cases = [
            (up_to(1), (1.0, 1.0, 1.0)),
            (up_to(2), (1.0, 2.0, 2.0)),
            (up_to(20), (10.0, 19.0, 20.0)),
            (up_to(100), (50.0, 95.0, 100.0)),
            (up_to(101), (51.0, 96.0, 101.0)),
        ];
        assert_eq!(spread(Vec::new()), None);
        for (numbers, (p50, p95, max)) in cases {
            let expected = wire::Spread { p50, p95, max };
            assert_eq!(spread(numbers.clone()), Some(expected), "{numbers:?}");
        }
    }
}
