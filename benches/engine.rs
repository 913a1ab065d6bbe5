//! The bare engine on one core: inputs a second, whether the cost of an input depends on how many
//! runs wait, and the memory of a waiting run. `cargo bench --bench engine`. Exits with 1 where a goal is missed.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::VecDeque;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::Value;
use twolane::clock::thread_cpu;
use twolane::engine::action::Action;
use twolane::engine::amounts::{Amounts, Period, Rate};
use twolane::engine::id::AttemptId;
use twolane::engine::input::{Input, Submission, SubmitItem};
use twolane::engine::outcome::{End, Measures, Outcome};
use twolane::engine::spec::{Definitions, JobSpec, Lane, LimitSpec, Name, PoolSpec, TaskSpec};
use twolane::engine::time::{Mono, Now, Wall};
use twolane::engine::{Engine, Outputs};

/// Inputs of one measurement.
const INPUTS: usize = 1_000_000;
/// Runs that wait meanwhile.
const DEPTHS: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// Numbers of classes.
const CLASSES: [usize; 3] = [1, 1_000, 20_000];
/// Inputs of one measurement with classes.
const CLASS_INPUTS: usize = 200_000;
/// Runs that wait, and inputs of one measurement, with everything on.
const EVERYTHING_DEPTH: usize = 10_000;
const EVERYTHING_INPUTS: usize = 300_000;
/// Measurements of each depth; the median counts.
const ROUNDS: usize = 5;

const GOAL_RATE: f64 = 500_000.0;
const GOAL_RATE_EVERYTHING: f64 = 300_000.0;
const GOAL_FLAT: f64 = 1.15;
const GOAL_BYTES: f64 = 300.0;
/// Runs of one graph, and the CPU time that deciding all of it may take, in seconds.
const GRAPH_RUNS: usize = 100_000;
const GOAL_GRAPH: f64 = 1.0;

#[global_allocator]
static ALLOCATED: Counting = Counting(AtomicUsize::new(0));

/// The system's allocator, and how many bytes are in use.
struct Counting(AtomicUsize);

#[expect(unsafe_code, reason = "an allocator cannot be written without")]
// SAFETY: everything is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.0.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        self.0.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(at, layout) }
    }
}

