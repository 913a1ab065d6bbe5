//! Durations as people write them: `20s`, `1h30m`, `250ms`.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo};

/// Examples for messages.
pub(super) const EXAMPLES: &str = "`20s`, `1h30m`, `250ms` or `1.5s`";

/// The longest duration that is taken: a hundred years, which no wait outlasts.
pub(super) const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Why a text is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    #[error("`{0}` has no unit: write `{0}s` for seconds")]
    NoUnit(String),
    #[error("`{0}` is no duration: write it like {EXAMPLES}")]
    Unreadable(String),
    #[error("`{0}` is no duration: months and years have no fixed length")]
    Calendar(String),
    #[error("a duration cannot be negative")]
    Negative,
    #[error("a duration is at most 100 years")]
    TooLong,
}

/// Reads a duration; a day has 24 hours, and there are no months and years.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let text = text.trim();
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return Err(DurationError::NoUnit(text.to_owned()));
    }
    let span: Span = text
        .parse()
        .map_err(|_| DurationError::Unreadable(text.to_owned()))?;
    let exact = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| DurationError::Calendar(text.to_owned()))?;
    let duration = Duration::try_from(exact).map_err(|_| DurationError::Negative)?;
    if duration > LONGEST {
        return Err(DurationError::TooLong);
    }
    Ok(duration)
}

/// A duration the way it is written in a file, exactly: `1h30m`, `250ms`, `0s`.
#[must_use]
pub fn write(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let units: [(u128, &str); 7] = [
        (86_400_000_000_000, "d"),
        (3_600_000_000_000, "h"),
        (60_000_000_000, "m"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
        (1_000, "us"),
        (1, "ns"),
    ];
    let mut left = nanos;
    let mut text = String::new();
    for (size, unit) in units {
        if left >= size {
            text.push_str(&format!("{}{unit}", left / size));
            left %= size;
        }
    }
    if text.is_empty() {
        "0s".to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, millis) in [
            ("20s", 20_000),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("250ms", 250),
            ("1.5s", 1_500),
            ("2d", 172_800_000),
            ("1d12h", 129_600_000),
            ("1d 12h 5m", 129_900_000),
            ("1 day", 86_400_000),
            ("10 minutes", 600_000),
            ("0s", 0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "",
            "20",
            "1.5",
            "-1s",
            "s",
            "1 fortnight",
            "1mo",
            "1y",
            "200000d",
            "1d1d",
            "d",
        ] {
            assert!(parse(text).is_err(), "{text}: {:?}", parse(text));
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for nanos in [
            0,
            1,
            1_500,
            250_000_000,
            5_400_000_000_000,
            90_061_001_001_001,
        ] {
            let duration = Duration::from_nanos(nanos);
            assert_eq!(parse(&write(duration)), Ok(duration), "{}", write(duration));
        }
        assert_eq!(write(Duration::from_secs(5400)), "1h30m");
    }
}
