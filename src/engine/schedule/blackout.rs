//! Times in which nothing is started by a schedule, as the clocks of its zone show them.

use std::fmt;
use std::sync::Arc;

use jiff::civil::{Date, DateTime, Time};
use jiff::{Timestamp, tz::Offset};
use serde::{Deserialize, Serialize};

use super::DAY;
use super::cron::has;
use super::parse::weekday_set;

/// Why a text is no blackout.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no blackout")]
pub struct BlackoutError(pub String);

/// A time in which nothing is started. It is written as its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Blackout {
    text: Arc<str>,
    when: When,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// On these weekdays (bit 0 is Sunday), from a time of day to another, in seconds; into the next day
    /// where the end is not after the beginning.
    Weekly { days: u64, from: i64, until: i64 },
    /// From a civil time until another, which is no more of it.
    Span { from: i64, until: i64 },
}

impl Blackout {
    /// Examples for messages.
    pub const EXAMPLES: &str =
        "`22:00-06:00`, `Sat,Sun`, `Mon-Fri 09:00-17:30` or `2026-12-24..2026-12-26`";

    /// Reads one; see [`Self::EXAMPLES`]. Of dates the last one belongs to it, of times it does not.
    ///
    /// # Errors
    /// The text, if it is none.
    pub fn parse(text: &str) -> Result<Self, BlackoutError> {
        let when = parse(text.trim()).ok_or_else(|| BlackoutError(text.to_owned()))?;
        Ok(Self {
            text: text.trim().into(),
            when,
        })
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a civil time is within it, in seconds since 1970-01-01T00:00.
    #[must_use]
    pub fn covers(&self, shown: i64) -> bool {
        match self.when {
            When::Span { from, until } => (from..until).contains(&shown),
            When::Weekly { days, from, until } => {
                let (day, time) = (shown.div_euclid(DAY), shown.rem_euclid(DAY));
                // The first day of 1970 was a Thursday.
                let on = |day: i64| has(days, (day + 4).rem_euclid(7));
                if from < until {
                    return on(day) && (from..until).contains(&time);
                }
                (on(day) && time >= from) || (on(day - 1) && time < until)
            }
        }
    }
}

fn parse(text: &str) -> Option<When> {
    if let Some((from, to)) = text.split_once("..") {
        let (from, until) = (moment(from.trim(), 0)?, moment(to.trim(), DAY)?);
        return (from < until).then_some(When::Span { from, until });
    }
    let (days, times) = match text.rsplit_once(' ') {
        Some((days, times)) => (days.trim(), times),
        None if text.contains(':') => ("*", text),
        None => (text, "00:00-24:00"),
    };
    let days = match days {
        "*" => 0x7F,
        days => weekday_set(days)?,
    };
    let (from, until) = times.split_once('-')?;
    let (from, until) = (time(from)?, time(until)?);
    (from < DAY && until > 0).then_some(When::Weekly { days, from, until })
}

/// `HH:MM` or `HH:MM:SS` in seconds; also `24:00`.
fn time(text: &str) -> Option<i64> {
    if text == "24:00" {
        return Some(DAY);
    }
    let shape = text.bytes().all(|b| b.is_ascii_digit() || b == b':') && text.contains(':');
    let time: Time = text.parse().ok().filter(|_| shape)?;
    let part = |n: i8| i64::from(n);
    Some(part(time.hour()) * 3600 + part(time.minute()) * 60 + part(time.second()))
}

/// A civil time, or a date and so much more.
fn moment(text: &str, more: i64) -> Option<i64> {
    let seconds = |at: DateTime| {
        let at: Timestamp = Offset::UTC.to_timestamp(at).ok()?;
        Some(at.as_second())
    };
    if text.len() == 10 {
        let date: Date = text.parse().ok()?;
        return Some(seconds(date.to_datetime(Time::midnight()))? + more);
    }
    seconds(text.parse().ok()?)
}

impl fmt::Display for Blackout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for Blackout {
    type Error = BlackoutError;

    fn try_from(text: String) -> Result<Self, BlackoutError> {
        Self::parse(&text)
    }
}

impl From<Blackout> for String {
    fn from(blackout: Blackout) -> Self {
        blackout.text.to_string()
    }
}
