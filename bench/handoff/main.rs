//! What it costs to hand a computation over and await its result: the cpu lane beside bare rayon with
//! a oneshot channel, beside tokio's `spawn_blocking`, and beside Python's `run_in_executor`.
//!
//! `cargo bench --bench handoff [-- --seconds N]`: N seconds for each figure, 1 unless said otherwise.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that prints a table, and has nobody to tell when its machine fails it"
)]

#[path = "../peers/mod.rs"]
mod peers;

use std::time::Duration;

use rayon::ThreadPool;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use twolane::clock::kernel_nanos;
use twolane::{Lanes, Policy};

/// Threads on each side: those of the caller's runtime, and those that compute.
const THREADS: usize = 2;

/// The shapes: how many tasks are outstanding at a time.
const SHAPES: [usize; 2] = [1, 1_000];

/// The figures are medians of this many rounds, in which the contenders take turns, so that what else
/// happens on the machine meets all of them.
const ROUNDS: u64 = 9;

const CONTENDERS: [&str; 4] = [
    "twolane: lanes.cpu",
    "bare: rayon::spawn + oneshot",
    "twolane: with nice 0, normal policy",
    "tokio: spawn_blocking",
];

fn main() {
    let seconds = peers::seconds(1);
    let round = Duration::from_secs(seconds) / u32::try_from(ROUNDS).unwrap();
    let world = World::new();
    println!("hand-off of `|| 1` and its result, {THREADS} threads on each side, tasks per second");
    for outstanding in SHAPES {
        let mut rates = [const { Vec::new() }; CONTENDERS.len()];
        for n in 0..=ROUNDS {
            for (contender, rates) in rates.iter_mut().enumerate() {
                let rate = world.rate(contender, outstanding, round);
                // The first round warms up.
                if n > 0 {
                    rates.push(rate);
                }
            }
        }
        let medians = rates.map(median);
        let bare = medians[1];
        println!("\n{outstanding} outstanding");
        for (name, rate) in CONTENDERS.iter().zip(medians) {
            row(name, rate, bare);
        }
        let outstanding = outstanding.to_string();
        let duration = seconds.to_string();
        for line in peers::python("handoff.py", &[&outstanding, &duration]) {
            match line.split_once('=') {
                Some((name, rate)) => row(name, rate.trim().parse().unwrap(), bare),
                None => println!("  {line}"),
            }
        }
    }
}

fn row(name: &str, rate: f64, bare: f64) {
    println!(
        "  {name:<34} {rate:>11.0}/s   {:>6.2} x the bare time",
        bare / rate
    );
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

struct World {
    caller: Runtime,
    lanes: Lanes,
    /// The same with threads that count like all others.
    equal: Lanes,
    pool: &'static ThreadPool,
}

impl World {
    fn new() -> Self {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(THREADS)
            .build()
            .unwrap();
        Self {
            caller: Builder::new_multi_thread()
                .worker_threads(THREADS)
                .max_blocking_threads(THREADS)
                .build()
                .unwrap(),
            lanes: Lanes::builder().cpu_workers(THREADS).build().unwrap(),
            equal: Lanes::builder()
                .cpu_workers(THREADS)
                .nice(0)
                .policy(Policy::Normal)
                .build()
                .unwrap(),
            // Lives as long as the program.
            pool: Box::leak(Box::new(pool)),
        }
    }

    /// Tasks per second over about `duration`.
    fn rate(&self, contender: usize, outstanding: usize, duration: Duration) -> f64 {
        let (lanes, equal, pool) = (self.lanes.clone(), self.equal.clone(), self.pool);
        let run = async move {
            match contender {
                0 => repeat(outstanding, duration, || lanes.cpu(|_| 1)).await,
                1 => repeat(outstanding, duration, || bare(pool)).await,
                2 => repeat(outstanding, duration, || equal.cpu(|_| 1)).await,
                _ => repeat(outstanding, duration, || tokio::task::spawn_blocking(|| 1)).await,
            }
        };
        self.caller.block_on(self.caller.spawn(run)).unwrap()
    }
}

fn bare(pool: &ThreadPool) -> oneshot::Receiver<u64> {
    let (sender, receiver) = oneshot::channel();
    pool.spawn(move || {
        let _result = sender.send(1);
    });
    receiver
}

/// Starts `outstanding` tasks, awaits them all, and so on.
async fn repeat<F, Fut, E>(outstanding: usize, duration: Duration, start: F) -> f64
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<u64, E>>,
    E: std::fmt::Debug,
{
    let began = kernel_nanos();
    let end = began + u64::try_from(duration.as_nanos()).unwrap();
    let mut tasks = Vec::with_capacity(outstanding);
    let mut done = 0;
    loop {
        tasks.extend((0..outstanding).map(|_| start()));
        for task in tasks.drain(..) {
            done += task.await.unwrap();
        }
        let now = kernel_nanos();
        if now >= end {
            return done as f64 * 1e9 / (now - began) as f64;
        }
    }
}
