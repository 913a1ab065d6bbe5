//! An expression of cron as sets of numbers, and the civil times that match it. Knows no time zone: a
//! civil time is a number of seconds since 1970-01-01T00:00 on a clock that is never changed.

use std::fmt;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::DAY;
use super::parse::{CronError, parse};

/// For how many years a match is looked for: within these the calendar comes by every date on every weekday,
/// also around 2100, which is no leap year.
const HORIZON_YEARS: i16 = 41;

/// An expression of cron. It is written as its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cron {
    pub(super) text: Arc<str>,
    pub(super) fields: Fields,
}

/// The values that match, as bits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) seconds: u64,
    pub(super) minutes: u64,
    pub(super) hours: u64,
    pub(super) months: u64,
    pub(super) days: Days,
    pub(super) weekdays: Weekdays,
    /// Both of the two above are restricted, so that one of them is enough.
    pub(super) either: bool,
    /// The field of minutes or that of hours begins with `*`: it is meant as "every so often", not as
    /// a time of day.
    pub(super) often: bool,
}

/// Days of the month.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Days {
    /// Bits 1 to 31.
    pub(super) set: u64,
    /// So many days before the last one (`L`, `L-3`).
    pub(super) before_last: u64,
    /// The weekday nearest to this one, in the same month (`15W`).
    pub(super) nearest: u64,
    /// The last weekday (`LW`).
    pub(super) last_weekday: bool,
}

/// Days of the week, Sunday being 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Weekdays {
    /// Bits 0 to 6.
    pub(super) set: u64,
    /// `5#2` (the second Friday) is bit 5 of number 1.
    pub(super) nth: [u64; 5],
    /// The last one of the month (`5L`).
    pub(super) last: u64,
}

impl Cron {
    /// Reads an expression of five fields (minute, hour, day of month, month, day of week), of six (with
    /// seconds before them), or a word such as `@daily`.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        let fields = parse(text)?;
        let cron = Self {
            text: text.into(),
            fields,
        };
        match cron.next(0) {
            Some(_) => Ok(cron),
            None => Err(CronError::never(text)),
        }
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it says "every so often" rather than a time of day: its field of minutes or that of hours
    /// begins with `*`. Such jobs go by what the clock shows, like those of cron.
    #[must_use]
    pub const fn is_often(&self) -> bool {
        self.fields.often
    }

    /// The first match after the civil time `after`.
    #[must_use]
    pub fn next(&self, after: i64) -> Option<i64> {
        let from = after.checked_add(1)?;
        let (day, time) = (from.div_euclid(DAY), from.rem_euclid(DAY));
        if let Some(time) = self.matches_day(day).then(|| self.time(time)).flatten() {
            return Some(day * DAY + time);
        }
        let day = self.day_after(day)?;
        Some(day * DAY + self.time(0)?)
    }

    /// The first time of day that matches, from `from` on, in seconds.
    fn time(&self, from: i64) -> Option<i64> {
        let fields = &self.fields;
        let (hour, minute, second) = (from / 3600, from / 60 % 60, from % 60);
        let first = |set: u64| i64::from(set.trailing_zeros());
        let whole = |hour: i64, minute: i64| hour * 3600 + minute * 60 + first(fields.seconds);
        if has(fields.hours, hour) {
            if has(fields.minutes, minute)
                && let Some(second) = at_least(fields.seconds, second)
            {
                return Some(hour * 3600 + minute * 60 + second);
            }
            if let Some(minute) = at_least(fields.minutes, minute + 1) {
                return Some(whole(hour, minute));
            }
        }
        let hour = at_least(fields.hours, hour + 1)?;
        Some(whole(hour, first(fields.minutes)))
    }

    fn matches_day(&self, day: i64) -> bool {
        let Some(date) = date(day) else {
            return false;
        };
        has(self.fields.months, date.month().into())
            && has(self.days_of(date.first_of_month()), date.day().into())
    }

