//! What is counted while the daemon runs, for its metrics: attempts and runs by the facts about them, and how
//! long the loop and the log of facts take. Counting waits for nothing. Knows no clock, no HTTP and no name of
//! a file.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::text::encode_registry;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::engine::fact::{Fact, FinalState, Record};
use crate::engine::id::RunId;
use crate::engine::outcome::{End, Failure, Interruption};
use crate::engine::spec::{Definitions, Lane, Name};
use crate::engine::time::Mono;

/// Jobs that are counted by name; all others, and jobs that come along with a submission, count as
/// [`OTHER`], so that a metric has a bounded number of series.
pub const JOBS_BOUND: usize = 100;

/// The label of jobs that are not counted by name.
pub const OTHER: &str = "other";

/// Runs whose acceptance is remembered until they start.
const WAITING_BOUND: usize = 1 << 20;

/// For waits and runs: a millisecond to a day.
const LONG: [f64; 14] = [
    0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0,
];

/// For what the daemon itself does: ten microseconds to ten seconds.
const SHORT: [f64; 12] = [
    0.000_01, 0.000_05, 0.000_25, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 10.0,
];

type Labels<const N: usize> = [(&'static str, String); N];
type Of<const N: usize, M> = Family<Labels<N>, M>;
type Spread = Family<Labels<1>, Histogram, fn() -> Histogram>;
type Seconds = Counter<f64, std::sync::atomic::AtomicU64>;

/// All that is counted. Clones count together.
#[derive(Clone)]
pub struct Meters {
    registry: Arc<Registry>,
    accepted: Counter,
    started: Of<1, Counter>,
    ended: Of<2, Counter>,
    failures: Of<1, Counter>,
    interruptions: Of<1, Counter>,
    retries: Of<1, Counter>,
    coalesced: Counter,
    absences: Of<1, Counter>,
    waits: Spread,
    runs: Spread,
    job_runs: Of<1, Seconds>,
    cpu: Of<1, Seconds>,
    turns: Histogram,
    commits: Histogram,
}

impl fmt::Debug for Meters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meters").finish_non_exhaustive()
    }
}

impl Default for Meters {
    fn default() -> Self {
        Self::new()
    }
}

fn long() -> Histogram {
    Histogram::new(LONG)
}

