//! The tables of keys: what may stand in a file. Reading, the lists in messages and the JSON Schema
//! are all made from these, so that they cannot disagree. A new key is a line here and a line where it
//! is used.

mod capacities;
mod commands;
mod flow;
mod messages;
mod schedule;
mod settings;
mod tables;

use std::time::Duration;

use super::tasks::{files, http};
use capacities::{LIMIT, POOL};
pub(super) use flow::FAILURES;
use messages::MESSAGES;
pub(super) use settings::SETTINGS;

/// A key and what it may be set to.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    /// One or two sentences, for editors.
    pub(super) doc: &'static str,
    pub(super) kind: Kind,
    /// A value, as it is written in a file: for messages, and for settings the default.
    pub(super) example: &'static str,
    /// Whether its table has to have it.
    pub(super) needed: bool,
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
    /// One such name, a list of them, or a table of them with numbers up to this.
    NamesOrAmounts(u32),
    /// A table of names with numbers up to this.
    Amounts(u32),
    /// So many in a time, as a text.
    Rate,
    /// Texts in a list.
    Texts,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// One path or pattern of paths, or a list of them.
    Patterns,
    /// A duration, at least this long.
    Duration(Duration),
    /// A whole number in this range, both ends included.
    Integer(i64, i64),
    /// Such numbers in a list.
    Integers(i64, i64),
    /// True or false.
    Flag,
    /// A number of bytes: a whole number, or a text with a unit.
    Bytes,
    /// The same, at least 1 MiB.
    Memory,
    /// Texts by the names of variables.
    Variables,
    /// The words of a command line in a list; all but the first may be empty.
    Words,
    /// A text for a shell.
    Script,
    /// Such a text, or the words of a command line.
    ScriptOrWords,
    /// A text, or texts in a list.
    TextOrTexts,
    /// Permissions as an octal number in a text.
    Octal,
    /// A table with one of these keys, or just the text of the first of them.
    TextOrOne(&'static [Key]),
    /// A table of these keys.
    Table(&'static [Key]),
    /// A table of these keys, or just the text of the first of them.
    TextOrTable(&'static [Key]),
    /// A table of these keys, or just the text of the first of them, or a list of such.
    Tables(&'static [Key]),
    /// A date, a time or an instant: as TOML has them, or in a text.
    Moment,
    /// A table of anything.
    Free,
    /// Anything.
    Any,
    /// A table whose keys are names and whose values are tables of these keys.
    Named(&'static [Key]),
}

pub(super) const fn key(
    name: &'static str,
    kind: Kind,
    example: &'static str,
    doc: &'static str,
) -> Key {
    Key {
        name,
        doc,
        kind,
        example,
        needed: false,
    }
}

impl Key {
    /// The same key, which its table has to have.
    const fn needed(mut self) -> Self {
        self.needed = true;
        self
    }
}

/// Rounds of one loop: with two such numbers the steps can be counted in 64 bits.
const ROUNDS: Kind = Kind::Integer(1, 0xFFFF_FFFF);
const LANE: Kind = Kind::Choice(&["io", "cpu"]);
const LANE_OF_JOB: Kind = Kind::Choice(&["io", "cpu", AUTO]);

/// The lane of a job that finds its lane by itself.
pub(super) const AUTO: &str = "auto";
const POSITIVE: Kind = Kind::Integer(1, i64::MAX);
/// As many as there can be threads or descriptors on any machine of today.
const PLACES: Kind = Kind::Integer(1, MOST as i64);
pub(super) const MOST: u32 = 1_000_000;
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
    key(
        "resources",
        Kind::Amounts(u32::MAX),
        "{ ram_gb = 16 }",
        "Resources by name, with how much there is of each: jobs take parts of them.",
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
    Exec,
    Shell,
    Http,
    Hash,
    Compress,
    Decompress,
    Write,
    Copy,
}

impl TaskKind {
    pub(super) const ALL: [Self; 13] = [
        Self::Exec,
        Self::Shell,
        Self::Sleep,
        Self::Read,
        Self::Compute,
        Self::Call,
        Self::Future,
        Self::Http,
        Self::Hash,
        Self::Compress,
        Self::Decompress,
        Self::Write,
        Self::Copy,
    ];

    /// The key of a job that says it; a job has exactly one of them.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Sleep => "sleep",
            Self::Read => "read",
            Self::Compute => "compute",
            Self::Call => "call",
            Self::Future => "future",
            Self::Exec => "exec",
            Self::Shell => "shell",
            Self::Http => "http",
            Self::Hash => "hash",
            Self::Compress => "compress",
            Self::Decompress => "decompress",
            Self::Write => "write",
            Self::Copy => "copy",
        }
    }
}

pub(super) const JOB: &[Key] = &[
    key(
        "exec",
        Kind::Words,
        "[\"convert\", \"{file}\", \"out.png\"]",
        "Task: run this program with these arguments, without a shell. `{name}` is the argument of that \
         name of the run.",
    ),
    key(
        "shell",
        Kind::Script,
        "\"sort < in.txt | uniq -c > out.txt\"",
        "Task: have /bin/sh carry this out. Arguments of the run are in variables such as \
         TWOLANE_ARG_FILE.",
    ),
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
        Kind::Table(tables::COMPUTE),
        "{ outer = 1_000, inner = 500 }",
        "Task: two nested loops with `sum += i + j - 2 * j`, every step really computed.",
    ),
    key(
        "call",
        Kind::TextOrTable(tables::CALL),
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
        "http",
        Kind::TextOrTable(http::KEYS),
        "\"https://example.org/in.png\"",
        "Task: an HTTP request. The result has the status, some headers, and the body's beginning or \
         the file that it is saved to.",
    ),
    key(
        "hash",
        Kind::TextOrTable(files::HASH),
        "{ files = [\"data/**/*.bin\"], manifest = \"SUMS\" }",
        "Task: hash files, several at once; the result has the hashes, and so has a manifest.",
    ),
    key(
        "compress",
        Kind::TextOrTable(files::COMPRESS),
        "{ from = \"a.log\", to = \"a.log.zst\" }",
        "Task: compress a file, on all cores that are free.",
    ),
    key(
        "decompress",
        Kind::TextOrTable(files::DECOMPRESS),
        "\"a.log.zst\"",
        "Task: decompress a file.",
    ),
    key(
        "write",
        Kind::TextOrTable(files::WRITE),
        "{ to = \"out.txt\", text = \"done\" }",
        "Task: write a text to a file, which appears whole or not at all.",
    ),
    key(
        "copy",
        Kind::Table(files::COPY),
        "{ from = \"a\", to = \"b\" }",
        "Task: copy a file; the copy appears whole or not at all.",
    ),
    key(
        "lane",
        LANE_OF_JOB,
        "\"cpu\"",
        "Where it executes: `io` for what waits, `cpu` for what computes. `auto` begins on the io lane and \
         goes where what is measured of its attempts says that it belongs: to the cpu lane after three in a \
         row, or one of a second, that computed or kept a thread from others for at least half of their \
         time, and to the io lane after three in a row that did so for less than a tenth.",
    ),
    key(
        "pool",
        Kind::Name,
        "\"thumbs\"",
        "The pool that each run takes a place of.",
    ),
    key(
        "cpus",
        PLACES,
        "2",
        "How many threads of the cpu lane each run takes up; where the lane has fewer, all of them. Unless \
         said otherwise it is one, and what the task can spread over several goes to those that are free.",
    ),
    key(
        "limits",
        Kind::NamesOrAmounts(MOST),
        "[\"score\"]",
        "The limits that each run holds while it executes, as a list of names, or as a table that says how \
         many places it takes of each, as in `{ score = 2 }`.",
    ),
    key(
        "resources",
        Kind::Amounts(u32::MAX),
        "{ ram_gb = 4 }",
        "How much each run takes of resources while it executes.",
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
        "The longest that an attempt may take; of a command from when its process is made.",
    ),
    key(
        "run_timeout",
        Kind::Duration(Duration::from_millis(1)),
        "\"1h\"",
        "The longest that a run may take from the start of its first attempt on, with all attempts and the \
         pauses between them.",
    ),
    key(
        "start_within",
        Kind::Duration(Duration::from_millis(1)),
        "\"5m\"",
        "The longest that a run may wait in line for its first attempt; one that could not start by then is \
         skipped.",
    ),
    key(
        "retry",
        Kind::Table(flow::RETRY),
        "{ attempts = 3, base = \"1s\", max = \"5m\", on_exit = [75] }",
        "Whether and when a run is tried again after an attempt that has failed.",
    ),
    key(
        "grace",
        ANY_DURATION,
        "\"10s\"",
        "How long an attempt has to end after it was asked to, before a command is killed.",
    ),
    key(
        "isolate",
        Kind::Flag,
        "true",
        "Run the task in a process of its own: then it can always be ended, and what brings it down harms \
         nothing else. For `call`, `compute`, `read`, `hash`, `compress`, `decompress`, `write` and `copy`.",
    ),
    key(
        "directory",
        Kind::Text,
        "\"/srv/photos\"",
        "Where commands of the job begin; relative to the directory of the job file, which it is where \
         nothing is said.",
    ),
    key(
        "env",
        Kind::Variables,
        "{ LANG = \"C.UTF-8\" }",
        "Variables for commands of the job, which begin with little more than PATH and HOME.",
    ),
    key(
        "env_file",
        Kind::Text,
        "\"secrets.env\"",
        "A file with more variables, as NAME=VALUE a line, read each time an attempt begins.",
    ),
    super::secrets::KEY,
    key(
        "pass_env",
        Kind::TextOrTexts,
        "[\"HTTPS_PROXY\"]",
        "Variables that commands of the job get as the daemon has them.",
    ),
    key(
        "stdin",
        Kind::TextOrOne(commands::STDIN),
        "{ file = \"in.txt\" }",
        "What the command reads: a text, a file, or what is sent to it by `twolane send`.",
    ),
    key(
        "stdin_from",
        Kind::Name,
        "\"producer\"",
        "The job whose command writes what this one reads: both run at the same time, in one run of this \
         job, as in a shell's pipe; where one fails, the run has failed.",
    ),
    key(
        "success_exit",
        Kind::Integers(0, 255),
        "[0, 3]",
        "The exit codes of the command that count as success; 0 alone unless said otherwise.",
    ),
    key(
        "pty",
        Kind::Flag,
        "true",
        "Whether the command has a terminal of its own, so that it colours what it says and holds nothing back: 80 by 24 characters, `TERM=xterm-256color` unless said otherwise.",
    ),
    key(
        "result",
        Kind::Choice(&["exit", "text", "json"]),
        "\"json\"",
        "What the run's result is: `exit`, its exit code (unless said otherwise); `text`, what the command writes to \
         its standard output, at most 64 KiB, without the last line end; or `json`, the same read as JSON.",
    ),
    key(
        "user",
        Kind::Text,
        "\"nobody\"",
        "Whom commands of the job run as, by name or number. Only a daemon that is root can do that.",
    ),
    key(
        "group",
        Kind::Text,
        "\"adm\"",
        "The group that commands of the job run as, by name or number; unless said otherwise the user's.",
    ),
    key(
        "umask",
        Kind::Octal,
        "\"022\"",
        "Permissions that files which the commands make do not get, in octal.",
    ),
    key(
        "nice",
        Kind::Integer(-20, 19),
        "10",
        "Added to the nice value of commands of the job.",
    ),
    key(
        "rlimits",
        Kind::Table(commands::RLIMITS),
        "{ memory = \"2GiB\", files = 1024 }",
        "Bounds that the kernel keeps for each process of the job's commands.",
    ),
    key(
        "memory_max",
        Kind::Memory,
        "\"512MiB\"",
        "Memory that all processes of a command have together, at least 1 MiB; one that needs more is killed and fails \
         with `out_of_memory`. Needs a control group with the controller `memory`, and fails where there is none.",
    ),
    key(
        "pids_max",
        POSITIVE,
        "64",
        "Processes and threads of a command at a time; it cannot make more. Needs a control group with the \
         controller `pids`, and fails where there is none.",
    ),
    key(
        "setup",
        Kind::ScriptOrWords,
        "\"mkdir -p work\"",
        "A command before the task, as a text for /bin/sh or as words. Where it fails, nothing else begins.",
    ),
    key(
        "teardown",
        Kind::ScriptOrWords,
        "\"rm -rf work\"",
        "A command after the task, however that ended, also if the daemon went down under it.",
    ),
    key(
        "teardown_timeout",
        Kind::Duration(Duration::from_millis(1)),
        "\"1m\"",
        "The longest that `teardown` may take; then it is asked to end, and `grace` later killed.",
    ),
    key(
        "after",
        Kind::Names,
        "[\"fetch\"]",
        "Jobs whose runs of the same submission go first; `when` says what has to have become of them.",
    ),
    key(
        "when",
        Kind::Choice(&["success", "failure", "always", "any"]),
        "\"always\"",
        "What has to have become of the runs that it comes after: all have succeeded (`success`, unless said \
         otherwise), all are over and one did not succeed (`failure`), all are over (`always`), or one has \
         succeeded (`any`).",
    ),
    key(
        "foreach",
        Kind::Text,
        "\"file\"",
        "The parameter that is given a list: there is a run for each element, and one that stands for all of \
         them and results in the list of what they gave.",
    ),
    key(
        "matrix",
        Kind::Free,
        "{ size = [80, 800], format = [\"png\", \"webp\"] }",
        "Lists by parameter: there is a run for each combination of their elements, and one that stands for \
         all of them.",
    ),
    key(
        "unique",
        Kind::TextOrTable(flow::UNIQUE),
        "\"args\"",
        "Of which runs there is only one at a time: of those with the same arguments (`args`), or of all of \
         the job (`job`).",
    ),
    key(
        "on_failure",
        Kind::Name,
        "\"alert\"",
        "The job that is run after a run of this one has failed. Of `job`, `run`, `state`, `error`, \
         `error_kind` and `result` it is given what it declares as parameters.",
    ),
    key(
        "on_success",
        Kind::Name,
        "\"publish\"",
        "The job that is run after a run of this one has succeeded, with arguments as for `on_failure`.",
    ),
    key(
        "expect_within",
        Kind::Duration(Duration::from_secs(1)),
        "\"26h\"",
        "In what time one of its runs has to succeed, counted from the last one that did, or from when the job \
         was defined; when none does, that is told as a warning, once.",
    ),
    key(
        "on_absent",
        Kind::Name,
        "\"alert\"",
        "The job that is run when no run of this one succeeded within `expect_within`, with arguments as for \
         `on_failure`; `state` is `absent`, and `run` is 0.",
    ),
    key(
        "start",
        Kind::Choice(&["boot"]),
        "\"boot\"",
        "`boot`: runs when the daemon starts.",
    ),
    key(
        "schedule",
        Kind::Tables(schedule::SCHEDULE),
        "\"30 3 * * MON-FRI\"",
        "When it runs by the calendar: an expression of cron, a table, or a list of these.",
    ),
    key(
        "on_crash",
        Kind::Choice(&["retry", "fail"]),
        "\"fail\"",
        "What becomes of a run when the daemon or the machine goes down under it: `retry` (it waits in line again, \
         at most 3 times; unless said otherwise) or `fail`, for work that must not be done twice.",
    ),
    key(
        "params",
        Kind::Named(commands::PARAM),
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
