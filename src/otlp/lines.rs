//! When the log is told of traces that were lost. A collector that now and then takes nothing, and a daemon that is
//! faster than it, would fill the log otherwise.

use std::time::Duration;

use crate::engine::time::Mono;

/// How long after a line the next of its kind is kept back, with what it would count.
const EVERY: Duration = Duration::from_secs(60);

/// What was told.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Whether it was told that nothing can be sent, and nothing was since.
    is_told: bool,
    /// Whether nobody was told yet that they are sent again.
    owed: bool,
    /// How many were dropped when that was told last.
    told: u64,
    failed: Quiet,
    again: Quiet,
}

/// Until when lines of one kind are kept back.
#[derive(Debug, Default)]
struct Quiet(Option<Mono>);

impl Quiet {
    /// Whether a line may be told now, which it then is.
    fn ends(&mut self, now: Mono) -> bool {
        if self.0.is_some_and(|until| now < until) {
            return false;
        }
        self.0 = Some(now.plus(EVERY));
        true
    }
}

impl Lines {
    /// Nothing can be sent; whether that is to be told.
    pub(super) fn failed(&mut self, now: Mono) -> bool {
        if self.is_told || !self.failed.ends(now) {
            return false;
        }
        self.is_told = true;
        self.owed = true;
        true
    }

    /// Something was sent, with so many dropped by now: how many were lost since that was told, if it is to be told.
    pub(super) fn taken(&mut self, now: Mono, dropped: u64) -> Option<u64> {
        self.is_told = false;
        let lost = dropped.saturating_sub(self.told);
        if !self.owed && lost == 0 || !self.again.ends(now) {
            return None;
        }
        self.owed = false;
        self.told = dropped;
        Some(lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Mono {
        Mono(second * 1_000_000_000)
    }

    #[test]
    fn an_outage_is_told_once_and_so_is_its_end() {
        let mut lines = Lines::default();
        assert_eq!(lines.taken(at(0), 0), None);
        assert!(lines.failed(at(1)));
        assert!(!lines.failed(at(2)), "the same outage");
        assert_eq!(lines.taken(at(3), 512), Some(512));
        assert_eq!(lines.taken(at(4), 512), None);
    }

    #[test]
    fn an_outage_soon_after_another_is_told_when_it_lasts() {
        let mut lines = Lines::default();
        assert!(lines.failed(at(1)));
        assert_eq!(lines.taken(at(3), 0), Some(0));
        let told: Vec<u64> = (30..300)
            .filter(|second| lines.failed(at(*second)))
            .collect();
        assert_eq!(told, [61]);
    }

    #[test]
    fn what_goes_on_for_long_is_told_once_a_minute_with_all_that_was_lost() {
        let mut lines = Lines::default();
        let mut told = Vec::new();
        // Each second some find no room in the queue, and every third nothing is taken at all.
        for second in 0..180 {
            let dropped = 10 * (second + 1);
            if second % 3 == 1 {
                told.extend(lines.failed(at(second)).then_some((second, None)));
            } else if let Some(lost) = lines.taken(at(second), dropped) {
                told.push((second, Some(lost)));
            }
        }
        let expected = [
            (0, Some(10)),
            (1, None),
            (60, Some(600)),
            (61, None),
            (120, Some(600)),
            (121, None),
        ];
        assert_eq!(told, expected);
    }
}
