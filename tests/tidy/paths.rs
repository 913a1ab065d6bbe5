//! The paths that a Rust file names (`crate::a::b`, `super::c`, `std::{fs, env}`), each written out
//! in full, whether in a `use` or in the middle of the code.

use super::lex::{Kind, Token};

/// A path that the code names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UsedPath {
    /// From 1.
    pub(crate) line: usize,
    /// Its segments; the first is `crate` where it leads to something of ours.
    pub(crate) segments: Vec<String>,
}

impl UsedPath {
    pub(crate) fn text(&self) -> String {
        self.segments.join("::")
    }

    /// What follows `crate`, if the path begins with that and goes on.
    pub(crate) fn in_crate(&self) -> Option<&str> {
        match self.segments.as_slice() {
            [first, second, ..] if first == "crate" => Some(second),
            _ => None,
        }
    }
}

/// All paths of two or more segments in the file at `path`, which has these tokens.
pub(crate) fn used(path: &str, tokens: &[Token]) -> Vec<UsedPath> {
    let mut reader = Reader {
        tokens,
        at: 0,
        modules: file_module(path),
        depth: 0,
        inline: Vec::new(),
        found: Vec::new(),
    };
    reader.file();
    reader.found
}

/// The module that a file is, from the crate's root: `src/lanes/io.rs` is `lanes::io`.
fn file_module(path: &str) -> Vec<String> {
    let Some(inside) = path.strip_prefix("src/") else {
        return Vec::new();
    };
    let inside = inside.strip_suffix(".rs").unwrap_or(inside);
    let mut modules: Vec<String> = inside.split('/').map(str::to_owned).collect();
    if modules
        .last()
        .is_some_and(|last| matches!(last.as_str(), "mod" | "lib" | "main"))
    {
        modules.pop();
    }
    modules
}

struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
    /// Where the code at `at` is, from the crate's root.
    modules: Vec<String>,
    /// Open braces.
    depth: usize,
    /// How many braces were open before each `mod x {` that is open.
    inline: Vec<usize>,
    found: Vec<UsedPath>,
}

impl Reader<'_> {
    fn file(&mut self) {
        while let Some(token) = self.tokens.get(self.at) {
            if token.is('{') {
                self.depth += 1;
            } else if token.is('}') {
                self.depth = self.depth.saturating_sub(1);
                if self.inline.last() == Some(&self.depth) {
                    self.inline.pop();
                    self.modules.pop();
                }
            } else if let Some(word) = token.word() {
                let name = self.tokens.get(self.at + 1).and_then(Token::word);
                let opens = self.tokens.get(self.at + 2).is_some_and(|t| t.is('{'));
                if word == "mod"
                    && opens
                    && let Some(name) = name
                {
                    self.modules.push(name.to_owned());
                    self.inline.push(self.depth);
                    self.depth += 1;
                    self.at += 3;
                    continue;
                }
                let line = token.line;
                let first = self.resolve(word);
                self.at += 1;
                self.path(line, first);
                continue;
            }
            self.at += 1;
        }
    }

    /// The rest of a path whose beginning was read, with all branches of its braces.
    fn path(&mut self, line: usize, mut segments: Vec<String>) {
        while self.kind() == Some(&Kind::PathSep) {
            self.at += 1;
            match self.kind() {
                Some(Kind::Word(word)) => {
                    step(&mut segments, word);
                    self.at += 1;
                }
                Some(Kind::Sign('*')) => {
                    segments.push("*".to_owned());
                    self.at += 1;
                }
                Some(Kind::Sign('{')) => {
                    self.branches(&segments);
                    return;
                }
                Some(Kind::Sign(_) | Kind::PathSep) | None => break, // `Vec::<u8>`
            }
        }
        if segments.len() > 1 {
            self.found.push(UsedPath { line, segments });
        }
    }

    /// `{a, b::{c, d}, self}` behind `stem`.
    fn branches(&mut self, stem: &[String]) {
        self.at += 1;
        while let Some(token) = self.tokens.get(self.at) {
            self.at += 1;
            if token.is('}') {
                return;
            }
            let mut segments = stem.to_vec();
            match &token.kind {
                Kind::Word(word) if word == "as" => {
                    self.at += 1; // the other name is no path
                    continue;
                }
                Kind::Word(word) => step(&mut segments, word),
                Kind::Sign('*') => segments.push("*".to_owned()),
                Kind::Sign(_) | Kind::PathSep => continue,
            }
            self.path(token.line, segments);
        }
    }

    fn kind(&self) -> Option<&Kind> {
        self.tokens.get(self.at).map(|token| &token.kind)
    }

    /// What a path's first word stands for.
    fn resolve(&self, word: &str) -> Vec<String> {
        let up = match word {
            "self" => 0,
            "super" => 1,
            // The core library's parts are looked up under one name.
            "core" | "alloc" => return vec!["std".to_owned()],
            other => return vec![other.to_owned()],
        };
        let depth = self.modules.len().saturating_sub(up);
        let mut segments = vec!["crate".to_owned()];
        segments.extend_from_slice(&self.modules[..depth]);
        segments
    }
}

/// Goes from `segments` on to `word`.
fn step(segments: &mut Vec<String>, word: &str) {
    match word {
        "self" => {}
        // Never above the first word, which is `crate`.
        "super" if segments.len() > 1 => {
            segments.pop();
        }
        "super" => {}
        name => segments.push(name.to_owned()),
    }
}

#[track_caller]
fn check(path: &str, text: &str, expected: &[&str]) {
    let tokens = super::lex::tokens(&super::lex::mask(text).code);
    let found: Vec<String> = used(path, &tokens).iter().map(UsedPath::text).collect();
    assert_eq!(found, expected, "in {path}: {text}");
}

#[test]
fn uses_are_written_out() {
    check(
        "src/a.rs",
        "use crate::b::{self, c as d, e::{f, *}};\nuse std::fs; // crate::no",
        &[
            "crate::b",
            "crate::b::c",
            "crate::b::e::f",
            "crate::b::e::*",
            "std::fs",
        ],
    );
    check(
        "src/a.rs",
        "pub(crate) fn f() -> crate::g::H { core::mem::take(x) }",
        &["crate::g::H", "std::mem::take"],
    );
    check(
        "src/a.rs",
        "use crate::{b, c::d};",
        &["crate::b", "crate::c::d"],
    );
    check("src/a.rs", "$crate::b::c!(\"crate::no\")", &["crate::b::c"]);
    check("src/a.rs", "Vec::<crate::b::C>::new()", &["crate::b::C"]);
}

#[test]
fn super_leads_out_of_the_module_that_it_stands_in() {
    check("src/a/b.rs", "use super::c;", &["crate::a::c"]);
    check("src/a/b.rs", "use super::super::c::D;", &["crate::c::D"]);
    check("src/a/mod.rs", "use super::c;", &["crate::c"]);
    check(
        "src/a/b.rs",
        "fn f() { if x {} }\nmod tests { use super::super::c; fn g() {} }\nuse super::super::d;",
        &["crate::a::c", "crate::d"],
    );
    check(
        "src/a/b.rs",
        "use super::{super::c, d};",
        &["crate::c", "crate::a::d"],
    );
}
