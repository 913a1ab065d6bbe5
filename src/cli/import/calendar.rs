//! What systemd calls a calendar event (`OnCalendar=`), as an expression of cron. There a weekday and a date
//! both have to match; here that can be said where one of the two begins with `*`, or the dates are whole weeks
//! of the month.

use jiff::civil::DateTime;
use toml::Value;

use super::draft::pair;
use crate::config;
use crate::engine::schedule::Cron;

const WEEKDAYS: [&str; 7] = [
    "sunday",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
];

/// The same as a table of one schedule; the pairs stand in the order in which people write them.
///
/// # Errors
/// Why it cannot be said.
pub(super) fn schedule(text: &str) -> Result<Vec<(String, Value)>, String> {
    let mut tokens: Vec<&str> = text.split_whitespace().collect();
    let zone = tokens.last().copied().filter(|last| is_zone(last));
    if zone.is_some() {
        tokens.pop();
    }
    let mut pairs = match &tokens[..] {
        [one] if one.starts_with('@') => vec![pair("at", seconds(one)?)],
        tokens => Event::parse(tokens, text)?.pairs()?,
    };
    if let Some(zone) = zone {
        pairs.insert(1, pair("tz", zone));
    }
    Ok(pairs)
}

fn is_zone(token: &str) -> bool {
    let begins = token.starts_with(|c: char| c.is_ascii_alphabetic());
    begins
        && weekday(token).is_none()
        && shorthand(token).is_none()
        && config::zone(token).is_some()
}

/// An instant in seconds of Unix.
fn seconds(token: &str) -> Result<String, String> {
    let number = token[1..].parse().ok();
    let at = number.and_then(|second| jiff::Timestamp::from_second(second).ok());
    at.map(|at| at.to_string())
        .ok_or_else(|| format!("`{token}` is no time"))
}

fn shorthand(word: &str) -> Option<[&'static str; 2]> {
    Some(match &*word.to_ascii_lowercase() {
        "minutely" => ["*-*-*", "*:*:00"],
        "hourly" => ["*-*-*", "*:00:00"],
        "daily" => ["*-*-*", "00:00:00"],
        "monthly" => ["*-*-01", "00:00:00"],
        "yearly" | "annually" => ["*-01-01", "00:00:00"],
        "quarterly" => ["*-01,04,07,10-01", "00:00:00"],
        "semiannually" | "biannually" | "bi-annually" | "semi-annually" => {
            ["*-01,07-01", "00:00:00"]
        }
        _ => return None,
    })
}

/// Days of the month.
#[derive(Clone, Copy)]
enum Days {
    /// All of them, or these.
    From(Set),
    /// Counted from the last one, which is 1.
    FromEnd(u64),
}

/// The values of a field; `None`: all.
type Set = Option<u64>;

struct Event {
    weekdays: Set,
    /// The first year and the last.
    years: Option<(i16, i16)>,
    months: Set,
    days: Days,
    hours: Set,
    minutes: Set,
    seconds: Set,
}

impl Event {
    fn parse(tokens: &[&str], text: &str) -> Result<Self, String> {
        let mut event = Self {
            weekdays: None,
            years: None,
            months: None,
            days: Days::From(None),
            hours: Some(1),
            minutes: Some(1),
            seconds: Some(1),
        };
        let words: Vec<&str> = match tokens {
            [one] if one.eq_ignore_ascii_case("weekly") => vec!["Mon", "*-*-*", "00:00:00"],
            [one] => shorthand(one).map_or_else(|| vec![*one], |two| two.to_vec()),
            several => several.to_vec(),
        };
        if words.is_empty() {
            return Err("it is empty".to_owned());
        }
        for (place, word) in words.iter().enumerate() {
            if place == 0 && word.starts_with(|c: char| c.is_ascii_alphabetic()) {
                event.weekdays = weekdays(word)?;
            } else if word.contains(':') {
                event.time(word)?;
            } else if word.contains(['-', '~']) {
                event.date(word)?;
            } else {
                return Err(format!("`{word}` of `{text}` is neither a date nor a time"));
            }
        }
        Ok(event)
    }

    fn time(&mut self, text: &str) -> Result<(), String> {
        let parts: Vec<&str> = text.split(':').collect();
        let (hour, minute, second) = match parts[..] {
            [hour, minute] => (hour, minute, "00"),
            [hour, minute, second] => (hour, minute, second),
            _ => return Err(format!("`{text}` is no time of day")),
        };
        self.hours = set(hour, 0, 23)?;
        self.minutes = set(minute, 0, 59)?;
        self.seconds = set(second, 0, 59)?;
        Ok(())
    }

