//! Reads expressions of cron. What is wrong is told with its place in the text.

use std::ops::Range;

use super::cron::{Days, Fields, Weekdays};

/// Why a text is no expression of cron.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CronError {
    message: String,
    /// The part that is wrong, in bytes of the text.
    pub span: Range<usize>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl CronError {
    fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            span,
            hint: None,
        }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// It is readable, and no date matches.
    pub(super) fn never(text: &str) -> Self {
        Self::new(0..text.len(), format!("`{text}` never comes"))
            .hint("there is no such date; look at the day of the month and the month")
    }
}

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// One of the fields.
struct Kind {
    what: &'static str,
    min: u32,
    max: u32,
    names: &'static [&'static str],
}

const fn kind(what: &'static str, min: u32, max: u32) -> Kind {
    let names = &[];
    Kind {
        what,
        min,
        max,
        names,
    }
}

const SECOND: Kind = kind("second", 0, 59);
const MINUTE: Kind = kind("minute", 0, 59);
const HOUR: Kind = kind("hour", 0, 23);
const DAY: Kind = kind("day of the month", 1, 31);
const MONTH: Kind = Kind {
    names: &MONTHS,
    ..kind("month", 1, 12)
};
const WEEKDAY: Kind = Kind {
    names: &WEEKDAYS,
    ..kind("day of the week", 0, 7)
};

/// A piece of the text with its place in it.
#[derive(Clone, Copy)]
struct Piece<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Piece<'a> {
    fn span(self) -> Range<usize> {
        self.at..self.at + self.text.len()
    }

    fn part(self, from: usize, to: usize) -> Self {
        Self {
            text: &self.text[from..to],
            at: self.at + from,
        }
    }

    fn split(self, at: char) -> impl Iterator<Item = Self> {
        let mut offset = self.at;
        self.text.split(at).map(move |text| {
            let piece = Self { text, at: offset };
            offset += text.len() + at.len_utf8();
            piece
        })
    }

    fn split_once(self, at: char) -> Option<(Self, Self)> {
        let place = self.text.find(at)?;
        Some((
            self.part(0, place),
            self.part(place + at.len_utf8(), self.text.len()),
        ))
    }

    fn words(self) -> impl Iterator<Item = Piece<'a>> {
        self.text.split_ascii_whitespace().map(move |word| Self {
            text: word,
            at: self.at + (word.as_ptr().addr() - self.text.as_ptr().addr()),
        })
    }
}

pub(super) fn parse(text: &str) -> Result<Fields, CronError> {
    let whole = Piece { text, at: 0 };
    if text.trim_start().starts_with('@') {
        return parse(word(text)?);
    }
    let pieces: Vec<Piece<'_>> = whole.words().collect();
    let zero = Piece { text: "0", at: 0 };
    let (second, [minute, hour, day, month, weekday]) = match pieces[..] {
        [minute, hour, day, month, weekday] => (zero, [minute, hour, day, month, weekday]),
        [second, minute, hour, day, month, weekday] => {
            (second, [minute, hour, day, month, weekday])
        }
        _ => {
            let (count, plural) = (pieces.len(), if pieces.len() == 1 { "" } else { "s" });
            let message =
                format!("this has {count} field{plural}, and cron has five, or six with seconds");
            return Err(CronError::new(0..text.len(), message).hint(
                "the fields are minute, hour, day of the month, month, day of the week, as in `30 3 * * MON-FRI`",
            ));
        }
    };
    let starred = |piece: Piece<'_>| piece.text.starts_with(['*', '?']);
    Ok(Fields {
        seconds: set(second, &SECOND)?,
        minutes: set(minute, &MINUTE)?,
        hours: set(hour, &HOUR)?,
        months: set(month, &MONTH)?,
        days: days(day)?,
        weekdays: weekdays(weekday)?,
        either: !starred(day) && !starred(weekday),
        often: starred(minute) || starred(hour),
    })
}