impl Meters {
    /// All at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut meters = Self {
            registry: Arc::default(),
            accepted: Counter::default(),
            started: Family::default(),
            ended: Family::default(),
            failures: Family::default(),
            interruptions: Family::default(),
            retries: Family::default(),
            coalesced: Counter::default(),
            absences: Family::default(),
            waits: Family::new_with_constructor(long as fn() -> Histogram),
            runs: Family::new_with_constructor(long as fn() -> Histogram),
            job_runs: Family::default(),
            cpu: Family::default(),
            turns: Histogram::new(SHORT),
            commits: Histogram::new(SHORT),
        };
        meters.registry = Arc::new(meters.registered());
        meters
    }

    fn registered(&self) -> Registry {
        let mut all = Registry::with_prefix("twolane");
        self.register_counts(&mut all);
        self.register_times(&mut all);
        all
    }

    fn register_counts(&self, all: &mut Registry) {
        all.register(
            "runs_accepted",
            "Runs that were accepted",
            self.accepted.clone(),
        );
        all.register(
            "attempts_started",
            "Attempts that went to their lane",
            self.started.clone(),
        );
        all.register(
            "runs_ended",
            "Runs that are over, by job and by what became of them",
            self.ended.clone(),
        );
        all.register(
            "failures",
            "Runs that failed, by reason",
            self.failures.clone(),
        );
        all.register(
            "interruptions",
            "Attempts that were cut short through no fault of their own, by cause",
            self.interruptions.clone(),
        );
        all.register(
            "retries",
            "Runs that are tried once more: by the rule of their job, or on request",
            self.retries.clone(),
        );
        all.register(
            "absences",
            "Times that no success of a job came within its `expect_within`",
            self.absences.clone(),
        );
        all.register(
            "notes_coalesced",
            "Notes of attempts that were folded into later ones",
            self.coalesced.clone(),
        );
    }

    fn register_times(&self, all: &mut Registry) {
        let mut seconds = |name, help, metric: Measured| {
            let unit = Unit::Seconds;
            match metric {
                Measured::Spread(metric) => all.register_with_unit(name, help, unit, metric),
                Measured::One(metric) => all.register_with_unit(name, help, unit, metric),
                Measured::Sum(metric) => all.register_with_unit(name, help, unit, metric),
            }
        };
        seconds(
            "wait",
            "From being accepted (or due, if that is later) to the first start; `show` and `history` count on until \
             a command's process is made",
            Measured::Spread(self.waits.clone()),
        );
        seconds(
            "run",
            "How long attempts ran",
            Measured::Spread(self.runs.clone()),
        );
        seconds(
            "job_run",
            "How long attempts ran in all, by job",
            Measured::Sum(self.job_runs.clone()),
        );
        seconds(
            "cpu",
            "Processor time of attempts where it is known",
            Measured::Sum(self.cpu.clone()),
        );
        seconds(
            "loop_turn",
            "How long the loop was busy each time it woke; what comes meanwhile waits as long",
            Measured::One(self.turns.clone()),
        );
        seconds(
            "commit",
            "From a decision to its being on disk",
            Measured::One(self.commits.clone()),
        );
    }

    /// The loop was busy for so long.
    pub fn turned(&self, busy: Duration) {
        self.turns.observe(busy.as_secs_f64());
    }

    /// What was decided so long ago is on disk.
    pub fn committed(&self, after: Duration) {
        self.commits.observe(after.as_secs_f64());
    }

    /// Writes all of them as OpenMetrics, without the end.
    pub fn write(&self, text: &mut String) {
        // Writing to a text cannot fail.
        let _ = encode_registry(text, &self.registry);
    }
}

/// What is measured in seconds.
enum Measured {
    Spread(Spread),
    One(Histogram),
    Sum(Of<1, Seconds>),
}

/// Counts by the facts that it is told of, in their order.
#[derive(Debug)]
pub struct Tally {
    meters: Meters,
    jobs: BTreeMap<Name, JobMeters>,
    other: JobMeters,
    waiting: Waiting,
}

/// What is counted of a job, looked up once.
#[derive(Clone, Debug)]
struct JobMeters {
    ended: [Counter; 4],
    seconds: Seconds,
}

/// What can become of a run, in the order of [`JobMeters::ended`].
const OUTCOMES: [&str; 4] = ["succeeded", "failed", "cancelled", "skipped"];

const LANE: &str = "lane";

fn of_lane(lane: Lane) -> Labels<1> {
    [(LANE, lane.as_str().to_owned())]
}

impl Tally {
    /// Counts jobs of `definitions` by their names.
    #[must_use]
    pub fn new(meters: Meters, definitions: &Definitions) -> Self {
        let other = JobMeters::new(&meters, OTHER);
        for lane in Lane::ALL {
            // A lane in which nothing has run yet is there with zeros.
            drop(meters.waits.get_or_create(&of_lane(lane)));
            drop(meters.runs.get_or_create(&of_lane(lane)));
            drop(meters.started.get_or_create(&of_lane(lane)));
        }
        let mut tally = Self {
            meters,
            jobs: BTreeMap::new(),
            other,
            waiting: Waiting::default(),
        };
        tally.know(definitions);
        tally
    }

    /// Gives the jobs that are not known yet their own counters, as far as there is room.
    fn know(&mut self, definitions: &Definitions) {
        for name in definitions.jobs.keys() {
            if self.jobs.len() >= JOBS_BOUND {
                return;
            }
            if !self.jobs.contains_key(name) {
                let own = JobMeters::new(&self.meters, name);
                self.jobs.insert(Name::clone(name), own);
            }
        }
    }

