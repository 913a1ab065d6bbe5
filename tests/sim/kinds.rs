//! The kinds of facts: one list, which has to have a place for each, and of which the simulator has to show each.

use twolane::engine::fact::Fact;

macro_rules! kinds {
    ($($kind:ident)*) => {
        /// All of them.
        pub(crate) const ALL: &[&str] = &[$(stringify!($kind)),*];

        /// What a fact is. A kind that is not in the list does not compile; one that is has to be seen.
        pub(crate) const fn of(fact: &Fact) -> &'static str {
            match fact {
                $(Fact::$kind { .. } => stringify!($kind),)*
            }
        }
    };
}

kinds! {
    Absent
    Accepted
    Announced
    BackfillAccepted
    BackfillEnded
    BackfillMoved
    Began
    Cancelled
    ClockSet
    Configured
    Draining
    Due
    Ended
    Evaluated
    Gathered
    GivenUp
    Heard
    Interrupted
    Leaving
    Met
    Misplaced
    Opened
    Paused
    Reconsidered
    Released
    Resumed
    Retried
    Retrying
    Sent
    Skipped
    Spread
    Started
    Stopping
    Unresponsive
}