/// What a word such as `@daily` stands for.
fn word(text: &str) -> Result<&'static str, CronError> {
    let word = text.trim().to_ascii_lowercase();
    Ok(match &*word {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        _ => {
            let hint = match &*word {
                "@reboot" => "a job with `start = \"boot\"` runs when the daemon starts",
                _ if word.starts_with("@every") => "write `schedule = { every = \"90s\" }`",
                _ => "known are `@yearly`, `@monthly`, `@weekly`, `@daily` and `@hourly`",
            };
            let error = CronError::new(0..text.len(), format!("`{}` is no schedule", text.trim()));
            return Err(error.hint(hint));
        }
    })
}

/// A field of plain values.
fn set(field: Piece<'_>, kind: &Kind) -> Result<u64, CronError> {
    let mut set = 0;
    for element in field.split(',') {
        set |= range(element, kind)?;
    }
    Ok(set)
}

/// `5`, `1-5`, `*`, and each with a step.
fn range(element: Piece<'_>, kind: &Kind) -> Result<u64, CronError> {
    let (body, step) = match element.split_once('/') {
        Some((body, step)) => (body, Some(step)),
        None => (element, None),
    };
    let all = matches!(body.text, "*" | "?");
    let (from, to) = match body.split_once('-') {
        _ if all => (kind.min, kind.max.min(kind.last())),
        Some((from, to)) => {
            let (from, to) = (value(from, kind)?, value(to, kind)?);
            if from > to {
                return Err(backwards(body, kind));
            }
            (from, to)
        }
        None => {
            let value = value(body, kind)?;
            (value, value)
        }
    };
    let Some(step) = step else {
        return Ok((from..=to).fold(0, |set, value| set | bit(value, kind)));
    };
    if !all && from == to && !body.text.contains('-') {
        let (text, last) = (body.text, kind.last());
        return Err(CronError::new(
            element.span(),
            format!("`{}` has a step and no range to step through", element.text),
        )
        .hint(format!(
            "write `{text}-{last}/{}`, if that is what is meant",
            step.text
        )));
    }
    let by: usize = match step.text.parse() {
        Ok(by @ 1..) if by <= kind.max as usize => by,
        _ => {
            let message = format!("`{}` is no step for the {}", step.text, kind.what);
            return Err(CronError::new(step.span(), message)
                .hint(format!("it is a number from 1 to {}", kind.max)));
        }
    };
    Ok((from..=to)
        .step_by(by)
        .fold(0, |set, value| set | bit(value, kind)))
}

fn backwards(body: Piece<'_>, kind: &Kind) -> CronError {
    let (from, to) = body.text.split_once('-').unwrap_or_default();
    let last = if kind.names.is_empty() {
        kind.last().to_string()
    } else {
        kind.names[kind.names.len() - 1].to_owned()
    };
    let first = match kind.names.first() {
        Some(name) => (*name).to_owned(),
        None => kind.min.to_string(),
    };
    CronError::new(body.span(), format!("`{}` goes backwards", body.text)).hint(format!(
        "write `{from}-{last},{first}-{to}`, if that is what is meant"
    ))
}

impl Kind {
    /// The largest value, without the second number that Sunday has.
    const fn last(&self) -> u32 {
        if self.max == 7 { 6 } else { self.max }
    }
}

const fn bit(value: u32, kind: &Kind) -> u64 {
    if kind.max == 7 {
        1 << (value % 7)
    } else {
        1 << value
    }
}

