//! Whether the io lane feels the cpu lane: how late a wait of one millisecond is while every core
//! computes, beside what the machine can do at best, beside tokio's own timer, and beside Python's
//! asyncio; and what the cpu lane pays for giving way.
//!
//! `cargo bench --bench isolation [-- --seconds N]`: N seconds for each row, 20 unless said otherwise.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that prints a table, and has nobody to tell when its machine fails it"
)]

#[path = "../peers/mod.rs"]
mod peers;

use std::hint::black_box;
use std::time::Duration;

use twolane::clock::kernel_nanos;
use twolane::{Context, Lanes, Policy};

/// The wait that is asked for.
const TICK: Duration = Duration::from_millis(1);

/// Loops that compute beside it, on as many threads as there are cores.
const LOOPS: usize = 4;

/// What the cpu lane's threads are set to. The first is what they are unless said otherwise.
const WEIGHTS: [(&str, Policy, u8); 5] = [
    ("as built in: batch, nice 5", Policy::Batch, 5),
    ("normal, nice 0 (like all others)", Policy::Normal, 0),
    ("normal, nice 5", Policy::Normal, 5),
    ("batch, nice 19", Policy::Batch, 19),
    ("idle", Policy::Idle, 0),
];

/// How often the same computation is timed with and without lowered weight, in turns.
const COST_ROUNDS: usize = 5;

fn main() {
    let seconds = peers::seconds(20);
    let time = Duration::from_secs(seconds);
    println!("lateness of a wait of 1 ms, {seconds} s for each row, in microseconds\n");
    println!(
        "{:<52} {:>7} {:>7} {:>7} {:>7}   p99.9 beside the limit's",
        "", "p50", "p99", "p99.9", "max"
    );
    println!("machine idle");
    let limit = row("an OS thread's sleep: the limit", os_thread(time), None);
    let lanes = lanes(WEIGHTS[0]);
    row("io lane: context.sleep", io_lane(&lanes, time), Some(limit));
    row(
        "io lane: tokio::time::sleep",
        tokio_timer(&lanes, time),
        Some(limit),
    );
    drop(lanes);
    println!("beside {LOOPS} loops that compute, cpu lane:");
    for weight in WEIGHTS {
        let lanes = self::lanes(weight);
        let busy = saturate(&lanes);
        row(weight.0, io_lane(&lanes, time), Some(limit));
        stop(busy);
    }
    let lanes = self::lanes(WEIGHTS[0]);
    let busy = saturate(&lanes);
    row(
        "as built in, tokio::time::sleep",
        tokio_timer(&lanes, time),
        Some(limit),
    );
    stop(busy);
    drop(lanes);
    let lines = peers::python("isolation.py", &[&seconds.to_string(), &LOOPS.to_string()]);
    let late: Result<Vec<u64>, _> = lines.iter().map(|line| line.parse()).collect();
    match late {
        Ok(late) => drop(row(
            "Python: asyncio, ThreadPoolExecutor",
            late,
            Some(limit),
        )),
        Err(_) => println!("  {}", lines.join(" ")),
    }
    cost();
}

/// Prints a row of the table; returns its p99.9.
fn row(name: &str, mut late: Vec<u64>, limit: Option<u64>) -> u64 {
    late.sort_unstable();
    let at = |part: f64| late[((late.len() - 1) as f64 * part).round() as usize];
    let [p50, p99, p999, max] = [at(0.5), at(0.99), at(0.999), at(1.0)];
    let beside = limit.map_or(String::new(), |limit| {
        format!("{:.2} x", p999 as f64 / limit as f64)
    });
    let us = |nanos: u64| nanos as f64 / 1e3;
    println!(
        "  {name:<50} {:>7.0} {:>7.0} {:>7.0} {:>7.0}   {beside}",
        us(p50),
        us(p99),
        us(p999),
        us(max)
    );
    p999
}

