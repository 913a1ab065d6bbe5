//! Which part may use which: the code against the table, and both against circles.

use std::collections::{BTreeMap, BTreeSet};

use super::tree::{Finding, Source, places};

/// A top-level module and the others that it may use.
pub(crate) struct Row {
    module: &'static str,
    may_use: &'static [&'static str],
}

impl Row {
    pub(crate) const fn new(module: &'static str, may_use: &'static [&'static str]) -> Self {
        Self { module, may_use }
    }
}

/// Where faults of the table itself are.
const TABLE: &str = "tests/tidy.rs";

/// Each use of a part that the using part's row does not list.
pub(crate) fn forbidden(table: &[Row], sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut unknown = BTreeSet::new();
    for source in sources {
        let Some(module) = source.module() else {
            continue;
        };
        let Some(row) = table.iter().find(|row| row.module == module) else {
            if unknown.insert(module) {
                let fault = format!("no direction is set for the top-level module `{module}`");
                let cure = "add a row for it to DIRECTIONS in tests/tidy.rs and a line to the \
                            map in docs/ARCHITECTURE.md, or put the file into a part that exists";
                findings.push(source.finding(1, fault, cure));
            }
            continue;
        };
        for path in &source.paths {
            let Some(used) = path.in_crate() else {
                continue;
            };
            if used == module || row.may_use.contains(&used) {
                continue;
            }
            let known = table.iter().any(|row| row.module == used);
            let (fault, cure) = if known {
                let allowed = match row.may_use {
                    [] => "nothing of ours".to_owned(),
                    some => format!("only {}", some.join(", ")),
                };
                (
                    format!("`{module}` may use {allowed}, not `{}`", path.text()),
                    "move the type to `engine` or `inbox`, or pass the value in from the part \
                     that may use both (`daemon`, `cli`)",
                )
            } else {
                (
                    format!("`{}` names no part of the table", path.text()),
                    "name the item in the module that defines it, not by a re-export at the root; \
                     a new part needs a row in DIRECTIONS in tests/tidy.rs",
                )
            };
            findings.push(source.finding(path.line, fault, cure));
        }
    }
    findings
}

/// What is wrong with the table: circles, names without a row, rows that stand twice.
pub(crate) fn table_faults(table: &[Row]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut fault = |fault: String, cure: &str| findings.push(Finding::new(TABLE, 1, fault, cure));
    let mut edges: Edges<'_> = BTreeMap::new();
    for row in table {
        let may_use = row.may_use.iter().map(|&used| (used, String::new()));
        if edges.insert(row.module, may_use.collect()).is_some() {
            fault(
                format!("DIRECTIONS has two rows for `{}`", row.module),
                "keep one of them",
            );
        }
    }
    for row in table {
        for used in row.may_use {
            if !edges.contains_key(used) {
                fault(
                    format!(
                        "DIRECTIONS: `{}` may use `{used}`, which has no row",
                        row.module
                    ),
                    "add a row for it, or correct the name",
                );
            }
        }
    }
    if let Some(circle) = circle(&edges) {
        fault(
            format!("DIRECTIONS allows a circle: {}", circle.join(" -> ")),
            "take one of these directions out",
        );
    }
    findings
}

/// The circle in what the parts of the code really use, if there is one. Independent of the table.
pub(crate) fn circles(sources: &[Source]) -> Vec<Finding> {
    let mut edges: Edges<'_> = BTreeMap::new();
    for source in sources {
        let Some(module) = source.module() else {
            continue;
        };
        for path in &source.paths {
            if let Some(used) = path.in_crate()
                && used != module
            {
                let place = format!("{}:{}", source.path, path.line);
                edges
                    .entry(module)
                    .or_default()
                    .entry(used)
                    .or_insert(place);
            }
        }
    }
    let Some(circle) = circle(&edges) else {
        return Vec::new();
    };
    let steps: Vec<(&str, &str, &str)> = circle
        .windows(2)
        .map(|pair| (pair[0], pair[1], edges[pair[0]][pair[1]].as_str()))
        .collect();
    let list: Vec<String> = steps
        .iter()
        .map(|(from, to, place)| format!("`{from}` uses `{to}` ({place})"))
        .collect();
    let (file, line) = steps[0].2.rsplit_once(':').unwrap_or((steps[0].2, "1"));
    vec![Finding::new(
        file,
        line.parse().unwrap_or(1),
        format!("parts use each other in a circle: {}", list.join(", ")),
        "turn one of these uses round: pass the value in, or move the type to where both may look",
    )]
}

/// For each part those that it uses, with a place where it does.
type Edges<'a> = BTreeMap<&'a str, BTreeMap<&'a str, String>>;

/// A way from some part back to itself, that part at both ends; `None` if there is none.
fn circle<'a>(edges: &Edges<'a>) -> Option<Vec<&'a str>> {
    let mut done = BTreeSet::new();
    edges
        .keys()
        .find_map(|&start| search(start, edges, &mut Vec::new(), &mut done))
}

