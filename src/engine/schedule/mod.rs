//! When jobs run by the calendar: pure calculation from a schedule to its slots, the instants at which it
//! asks for a run. Knows no clock and no table of time zones; a zone comes as the value that
//! configuration made of it.
//!
//! **The rule where clocks are changed.** A *slot* is an instant. An expression of cron names civil times, what
//! the clock on the wall shows, and each civil time is as many slots as there are instants at which that
//! clock shows it. Where clocks go forward a civil time may be skipped by the clock ([`Gap`]), and where
//! they go back it may be shown twice ([`Fold`]). Two civil times that come to the same instant are one slot.

pub mod blackout;
pub mod cron;
pub mod memory;
pub mod notes;
mod parse;
mod slots;
pub mod spec;
pub mod upcoming;
pub mod zone;

pub use blackout::{Blackout, BlackoutError};
pub use cron::Cron;
pub use parse::CronError;
pub use slots::{Dst, Passed};
pub use spec::{Fold, Gap, Missed, MissedPolicy, Overlap, ScheduleSpec, Trigger};
pub use zone::Zone;

/// The argument that a run has from its schedule: the slot, in RFC 3339 and UTC.
pub const SCHEDULED: &str = "scheduled";

/// Microseconds in a second.
pub(super) const SECOND: i64 = 1_000_000;

/// Seconds in a day of the calendar.
const DAY: i64 = 86_400;
