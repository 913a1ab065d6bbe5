//! Schedules: their slots against another program's, and against the rule for changes of the clock in every
//! zone there is.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks at the facts that it is about"
)]

mod alone;
mod backfill;
mod bench;
mod firing;
#[path = "../records/in_force.rs"]
mod in_force;
mod oracle;
mod slots;
mod year;
mod zones;

use twolane::config;
use twolane::engine::schedule::{Cron, ScheduleSpec, Trigger, Zone};
use twolane::engine::time::Wall;

/// The schedule of an expression in a zone.
fn cron(text: &str, zone: &Zone) -> ScheduleSpec {
    let cron = Cron::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    ScheduleSpec::new(Trigger::Cron(cron), zone.clone())
}

fn zone(name: &str) -> Zone {
    config::zone(name).unwrap_or_else(|| panic!("there is no zone {name}"))
}

/// An instant, from RFC 3339.
fn at(text: &str) -> Wall {
    let at: jiff::Timestamp = text.parse().unwrap();
    Wall(at.as_microsecond())
}

/// The slots after `after`, as long as there are any.
fn after(schedule: &ScheduleSpec, after: Wall) -> impl Iterator<Item = Wall> {
    std::iter::successors(schedule.next_after(after), |last| {
        schedule.next_after(*last)
    })
}
