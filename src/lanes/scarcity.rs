//! Says that the machine has no room for another process, seldom enough that the log does not fill while it is so.

use std::sync::Mutex;
use std::time::Duration;

use super::lock;
use crate::engine::time::Mono;

/// It is said once in this time, however many runs have to wait.
const SILENCE: Duration = Duration::from_secs(10);

/// What was said of it.
#[derive(Debug, Default)]
pub(crate) struct Scarcity(Mutex<Said>);

#[derive(Debug, Default)]
struct Said {
    last: Option<Mono>,
    /// Attempts since then of which nothing was said.
    unsaid: u64,
}

impl Scarcity {
    /// There was no room for an attempt: for how many there was none since it was last said, this one included;
    /// `None` where nothing is to be said now.
    pub(crate) fn met(&self, now: Mono) -> Option<u64> {
        let mut said = lock(&self.0);
        said.unsaid += 1;
        if said.last.is_some_and(|last| now.since(last) < SILENCE) {
            return None;
        }
        said.last = Some(now);
        Some(std::mem::take(&mut said.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_at_once_and_then_once_in_ten_seconds_with_how_many_there_were() {
        let scarcity = Scarcity::default();
        let at = |millis| Mono::default().plus(Duration::from_millis(millis));
        let said = [0, 1, 9_999, 10_000, 10_001, 30_000].map(|millis| scarcity.met(at(millis)));
        assert_eq!(said, [Some(1), None, None, Some(3), None, Some(2)]);
    }
}