    fn date(&mut self, text: &str) -> Result<(), String> {
        let (rest, day, from_end) = match text.split_once('~') {
            Some((rest, day)) => (rest, day, true),
            None => {
                let (rest, day) = text.rsplit_once('-').unwrap_or(("", text));
                (rest, day, false)
            }
        };
        let (year, month) = rest.split_once('-').unwrap_or(("*", rest));
        self.years = years(year)?;
        self.months = set(month, 1, 12)?;
        self.days = match from_end {
            true => Days::FromEnd(counted_back(day)?),
            false => Days::From(set(day, 1, 31)?),
        };
        Ok(())
    }

    fn pairs(&self) -> Result<Vec<(String, Value)>, String> {
        let never = || "it never comes".to_owned();
        if let Some(at) = self.once() {
            at.parse::<DateTime>().map_err(|_| never())?;
            return Ok(vec![pair("at", at)]);
        }
        let (day, weekday) = self.days()?;
        let minute = field(self.minutes, 0, 59);
        let hour = field(self.hours, 0, 23);
        let month = field(self.months, 1, 12);
        let text = match self.seconds {
            Some(1) => format!("{minute} {hour} {day} {month} {weekday}"),
            seconds => format!(
                "{} {minute} {hour} {day} {month} {weekday}",
                field(seconds, 0, 59)
            ),
        };
        Cron::parse(&text).map_err(|_| never())?;
        let mut pairs = vec![pair("cron", text)];
        if let Some((first, last)) = self.years {
            pairs.push(pair("from", format!("{first:04}-01-01")));
            pairs.push(pair("until", format!("{:04}-01-01", last + 1)));
        }
        Ok(pairs)
    }

