//! The keys of a schedule.

use std::time::Duration;

use super::{ANY_DURATION, Key, Kind, key};
use crate::engine::schedule::{Fold, Gap, Missed, MissedPolicy, Overlap};

/// One of the first three says when; all else is manners.
pub(in crate::config) const SCHEDULE: &[Key] = &[
    key(
        "cron",
        Kind::Text,
        "\"30 3 * * MON-FRI\"",
        "An expression of cron: minute, hour, day of the month, month, day of the week, with seconds \
         before them if there are six; or a word such as `@daily`.",
    ),
    key(
        "every",
        Kind::Duration(Duration::from_secs(1)),
        "\"90s\"",
        "Each time so much has passed, counted from `from`, or from the first second of 1970 in UTC.",
    ),
    key(
        "at",
        Kind::Moment,
        "2026-12-24T18:00:00",
        "Once, at this time of the zone, or at this instant where it has an offset.",
    ),
    key(
        "tz",
        Kind::Text,
        "\"Europe/Berlin\"",
        "The time zone; unless said otherwise that of the machine.",
    ),
    key(
        "dst",
        Kind::Table(DST),
        "{ gap = \"skip\", fold = \"both\" }",
        "What becomes of times of day that the clock skips or shows twice.",
    ),
    key(
        "missed",
        Kind::TextOrTable(MISSED),
        "\"latest\"",
        "Which slots are made up for that nobody was there for, because the daemon was down, the machine \
         slept, the clock was set or the schedule was paused: `skip` (none), `latest` or `all`. But for a \
         pause, the last one is run all the same where it is no older than a minute.",
    ),
    key(
        "overlap",
        Kind::Choice(Overlap::WORDS),
        "\"queue\"",
        "What becomes of a slot while a run of an earlier one is not over: `skip` (it is not run), \
         `queue` (it waits), `latest` (it waits, in the place of one that does), `replace` (the run is \
         cancelled for it) or `allow` (both run).",
    ),
    key(
        "jitter",
        ANY_DURATION,
        "\"5m\"",
        "Runs begin up to so much after their slot, each job always by the same part of it.",
    ),
    key(
        "blackout",
        Kind::TextOrTexts,
        "[\"Mon-Fri 09:00-17:30\", \"2026-12-24..2026-12-26\"]",
        "Times, as the clocks of the zone show them, in which nothing is started.",
    ),
    key(
        "from",
        Kind::Moment,
        "2026-12-01",
        "No slot is before this.",
    ),
    key(
        "until",
        Kind::Moment,
        "2027-01-01",
        "No slot is at this or after it.",
    ),
];

const DST: &[Key] = &[
    key(
        "gap",
        Kind::Choice(Gap::WORDS),
        "\"skip\"",
        "Times that the clock skips are not run (`skip`), or once when it is put forward \
         (`at-transition`). Unless said otherwise the latter, but for expressions whose minute or hour \
         begins with `*`.",
    ),
    key(
        "fold",
        Kind::Choice(Fold::WORDS),
        "\"both\"",
        "Times that the clock shows twice are run the `first` time or `both` times. Unless said \
         otherwise the former, but for expressions whose minute or hour begins with `*`.",
    ),
];

const MISSED: &[Key] = &[
    key(
        "policy",
        Kind::Choice(MissedPolicy::WORDS),
        "\"all\"",
        "Which of them are run: `skip`, `latest` or `all`.",
    ),
    key(
        "window",
        Kind::Duration(Duration::from_secs(1)),
        "\"12h\"",
        "Those that are older are not run.",
    ),
    key(
        "max",
        Kind::Integer(1, Missed::MAX as i64),
        "10",
        "No more than so many are run, the newest; 100 unless said otherwise.",
    ),
];
