//! The keys of the tables that say how commands are run, and of what runs are given.

use std::time::Duration;

use super::{Key, Kind, POSITIVE, key};

pub(super) const STDIN: &[Key] = &[
    key("text", Kind::Text, "\"yes\\n\"", "This text."),
    key(
        "file",
        Kind::Text,
        "\"in.txt\"",
        "This file; a relative path is taken from the directory of the job file.",
    ),
    key(
        "open",
        Kind::Flag,
        "true",
        "What is sent to the run by `twolane send` while it runs.",
    ),
];

pub(super) const RLIMITS: &[Key] = &[
    key("memory", Kind::Bytes, "\"2GiB\"", "Bytes of address space."),
    key(
        "cpu",
        Kind::Duration(Duration::from_secs(1)),
        "\"10m\"",
        "CPU time. Who has used it up gets SIGXCPU, and is killed a second of it later.",
    ),
    key("files", Kind::Integer(3, 1 << 30), "1024", "Open files."),
    key(
        "file_size",
        Kind::Bytes,
        "\"10GiB\"",
        "Bytes of a file that is written.",
    ),
    key(
        "processes",
        POSITIVE,
        "200",
        "Processes of the same user, all in all; not kept for root.",
    ),
    key("core", Kind::Bytes, "0", "Bytes of a core dump."),
    key("stack", Kind::Bytes, "\"8MiB\"", "Bytes of stack."),
];

pub(super) const PARAM: &[Key] = &[
    key(
        "type",
        Kind::Choice(&["text", "integer", "number", "boolean", "any"]),
        "\"integer\"",
        "What the argument has to be.",
    )
    .needed(),
    key(
        "default",
        Kind::Any,
        "80",
        "What it is where it is not given; without one it has to be given.",
    ),
    key(
        "from",
        Kind::TextOrTable(super::flow::ORIGIN),
        "{ job = \"scan\", path = \"/files\" }",
        "Where it comes from when it is not given: the result of a job that this one comes after.",
    ),
];