    /// Takes a fact that is committed.
    pub fn record(&mut self, record: &Record) {
        let meters = &self.meters;
        match &record.fact {
            Fact::Configured { definitions } => self.know(&Arc::clone(definitions)),
            Fact::Accepted { run, due, .. } => {
                meters.accepted.inc();
                let from = due.map_or(record.at.mono, |due| due.max(record.at.mono));
                self.waiting.accepted(*run, from);
            }
            Fact::Started { run, job, .. } => {
                let lane = of_lane(job.lane);
                meters.started.get_or_create(&lane).inc();
                if let Some(from) = self.waiting.started(*run) {
                    let wait = record.at.mono.since(from).as_secs_f64();
                    meters.waits.get_or_create(&lane).observe(wait);
                }
            }
            Fact::Ended {
                job, state, end, ..
            } => self.ended(job.lane, &job.name, state, end),
            // It waited for its parts, and not for a place.
            Fact::Spread { run, .. } => {
                self.waiting.started(*run);
            }
            Fact::Gathered {
                run, job, state, ..
            } => {
                self.waiting.started(*run);
                self.finished(&job.name, state);
            }
            Fact::Cancelled { run, job, .. } => {
                self.waiting.started(*run);
                self.over(&job.name, 2);
            }
            Fact::Skipped { run, job, .. } => {
                self.waiting.started(*run);
                self.over(&job.name, 3);
            }
            Fact::Interrupted { cause, .. } => self.interrupted(cause),
            Fact::Retrying { job, end, .. } => {
                self.left(job.lane, &job.name, end);
                self.retried("rule");
            }
            Fact::GivenUp { run, job, failure } => {
                self.waiting.started(*run);
                self.failed(failure);
                self.over(&job.name, 1);
            }
            Fact::Retried { .. } => self.retried("request"),
            Fact::Absent { job, .. } => self.absent(job),
            Fact::Opened
            | Fact::Released { .. }
            | Fact::Met { .. }
            | Fact::Began { .. }
            | Fact::Due { .. }
            | Fact::Stopping { .. }
            | Fact::Unresponsive { .. }
            | Fact::Draining
            | Fact::Leaving
            | Fact::Sent { .. }
            | Fact::Evaluated { .. }
            | Fact::Misplaced { .. }
            | Fact::Reconsidered { .. }
            | Fact::BackfillAccepted { .. }
            | Fact::BackfillMoved { .. }
            | Fact::BackfillEnded { .. }
            | Fact::ClockSet { .. }
            | Fact::Heard { .. }
            | Fact::Announced { .. }
            | Fact::Paused { .. }
            | Fact::Resumed { .. } => {}
        }
    }

    fn ended(&self, lane: Lane, job: &Name, state: &FinalState, end: &End) {
        self.left(lane, job, end);
        self.finished(job, state);
    }

    fn finished(&self, job: &Name, state: &FinalState) {
        let outcome = match state {
            FinalState::Succeeded => 0,
            FinalState::Failed(why) => {
                self.failed(why);
                1
            }
            FinalState::Cancelled(_) => 2,
        };
        self.over(job, outcome);
    }

    /// An attempt has left its lane.
    fn left(&self, lane: Lane, job: &Name, end: &End) {
        let (meters, measures) = (&self.meters, &end.measures);
        let lane = of_lane(lane);
        if let Some(ran) = end.ran().map(|ran| ran.as_secs_f64()) {
            meters.runs.get_or_create(&lane).observe(ran);
            self.job(job).seconds.inc_by(ran);
        }
        if let Some(cpu) = measures.cpu {
            meters.cpu.get_or_create(&lane).inc_by(cpu.as_secs_f64());
        }
        meters.coalesced.inc_by(measures.coalesced);
    }

    fn failed(&self, why: &Failure) {
        let labels = [("reason", why.kind().to_owned())];
        self.meters.failures.get_or_create(&labels).inc();
    }

