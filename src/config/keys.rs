//! The tables of keys: what may stand in a file. Reading, the lists in messages and the JSON Schema
//! are all made from these, so that they cannot disagree. A new key is a line here and a line where it
//! is used.

use std::time::Duration;

/// A key and what it may be set to.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    /// One or two sentences, for editors.
    pub(super) doc: &'static str,
    pub(super) kind: Kind,
    /// A value, as it is written in a file: for messages, and for settings the default.
    pub(super) example: &'static str,
}

/// What a value has to be.
#[derive(Debug)]
pub(super) enum Kind {
    /// Any text but an empty one.
    Text,
    /// Text with placeholders.
    Template,
    /// A name of something that is defined elsewhere.
    Name,
    /// One such name, or a list of them.
    Names,
    /// Texts in a list.
    Texts,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A duration, at least this long.
    Duration(Duration),
    /// A whole number in this range, both ends included.
    Integer(i64, i64),
    /// A table of these keys.
    Table(&'static [Key]),
    /// A table of these keys, or just the text of the first of them.
    TextOrTable(&'static [Key]),
    /// A table of anything.
    Free,
    /// Anything.
    Any,
    /// A table whose keys are names and whose values are tables of these keys.
    Named(&'static [Key]),
}

const fn key(name: &'static str, kind: Kind, example: &'static str, doc: &'static str) -> Key {
    Key {
        name,
        doc,
        kind,
        example,
    }
}

const LANE: Kind = Kind::Choice(&["io", "cpu"]);
const POSITIVE: Kind = Kind::Integer(1, i64::MAX);
/// As many as there can be threads or descriptors on any machine of today.
const PLACES: Kind = Kind::Integer(1, 1_000_000);
const ANY_DURATION: Kind = Kind::Duration(Duration::ZERO);

/// A job file.
pub(super) const JOB_FILE: &[Key] = &[
    key(
        "jobs",
        Kind::Named(JOB),
        "",
        "Jobs by name: what to run, where, when, with which limits.",
    ),
    key(
        "pools",
        Kind::Named(POOL),
        "",
        "Pools by name: named capacities inside a lane.",
    ),
    key(
        "limits",
        Kind::Named(LIMIT),
        "",
        "Limits by name: semaphores across jobs and lanes; a mutex when the size is 1.",
    ),
];

/// What a job can execute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TaskKind {
    Sleep,
    Read,
    Compute,
    Call,
    Future,
}

impl TaskKind {
    pub(super) const ALL: [Self; 5] = [
        Self::Sleep,
        Self::Read,
        Self::Compute,
        Self::Call,
        Self::Future,
    ];

    /// The key of a job that says it; a job has exactly one of them.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Sleep => "sleep",
            Self::Read => "read",
            Self::Compute => "compute",
            Self::Call => "call",
            Self::Future => "future",
        }
    }
}

const JOB: &[Key] = &[
    key(
        "sleep",
        ANY_DURATION,
        "\"20s\"",
        "Task: wait for this long.",
    ),
    key(
        "read",
        Kind::Text,
        "\"in.txt\"",
        "Task: read this file; a relative path is taken from the directory of the job file. The \
         result has its size, its number of lines and the beginning of its text.",
    ),
    key(
        "compute",
        Kind::Table(COMPUTE),
        "{ outer = 1_000, inner = 500 }",
        "Task: two nested loops with `sum += i + j - 2 * j`, every step really computed.",
    ),
    key(
        "call",
        Kind::TextOrTable(CALL),
        "\"resize\"",
        "Task: a Rust function that was registered under this name through the library.",
    ),
    key(
        "future",
        Kind::Text,
        "\"the boss agrees\"",
        "Task: wait for this until somebody says `twolane complete RUN`.",
    ),
    key(
        "lane",
        LANE,
        "\"cpu\"",
        "Where it executes: `io` for what waits, `cpu` for what computes.",
    ),
    key(
        "pool",
        Kind::Name,
        "\"thumbs\"",
        "The pool that each run takes a place of.",
    ),
    key(
        "limits",
        Kind::Names,
        "[\"score\"]",
        "The limits that each run holds while it executes.",
    ),
    key(
        "priority",
        Kind::Integer(-10, 10),
        "5",
        "How urgent its runs are, -10 to 10. A waiting run gains a level each `queue.aging`.",
    ),
    key(
        "delay",
        ANY_DURATION,
        "\"30s\"",
        "How long a run waits after it was accepted.",
    ),
    key(
        "timeout",
        Kind::Duration(Duration::from_millis(1)),
        "\"10m\"",
        "The longest that an attempt may take.",
    ),
    key(
        "after",
        Kind::Names,
        "[\"fetch\"]",
        "Jobs whose runs of the same submission have to succeed first.",
    ),
    key(
        "start",
        Kind::Choice(&["boot"]),
        "\"boot\"",
        "`boot`: runs when the daemon starts.",
    ),
    key(
        "on_crash",
        Kind::Choice(&["retry", "fail"]),
        "\"fail\"",
        "What becomes of a run when the daemon or the machine goes down under it: `retry` (it waits \
         in line again, at most 3 times; unless said otherwise) or `fail`, for work that must not \
         be done twice.",
    ),
    key(
        "params",
        Kind::Named(PARAM),
        "",
        "The arguments that a run may be given, by name.",
    ),
    key(
        "messages",
        Kind::Table(MESSAGES),
        "{ started = \"{job} begins\" }",
        "Texts of its own for the log, with placeholders such as `{job}`.",
    ),
];

const PARAM: &[Key] = &[
    key(
        "type",
        Kind::Choice(&["text", "integer", "number", "boolean", "any"]),
        "\"integer\"",
        "What the argument has to be.",
    ),
    key(
        "default",
        Kind::Any,
        "80",
        "What it is where it is not given; without one it has to be given.",
    ),
];

const COMPUTE: &[Key] = &[
    key("outer", POSITIVE, "1_000_000", "Rounds of the outer loop."),
    key(
        "inner",
        POSITIVE,
        "500",
        "Rounds of the inner loop in each of the outer one.",
    ),
    key(
        "report_every",
        POSITIVE,
        "250_000",
        "Report progress each time so many rounds are done.",
    ),
];

const CALL: &[Key] = &[
    key(
        "handler",
        Kind::Text,
        "\"resize\"",
        "The name the function was registered under.",
    ),
    key(
        "args",
        Kind::Free,
        "{ width = 80 }",
        "What it is given; a run's own arguments go before.",
    ),
];

const MESSAGES: &[Key] = &[
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

const POOL: &[Key] = &[
    key(
        "lane",
        LANE,
        "\"cpu\"",
        "The lane whose capacity it is a part of.",
    ),
    key("size", PLACES, "3", "How many runs at once."),
];

const LIMIT: &[Key] = &[key(
    "size",
    PLACES,
    "1",
    "How many runs may hold it at once.",
)];

/// `twolane.toml`. The example of each setting is its default.
pub(super) const SETTINGS: &[Key] = &[
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

const API: &[Key] = &[key(
    "tcp",
    Kind::Text,
    "\"off\"",
    "Beside the socket in `daemon.runtime_dir`: a loopback address to answer HTTP on, as in \
     `127.0.0.1:7717`, for those who have the token in `daemon.state_dir`; or `off`.",
)];

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
        Kind::Choice(&["text", "json"]),
        "\"text\"",
        "For people, or for programs.",
    ),
    key(
        "level",
        Kind::Text,
        "\"info\"",
        "What is logged: a level, and levels of single targets, as in `info,twolane::lanes=debug`. \
         The environment variable TWOLANE_LOG takes precedence.",
    ),
];
