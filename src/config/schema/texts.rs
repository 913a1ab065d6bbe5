//! The forms of texts as patterns, in the part of regular expressions that all readers of JSON Schema share.
//! Where a pattern cannot be as wide as what is read, it is narrower: what it takes is valid.

use std::time::Duration;

use serde_json::{Value, json};

use crate::config::command::LEAST_MEMORY;
use crate::config::names::LONGEST;
use crate::engine::template::Placeholder;

/// The form of a name.
const NAME: &str = r"^[\p{L}\p{N}_.-]+$";

/// Units of durations, the longest first: how long one is in nanoseconds, the most digits that a number of
/// them has, so that all of them together stay below a hundred years, and what they are called.
const UNITS: [(u64, usize, &str); 8] = [
    (604_800_000_000_000, 3, "w|week|weeks"),
    (86_400_000_000_000, 4, "d|day|days"),
    (3_600_000_000_000, 5, "h|hr|hrs|hour|hours"),
    (60_000_000_000, 6, "m|min|mins|minute|minutes"),
    (1_000_000_000, 8, "s|sec|secs|second|seconds"),
    (1_000_000, 10, "ms|milli|millis|millisecond|milliseconds"),
    (1_000, 12, "us|µs|micro|micros|microsecond|microseconds"),
    (1, 12, "ns|nano|nanos|nanosecond|nanoseconds"),
];

/// A unit that may have a fraction.
const FRACTION: &str =
    " ?(?:h|hr|hrs|hour|hours|m|min|mins|minute|minutes|s|sec|secs|second|seconds)";

/// Durations that are at least so long.
pub(super) fn duration(min: Duration) -> Value {
    let some = u64::try_from(min.as_nanos()).unwrap_or(u64::MAX);
    let units: String = UNITS
        .iter()
        .filter(|(unit, ..)| *unit >= some)
        .map(|(_, digits, names)| format!("(?:[0-9]{{1,{digits}}} ?(?:{names}) ?)?"))
        .collect();
    // With a minimum, what comes first is not 0, and is of a unit that is long enough.
    let (first, one, less) = match some {
        0 => ("", "[0-9]{1,5}", ""),
        1..=1_000_000 => ("(?=[1-9])", "[1-9][0-9]{0,4}", r"|0\.[0-9]{0,2}[1-9] ?s"),
        _ => ("(?=[1-9])", "[1-9][0-9]{0,4}", ""),
    };
    let pattern = format!(r"^(?:{first}{units}|{one}\.[0-9]{{1,9}}{FRACTION}{less})$");
    json!({ "type": "string", "minLength": 2, "pattern": pattern })
}

/// A date, or a date with a time of day, and maybe an offset from UTC.
pub(super) fn moment() -> Value {
    let time = r"[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?";
    let pattern = format!(
        r"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}(?:{time}(?:[Zz]|[+-][0-9]{{2}}:[0-9]{{2}})?)?$"
    );
    json!({ "type": "string", "pattern": pattern })
}

/// Texts in a list.
pub(super) fn texts() -> Value {
    json!({ "type": "array", "items": { "type": "string", "minLength": 1 } })
}

/// The schema of names of things.
#[must_use]
pub fn name() -> Value {
    json!({ "type": "string", "pattern": NAME, "minLength": 1, "maxLength": LONGEST })
}

/// What a program or a shell is told: anything of at least this length but NUL, and but braces, which may
/// stand for arguments.
pub(super) fn program(least: usize) -> Value {
    json!({ "type": "string", "minLength": least, "pattern": r"^[^\x00{}]*$" })
}

/// Numbers of bytes, with or without a unit.
pub(super) fn bytes() -> Value {
    numbers(0, "^[0-9]{1,6} ?(?:B|[kK]B|[MGT]B|[KMGT]|[KMGT]iB)?$")
}

/// The same, 1 MiB or more.
pub(super) fn memory() -> Value {
    let text = "^(?:[1-9][0-9]{0,5} ?(?:[GT]B?|[MGT]iB)|(?:[2-9]|[1-9][0-9]{1,5}) ?MB?)$";
    numbers(LEAST_MEMORY, text)
}

fn numbers(least: u64, pattern: &str) -> Value {
    json!({ "anyOf": [
        { "type": "integer", "minimum": least, "maximum": i64::MAX },
        { "type": "string", "pattern": pattern },
    ] })
}

/// So many in a time.
pub(super) fn rate() -> Value {
    json!({ "type": "string", "pattern": "^[1-9][0-9]{0,5}/[smhd]$" })
}

/// Texts by the names of variables.
pub(super) fn variables() -> Value {
    json!({
        "type": "object",
        "propertyNames": { "pattern": r"^[^=\x00]+$" },
        "additionalProperties": { "anyOf": [
            { "type": "string", "pattern": r"^[^\x00]*$" },
            { "type": "boolean" },
            { "type": "integer", "minimum": i64::MIN, "maximum": i64::MAX },
        ] },
    })
}

/// Texts with placeholders.
pub(super) fn template() -> Value {
    let known = Placeholder::ALL.map(Placeholder::name).join("|");
    let pattern = format!(r"^(?:[^{{}}]|\{{\{{|\}}\}}|\{{(?:{known})\}})+$");
    json!({ "type": "string", "minLength": 1, "pattern": pattern })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse_duration;

    #[test]
    fn what_the_pattern_of_durations_takes_is_one() {
        let any = jsonschema::validator_for(&duration(Duration::ZERO)).expect("valid");
        let some = jsonschema::validator_for(&duration(Duration::from_millis(1))).expect("valid");
        let longest =
            "999w 9999d 99999h 999999m 99999999s 9999999999ms 999999999999us 999999999999ns";
        for (text, positive) in [
            (longest, false),
            ("0s", false),
            ("20s", true),
            ("1h30m", true),
            ("1h 30m", true),
            ("1 day", true),
            ("10 minutes", true),
            ("2w", true),
            ("1.5s", true),
            ("0.5s", true),
            ("0.25 h", false),
            ("99999.999999999hours", true),
            ("250ms", true),
            ("7us", false),
            ("7 µs", false),
            ("1day1hour1minute1second1milli", true),
        ] {
            assert!(any.is_valid(&json!(text)), "{text}");
            assert!(parse_duration(text).is_ok(), "{text}");
            assert_eq!(some.is_valid(&json!(text)), positive, "{text}");
        }
        for text in [
            "",
            " ",
            "20",
            "-1s",
            "s",
            "1d1d",
            "1m 1h",
            "1mo",
            "1 fortnight",
            "200000d",
        ] {
            assert!(!any.is_valid(&json!(text)), "{text}");
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn templates_are_known_by_their_placeholders() {
        let schema = jsonschema::validator_for(&template()).expect("valid");
        for (text, good) in [
            ("{job} begins\nhere", true),
            ("{{{job}}} }}", true),
            ("", false),
            ("{jbo}", false),
            ("{", false),
            ("}", false),
            ("{{job}", false),
        ] {
            assert_eq!(schema.is_valid(&json!(text)), good, "{text}");
            assert_eq!(
                crate::engine::template::Template::parse(text).is_ok(),
                good,
                "{text}"
            );
        }
    }
}
