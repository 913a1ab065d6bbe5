//! The files of the project as text, and what a rule says of them. Knows no rule.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::fs;
use std::path::Path;

use super::lex::{self, Token};
use super::paths::{self, UsedPath};

/// The one hidden directory that is ours. All else that is hidden belongs to git or to an editor.
const HIDDEN: &str = ".ci";

/// Files larger than this are data, not text that somebody reads.
const TEXT_LIMIT: u64 = 1 << 20;

/// Everything that the rules look at.
pub(crate) struct Tree {
    /// Each Rust file.
    pub(crate) sources: Vec<Source>,
    /// Each text file, the Rust files among them.
    pub(crate) texts: Vec<Text>,
    /// The path of each file and directory.
    pub(crate) paths: BTreeSet<String>,
}

/// A text file.
pub(crate) struct Text {
    /// From the project's root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A Rust file, taken apart.
pub(crate) struct Source {
    /// From the project's root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    /// The text with the insides of strings blank, line for line.
    pub(crate) prose: String,
    /// The text with comments and the insides of strings blank, line for line.
    pub(crate) code: String,
    pub(crate) tokens: Vec<Token>,
    /// Each path that the code names, made absolute where it begins with `crate`, `self` or `super`.
    pub(crate) paths: Vec<UsedPath>,
}

/// A place that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub(crate) file: String,
    /// From 1.
    pub(crate) line: usize,
    /// What is wrong.
    pub(crate) fault: String,
    /// What to do.
    pub(crate) cure: String,
}

impl Tree {
    /// Reads all of it. Panics where it finds no project: rules that look at nothing would all hold.
    pub(crate) fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut tree = Self {
            sources: Vec::new(),
            texts: Vec::new(),
            paths: BTreeSet::new(),
        };
        tree.walk(root, "");
        for needed in ["Cargo.toml", "src/lib.rs", "src/main.rs", ".ci/run"] {
            assert!(
                tree.texts.iter().any(|text| text.path == needed),
                "{needed} was not found under {}",
                root.display()
            );
        }
        for text in &tree.texts {
            if text.path.ends_with(".rs") {
                tree.sources.push(Source::new(&text.path, &text.text));
            }
        }
        tree
    }

    fn walk(&mut self, dir: &Path, prefix: &str) {
        let entries = fs::read_dir(dir)
            .unwrap_or_else(|error| panic!("cannot list {}: {error}", dir.display()));
        for entry in entries {
            let entry =
                entry.unwrap_or_else(|error| panic!("cannot list {}: {error}", dir.display()));
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                panic!("{} is no UTF-8", entry.path().display());
            };
            let path = format!("{prefix}{name}");
            // Links lead to files that are seen anyway, or out of the project. A file may also have
            // gone since the listing: other tests run at the same time.
            let Ok(meta) = entry.path().symlink_metadata() else {
                continue;
            };
            if is_foreign(name) {
                continue;
            }
            if meta.is_dir() {
                self.walk(&entry.path(), &format!("{path}/"));
                self.paths.insert(path);
            } else if meta.is_file() {
                if meta.len() <= TEXT_LIMIT
                    && let Ok(text) = fs::read_to_string(entry.path())
                {
                    self.texts.push(Text {
                        path: path.clone(),
                        text,
                    });
                }
                self.paths.insert(path);
            }
        }
    }
}

/// Whether git does not track what has this name.
fn is_foreign(name: &str) -> bool {
    let hidden = name.starts_with('.') && name != HIDDEN;
    let is_log = Path::new(name).extension().is_some_and(|end| end == "log");
    hidden || is_log || name == "target"
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let masked = lex::mask(text);
        let tokens = lex::tokens(&masked.code);
        let paths = paths::used(path, &tokens);
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            prose: masked.prose,
            code: masked.code,
            tokens,
            paths,
        }
    }

    /// The top-level module that the file belongs to: `None` for the roots of the crate, for tests,
    /// benches and examples.
    pub(crate) fn module(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        let first = inside.split('/').next().unwrap_or(inside);
        let module = first.strip_suffix(".rs").unwrap_or(first);
        let is_root = inside == "lib.rs" || inside == "main.rs";
        (!is_root).then_some(module)
    }

    pub(crate) fn finding(&self, line: usize, fault: String, cure: &str) -> Finding {
        Finding::new(&self.path, line, fault, cure)
    }
}

impl Finding {
    pub(crate) fn new(file: &str, line: usize, fault: String, cure: &str) -> Self {
        Self {
            file: file.to_owned(),
            line,
            fault,
            cure: cure.to_owned(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            fault,
            cure,
        } = self;
        write!(f, "{file}:{line}: {fault}\n    do: {cure}")
    }
}

/// Fails with all of `findings` if there are any.
#[track_caller]
pub(crate) fn none(findings: &[Finding]) {
    let mut list = String::new();
    for finding in findings {
        let _ = write!(list, "\n{finding}");
    }
    assert!(
        findings.is_empty(),
        "{} broken rules:{list}\n",
        findings.len()
    );
}

/// `places` as `file:line`, for the rules' own tests.
#[track_caller]
pub(crate) fn places(findings: &[Finding]) -> Vec<String> {
    for finding in findings {
        assert!(
            finding.line > 0 && !finding.fault.is_empty() && !finding.cure.is_empty(),
            "says too little: {finding:?}"
        );
    }
    findings
        .iter()
        .map(|finding| format!("{}:{}", finding.file, finding.line))
        .collect()
}

#[test]
fn a_finding_says_where_what_and_the_cure() {
    let finding = Finding::new("src/a.rs", 3, "is wrong".to_owned(), "right it");
    assert_eq!(
        finding.to_string(),
        "src/a.rs:3: is wrong\n    do: right it"
    );
    let failed = std::panic::catch_unwind(|| none(&[finding]));
    assert!(failed.is_err(), "a finding must fail the test");
}

#[test]
fn files_know_their_module() {
    let module = |path| Source::new(path, "").module().map(str::to_owned);
    assert_eq!(module("src/lanes/tasks/read.rs").as_deref(), Some("lanes"));
    assert_eq!(module("src/clock.rs").as_deref(), Some("clock"));
    for root in ["src/lib.rs", "src/main.rs", "tests/tidy.rs"] {
        assert_eq!(module(root), None);
    }
}