fn lanes((_, policy, nice): (&str, Policy, u8)) -> Lanes {
    Lanes::builder().policy(policy).nice(nice).build().unwrap()
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap()
}

/// Nanoseconds by which each wait in `time` was late.
#[expect(clippy::disallowed_methods, reason = "it is what is measured here")]
fn os_thread(time: Duration) -> Vec<u64> {
    let measure = move || {
        let mut late = Vec::new();
        let end = kernel_nanos() + nanos(time);
        loop {
            let due = kernel_nanos() + nanos(TICK);
            std::thread::sleep(TICK);
            let now = kernel_nanos();
            late.push(now - due);
            if now >= end {
                return late;
            }
        }
    };
    std::thread::spawn(measure).join().unwrap()
}

fn io_lane(lanes: &Lanes, time: Duration) -> Vec<u64> {
    let ticks = lanes.io_with(move |context| async move {
        let mut late = Vec::new();
        let end = kernel_nanos() + nanos(time);
        loop {
            let due = kernel_nanos() + nanos(TICK);
            context.sleep(TICK).await.unwrap();
            let now = kernel_nanos();
            late.push(now - due);
            if now >= end {
                return late;
            }
        }
    });
    ticks.wait().unwrap()
}

fn tokio_timer(lanes: &Lanes, time: Duration) -> Vec<u64> {
    let ticks = lanes.io(async move {
        let mut late = Vec::new();
        let end = kernel_nanos() + nanos(time);
        loop {
            let due = kernel_nanos() + nanos(TICK);
            tokio::time::sleep(TICK).await;
            let now = kernel_nanos();
            late.push(now - due);
            if now >= end {
                return late;
            }
        }
    });
    ticks.wait().unwrap()
}

/// Loops that run until they are stopped.
fn saturate(lanes: &Lanes) -> Vec<twolane::Handle<u64>> {
    let busy: Vec<_> = (0..LOOPS)
        .map(|_| {
            lanes.cpu(|context| {
                let mut sum = 0;
                while !context.is_cancelled() {
                    sum = compute(sum, 100_000);
                }
                sum
            })
        })
        .collect();
    while lanes.status().cpu_waiting > LOOPS.saturating_sub(twolane::lanes::cores()) {
        std::thread::yield_now();
    }
    busy
}

fn stop(busy: Vec<twolane::Handle<u64>>) {
    for handle in &busy {
        handle.cancel();
    }
    for handle in busy {
        // Those that had not begun give an error, and none that matters here.
        let _ended = handle.wait();
    }
}

fn compute(mut sum: u64, steps: u64) -> u64 {
    for n in 0..steps {
        sum = black_box(sum.wrapping_add(n));
    }
    sum
}

/// The same computation on all cores, with the weight that is built in and without.
fn cost() {
    const STEPS: u64 = 1_000_000_000;
    let [lowered, equal] = [lanes(WEIGHTS[0]), lanes(WEIGHTS[1])];
    let timed = |lanes: &Lanes| {
        let began = kernel_nanos();
        let run = |_: &Context| compute(0, STEPS);
        let handles: Vec<_> = (0..twolane::lanes::cores())
            .map(|_| lanes.cpu(run))
            .collect();
        for handle in handles {
            handle.wait().unwrap();
        }
        kernel_nanos() - began
    };
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..COST_ROUNDS {
        times[0].push(timed(&lowered));
        times[1].push(timed(&equal));
    }
    // The quickest is what the computation takes; the rest is what else the machine did.
    let [lowered, equal] = times.map(|times| times.into_iter().min().unwrap() as f64 / 1e9);
    println!("\nthe same computation on every core, nothing else to do, best of {COST_ROUNDS}");
    println!("  weight as built in                {lowered:>7.3} s");
    println!(
        "  weight like all others            {equal:>7.3} s   the lowered one takes {:+.1} %",
        (lowered / equal - 1.0) * 100.0
    );
}
