//! The daemon is killed again and again, at random instants, while eight clients submit. Then what the clients were
//! told, a ledger that the jobs wrote, the store and the kernel are held against each other by the checker.
//!
//! `TWOLANE_KILL_CYCLES=300 cargo test --test kill` kills more often.
//!
//! The program is its own daemon: with arguments it is `twolane` with the functions that keep the ledger.

#![expect(
    clippy::print_stdout,
    reason = "a test without a harness says how it went"
)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod books;
#[path = "../checker/check/mod.rs"]
mod check;
mod clients;
mod daemon;

use std::process::ExitCode;
use std::time::Duration;

use clients::Clients;
use daemon::Daemon;

/// Kills in a usual run.
const CYCLES: u64 = 25;

/// Clients that submit at the same time.
const CLIENTS: u64 = 8;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|first| first == "serve") {
        return books::ledger_app().main();
    }
    if arguments.iter().any(|argument| argument == "--list") {
        println!("promise_1_and_3_survive_being_killed: test");
        return ExitCode::SUCCESS;
    }
    promise_1_and_3_survive_being_killed();
    println!("test promise_1_and_3_survive_being_killed ... ok");
    ExitCode::SUCCESS
}

fn promise_1_and_3_survive_being_killed() {
    let cycles = std::env::var("TWOLANE_KILL_CYCLES")
        .ok()
        .and_then(|cycles| cycles.parse().ok())
        .unwrap_or(CYCLES);
    let place = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::new(place.path());
    let clients = Clients::start(CLIENTS, &daemon.socket());
    let mut chance = 0x9E37_79B9_7F4A_7C15_u64;
    for _ in 0..cycles {
        daemon.start();
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let millis = 20 + (chance >> 33) % 120;
        // The instant of a kill is meant to be any, so here a time is what is waited for.
        std::thread::park_timeout(Duration::from_millis(millis));
        daemon.kill();
    }
    daemon.start();
    let mut told = clients.finish();
    books::settle(&daemon);
    books::ask_again(&daemon, &mut told);
    daemon.stop();
    let verdict = books::verdict(&daemon, &told, cycles);
    println!("{cycles} kills: {verdict}");
}
