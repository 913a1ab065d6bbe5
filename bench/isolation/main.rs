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
    (
        "io lane beside 4 loops, as built in: batch, nice 5",
        Policy::Batch,
        5,
    ),
    (
        "the same with normal, nice 0 (like all others)",
        Policy::Normal,
        0,
    ),
    ("the same with normal, nice 5", Policy::Normal, 5),
    ("the same with batch, nice 19", Policy::Batch, 19),
    ("the same with idle", Policy::Idle, 0),
];

/// How often the same computation is timed with and without lowered weight, in turns.
const COST_ROUNDS: usize = 9;

fn main() {
    let seconds = peers::seconds(20);
    println!(
        "lateness of a wait of 1 ms, {seconds} s for each row in turns of {} s, in microseconds\n",
        SLICE.as_secs()
    );
    println!(
        "{:<52} {:>7} {:>7} {:>7} {:>7}   p99.9 / limit   quiet disturbed",
        "", "p50", "p99", "p99.9", "max"
    );
    let mut rows: Vec<_> = contenders().into_iter().map(Row::new).collect();
    let slices = usize::try_from(seconds / SLICE.as_secs()).unwrap();
    for _ in 0..slices * TRIES {
        for row in &mut rows {
            if row.quiet < slices {
                row.measure();
            }
        }
    }
    let limit = rows[0].lateness().p999;
    for row in &mut rows {
        row.print(limit);
    }
    let mut python = Row::new(Contender {
        name: "asyncio beside 4 loops in a ThreadPoolExecutor",
        measure: Box::new(move || {
            let args = [&seconds.to_string(), &LOOPS.to_string()];
            let lines = peers::python("isolation.py", &[args[0], args[1]]);
            let late: Result<Vec<u64>, _> = lines.iter().map(|line| line.parse()).collect();
            late.unwrap_or_else(|_| {
                println!("  {}", lines.join(" "));
                Vec::new()
            })
        }),
    });
    python.measure();
    if !python.late.is_empty() || !python.disturbed.is_empty() {
        python.print(limit);
    }
    cost();
}

/// The rows take turns of this length, so that what else happens on the machine meets all of them.
const SLICE: Duration = Duration::from_secs(1);

/// The most that other programs may take of the machine's processors during a slice, in per cent: what
/// they do to a wait is not in question here. Slices in which they take more are measured again.
const DISTURBED: f64 = 1.0;

/// How many times as many slices are measured at most. What is disturbed then even so counts.
const TRIES: usize = 5;

/// Something whose lateness is measured.
struct Contender {
    name: &'static str,
    /// Measures for one slice; gives nanoseconds, one for each wait.
    measure: Box<dyn Fn() -> Vec<u64>>,
}

fn contenders() -> Vec<Contender> {
    let alone = lanes(WEIGHTS[0]);
    let alone_too = alone.clone();
    let mut all = vec![
        contender("an OS thread's sleep, machine idle: the limit", os_thread),
        contender("io lane, machine idle", move || io_lane(&alone)),
        contender("io lane, machine idle, tokio's own timer", move || {
            tokio_timer(&alone_too)
        }),
    ];
    for weight in WEIGHTS {
        all.push(contender(weight.0, move || beside(weight, io_lane)));
    }
    all.push(contender("the same as built in, tokio's own timer", || {
        beside(WEIGHTS[0], tokio_timer)
    }));
    all
}

fn contender(name: &'static str, measure: impl Fn() -> Vec<u64> + 'static) -> Contender {
    Contender {
        name,
        measure: Box::new(measure),
    }
}

/// Measures while the cpu lane is saturated.
fn beside(weight: (&str, Policy, u8), measure: impl Fn(&Lanes) -> Vec<u64>) -> Vec<u64> {
    let lanes = lanes(weight);
    let busy = saturate(&lanes);
    let late = measure(&lanes);
    stop(busy);
    late
}

/// A row of the table.
struct Row {
    contender: Contender,
    late: Vec<u64>,
    /// What was measured in slices that others disturbed.
    disturbed: Vec<u64>,
    /// Slices of either kind.
    quiet: usize,
    noisy: usize,
}

struct Lateness {
    p50: u64,
    p99: u64,
    p999: u64,
    max: u64,
}

impl Row {
    fn new(contender: Contender) -> Self {
        Self {
            contender,
            late: Vec::new(),
            disturbed: Vec::new(),
            quiet: 0,
            noisy: 0,
        }
    }

    fn measure(&mut self) {
        let (others, all) = ticks();
        let late = (self.contender.measure)();
        let (others_after, all_after) = ticks();
        let others = others_after.saturating_sub(others) as f64;
        if others * 100.0 <= (all_after - all) as f64 * DISTURBED {
            self.late.extend(late);
            self.quiet += 1;
        } else {
            self.disturbed.extend(late);
            self.noisy += 1;
        }
    }

    fn lateness(&mut self) -> Lateness {
        if self.late.is_empty() {
            // Better a disturbed figure than none; the last columns say so.
            self.late.append(&mut self.disturbed);
        }
        let late = &mut self.late;
        late.sort_unstable();
        let at = |part: f64| late[((late.len() - 1) as f64 * part).round() as usize];
        Lateness {
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            max: at(1.0),
        }
    }

    fn print(&mut self, limit: u64) {
        let Lateness {
            p50,
            p99,
            p999,
            max,
        } = self.lateness();
        let us = |nanos: u64| nanos as f64 / 1e3;
        println!(
            "  {:<50} {:>7.0} {:>7.0} {:>7.0} {:>7.0}   {:>10.2} x   {:>6} {:>9}",
            self.contender.name,
            us(p50),
            us(p99),
            us(p999),
            us(max),
            p999 as f64 / limit as f64,
            self.quiet,
            self.noisy
        );
    }
}

/// Ticks of processor time since the machine started: what other programs used, and all.
fn ticks() -> (u64, u64) {
    let sum =
        |words: &[&str]| -> u64 { words.iter().map(|word| word.parse::<u64>().unwrap()).sum() };
    let stat = std::fs::read_to_string("/proc/stat").unwrap();
    // cpu user nice system idle iowait irq softirq steal
    let all: Vec<_> = stat.split_whitespace().take(9).collect();
    let own = std::fs::read_to_string("/proc/self/stat").unwrap();
    // After the name in brackets: state, ten others, then user and system time, of this process and
    // of those that it has waited for.
    let own: Vec<_> = own.rsplit(')').next().unwrap().split_whitespace().collect();
    let used = sum(&all[1..4]) + sum(&all[6..9]);
    (used - sum(&own[11..15]), sum(&all[1..9]))
}

fn lanes((_, policy, nice): (&str, Policy, u8)) -> Lanes {
    Lanes::builder().policy(policy).nice(nice).build().unwrap()
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap()
}

/// Nanoseconds by which each wait of a slice was late.
#[expect(clippy::disallowed_methods, reason = "it is what is measured here")]
fn os_thread() -> Vec<u64> {
    let measure = || {
        let mut late = Vec::new();
        let end = kernel_nanos() + nanos(SLICE);
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

fn io_lane(lanes: &Lanes) -> Vec<u64> {
    let ticks = lanes.io_with(move |context| async move {
        let mut late = Vec::new();
        let end = kernel_nanos() + nanos(SLICE);
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

fn tokio_timer(lanes: &Lanes) -> Vec<u64> {
    let ticks = lanes.io(async move {
        let mut late = Vec::new();
        let end = kernel_nanos() + nanos(SLICE);
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
