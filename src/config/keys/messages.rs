//! The keys of `[jobs.NAME.messages]`.

use super::{Key, Kind, key};

/// A job's own texts for the log.
pub(super) const MESSAGES: &[Key] = &[
    key(
        "started",
        Kind::Template,
        "\"{job} begins\"",
        "An attempt started.",
    ),
    key(
        "progress",
        Kind::Template,
        "\"{job}: {percent} %\"",
        "An attempt reported progress.",
    ),
    key(
        "finished",
        Kind::Template,
        "\"{job} done in {duration}\"",
        "A run succeeded.",
    ),
    key(
        "failed",
        Kind::Template,
        "\"{job} failed: {error}\"",
        "A run failed.",
    ),
    key(
        "cancelled",
        Kind::Template,
        "\"{job} cancelled\"",
        "A run was cancelled.",
    ),
];
