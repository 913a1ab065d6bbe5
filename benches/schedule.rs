//! Schedules on the bare engine: a year of a crontab of 200 lines, and whether a fire costs the same among a
//! hundred schedules and among a hundred thousand. `cargo bench --bench schedule`. Exits with 1 where a goal is missed.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures")]

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use twolane::engine::action::Action;
use twolane::engine::id::AttemptId;
use twolane::engine::input::Input;
use twolane::engine::outcome::{End, Measures, Outcome};
use twolane::engine::schedule::{Cron, ScheduleSpec, Trigger, Zone};
use twolane::engine::spec::{Definitions, JobSpec, Lane, TaskSpec};
use twolane::engine::time::{Mono, Now, Wall};
use twolane::engine::{Engine, Outputs};

const CRONTAB: &str = include_str!("../tests/schedule/crontab.tsv");
/// The first second of 2027, in microseconds.
const YEAR: i64 = 1_798_761_600_000_000;
const DAY: i64 = 86_400_000_000;
/// Fires of one measurement.
const FIRES: usize = 100_000;
/// Numbers of schedules.
const SCHEDULES: [usize; 4] = [100, 1_000, 10_000, 100_000];
/// Measurements of each; the median counts.
const ROUNDS: usize = 5;

const GOAL_YEAR: f64 = 5.0;
const GOAL_FLAT: f64 = 1.15;

fn main() -> ExitCode {
    let (fires, seconds) = year();
    let mut met = seconds < GOAL_YEAR;
    println!("a year of 200 lines: {fires} runs in {seconds:.2} s (goal: under {GOAL_YEAR} s)");
    println!("{:>12} {:>14} {:>8}", "schedules", "ns a fire", "ratio");
    let mut first = 0.0;
    for count in SCHEDULES {
        let mut all: Vec<f64> = (0..ROUNDS).map(|_| cost(count)).collect();
        all.sort_by(f64::total_cmp);
        let median = all[ROUNDS / 2];
        if first == 0.0 {
            first = median;
        }
        let ratio = median / first;
        met &= ratio <= GOAL_FLAT;
        println!("{count:>12} {median:>14.0} {ratio:>8.2} (goal: {GOAL_FLAT})");
    }
    if met {
        ExitCode::SUCCESS
    } else {
        println!("a goal is MISSED");
        ExitCode::FAILURE
    }
}

/// An engine in which each run ends as soon as it has begun.
struct World {
    engine: Engine,
    out: Outputs,
    fires: usize,
}

impl World {
    fn new(definitions: Definitions) -> Self {
        let mut world = Self {
            engine: Engine::new(Arc::new(Definitions::empty(1))),
            out: Outputs::default(),
            fires: 0,
        };
        world.apply(YEAR - 1, Input::Configure(Arc::new(definitions)));
        world.apply(YEAR - 1, Input::Open);
        world
    }

    fn apply(&mut self, wall: i64, input: Input) {
        let now = Now {
            wall: Wall(wall),
            mono: Mono((wall - YEAR + 1).unsigned_abs() * 1_000),
        };
        self.engine.apply(now, input, &mut self.out);
        let mut started: Vec<AttemptId> = Vec::new();
        for action in self.out.actions.drain(..) {
            if let Action::Start(order) = action {
                started.push(order.attempt);
            }
        }
        self.fires += started.len();
        for attempt in started {
            let end = End {
                outcome: Outcome::Succeeded(Arc::default()),
                teardown: None,
                words: None,
                measures: Measures::default(),
            };
            self.engine
                .apply(now, Input::Ended { attempt, end }, &mut self.out);
        }
        black_box(self.out.records.len());
        self.out.clear();
    }
}

fn definitions(schedules: impl Iterator<Item = ScheduleSpec>) -> Definitions {
    let mut definitions = Definitions::empty(1);
    for (number, schedule) in schedules.enumerate() {
        let task = TaskSpec::Sleep {
            duration: Duration::ZERO,
        };
        let mut job = JobSpec::new(format!("{number:06}").into(), Lane::Io, task);
        job.schedules = vec![Arc::new(schedule)];
        definitions
            .jobs
            .insert(Arc::clone(&job.name), Arc::new(job));
    }
    definitions
}

fn year() -> (usize, f64) {
    let texts = CRONTAB.lines().filter_map(|line| line.split('\t').next());
    let lines = texts.filter_map(|text| Cron::parse(text).ok());
    let mut world = World::new(definitions(
        lines.map(|cron| ScheduleSpec::new(Trigger::Cron(cron), Zone::utc())),
    ));
    let begun = Instant::now();
    while let Some(Wall(at)) = world.engine.next_slot()
        && at < YEAR + 365 * DAY
    {
        world.apply(at, Input::Tick);
    }
    (world.fires, begun.elapsed().as_secs_f64())
}

/// Nanoseconds of one fire, from the tick to the run's end, where each schedule comes once an hour at a time of
/// its own.
fn cost(schedules: usize) -> f64 {
    let hour = 3_600_000_000;
    let mut world = World::new(definitions((0..schedules).map(|number| {
        let every = Trigger::Every(Duration::from_secs(3_600));
        let mut schedule = ScheduleSpec::new(every, Zone::utc());
        // Neighbours in the tables are not neighbours in time.
        let number = i64::try_from(number * 61 % schedules).unwrap_or(0);
        let all = i64::try_from(schedules).unwrap_or(1);
        schedule.from = Some(Wall(YEAR - hour + hour / all * number));
        schedule
    })));
    let begun = Instant::now();
    while world.fires < FIRES
        && let Some(Wall(at)) = world.engine.next_slot()
    {
        world.apply(at, Input::Tick);
    }
    begun.elapsed().as_nanos() as f64 / world.fires as f64
}
