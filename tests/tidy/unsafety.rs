//! Where `unsafe` may stand. The compiler denies it everywhere; each exception is in a table too, so
//! that a new one is seen in review as a new line there.

use super::tree::{Finding, Source, places};

/// A file in which `unsafe` may stand.
pub(crate) struct UnsafeFile {
    pub(crate) path: &'static str,
    /// Why no safe way exists.
    pub(crate) reason: &'static str,
}

/// `unsafe` in a file that the table does not list, and lines of the table that are not needed.
pub(crate) fn misplaced(table: &[UnsafeFile], sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources {
        let listed = table.iter().any(|file| file.path == source.path);
        if let Some(line) = lines(source).next().filter(|_| !listed) {
            let fault = format!(
                "`unsafe` ({} times) in a file that may have none",
                lines(source).count()
            );
            let cure = "find the safe way (`rustix` has most system calls); if there is none, \
                        list the file with its reason under UNSAFE_FILES in tests/tidy.rs";
            findings.push(source.finding(line, fault, cure));
        }
    }
    for file in table {
        let used = |source: &Source| source.path == file.path && lines(source).next().is_some();
        if !sources.iter().any(used) {
            let fault = format!("UNSAFE_FILES lists {}, which has no `unsafe`", file.path);
            findings.push(Finding::new("tests/tidy.rs", 1, fault, "take the line out"));
        }
        if file.reason.len() < 10 {
            let fault = format!("UNSAFE_FILES does not say why {} needs it", file.path);
            findings.push(Finding::new("tests/tidy.rs", 1, fault, "write the reason"));
        }
    }
    findings
}

fn lines(source: &Source) -> impl Iterator<Item = usize> {
    source
        .tokens
        .iter()
        .filter(|token| token.word() == Some("unsafe"))
        .map(|token| token.line)
}

#[test]
fn unsafe_is_checked_both_ways() {
    let found = |table: &[UnsafeFile], text: &str| {
        places(&misplaced(table, &[Source::new("src/lanes/a.rs", text)]))
    };
    let path = "src/lanes/a.rs";
    let listed = |reason| UnsafeFile { path, reason };
    let risky = "//! A.\nfn f() { unsafe { g() } }";
    let safe = "#[expect(unsafe_code)] // unsafe\nfn f() { g(\"unsafe\") }";
    assert_eq!(found(&[], risky), ["src/lanes/a.rs:2"]);
    assert_eq!(found(&[], safe), [""; 0]);
    assert_eq!(found(&[listed("no safe call sets it")], risky), [""; 0]);
    assert_eq!(
        found(&[listed("no safe call sets it")], safe),
        ["tests/tidy.rs:1"]
    );
    assert_eq!(found(&[listed("")], risky), ["tests/tidy.rs:1"]);
}
