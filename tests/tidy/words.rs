//! Words that mean "not done yet" or "look away".

use super::tree::{Finding, Source, places};

/// Where a word counts.
#[derive(Clone, Copy)]
enum In {
    /// In code only.
    Code,
    /// In code and comments.
    Prose,
}

const BANNED: [(&str, In, &str); 8] = [
    (
        "todo!",
        In::Code,
        "write it, or leave the feature out of this change",
    ),
    (
        "unimplemented!",
        In::Code,
        "write it, or return an error that says what is missing",
    ),
    (
        "dbg!",
        In::Code,
        "take it out, or log the value as a field with `tracing`",
    ),
    (
        "FIXME",
        In::Prose,
        "fix it, or say in the comment what holds and why that is enough",
    ),
    (
        "XXX",
        In::Prose,
        "fix it, or say in the comment what holds and why that is enough",
    ),
    (
        "#[allow(",
        In::Code,
        "use `#[expect(…, reason = \"…\")]`: it tells when it is needed no more",
    ),
    (
        "#![allow(",
        In::Code,
        "use `#[expect(…, reason = \"…\")]` on the smallest item",
    ),
    (
        "#[ignore",
        In::Code,
        "make the test pass, or take it out with what it tests",
    ),
];

/// Each banned word.
pub(crate) fn banned(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources {
        for (word, place, cure) in BANNED {
            let text = match place {
                In::Code => &source.code,
                In::Prose => &source.prose,
            };
            for (number, line) in text.lines().enumerate() {
                if line
                    .match_indices(word)
                    .any(|(at, _)| stands_alone(line, at, word))
                {
                    let fault = format!("`{word}` is not used here");
                    findings.push(source.finding(number + 1, fault, cure));
                }
            }
        }
    }
    findings
}

/// Whether `word`, found at byte `at`, is not just a part of a longer word.
fn stands_alone(line: &str, at: usize, word: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let before = line[..at].chars().next_back();
    let after = line[at + word.len()..].chars().next();
    let open_start = word.starts_with(is_word) && before.is_some_and(is_word);
    let open_end = word.ends_with(is_word) && after.is_some_and(is_word);
    !open_start && !open_end
}

#[test]
fn banned_words_are_found() {
    let found = |text: &str| places(&banned(&[Source::new("src/x.rs", text)]));
    for (word, _, _) in BANNED {
        let text = format!("//! X.\n{word}");
        assert_eq!(found(&text), ["src/x.rs:2"], "{word}");
        assert_eq!(
            found(&format!("f(\"{word}\")")),
            [""; 0],
            "in a string: {word}"
        );
    }
    assert_eq!(found("let x = 1; // FIXME later"), ["src/x.rs:1"]);
    assert_eq!(found("#[ignore = \"slow\"]"), ["src/x.rs:1"]);
    assert_eq!(found("#![allow(dead_code)]"), ["src/x.rs:1"]);
    for text in [
        "// the macro todo! is banned",
        "mytodo!()",
        "XXXL",
        "FIXMES",
    ] {
        assert_eq!(found(text), [""; 0], "{text}");
    }
}