    /// The one time that it names, if it is one.
    fn once(&self) -> Option<String> {
        let one = |set: Set| {
            set.filter(|set| set.count_ones() == 1)
                .map(u64::trailing_zeros)
        };
        let (year, last) = self.years?;
        let Days::From(days) = self.days else {
            return None;
        };
        let (month, day) = (one(self.months)?, one(days)?);
        let (hour, minute, second) = (one(self.hours)?, one(self.minutes)?, one(self.seconds)?);
        (year == last && self.weekdays.is_none())
            .then(|| format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"))
    }

    /// The two fields of days. Where both are restricted, cron takes one of them for enough, unless one begins
    /// with a star.
    fn days(&self) -> Result<(String, String), String> {
        let all = || "*".to_owned();
        let weekday = field(self.weekdays, 0, 6);
        let Some(names) = self.weekdays else {
            return Ok((
                match self.days {
                    Days::From(days) => field(days, 1, 31),
                    Days::FromEnd(days) => {
                        let before = |day: u32| match day {
                            1 => "L".to_owned(),
                            day => format!("L-{}", day - 1),
                        };
                        listed(days, before)
                    }
                },
                all(),
            ));
        };
        let numbered = |week: u32| listed(names, |name| format!("{name}#{week}"));
        match self.days {
            Days::From(None) => Ok((all(), weekday)),
            Days::FromEnd(0b1111_1110) => Ok((all(), listed(names, |name| format!("{name}L")))),
            // Alone it is the first day, and it begins with a star.
            Days::From(Some(days)) if has(days, 1) => Ok((starred("*/31", days & !0b10), weekday)),
            // Alone it is Sunday.
            Days::From(Some(days)) if has(names, 0) => {
                Ok((listed(days, |day| day.to_string()), starred("*/7", names & !1)))
            }
            Days::From(Some(days)) => {
                let week = |week: u32| match week {
                    5 => 0b111 << 29,
                    week => 0b111_1111 << (week * 7 - 6),
                };
                let weeks: Vec<u32> = (1..=5).filter(|number| days & week(*number) == week(*number)).collect();
                if weeks.iter().fold(0, |sum, number| sum | week(*number)) == days {
                    let numbered: Vec<String> = weeks.into_iter().map(numbered).collect();
                    return Ok((all(), numbered.join(",")));
                }
                Err("a weekday and a date that both have to match have no equal here".to_owned())
            }
            Days::FromEnd(_) => {
                Err("a weekday and a date from the end of the month that both have to match have no equal here".to_owned())
            }
        }
    }
}

fn has(set: u64, value: u32) -> bool {
    set & (1 << value) != 0
}

fn starred(star: &str, rest: u64) -> String {
    match rest {
        0 => star.to_owned(),
        rest => format!("{star},{}", field(Some(rest), 0, 63)),
    }
}

fn listed(set: u64, write: impl Fn(u32) -> String) -> String {
    let values = (0..64).filter(|value| has(set, *value));
    values.map(write).collect::<Vec<_>>().join(",")
}

/// A field of cron: a star, a list with ranges, or a step; of days no step, since that begins with a star.
fn field(set: Set, min: u32, max: u32) -> String {
    let Some(set) = set else {
        return "*".to_owned();
    };
    let stepped = |step: usize| {
        (min..=max)
            .step_by(step)
            .fold(0, |set, value| set | (1 << value))
    };
    let is_day = matches!(max, 6 | 31 | 63);
    if !is_day
        && let Some(step) = (1..=30).find(|step| set.count_ones() > 1 && stepped(*step) == set)
    {
        return match step {
            1 => "*".to_owned(),
            step => format!("*/{step}"),
        };
    }
    let mut parts = Vec::new();
    let mut value = 0;
    while value < 64 {
        if !has(set, value) {
            value += 1;
            continue;
        }
        let mut last = value;
        while last < 63 && has(set, last + 1) {
            last += 1;
        }
        match last - value {
            0 => parts.push(value.to_string()),
            1 => parts.push(format!("{value},{last}")),
            _ => parts.push(format!("{value}-{last}")),
        }
        value = last + 1;
    }
    parts.join(",")
}

/// `*`, or a list of values, ranges (`a..b`) and steps (`a/n`, `a..b/n`).
fn set(text: &str, min: u32, max: u32) -> Result<Set, String> {
    if text == "*" {
        return Ok(None);
    }
    let no = || format!("`{text}` is no list of values from {min} to {max}");
    let mut set = 0;
    for element in text.split(',') {
        let (body, step) = match element.split_once('/') {
            Some((body, step)) => (
                body,
                Some(
                    step.parse::<usize>()
                        .ok()
                        .filter(|step| *step > 0)
                        .ok_or_else(no)?,
                ),
            ),
            None => (element, None),
        };
        let number = |text: &str| {
            if text.contains('.') {
                return Err(format!("`{text}`: parts of a second have no equal here"));
            }
            let number = text.parse::<u32>().ok();
            number
                .filter(|number| (min..=max).contains(number))
                .ok_or_else(no)
        };
        let (from, to) = match body.split_once("..") {
            Some((from, to)) => (number(from)?, number(to)?),
            None => {
                let from = number(body)?;
                (from, if step.is_some() { max } else { from })
            }
        };
        if from > to {
            return Err(no());
        }
        for value in (from..=to).step_by(step.unwrap_or(1)) {
            set |= 1 << value;
        }
    }
    Ok(Some(set))
}

/// Days counted from the end of the month: with a step they go on towards it.
fn counted_back(text: &str) -> Result<u64, String> {
    let Some((from, step)) = text.split_once('/') else {
        let all = || format!("`{text}` is no day from the end of the month");
        return set(text, 1, 31)?.ok_or_else(all);
    };
    let no = || format!("`{text}` is no day from the end of the month");
    let from: u32 = from
        .parse()
        .ok()
        .filter(|from| (1..=31).contains(from))
        .ok_or_else(no)?;
    let step: u32 = step.parse().ok().filter(|step| *step > 0).ok_or_else(no)?;
    Ok((1..=from)
        .rev()
        .step_by(step as usize)
        .fold(0, |set, day| set | (1 << day)))
}

fn years(text: &str) -> Result<Option<(i16, i16)>, String> {
    if text == "*" {
        return Ok(None);
    }
    let year = |text: &str| match text.parse::<i16>() {
        Ok(year @ 0..70) => Ok(year + 2000),
        Ok(year @ 70..100) => Ok(year + 1900),
        Ok(year @ 1970..2200) => Ok(year),
        _ => Err(format!(
            "`{text}` as a year has no equal here: one year or a range of them has"
        )),
    };
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let (first, last) = (year(first)?, year(last)?);
    if first > last {
        return Err(format!("`{text}` goes backwards"));
    }
    Ok(Some((first, last)))
}

/// The number of a weekday, Sunday being 0.
fn weekday(name: &str) -> Option<u32> {
    let name = name.to_ascii_lowercase();
    let is = |known: &str| name == *known || name == known[..3];
    let place = WEEKDAYS.iter().position(|known| is(known))?;
    u32::try_from(place).ok()
}

fn weekdays(text: &str) -> Result<Set, String> {
    let no = |name: &str| format!("`{name}` is no weekday");
    let mut set = 0;
    for element in text.split(',').filter(|element| !element.is_empty()) {
        let range = element.split_once("..").or_else(|| element.split_once('-'));
        let (from, to) = range.unwrap_or((element, element));
        let (from, to) = (
            weekday(from).ok_or_else(|| no(from))?,
            weekday(to).ok_or_else(|| no(to))?,
        );
        // Their week begins with Monday.
        let place = |day: u32| (day + 6) % 7;
        if place(from) > place(to) {
            return Err(format!("`{element}` goes backwards"));
        }
        for day in place(from)..=place(to) {
            set |= 1 << ((day + 1) % 7);
        }
    }
    Ok((set != 0b111_1111).then_some(set))
}
