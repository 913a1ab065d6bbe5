//! The way down, under one global deadline: first nothing starts any more, then what runs is asked
//! to stop, then the daemon leaves, whatever still runs. A state machine; the loop carries it out.

use std::time::Duration;

use crate::engine::time::Mono;

/// Of the whole time, at most this much at the end is kept for attempts to stop in.
const STOP_TIME: Duration = Duration::from_secs(10);

/// How patient the way down is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// What runs may end by itself for as long as the deadline allows: a service.
    Drain(Duration),
    /// What runs is asked to stop at once and has this long to do so: a command in the foreground.
    Stop(Duration),
}

/// Where on the way down the daemon is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Shutdown {
    /// Not on it.
    #[default]
    No,
    /// Nothing starts; what runs may end, however long that takes.
    Emptying,
    /// Nothing starts; what runs may end.
    Draining { stop_at: Mono, leave_at: Mono },
    /// What runs was asked to stop.
    Stopping { leave_at: Mono },
    /// The deadline has passed, or somebody has asked twice.
    Leaving,
}

/// What the loop does on a step of the way down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Let nothing start any more.
    Drain,
    /// Let nothing start any more, and ask what runs to stop.
    Stop,
    /// Leave.
    Leave,
}

impl Shutdown {
    /// Somebody asks for the way down.
    pub(super) fn ask(&mut self, now: Mono, patience: Patience) -> Step {
        if !matches!(self, Self::No | Self::Emptying) {
            *self = Self::Leaving;
            return Step::Leave;
        }
        match patience {
            Patience::Drain(limit) => {
                let stop_time = STOP_TIME.min(limit / 2);
                *self = Self::Draining {
                    stop_at: now.plus(limit - stop_time),
                    leave_at: now.plus(limit),
                };
                Step::Drain
            }
            Patience::Stop(limit) => {
                *self = Self::Stopping {
                    leave_at: now.plus(limit),
                };
                Step::Stop
            }
        }
    }

    /// Somebody wants the daemon to leave when nothing runs any more.
    pub(super) fn drain(&mut self) {
        if *self == Self::No {
            *self = Self::Emptying;
        }
    }

    /// Whether what runs may still end by itself.
    pub(super) const fn waits(&self) -> bool {
        matches!(self, Self::Emptying | Self::Draining { .. })
    }

    /// Nothing will end by itself: what is left is asked to stop now.
    pub(super) fn hurry(&mut self, now: Mono) -> Step {
        let leave_at = match *self {
            Self::Draining { leave_at, .. } | Self::Stopping { leave_at } => leave_at,
            Self::No | Self::Emptying | Self::Leaving => now.plus(STOP_TIME),
        };
        *self = Self::Stopping { leave_at };
        Step::Stop
    }

    /// When to look again.
    pub(super) const fn deadline(&self) -> Option<Mono> {
        match self {
            Self::No | Self::Emptying | Self::Leaving => None,
            Self::Draining { stop_at, .. } => Some(*stop_at),
            Self::Stopping { leave_at } => Some(*leave_at),
        }
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Mono) -> Option<Step> {
        match *self {
            Self::Draining { stop_at, leave_at } if now >= stop_at => {
                *self = Self::Stopping { leave_at };
                Some(Step::Stop)
            }
            Self::Stopping { leave_at } if now >= leave_at => {
                *self = Self::Leaving;
                Some(Step::Leave)
            }
            Self::No
            | Self::Emptying
            | Self::Draining { .. }
            | Self::Stopping { .. }
            | Self::Leaving => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Mono {
        Mono(seconds * 1_000_000_000)
    }

    #[test]
    fn a_service_drains_then_stops_then_leaves() {
        let mut shutdown = Shutdown::default();
        assert_eq!((shutdown.deadline(), shutdown.tick(at(5))), (None, None));
        let patience = Patience::Drain(Duration::from_secs(90));
        assert_eq!(shutdown.ask(at(10), patience), Step::Drain);
        assert_eq!(
            (shutdown.deadline(), shutdown.tick(at(89))),
            (Some(at(90)), None)
        );
        assert_eq!(shutdown.tick(at(90)), Some(Step::Stop));
        assert_eq!(
            (shutdown.deadline(), shutdown.tick(at(99))),
            (Some(at(100)), None)
        );
        assert_eq!(shutdown.tick(at(100)), Some(Step::Leave));
        assert_eq!((shutdown.deadline(), shutdown.tick(at(200))), (None, None));
    }

    #[test]
    fn a_foreground_command_stops_at_once_and_a_second_request_leaves() {
        let mut shutdown = Shutdown::default();
        let patience = Patience::Stop(Duration::from_secs(3));
        assert_eq!(shutdown.ask(at(10), patience), Step::Stop);
        assert_eq!(shutdown.deadline(), Some(at(13)));
        assert_eq!(shutdown.ask(at(11), patience), Step::Leave);
    }

    #[test]
    fn a_drain_without_a_deadline_gets_one_by_the_first_signal() {
        let mut shutdown = Shutdown::default();
        shutdown.drain();
        assert_eq!((shutdown.deadline(), shutdown.tick(at(500))), (None, None));
        let patience = Patience::Drain(Duration::from_secs(90));
        assert_eq!(shutdown.ask(at(10), patience), Step::Drain);
        assert_eq!(shutdown.deadline(), Some(at(90)));
        shutdown.drain();
        assert_eq!(shutdown.deadline(), Some(at(90)));
    }

    #[test]
    fn a_short_limit_is_shared_by_both_stages() {
        let mut shutdown = Shutdown::default();
        shutdown.ask(at(0), Patience::Drain(Duration::from_secs(4)));
        assert_eq!(shutdown.deadline(), Some(at(2)));
    }
}