    fn interrupted(&self, cause: &Interruption) {
        let cause = match cause {
            Interruption::Crash => "crash",
            Interruption::Unsure => "unsure",
            Interruption::Unbegun => "unbegun",
            Interruption::Shutdown => "shutdown",
            Interruption::NoRoom(_) => "no_room",
        };
        let labels = [("cause", cause.to_owned())];
        self.meters.interruptions.get_or_create(&labels).inc();
    }

    fn absent(&self, job: &Name) {
        let known = self.jobs.contains_key(job);
        let label = if known { &**job } else { OTHER };
        let labels = [("job", label.to_owned())];
        self.meters.absences.get_or_create(&labels).inc();
    }

    fn retried(&self, by: &str) {
        let labels = [("by", by.to_owned())];
        self.meters.retries.get_or_create(&labels).inc();
    }

    fn over(&self, job: &Name, outcome: usize) {
        if let Some(counter) = self.job(job).ended.get(outcome) {
            counter.inc();
        }
    }

    fn job(&self, name: &Name) -> &JobMeters {
        self.jobs.get(name).unwrap_or(&self.other)
    }
}

impl JobMeters {
    fn new(meters: &Meters, job: &str) -> Self {
        let ended = OUTCOMES.map(|outcome| {
            let labels = [("job", job.to_owned()), ("outcome", outcome.to_owned())];
            meters.ended.get_or_create(&labels).clone()
        });
        let labels = [("job", job.to_owned())];
        let seconds = meters.job_runs.get_or_create(&labels).clone();
        Self { ended, seconds }
    }
}

/// When runs could start that have not. Their numbers come without gaps, so that this is a row in which each
/// has its place.
#[derive(Debug, Default)]
struct Waiting {
    /// The run that the first place is for.
    first: u64,
    from: VecDeque<Option<Mono>>,
}

impl Waiting {
    fn accepted(&mut self, run: RunId, from: Mono) {
        if run.0 != self.first + self.from.len() as u64 {
            // The first one, or a number that was left out: what is not known is not measured.
            self.from.clear();
            self.first = run.0;
        }
        if self.from.len() >= WAITING_BOUND {
            self.from.pop_front();
            self.first += 1;
        }
        self.from.push_back(Some(from));
    }

    /// When it could start, the first time that this is asked.
    fn started(&mut self, run: RunId) -> Option<Mono> {
        let place = usize::try_from(run.0.checked_sub(self.first)?).ok()?;
        let from = self.from.get_mut(place)?.take();
        while let Some(None) = self.from.front() {
            self.from.pop_front();
            self.first += 1;
        }
        from
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_measured_once_and_of_runs_that_are_known() {
        let mut waiting = Waiting::default();
        let started = |waiting: &mut Waiting, run| waiting.started(RunId(run)).map(|at| at.0);
        for run in 5..9 {
            waiting.accepted(RunId(run), Mono(run * 10));
        }
        assert_eq!(started(&mut waiting, 4), None);
        assert_eq!(started(&mut waiting, 7), Some(70));
        assert_eq!(started(&mut waiting, 7), None);
        assert_eq!(started(&mut waiting, 5), Some(50));
        assert_eq!(started(&mut waiting, 6), Some(60));
        assert_eq!((waiting.first, waiting.from.len()), (8, 1));
        waiting.accepted(RunId(9), Mono(90));
        assert_eq!(started(&mut waiting, 9), Some(90));
        // A gap in the numbers is never, and would cost what is known and nothing else.
        waiting.accepted(RunId(20), Mono(200));
        assert_eq!(started(&mut waiting, 8), None);
        assert_eq!(started(&mut waiting, 20), Some(200));
        for run in 21..30 + WAITING_BOUND as u64 {
            waiting.accepted(RunId(run), Mono(run));
        }
        assert_eq!(waiting.from.len(), WAITING_BOUND);
    }
}
