//! The keys of `twolane.toml`.

use std::time::Duration;

use super::{Key, Kind, PLACES, key};

/// `twolane.toml`. The example of each setting is its default.
pub(in crate::config) const SETTINGS: &[Key] = &[
    key("daemon", Kind::Table(DAEMON), "", "The daemon."),
    key("lanes", Kind::Table(LANES), "", "The two lanes."),
    key("queue", Kind::Table(QUEUE), "", "Runs that wait."),
    key(
        "store",
        Kind::Table(STORE),
        "",
        "What is kept of runs that are over.",
    ),
    key("api", Kind::Table(API), "", "How others reach the daemon."),
    key("log", Kind::Table(LOG), "", "The log."),
];

const DAEMON: &[Key] = &[
    key(
        "jobs",
        Kind::Texts,
        "[\"jobs.d/*.toml\"]",
        "Job files, as patterns; relative ones are taken from the directory of this file.",
    ),
    key(
        "state_dir",
        Kind::Text,
        "\"auto\"",
        "Where the store is and the logs of runs; a relative path is taken from the directory of \
         this file. `auto`: what systemd gives the service, else \
         /var/lib/twolane for root, and $XDG_STATE_HOME/twolane for others.",
    ),
    key(
        "runtime_dir",
        Kind::Text,
        "\"auto\"",
        "Where the socket is. `auto`: what systemd gives the service, else /run/twolane for root, \
         and $XDG_RUNTIME_DIR/twolane for others.",
    ),
    key(
        "cgroup",
        Kind::Text,
        "\"auto\"",
        "The control group of which each command gets a part, so that it is ended with all it has started, \
         whatever that does. `auto`: the service's own, if its unit says `Delegate=yes`; `off`: none; else \
         a directory of a cgroup2 file system that this user may divide.",
    ),
    key(
        "drain_timeout",
        Kind::Duration(Duration::ZERO),
        "\"90s\"",
        "How long the daemon waits, all in all, for what runs when it is told to end.",
    ),
];

const STORE: &[Key] = &[
    key(
        "keep_for",
        Kind::Duration(Duration::ZERO),
        "\"30d\"",
        "How long a run is kept after it is over, with its log.",
    ),
    key(
        "keep_runs",
        Kind::Integer(0, i64::MAX),
        "1_000_000",
        "How many runs are kept that are over; the oldest go first.",
    ),
    key(
        "keep_bytes",
        Kind::Integer(1_000_000, i64::MAX),
        "10_000_000_000",
        "How large the store may grow by runs that are over, in bytes; the oldest go first.",
    ),
];

const API: &[Key] = &[
    key(
        "tcp",
        Kind::Text,
        "\"off\"",
        "Beside the socket in `daemon.runtime_dir`: a loopback address to answer HTTP on, as in \
         `127.0.0.1:7717`, for those who have the token in `daemon.state_dir`; or `off`.",
    ),
    key(
        "tokens",
        Kind::Texts,
        "[]",
        "More tokens for `tcp`, each for somebody of its own, as `NAME:ROLE`; they are kept in the directory \
         `tokens` of `daemon.state_dir`, and what is asked for with one is on record as of `token:NAME`.",
    ),
    key("roles", Kind::Table(ROLES), "", "Who may do what."),
];

const ROLES: &[Key] = &[
    key(
        "read",
        Kind::Texts,
        "[]",
        "Who may look: `user:NAME`, `group:NAME`, `NAME` for a user, or `*` for whoever can connect. \
         Where no role is given to anybody, whoever can connect may do everything; else root and the \
         daemon's own user may, and others what is said here.",
    ),
    key(
        "submit",
        Kind::Texts,
        "[]",
        "Who may also ask for runs of defined jobs.",
    ),
    key("control", Kind::Texts, "[]", "Who may do everything."),
    key(
        "token",
        Kind::Choice(&["read", "submit", "control"]),
        "\"control\"",
        "The role of those who have the token, at `tcp`.",
    ),
];

const LANES: &[Key] = &[
    key("io", Kind::Table(IO), "", "The lane for what waits."),
    key("cpu", Kind::Table(CPU), "", "The lane for what computes."),
];

const IO: &[Key] = &[
    key(
        "concurrency",
        PLACES,
        "10_000",
        "How many attempts at once.",
    ),
    key(
        "threads",
        Kind::Integer(0, 64),
        "0",
        "Threads that carry them; 0: one a core.",
    ),
];

const CPU: &[Key] = &[
    key(
        "workers",
        Kind::Integer(0, 1024),
        "0",
        "Threads, and with that attempts at once; 0: one a core.",
    ),
    key(
        "nice",
        Kind::Integer(0, 19),
        "5",
        "Added to the nice value of these threads.",
    ),
    key(
        "policy",
        Kind::Choice(&["normal", "batch", "idle"]),
        "\"batch\"",
        "Scheduling policy of these threads. `idle` serves the io lane best, and lets the cpu lane \
         starve while other programs are busy.",
    ),
];

const QUEUE: &[Key] = &[
    key(
        "aging",
        Kind::Duration(Duration::from_secs(1)),
        "\"1m\"",
        "A waiting run gains one level of priority each time this long has passed.",
    ),
    key(
        "max_runs",
        Kind::Integer(1, 100_000_000),
        "1_000_000",
        "The most unfinished runs; what is submitted beyond it is refused.",
    ),
];

const LOG: &[Key] = &[
    key(
        "format",
        Kind::Choice(&["text", "json", "journal"]),
        "\"text\"",
        "For people, for programs, or as entries with fields for the journal of systemd; `text` is the last \
         where standard error is the journal.",
    ),
    key(
        "level",
        Kind::Text,
        "\"info\"",
        "What is logged: a level, and levels of single targets, as in `info,twolane::lanes=debug`. \
         The environment variable TWOLANE_LOG takes precedence.",
    ),
];
