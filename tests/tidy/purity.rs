//! Where clocks are read, and what the engine knows of the world: nothing.

use super::paths::UsedPath;
use super::tree::{Finding, Source, places};

/// The one file that reads clocks.
const CLOCK: &str = "src/clock.rs";

/// Ends of paths and names of functions that read a clock.
const CLOCK_READS: [&str; 9] = [
    "Instant::now",
    "SystemTime::now",
    "UtcDateTime::now",
    "Timestamp::now",
    "Zoned::now",
    "OffsetDateTime::now_utc",
    "clock_gettime",
    "gettimeofday",
    "clock_gettime_dynamic",
];

/// Methods that read one.
const CLOCK_METHODS: [&str; 1] = ["elapsed"];

/// Crates and modules that the engine does without, as the beginnings of paths.
const IMPURE_PATHS: [&str; 24] = [
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::os",
    "std::process",
    "std::sync::Barrier",
    "std::sync::Condvar",
    "std::sync::Mutex",
    "std::sync::RwLock",
    "std::sync::atomic",
    "std::sync::mpsc",
    "std::task",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "crossbeam",
    "crossbeam_channel",
    "libc",
    "rand",
    "rayon",
    "rustix",
    "tokio",
    "tracing",
];

/// Names that the engine does without, wherever they come from.
const IMPURE_NAMES: [&str; 9] = [
    "HashMap",
    "HashSet",
    "Instant",
    "Mutex",
    "RandomState",
    "RwLock",
    "SystemTime",
    "async",
    "thread_local",
];

/// The one file of the engine that may have a table without order: it lets nobody go through it.
const ORDERLESS: (&str, &str) = ("src/engine/by_name.rs", "HashMap");

/// Reads of a clock outside the file that is there for it. In the library and the program only:
/// tests and benches may measure.
pub(crate) fn clock_readers(sources: &[Source]) -> Vec<Finding> {
    let cure = "take the time as an argument (`Now`, `Mono`), or ask `crate::clock` for it";
    let mut findings = Vec::new();
    let in_scope = |path: &str| path.starts_with("src/") && path != CLOCK;
    for source in sources.iter().filter(|source| in_scope(&source.path)) {
        for path in &source.paths {
            let text = path.text();
            if CLOCK_READS.iter().any(|read| ends_with(&text, read)) {
                let fault = format!("`{text}` reads a clock outside of {CLOCK}");
                findings.push(source.finding(path.line, fault, cure));
            }
        }
        for three in source.tokens.windows(3) {
            let [before, name, after] = three else {
                continue;
            };
            let called = before.is('.') && after.is('(');
            if let Some(name_text) = name.word()
                && called
                && CLOCK_METHODS.contains(&name_text)
            {
                let fault = format!("`.{name_text}()` reads a clock outside of {CLOCK}");
                findings.push(source.finding(name.line, fault, cure));
            }
        }
    }
    findings
}

fn ends_with(path: &str, end: &str) -> bool {
    path.strip_suffix(end)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with("::"))
}

/// Whatever in the engine knows more than its inputs.
pub(crate) fn engine_impurities(sources: &[Source]) -> Vec<Finding> {
    let cure = "the engine decides from its inputs alone: let the world enter as an `Input` or an \
                argument, and leave as an `Action`; use `BTreeMap` or `BTreeSet` for tables";
    let mut findings = Vec::new();
    for source in sources {
        if source.module() != Some("engine") {
            continue;
        }
        for path in &source.paths {
            if let Some(impure) = impure(path) {
                let fault = format!("the engine uses `{}` (`{impure}`)", path.text());
                findings.push(source.finding(path.line, fault, cure));
            }
        }
        for token in &source.tokens {
            if let Some(name) = token.word()
                && IMPURE_NAMES.contains(&name)
                && (source.path.as_str(), name) != ORDERLESS
            {
                let fault = format!("the engine names `{name}`");
                findings.push(source.finding(token.line, fault, cure));
            }
        }
    }
    findings.sort();
    findings.dedup_by(|a, b| (&a.file, a.line) == (&b.file, b.line));
    findings
}

fn impure(path: &UsedPath) -> Option<&'static str> {
    let text = path.text();
    let begins = |with: &&&str| {
        text.strip_prefix(**with)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    IMPURE_PATHS.iter().find(begins).copied()
}

#[test]
fn a_clock_read_elsewhere_is_found() {
    let found = |path: &str, text: &str| places(&clock_readers(&[Source::new(path, text)]));
    for text in [
        "let now = Instant::now();",
        "let now = std::time::SystemTime::now();",
        "let f = jiff::Timestamp::now;",
        "rustix::time::clock_gettime(id)",
        "use rustix::time::{ClockId, clock_gettime};",
        "let age = start.elapsed();",
    ] {
        assert_eq!(
            found("src/lanes/io.rs", text),
            ["src/lanes/io.rs:1"],
            "{text}"
        );
        assert_eq!(found("src/clock.rs", text), [""; 0], "{text}");
        assert_eq!(found("benches/b.rs", text), [""; 0], "{text}");
    }
    for text in [
        "// Instant::now()",
        "clock.now()",
        "fn elapsed(x: u8) {}",
        "\"a.elapsed()\"",
    ] {
        assert_eq!(found("src/lanes/io.rs", text), [""; 0], "{text}");
    }
}

#[test]
fn an_impure_engine_is_found() {
    let found = |path: &str, text: &str| places(&engine_impurities(&[Source::new(path, text)]));
    for path in IMPURE_PATHS {
        let text = format!("//! X.\nuse {path}::x;");
        assert_eq!(
            found("src/engine/a.rs", &text),
            ["src/engine/a.rs:2"],
            "{path}"
        );
        assert_eq!(found("src/lanes/a.rs", &text), [""; 0], "{path}");
    }
    for name in IMPURE_NAMES {
        let text = format!("type A = {name};");
        assert_eq!(
            found("src/engine/a.rs", &text),
            ["src/engine/a.rs:1"],
            "{name}"
        );
    }
    assert_eq!(
        found("src/engine/a.rs", "use core::sync::{atomic, Arc};").len(),
        1
    );
    assert_eq!(
        found("src/engine/mod.rs", "use std::{collections::BTreeMap, fs};").len(),
        1
    );
    for text in [
        "use std::sync::Arc; use std::time::Duration; use std::collections::BTreeMap;",
        "// no Mutex, no HashMap",
        "use std::fmt; fn f() -> randomly::x { librarian::y() }",
    ] {
        assert_eq!(found("src/engine/a.rs", text), [""; 0], "{text}");
    }
}