fn search<'a>(
    at: &'a str,
    edges: &Edges<'a>,
    way: &mut Vec<&'a str>,
    done: &mut BTreeSet<&'a str>,
) -> Option<Vec<&'a str>> {
    if let Some(from) = way.iter().position(|&passed| passed == at) {
        let mut circle = way[from..].to_vec();
        circle.push(at);
        return Some(circle);
    }
    if !done.insert(at) {
        return None;
    }
    way.push(at);
    for used in edges.get(at).into_iter().flat_map(BTreeMap::keys) {
        if let Some(circle) = search(used, edges, way, done) {
            return Some(circle);
        }
    }
    way.pop();
    None
}

#[test]
fn a_use_against_the_table_is_refused() {
    let table = [
        Row::new("engine", &[]),
        Row::new("lanes", &["engine"]),
        Row::new("cli", &["engine", "lanes"]),
    ];
    let refused = |path: &str, text: &str| {
        let sources = [Source::new(path, text)];
        !places(&forbidden(&table, &sources)).is_empty()
    };
    assert!(!refused("src/lanes/io.rs", "use crate::engine::id::RunId;"));
    assert!(!refused(
        "src/lanes/io.rs",
        "use super::{cpu, super::engine};"
    ));
    assert!(!refused("src/lib.rs", "use crate::cli::App;"));
    assert!(!refused(
        "src/lanes/io.rs",
        "/// See [`crate::cli`].\nfn f() {}"
    ));
    for text in [
        "use crate::cli::App;",
        "use crate::{engine, cli};",
        "use super::super::cli::App;",
        "fn f() { crate::cli::main() }",
        "use crate::Reexported;",
        "use crate::*;",
    ] {
        assert!(refused("src/lanes/io.rs", text), "accepted: {text}");
    }
    assert!(refused("src/engine/id.rs", "use crate::lanes::Io;"));
    assert!(refused("src/novel.rs", ""), "a module without a row");
}

#[test]
fn a_use_is_told_by_its_line() {
    let table = [Row::new("engine", &[]), Row::new("cli", &["engine"])];
    let sources = [Source::new(
        "src/engine/a.rs",
        "//! A.\n\nuse crate::{\n    cli,\n};\n",
    )];
    assert_eq!(places(&forbidden(&table, &sources)), ["src/engine/a.rs:4"]);
}

#[test]
fn a_faulty_table_is_refused() {
    let faults = |table: &[Row]| places(&table_faults(table)).len();
    assert_eq!(faults(&[Row::new("a", &["b"]), Row::new("b", &[])]), 0);
    assert_eq!(faults(&[Row::new("a", &["b"]), Row::new("b", &["a"])]), 1);
    assert_eq!(faults(&[Row::new("a", &["a"])]), 1, "itself");
    assert_eq!(faults(&[Row::new("a", &["b"])]), 1, "no row");
    assert_eq!(
        faults(&[Row::new("a", &[]), Row::new("a", &[])]),
        1,
        "twice"
    );
}

#[test]
fn a_circle_in_the_code_is_found() {
    let circle = |c: &str| {
        circles(&[
            Source::new("src/a.rs", "//! A.\nuse crate::b::X;"),
            Source::new("src/b/mod.rs", "use crate::c::X;"),
            Source::new("src/c.rs", c),
        ])
    };
    assert_eq!(circle("use std::fs;"), []);
    let found = circle("fn f() { crate::a::g() }");
    assert_eq!(places(&found), ["src/a.rs:2"]);
    assert!(found[0].fault.contains("(src/c.rs:1)"), "{}", found[0]);
}
