//! Rules for every text of the project, documents above all.

use std::collections::BTreeSet;

use super::tree::{Finding, Text, places};

/// Directories in which people and build machines have their copies; no text of ours names one.
/// (Just the names, so that this file holds no such path itself.)
const PLACES_OF_COPIES: [&str; 7] = [
    "Users",
    "builds",
    "checkouts",
    "home",
    "root",
    "work",
    "workspace",
];

/// Absolute paths that are right on one machine only. `checkout` is where this copy lies.
pub(crate) fn machine_paths(texts: &[Text], checkout: &str) -> Vec<Finding> {
    let mut places: Vec<String> = PLACES_OF_COPIES
        .iter()
        .map(|name| format!("/{name}/"))
        .collect();
    // A copy right under the root says too little to look for: `/src` is in many a sentence.
    if checkout.matches('/').count() > 1 {
        places.push(checkout.to_owned());
    }
    let mut findings = Vec::new();
    for text in texts {
        for (number, line) in text.text.lines().enumerate() {
            let named = |place: &&String| {
                line.match_indices(place.as_str())
                    .any(|(at, _)| begins_a_path(line, at))
            };
            if let Some(place) = places.iter().find(named) {
                findings.push(Finding::new(
                    &text.path,
                    number + 1,
                    format!("`{place}…` is a place on one machine"),
                    "use a path from the project's root, a temporary directory, or a variable",
                ));
            }
        }
    }
    findings
}

/// Whether the `/` at byte `at` begins an absolute path and does not go on with another one.
fn begins_a_path(line: &str, at: usize) -> bool {
    let inside = |c: char| c.is_alphanumeric() || "._-~/$}*>]:".contains(c);
    !line[..at].chars().next_back().is_some_and(inside) || line[..at].ends_with("file://")
}

/// Relative links in documents that lead nowhere.
pub(crate) fn dead_links(texts: &[Text], paths: &BTreeSet<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for text in texts.iter().filter(|text| text.path.ends_with(".md")) {
        let dir = text.path.rsplit_once('/').map_or("", |(dir, _)| dir);
        for (line, target) in links(&text.text) {
            let file = target.split(['#', '?']).next().unwrap_or_default();
            if file.is_empty() || is_elsewhere(&target) {
                continue;
            }
            let found =
                joined(dir, file).is_some_and(|path| path.is_empty() || paths.contains(&path));
            if !found {
                findings.push(Finding::new(
                    &text.path,
                    line,
                    format!("the link to `{target}` leads to no file"),
                    "correct it (it counts from the document's own directory), or write the file",
                ));
            }
        }
    }
    findings
}

/// Whether a link leads out of the project.
fn is_elsewhere(target: &str) -> bool {
    target.contains("://") || target.starts_with("mailto:")
}

/// The targets of the links in a document, with their lines; not those in blocks of code.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        let line = without_code(line);
        let inline = line
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        let named = line
            .trim_start()
            .strip_prefix('[')
            .and_then(|rest| rest.split_once("]: "))
            .map(|(_, target)| target);
        for target in inline.chain(named) {
            // `<a b.md>` and `a.md "title"`.
            let target = match target.strip_prefix('<') {
                Some(rest) => rest.split('>').next(),
                None => target.split_whitespace().next(),
            };
            found.push((number + 1, target.unwrap_or_default().to_owned()));
        }
    }
    found
}

/// `line` without what stands between backticks.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("``")
}

/// `file` as seen from `dir`, from the project's root; `None` where it leads out of that.
fn joined(dir: &str, file: &str) -> Option<String> {
    let mut parts: Vec<&str> = dir.split('/').filter(|part| !part.is_empty()).collect();
    if file.starts_with('/') {
        return None;
    }
    for part in file.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

fn text(path: &str, text: &str) -> [Text; 1] {
    [Text {
        path: path.to_owned(),
        text: text.to_owned(),
    }]
}

#[test]
fn a_place_on_one_machine_is_found() {
    let found = |line: &str| places(&machine_paths(&text("a.toml", line), "/srv/ci/twolane"));
    for name in PLACES_OF_COPIES {
        let line = format!("first\npath = \"/{name}/someone/x\"");
        assert_eq!(found(&line), ["a.toml:2"], "{name}");
        assert_eq!(
            found(&format!("see file:///{name}/x")),
            ["a.toml:1"],
            "{name}"
        );
        for fine in [
            format!("docs/{name}/x"),
            format!("$ROOT/{name}/x"),
            format!("/{name}"),
        ] {
            assert_eq!(found(&fine), [""; 0], "{fine}");
        }
    }
    assert_eq!(found("run /srv/ci/twolane/.ci/run"), ["a.toml:1"]);
    assert_eq!(
        found("https://example.org/home/x /var/lib/twolane"),
        [""; 0]
    );
}

#[test]
fn a_dead_link_is_found() {
    let paths = ["docs", "docs/A.md", "README.md"].map(str::to_owned).into();
    let found = |line: &str| places(&dead_links(&text("docs/A.md", line), &paths));
    for line in [
        "[a](B.md)",
        "x\n[a](README.md)",
        "[a]: ../no.md",
        "![p](p.png)",
        "[a](/docs)",
    ] {
        let last = line.lines().count();
        assert_eq!(found(line), [format!("docs/A.md:{last}")], "{line}");
    }
    assert_eq!(found("[a](../../out.md)"), ["docs/A.md:1"]);
    assert_eq!(found("[a](A.md) [b](no.md) [c](no.md)").len(), 2);
    for line in [
        "[a](A.md) [b](../README.md#top) [c](#here) [d](..) [e](./A.md \"title\")",
        "[a](https://example.org/x.md) <mailto:a@example.org>",
        "`[a](no.md)`",
        "```\n[a](no.md)\n```",
        "[a]: ../README.md",
        "an [index] (in words)",
    ] {
        assert_eq!(found(line), [""; 0], "{line}");
    }
}
