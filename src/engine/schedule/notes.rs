//! What people are told of a slot: what the clocks show, and what is peculiar about it.

use jiff::Timestamp;
use jiff::tz::Offset;

use super::slots::Dst;
use super::spec::ScheduleSpec;
use crate::engine::time::Wall;

/// What the clocks of the schedule's zone show at `at`, with their offset.
#[must_use]
pub fn shown(schedule: &ScheduleSpec, at: Wall) -> String {
    let moment = Timestamp::from_microsecond(at.0).unwrap_or(Timestamp::MAX);
    let offset = schedule.zone.offset(moment.as_second());
    let seconds = i32::try_from(offset).unwrap_or(0);
    let offset = Offset::from_seconds(seconds).unwrap_or(Offset::UTC);
    let zoned = moment.to_zoned(offset.to_time_zone());
    zoned.strftime(SHOWN).to_string()
}

/// How a time on the clock is written.
pub const SHOWN: &str = "%a %F %T %:z";

/// What a change of the clock has made of a slot; `None` of most.
#[must_use]
pub fn of_clock(schedule: &ScheduleSpec, slot: Wall) -> Option<String> {
    match schedule.dst(slot)? {
        Dst::Moved(shown) => Some(format!("for {}, which the clock skips", civil(shown))),
        Dst::First => Some("the first time that the clock shows this".to_owned()),
        Dst::Second => Some("the second time that the clock shows this".to_owned()),
        Dst::Skipped(_) | Dst::NotTwice(_) => None,
    }
}

/// Why a civil time is no slot.
#[must_use]
pub fn why_not(why: Dst) -> String {
    match why {
        Dst::Skipped(shown) => format!("not run: the clock skips {}", civil(shown)),
        Dst::NotTwice(shown) => {
            format!("not run: the clock shows {} a second time", civil(shown))
        }
        Dst::Moved(_) | Dst::First | Dst::Second => String::new(),
    }
}

/// A civil time.
fn civil(shown: i64) -> String {
    let at = Timestamp::from_second(shown).unwrap_or(Timestamp::MAX);
    at.strftime("%H:%M:%S").to_string()
}