    /// The first day after `day` that matches.
    fn day_after(&self, day: i64) -> Option<i64> {
        let start = date(day.checked_add(1)?)?;
        let mut month = start.first_of_month();
        let mut from = i64::from(start.day());
        let last_year = start.year().saturating_add(HORIZON_YEARS);
        while month.year() <= last_year {
            if has(self.fields.months, month.month().into())
                && let Some(found) = at_least(self.days_of(month), from)
            {
                return Some(number(month)? + found - 1);
            }
            from = 1;
            month = month.last_of_month().tomorrow().ok()?;
        }
        None
    }

    /// The days of the month that begins with `first` that match, as bits 1 to 31.
    fn days_of(&self, first: Date) -> u64 {
        let length = i64::from(first.days_in_month());
        let begins = i64::from(first.weekday().to_sunday_zero_offset());
        let by_day = self.fields.days.of(length, begins);
        let by_weekday = self.fields.weekdays.of(length, begins);
        if self.fields.either {
            by_day | by_weekday
        } else {
            by_day & by_weekday
        }
    }
}

impl Days {
    /// Those of a month of this length that begins on this weekday.
    fn of(&self, length: i64, begins: i64) -> u64 {
        let mut days = self.set & month_mask(length);
        for before in bits(self.before_last) {
            if before < length {
                days |= 1 << (length - before);
            }
        }
        let weekday = |day: i64| (begins + day - 1) % 7;
        for day in bits(self.nearest).filter(|day| *day <= length) {
            // Never into another month.
            let nearest = match weekday(day) {
                6 if day == 1 => 3,
                6 => day - 1,
                0 if day == length => day - 2,
                0 => day + 1,
                _ => day,
            };
            days |= 1 << nearest;
        }
        if self.last_weekday {
            let last = match weekday(length) {
                6 => length - 1,
                0 => length - 2,
                _ => length,
            };
            days |= 1 << last;
        }
        days
    }
}

impl Weekdays {
    /// The days of a month of this length that begins on this weekday.
    fn of(&self, length: i64, begins: i64) -> u64 {
        let mut days = 0;
        for weekday in 0..7 {
            let first = 1 + (weekday - begins).rem_euclid(7);
            let all = [0, 7, 14, 21, 28].map(|more| first + more);
            if has(self.set, weekday) {
                days |= all.iter().fold(0, |days, day| days | 1 << day);
            }
            for (nth, day) in self.nth.iter().zip(all) {
                if has(*nth, weekday) {
                    days |= 1 << day;
                }
            }
            if has(self.last, weekday) {
                let last = if all[4] <= length { all[4] } else { all[3] };
                days |= 1 << last;
            }
        }
        days & month_mask(length)
    }
}

const fn month_mask(length: i64) -> u64 {
    ((1 << length) - 1) << 1
}

pub(super) const fn has(set: u64, value: i64) -> bool {
    set >> value & 1 == 1
}

/// The least value of `set` that is `from` or more; `from` is less than 64.
fn at_least(set: u64, from: i64) -> Option<i64> {
    let rest = set >> from << from;
    (rest != 0).then(|| i64::from(rest.trailing_zeros()))
}

fn bits(set: u64) -> impl Iterator<Item = i64> {
    (0..64).filter(move |value| has(set, *value))
}

/// The date of a day, counted from 1970-01-01; `None` beyond the calendar.
fn date(day: i64) -> Option<Date> {
    let at = Timestamp::from_second(day.checked_mul(DAY)?).ok()?;
    Some(Offset::UTC.to_datetime(at).date())
}

/// The inverse of [`date`].
fn number(date: Date) -> Option<i64> {
    let epoch = Date::new(1970, 1, 1).ok()?;
    let since: SignedDuration = date.duration_since(epoch);
    Some(since.as_secs() / DAY)
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for Cron {
    type Error = CronError;

    fn try_from(text: String) -> Result<Self, CronError> {
        Self::parse(&text)
    }
}

impl From<Cron> for String {
    fn from(cron: Cron) -> Self {
        cron.text.to_string()
    }
}
