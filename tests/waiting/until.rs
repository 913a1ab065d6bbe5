//! Waiting for a condition, always with a limit. For each test that has a program of its own running.

use std::time::Duration;

use twolane::clock::Clock;
use twolane::engine::time::Mono;

/// How long a test waits for anything. Far more than it takes, so that a slow machine passes.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Waits until `there` gives something.
pub(crate) fn until<T>(what: &str, mut there: impl FnMut() -> Option<T>) -> T {
    let clock = Clock::start();
    loop {
        if let Some(found) = there() {
            return found;
        }
        assert!(clock.mono().since(Mono(0)) < LIMIT, "waited for {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
