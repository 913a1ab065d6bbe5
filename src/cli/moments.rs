//! Moments and durations as people write and read them. The time zone and the present are arguments of
//! all that decides.

use std::sync::Once;
use std::time::Duration;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp, ToSpan};

use super::out::tell;
use crate::clock::Clock;
use crate::logging::harmless;

/// The present, as far as a calendar goes.
pub(super) fn now() -> Timestamp {
    Timestamp::from_microsecond(Clock::start().now().wall.0).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The zone of this machine, or of `TZ`. Where that names none all is UTC, which is told once.
pub(super) fn here() -> TimeZone {
    static TOLD: Once = Once::new();
    let named = std::env::var_os("TZ");
    if let (Some(named), Err(_)) = (named, TimeZone::try_system()) {
        TOLD.call_once(|| {
            tell(&format!(
                "warning: `TZ` is `{}`, which is no time zone: times are those of UTC\n\
                 hint: it is a name such as `Europe/Berlin` or `UTC`\n",
                harmless(&named.to_string_lossy())
            ));
        });
    }
    TimeZone::system()
}

/// Reads a duration such as `90s` or `1h30m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let unreadable = || "expected a duration with its unit, as in `90s` or `1h30m`".to_owned();
    let span: Span = text.trim().parse().map_err(|_| unreadable())?;
    let exact = span.to_duration(SpanRelativeTo::days_are_24_hours());
    Duration::try_from(exact.map_err(|_| unreadable())?).map_err(|_| unreadable())
}

/// Reads a moment: RFC 3339, `+10m` from now, the next time that clocks of the zone show `HH:MM`, or a day or a
/// civil time of the zone.
pub(super) fn moment(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
    coming(text, now, zone).or_else(|why| civil(text, zone).ok_or(why))
}