/// A number or a name.
fn value(piece: Piece<'_>, kind: &Kind) -> Result<u32, CronError> {
    let named = kind
        .names
        .iter()
        .position(|name| piece.text.eq_ignore_ascii_case(name));
    if let Some(place) = named.and_then(|place| u32::try_from(place).ok()) {
        return Ok(place + kind.min);
    }
    let is_number = !piece.text.is_empty() && piece.text.bytes().all(|b| b.is_ascii_digit());
    match piece.text.parse::<u32>() {
        Ok(number) if is_number && (kind.min..=kind.max).contains(&number) => Ok(number),
        _ => {
            let message = if piece.text.is_empty() {
                format!("something is missing from the {}", kind.what)
            } else if piece.text.eq_ignore_ascii_case("H") {
                "`H` is of another scheduler".to_owned()
            } else {
                format!("`{}` is no {}", piece.text, kind.what)
            };
            let hint = match (kind.names.first(), kind.names.last()) {
                _ if piece.text.eq_ignore_ascii_case("H") => {
                    "`jitter` in the table of the schedule spreads jobs".to_owned()
                }
                (Some(first), Some(last)) => {
                    format!("it is {} to {}, or {first} to {last}", kind.min, kind.max)
                }
                _ => format!("it is {} to {}", kind.min, kind.max),
            };
            Err(CronError::new(piece.span(), message).hint(hint))
        }
    }
}

/// The field of days of the month, with `L`, `L-3`, `15W` and `LW`.
fn days(field: Piece<'_>) -> Result<Days, CronError> {
    let mut days = Days::default();
    for element in field.split(',') {
        let text = element.text.to_ascii_uppercase();
        if text == "L" {
            days.before_last |= 1;
        } else if text == "LW" || text == "WL" {
            days.last_weekday = true;
        } else if let Some(before) = text.strip_prefix("L-") {
            match before.parse::<u32>() {
                Ok(before @ 1..=30) => days.before_last |= 1 << before,
                _ => {
                    let message = format!("`{}` is no day of the month", element.text);
                    return Err(CronError::new(element.span(), message)
                        .hint("`L-3` is three days before the last one; at most `L-30`"));
                }
            }
        } else if text.len() > 1 && text.ends_with('W') {
            let day = value(element.part(0, text.len() - 1), &DAY)?;
            days.nearest |= 1 << day;
        } else {
            days.set |= range(element, &DAY)?;
        }
    }
    Ok(days)
}

/// The field of days of the week, with `5L`, `L5` and `5#2`.
fn weekdays(field: Piece<'_>) -> Result<Weekdays, CronError> {
    let mut weekdays = Weekdays::default();
    for element in field.split(',') {
        let text = element.text.to_ascii_uppercase();
        if let Some((weekday, nth)) = element.split_once('#') {
            let weekday = value(weekday, &WEEKDAY)?;
            match nth.text.parse::<usize>() {
                Ok(nth @ 1..=5) => weekdays.nth[nth - 1] |= bit(weekday, &WEEKDAY),
                _ => {
                    let message = format!("`{}` is not which one of the month it is", nth.text);
                    return Err(CronError::new(nth.span(), message).hint(
                        "`FRI#2` is the second Friday; at most `#5`, and `FRIL` is the last",
                    ));
                }
            }
        } else if text.len() > 1 && text.ends_with('L') {
            let weekday = value(element.part(0, text.len() - 1), &WEEKDAY)?;
            weekdays.last |= bit(weekday, &WEEKDAY);
        } else if text.len() > 1 && text.starts_with('L') {
            let weekday = value(element.part(1, text.len()), &WEEKDAY)?;
            weekdays.last |= bit(weekday, &WEEKDAY);
        } else if text == "L" {
            return Err(
                CronError::new(element.span(), "`L` does not say which day of the week").hint(
                    "write `FRIL` for the last Friday of the month, or `SAT` for each Saturday",
                ),
            );
        } else {
            weekdays.set |= range(element, &WEEKDAY)?;
        }
    }
    Ok(weekdays)
}

/// Days of the week as in an expression, Sunday being bit 0.
pub(super) fn weekday_set(text: &str) -> Option<u64> {
    set(Piece { text, at: 0 }, &WEEKDAY).ok()
}
