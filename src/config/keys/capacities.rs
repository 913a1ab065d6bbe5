//! The keys of what there is a limited number of.

use super::{Key, Kind, LANE, PLACES, key};

pub(super) const POOL: &[Key] = &[
    key(
        "lane",
        LANE,
        "\"cpu\"",
        "The lane whose capacity it is a part of.",
    )
    .needed(),
    key("size", PLACES, "3", "How many runs at once.").needed(),
];

pub(super) const LIMIT: &[Key] = &[
    key(
        "size",
        PLACES,
        "1",
        "How many places it has: how many runs may hold it at once.",
    ),
    key(
        "rate",
        Kind::Rate,
        "\"10/s\"",
        "How often it may be taken, in a second (`s`), minute (`m`), hour (`h`) or day (`d`), by all jobs \
         together.",
    ),
    key(
        "burst",
        PLACES,
        "5",
        "How many times may be saved up while nobody takes it; 1 unless said otherwise.",
    ),
];
