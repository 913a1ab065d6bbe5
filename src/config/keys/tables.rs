//! The keys of tasks that are tables, where they have no file of their own.

use super::{Key, Kind, POSITIVE, ROUNDS, key};

pub(super) const COMPUTE: &[Key] = &[
    key("outer", ROUNDS, "1_000_000", "Rounds of the outer loop.").needed(),
    key(
        "inner",
        ROUNDS,
        "500",
        "Rounds of the inner loop in each of the outer one.",
    )
    .needed(),
    key(
        "report_every",
        POSITIVE,
        "250_000",
        "Report progress each time so many rounds are done.",
    ),
];

pub(super) const CALL: &[Key] = &[
    key(
        "handler",
        Kind::Text,
        "\"resize\"",
        "The name the function was registered under.",
    )
    .needed(),
    key(
        "args",
        Kind::Free,
        "{ width = 80 }",
        "What it is given; a run's own arguments go before.",
    ),
];