/// Reads a moment as [`moment`] does, without days.
fn coming(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
    let unreadable = || {
        format!(
            "`{text}` is no time\nhint: write `+10m`, `23:30`, `2026-11-21`, `2026-11-21T23:30` or \
             `2026-11-21T23:30:00Z`"
        )
    };
    if let Some(later) = text.strip_prefix('+') {
        let later = duration(later).map_err(|_| unreadable())?;
        let later = SignedDuration::try_from(later).map_err(|_| unreadable())?;
        return now.checked_add(later).map_err(|_| unreadable());
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let shape = text.chars().all(|c| c.is_ascii_digit() || c == ':') && text.contains(':');
    let time: Time = text.parse().map_err(|_| unreadable())?;
    if !shape {
        return Err(unreadable());
    }
    let today = now.to_zoned(zone.clone()).date();
    let on = |date: jiff::civil::Date| {
        let zoned = date.to_datetime(time).to_zoned(zone.clone());
        zoned
            .map(|zoned| zoned.timestamp())
            .map_err(|_| unreadable())
    };
    let moment = on(today)?;
    if moment > now {
        return Ok(moment);
    }
    on(today.checked_add(1.day()).map_err(|_| unreadable())?)
}

/// Reads a moment of the past: RFC 3339, `10m` before now, the last time that clocks of the zone showed
/// `HH:MM`, or a day or a civil time of the zone, as logs and tables show it.
pub(super) fn earlier(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
    let unreadable = || {
        format!(
            "`{text}` is no time\nhint: write `10m` for ten minutes ago, `23:30`, `23:30:15`, `2026-11-21`, \
             `2026-11-21 23:30:15` or `2026-11-21T23:30:00Z`"
        )
    };
    if text.starts_with(['+', '-']) {
        return Err(unreadable());
    }
    if let Ok(ago) = duration(text) {
        let ago = SignedDuration::try_from(ago).map_err(|_| unreadable())?;
        return now.checked_sub(ago).map_err(|_| unreadable());
    }
    if let Some(moment) = civil(text, zone) {
        return Ok(moment);
    }
    // Where it is a time of day, it is the next one, and the day before has the last one.
    let next = coming(text, now, zone).map_err(|_| unreadable())?;
    if text.parse::<Timestamp>().is_ok() {
        return Ok(next);
    }
    let before = next.to_zoned(zone.clone()).checked_sub(1.day());
    before
        .map(|zoned| zoned.timestamp())
        .map_err(|_| unreadable())
}

/// Reads a civil time of the zone; a day is one too, its midnight. A zone that is written down is not passed over.
fn civil(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let pieces = jiff::fmt::temporal::DateTimeParser::new().parse_pieces(text);
    let pieces = pieces.ok().filter(|pieces| pieces.offset().is_none())?;
    if pieces.time_zone_annotation().is_some() {
        return None;
    }
    let time = pieces.time().unwrap_or_else(Time::midnight);
    let zoned = pieces.date().to_datetime(time).to_zoned(zone.clone());
    zoned.ok().map(|zoned| zoned.timestamp())
}

/// A moment as the API writes it.
pub(super) fn written(moment: Timestamp) -> String {
    format!("{moment:.6}")
}

/// How long ago a moment of the API was, or how far ahead it is; as it is where it cannot be read.
pub(super) fn ago(moment: &str, now: Timestamp) -> String {
    let Ok(at) = moment.parse::<Timestamp>() else {
        return harmless(moment);
    };
    let seconds = now.duration_since(at).as_secs();
    match seconds {
        0 => "just now".to_owned(),
        s if s > 0 => format!("{} ago", rough(s)),
        s => format!("in {}", rough(-s)),
    }
}

/// A moment of the API on this machine's clocks; as it is where it cannot be read.
pub(super) fn local(moment: &str, zone: &TimeZone) -> String {
    match moment.parse::<Timestamp>() {
        Ok(at) => at.to_zoned(zone.clone()).strftime("%F %T").to_string(),
        Err(_) => harmless(moment),
    }
}

fn rough(seconds: i64) -> String {
    match seconds {
        s if s < 120 => format!("{s} s"),
        s if s < 7200 => format!("{} min", s / 60),
        s if s < 172_800 => format!("{} h", s / 3600),
        s => format!("{} days", s / 86_400),
    }
}

/// How long something took, in the unit that people would choose; nothing if that is not known.
pub(super) fn took(seconds: Option<f64>) -> String {
    match seconds {
        None => String::new(),
        Some(s) if s < 0.001 => format!("{:.0} µs", s * 1e6),
        Some(s) if s < 1.0 => format!("{:.1} ms", s * 1e3),
        Some(s) if s < 120.0 => format!("{s:.2} s"),
        Some(s) if s < 7200.0 => format!("{:.1} min", s / 60.0),
        Some(s) => format!("{:.1} h", s / 3600.0),
    }
}

/// How much memory that is, to a tenth of a mebibyte.
pub(super) fn mebibytes(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10) >> 20;
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use jiff::tz::Offset;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn moments_are_read_as_people_write_them() {
        let now = at("2026-11-21T09:12:00Z");
        let zone = TimeZone::fixed(Offset::from_hours(8).unwrap());
        let cases = [
            ("2026-11-21T23:30:00Z", "2026-11-21T23:30:00.000000Z"),
            ("2026-11-21T23:30:00+08:00", "2026-11-21T15:30:00.000000Z"),
            ("+10m", "2026-11-21T09:22:00.000000Z"),
            ("+1h30m", "2026-11-21T10:42:00.000000Z"),
            ("23:30", "2026-11-21T15:30:00.000000Z"),
            ("17:12:01", "2026-11-21T09:12:01.000000Z"),
            // Clocks there show 17:12 now, so that is tomorrow.
            ("17:12", "2026-11-22T09:12:00.000000Z"),
            ("06:00", "2026-11-21T22:00:00.000000Z"),
            ("2026-12-24", "2026-12-23T16:00:00.000000Z"),
            ("2026-12-24T18:00", "2026-12-24T10:00:00.000000Z"),
            ("2026-12-24T18:00:00", "2026-12-24T10:00:00.000000Z"),
        ];
        for (text, expected) in cases {
            let moment = moment(text, now, &zone).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(written(moment), expected, "{text}");
        }
        for text in [
            "",
            "10m",
            "+",
            "+10",
            "+-5m",
            "25:00",
            "tomorrow",
            "2026-11-31",
            "2026-12-24T18:00[Europe/Berlin]x",
            "1200",
        ] {
            let error = moment(text, now, &zone).unwrap_err();
            assert!(error.contains("hint: "), "{text}: {error}");
        }
    }

    #[test]
    fn moments_of_the_past_are_read_as_people_write_them() {
        let now = at("2026-11-21T09:12:00Z");
        let zone = TimeZone::fixed(Offset::from_hours(8).unwrap());
        let cases = [
            ("2026-11-21T23:30:00Z", "2026-11-21T23:30:00.000000Z"),
            ("10m", "2026-11-21T09:02:00.000000Z"),
            ("1h30m", "2026-11-21T07:42:00.000000Z"),
            ("2d", "2026-11-19T09:12:00.000000Z"),
            // Clocks there show 17:12 now.
            ("17:12", "2026-11-21T09:12:00.000000Z"),
            ("17:13", "2026-11-20T09:13:00.000000Z"),
            ("06:00", "2026-11-20T22:00:00.000000Z"),
            ("2026-11-20", "2026-11-19T16:00:00.000000Z"),
            ("2026-11-20 06:00", "2026-11-19T22:00:00.000000Z"),
            ("2026-11-20 06:00:15", "2026-11-19T22:00:15.000000Z"),
            ("2026-11-20T06:00:15.5", "2026-11-19T22:00:15.500000Z"),
        ];
        for (text, expected) in cases {
            let moment = earlier(text, now, &zone).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(written(moment), expected, "{text}");
        }
        for text in ["", "+10m", "-10m", "10", "25:00", "2026-11-31", "yesterday"] {
            let error = earlier(text, now, &zone).unwrap_err();
            assert!(error.contains("hint: "), "{text}: {error}");
        }
    }

    #[test]
    fn the_past_and_the_future_are_told_roughly() {
        let now = at("2026-11-21T09:12:00Z");
        let cases = [
            ("2026-11-21T09:12:00.4Z", "just now"),
            ("2026-11-21T09:11:58Z", "2 s ago"),
            ("2026-11-21T09:08:10Z", "3 min ago"),
            ("2026-11-20T21:12:00Z", "12 h ago"),
            ("2026-11-11T09:12:00Z", "10 days ago"),
            ("2026-11-21T09:22:00Z", "in 10 min"),
            ("not\u{1b}a time", "not\\u{1b}a time"),
        ];
        for (moment, expected) in cases {
            assert_eq!(ago(moment, now), expected, "{moment}");
        }
    }
}