fn main() -> ExitCode {
    // `cargo bench --bench engine -- graphs`: those alone, which takes seconds and not minutes.
    let parts = [
        ("graphs", graphs as fn() -> bool),
        ("everything", everything),
    ];
    let asked = |part: &str| std::env::args().any(|argument| argument == part);
    let part = parts.iter().find(|(part, _)| asked(part));
    if part.map_or(all as fn() -> bool, |(_, measure)| *measure)() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// All parts. Whether all goals are met, as each part says of its own.
fn all() -> bool {
    println!("engine: {INPUTS} inputs (submit, start and end of no-op runs), median of {ROUNDS}");
    println!(
        "{:>12} {:>14} {:>12} {:>16}",
        "waiting", "inputs/s", "ns/input", "bytes/waiting"
    );
    // The depths take turns, so that a slow moment of the machine falls on all of them.
    let mut nanos = vec![Vec::new(); DEPTHS.len()];
    let mut bytes = vec![0.0; DEPTHS.len()];
    for _ in 0..ROUNDS {
        for (index, depth) in DEPTHS.into_iter().enumerate() {
            let (time, size) = measure(depth);
            nanos[index].push(time);
            bytes[index] = size;
        }
    }
    let medians: Vec<f64> = nanos.iter_mut().map(|times| median(times)).collect();
    for ((depth, nanos), bytes) in DEPTHS.iter().zip(&medians).zip(&bytes) {
        println!(
            "{depth:>12} {:>14.0} {nanos:>12.0} {bytes:>16.0}",
            1e9 / nanos
        );
    }
    let mut met = classes() & everything() & graphs();
    let slowest = medians.iter().copied().fold(0.0, f64::max);
    let fastest = medians.iter().copied().fold(f64::INFINITY, f64::min);
    met &= verdict(
        "inputs/s at the slowest depth",
        1e9 / slowest,
        GOAL_RATE,
        1e9 / slowest >= GOAL_RATE,
    );
    let ratio = slowest / fastest;
    met &= verdict(
        "slowest depth / fastest depth",
        ratio,
        GOAL_FLAT,
        ratio <= GOAL_FLAT,
    );
    let most = bytes.last().copied().unwrap_or_default();
    met & verdict(
        "bytes a waiting run of a million",
        most,
        GOAL_BYTES,
        most <= GOAL_BYTES,
    )
}

/// The same where each of many jobs has a limit of its own, so that each is a class of its own.
fn classes() -> bool {
    println!("{:>12} {:>14} {:>12}", "classes", "inputs/s", "ns/input");
    let mut nanos = Vec::new();
    for count in CLASSES {
        let mut times: Vec<f64> = (0..ROUNDS).map(|_| measure_classes(count)).collect();
        let time = median(&mut times);
        println!("{count:>12} {:>14.0} {time:>12.0}", 1e9 / time);
        nanos.push(time);
    }
    let slowest = nanos.iter().copied().fold(0.0, f64::max);
    verdict(
        "inputs/s with the most classes",
        1e9 / slowest,
        GOAL_RATE,
        1e9 / slowest >= GOAL_RATE,
    )
}

/// The same with everything on: limits with sizes, with rates and with both, of which jobs take one place
/// or two; pools; resources; weights; and runs that have waited for long enough to have things kept for
/// them.
fn everything() -> bool {
    let mut times: Vec<f64> = (0..ROUNDS).map(|_| measure_everything()).collect();
    let time = median(&mut times);
    println!("with 50 limits, 20 pools, 3 resources and {EVERYTHING_DEPTH} waiting:");
    println!("{:>12} {:>14.0} {time:>12.0}", "", 1e9 / time);
    verdict(
        "inputs/s with everything on",
        1e9 / time,
        GOAL_RATE_EVERYTHING,
        1e9 / time >= GOAL_RATE_EVERYTHING,
    )
}

/// One submission of many runs that hang together, from there to the end of the last one: every start, and
/// every end that lets others start. CPU time of the thread that decides; to put the jobs in force comes
/// before it, and is told beside it.
fn graphs() -> bool {
    println!(
        "{:>12} {:>14} {:>12} {:>12}",
        "graph", "runs", "in force s", "decided s"
    );
    let mut worst = 0.0_f64;
    for (name, shape) in SHAPES {
        let mut rounds: Vec<(f64, f64)> = (0..ROUNDS).map(|_| measure_graph(shape)).collect();
        let force = median(&mut rounds.iter().map(|round| round.0).collect::<Vec<_>>());
        let decided = median(&mut rounds.iter_mut().map(|round| round.1).collect::<Vec<_>>());
        println!("{name:>12} {GRAPH_RUNS:>14} {force:>12.3} {decided:>12.3}");
        worst = worst.max(decided);
    }
    verdict(
        "seconds of CPU for a graph of 100,000 runs",
        worst,
        GOAL_GRAPH,
        worst < GOAL_GRAPH,
    )
}

/// Of a run its place, the places of the runs that it comes after.
type Shape = fn(usize) -> Vec<usize>;

/// A hundred layers, in which each run comes after three of the layer before; one run after the other; and
/// one run, all others after that, and a last one after all of them.
const SHAPES: [(&str, Shape); 3] = [
    ("layers", |n| match n.checked_sub(1_000) {
        Some(before) => {
            let first = before - before % 1_000;
            [0, 1, 7]
                .map(|step| first + (before + step) % 1_000)
                .to_vec()
        }
        None => Vec::new(),
    }),
    ("chain", |n| n.checked_sub(1).into_iter().collect()),
    ("star", |n| match n {
        0 => Vec::new(),
        _ if n + 1 == GRAPH_RUNS => (1..n).collect(),
        _ => vec![0],
    }),
];

fn measure_graph(shape: Shape) -> (f64, f64) {
    let name = |n: usize| Name::from(format!("job-{n}"));
    let mut definitions = Definitions::empty(8);
    definitions.max_runs = 10_000_000;
    for n in 0..GRAPH_RUNS {
        let mut job = JobSpec::new(
            name(n),
            Lane::Io,
            TaskSpec::Call {
                handler: Name::from("noop"),
                args: Value::Null,
            },
        );
        job.after = shape(n).into_iter().map(name).collect();
        job.after.sort();
        definitions.jobs.insert(name(n), Arc::new(job));
    }
    let mut engine = Engine::new(Arc::new(Definitions::empty(8)));
    let (mut clock, mut out) = (0, Outputs::default());
    let before = thread_cpu();
    step(
        &mut engine,
        &mut clock,
        Input::Configure(Arc::new(definitions)),
        &mut out,
    );
    let force = thread_cpu() - before;
    let submission = Input::Submit(Submission {
        key: None,
        items: (0..GRAPH_RUNS).map(|n| SubmitItem::of(&name(n))).collect(),
        caller: None,
    });
    let mut running = VecDeque::new();
    let mut ends = 0;
    let before = thread_cpu();
    step(&mut engine, &mut clock, submission, &mut out);
    loop {
        running.extend(out.actions.iter().filter_map(|action| match action {
            Action::Start(order) => Some(order.attempt),
            Action::Stop { .. } | Action::Replace { .. } | Action::Answer { .. } => None,
        }));
        let Some(attempt) = running.pop_front() else {
            break;
        };
        ends += 1;
        step(&mut engine, &mut clock, ended(attempt), &mut out);
    }
    let decided = thread_cpu() - before;
    assert_eq!((ends, engine.live_count()), (GRAPH_RUNS, 0), "all are over");
    (force.as_secs_f64(), decided.as_secs_f64())
}

/// Nanoseconds an input with everything on.
fn measure_everything() -> f64 {
    let (definitions, names) = definitions_of_everything();
    let mut engine = Engine::new(Arc::new(definitions));
    let (mut out, mut clock) = (Outputs::default(), 0);
    let mut running = VecDeque::new();
    let mut turn = |engine: &mut Engine, submitted: usize| {
        let waiting = engine.live_count() - running.len();
        let input = match running.front() {
            Some(attempt) if waiting >= EVERYTHING_DEPTH => {
                let input = ended(*attempt);
                running.pop_front();
                input
            }
            None if waiting >= EVERYTHING_DEPTH => Input::Tick,
            _ => submit(&names[submitted * 7 % names.len()]),
        };
        let submitted = submitted + usize::from(matches!(input, Input::Submit(_)));
        let counts = !matches!(input, Input::Tick);
        step(engine, &mut clock, input, &mut out);
        running.extend(out.actions.iter().filter_map(|action| match action {
            Action::Start(order) => Some(order.attempt),
            Action::Stop { .. } | Action::Replace { .. } | Action::Answer { .. } => None,
        }));
        (submitted, counts)
    };
    let mut submitted = 0;
    for _ in 0..3 * EVERYTHING_DEPTH {
        (submitted, _) = turn(&mut engine, submitted);
    }
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
    let start = Instant::now();
    let mut inputs = 0;
    while inputs < EVERYTHING_INPUTS {
        let (now, counts) = turn(&mut engine, submitted);
        submitted = now;
        inputs += usize::from(counts);
    }
    let time = start.elapsed().as_nanos() as f64 / EVERYTHING_INPUTS as f64;
    engine.check().expect("every invariant holds");
    time
}

fn definitions_of_everything() -> (Definitions, Vec<Name>) {
    let mut definitions = definitions(&Name::from("noop"));
    definitions.cpu_workers = 16;
    definitions.io_concurrency = 100;
    definitions.aging = std::time::Duration::from_millis(5);
    for n in 0..50_u32 {
        let rate = Rate {
            tokens: 200_000,
            per: Period::Second,
            burst: 10,
        };
        let limit = LimitSpec {
            size: (n % 5 != 0).then_some(2 + n % 4),
            rate: (n % 5 < 2).then_some(rate),
        };
        let name = Name::from(format!("limit-{n}"));
        definitions.limits.insert(name, limit);
    }
    for n in 0..20_u32 {
        let lane = Lane::ALL[n as usize % 2];
        let name = Name::from(format!("pool-{n}"));
        definitions.pools.insert(
            name,
            PoolSpec {
                lane,
                size: 2 + n % 3,
            },
        );
    }
    for n in 0..3_u32 {
        let name = Name::from(format!("resource-{n}"));
        definitions.resources.insert(name, 32);
    }
    let noop = definitions.jobs["noop"].as_ref().clone();
    let names: Vec<Name> = (0..200).map(|n| Name::from(format!("job-{n}"))).collect();
    for (n, name) in (0_u32..).zip(&names) {
        let limit = |k: u32| {
            (
                Name::from(format!("limit-{}", (n + 17 * k) % 50)),
                1 + (n + k) % 2,
            )
        };
        let part = |k: u32| (Name::from(format!("resource-{}", (n + k) % 3)), 1 + n % 8);
        let job = JobSpec {
            name: Name::clone(name),
            lane: Lane::ALL[n as usize % 2],
            pool: Some(Name::from(format!("pool-{}", n % 20))),
            cpus: Some(1 + n % 3),
            limits: (0..3).map(limit).collect(),
            resources: (0..2).map(part).collect(),
            ..noop.clone()
        };
        definitions.jobs.insert(Name::clone(name), Arc::new(job));
    }
    (definitions, names)
}

/// Nanoseconds an input with a run of each class waiting for the only place of the lane.
fn measure_classes(count: usize) -> f64 {
    let mut definitions = definitions(&Name::from("noop"));
    let names: Vec<Name> = (0..count).map(|n| Name::from(format!("job-{n}"))).collect();
    for name in &names {
        let job = JobSpec {
            name: Name::clone(name),
            limits: Amounts::one_of_each([Name::clone(name)]),
            ..definitions.jobs["noop"].as_ref().clone()
        };
        definitions.jobs.insert(Name::clone(name), Arc::new(job));
    }
    let mut engine = Engine::new(Arc::new(definitions));
    let (mut out, mut clock) = (Outputs::default(), 0);
    let mut running = Vec::new();
    let mut note = |out: &Outputs| {
        running.extend(out.actions.iter().filter_map(|action| match action {
            Action::Start(order) => Some(order.attempt),
            Action::Stop { .. } | Action::Replace { .. } | Action::Answer { .. } => None,
        }));
        running.pop()
    };
    let mut active = None;
    for name in &names {
        step(&mut engine, &mut clock, submit(name), &mut out);
        active = note(&out).or(active);
    }
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
    let start = Instant::now();
    for index in 0..CLASS_INPUTS / 2 {
        step(
            &mut engine,
            &mut clock,
            submit(&names[index % count]),
            &mut out,
        );
        active = note(&out).or(active);
        let Some(attempt) = active else {
            continue;
        };
        step(&mut engine, &mut clock, ended(attempt), &mut out);
        active = note(&out);
    }
    start.elapsed().as_nanos() as f64 / CLASS_INPUTS as f64
}

/// Nanoseconds an input with `depth` runs waiting, and bytes for each of those.
fn measure(depth: usize) -> (f64, f64) {
    let name = Name::from("noop");
    let mut engine = Engine::new(Arc::new(definitions(&name)));
    let mut out = Outputs::default();
    let mut clock = 0;
    let before = ALLOCATED.0.load(Ordering::Relaxed);
    for _ in 0..=depth {
        step(&mut engine, &mut clock, submit(&name), &mut out);
    }
    let bytes = (ALLOCATED.0.load(Ordering::Relaxed) - before) as f64 / depth as f64;
    // The first run holds the only place of the lane; from here on each round submits one, ends the
    // one that runs, and so starts the one that has waited longest: three things an input pair.
    let mut running = AttemptId {
        run: twolane::engine::id::RunId(1),
        epoch: 1,
    };
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
    let start = Instant::now();
    for _ in 0..INPUTS / 2 {
        step(&mut engine, &mut clock, submit(&name), &mut out);
        step(&mut engine, &mut clock, ended(running), &mut out);
        for action in &out.actions {
            if let Action::Start(order) = action {
                running = order.attempt;
            }
        }
    }
    let time = start.elapsed().as_nanos() as f64 / INPUTS as f64;
    assert_eq!(
        engine.live_count(),
        depth + 1,
        "as many wait as at the beginning"
    );
    (time, bytes)
}

fn step(engine: &mut Engine, clock: &mut u64, input: Input, out: &mut Outputs) {
    out.clear();
    *clock += 1_000;
    let now = Now {
        wall: Wall(i64::try_from(*clock / 1_000).unwrap_or(i64::MAX)),
        mono: Mono(*clock),
    };
    engine.apply(now, input, out);
}

fn submit(name: &Name) -> Input {
    Input::Submit(Submission {
        key: None,
        items: vec![SubmitItem::of(name)],
        caller: None,
    })
}

fn ended(attempt: AttemptId) -> Input {
    Input::Ended {
        attempt,
        end: End {
            outcome: Outcome::Succeeded(Arc::new(Value::Null)),
            teardown: None,
            words: None,
            measures: Measures::default(),
        },
    }
}

fn definitions(name: &Name) -> Definitions {
    let mut definitions = Definitions::empty(1);
    definitions.max_runs = 10_000_000;
    let job = JobSpec::new(
        Name::clone(name),
        Lane::Cpu,
        TaskSpec::Call {
            handler: Name::from("noop"),
            args: Value::Null,
        },
    );
    definitions.jobs.insert(Name::clone(name), Arc::new(job));
    definitions
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Says whether a goal is met, and gives that back.
fn verdict(what: &str, value: f64, goal: f64, met: bool) -> bool {
    let word = if met { "met" } else { "MISSED" };
    println!("{what}: {value:.2}, goal {goal}: {word}");
    met
}
