//! The keys of the tables that say how a job's runs go on.

use std::time::Duration;

use super::{ANY_DURATION, Key, Kind, key};

/// The kinds of failures after which a run can be tried again.
pub(in crate::config) const FAILURES: &[&str] = &[
    "exit",
    "signal",
    "out_of_memory",
    "timeout",
    "panic",
    "error",
];

pub(super) const RETRY: &[Key] = &[
    key(
        "attempts",
        Kind::Integer(1, 1_000),
        "3",
        "How many attempts may fail before the run has. Those that were cut short by a crash or a shutdown \
         do not count.",
    )
    .needed(),
    key(
        "backoff",
        Kind::Choice(&["exponential", "fixed"]),
        "\"exponential\"",
        "Whether each pause is twice as long as the one before (unless said otherwise), or all are the same.",
    ),
    key(
        "base",
        ANY_DURATION,
        "\"1s\"",
        "The first pause; 1s unless said otherwise.",
    ),
    key(
        "max",
        Kind::Duration(Duration::from_millis(1)),
        "\"5m\"",
        "The longest pause; 5m unless said otherwise.",
    ),
    key(
        "jitter",
        Kind::Flag,
        "false",
        "Whether half of each pause is drawn, so that what failed together does not come back together; true \
         unless said otherwise.",
    ),
    key(
        "on_exit",
        Kind::Integers(0, 255),
        "[75]",
        "Exit codes after which it is tried again. Where neither this nor `on` is given, it is after any \
         failure.",
    ),
    key(
        "on",
        Kind::TextOrTexts,
        "[\"timeout\", \"signal\"]",
        "Kinds of failures after which it is tried again: `exit`, `signal`, `out_of_memory`, `timeout`, `panic`, \
         `error`.",
    ),
];

pub(super) const UNIQUE: &[Key] = &[
    key(
        "by",
        Kind::Choice(&["args", "job"]),
        "\"args\"",
        "Which runs count as the same: those with the same arguments (`args`), or all of the job (`job`).",
    ),
    key(
        "on_duplicate",
        Kind::Choice(&["reject", "replace", "join"]),
        "\"join\"",
        "What becomes of another one: it is refused (`reject`, unless said otherwise), takes the place of the \
         one that there is, which is cancelled (`replace`), or is that one (`join`).",
    ),
];

pub(super) const ORIGIN: &[Key] = &[
    key(
        "job",
        Kind::Text,
        "\"scan\"",
        "The job whose result it is; one of those in `after`.",
    )
    .needed(),
    key(
        "path",
        Kind::Text,
        "\"/files/0\"",
        "Which part of the result, as a JSON pointer; all of it unless said otherwise.",
    ),
];
