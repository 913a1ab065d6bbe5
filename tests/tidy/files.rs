//! What each Rust file looks like as a whole.

use super::tree::{Finding, Source, places};

/// A file beyond this is about more than one thing. Most have under 400 lines.
const MAX_LINES: usize = 600;

/// Files whose first line is no `//!`.
pub(crate) fn without_docs(sources: &[Source]) -> Vec<Finding> {
    let told = |source: &&Source| {
        source
            .text
            .strip_prefix("//! ")
            .is_some_and(|rest| rest.starts_with(|c: char| !c.is_whitespace()))
    };
    sources
        .iter()
        .filter(|source| !told(source))
        .map(|source| {
            source.finding(
                1,
                "the file does not begin with `//! …`".to_owned(),
                "say in the first lines what the file is for and what it must not know",
            )
        })
        .collect()
}

/// Files with too many lines.
pub(crate) fn too_long(sources: &[Source]) -> Vec<Finding> {
    let lines = |source: &Source| source.text.lines().count();
    sources
        .iter()
        .filter(|source| lines(source) > MAX_LINES)
        .map(|source| {
            let fault = format!(
                "the file has {} lines of at most {MAX_LINES}",
                lines(source)
            );
            let cure = "find the second thing that it is about and give that a file of its own";
            source.finding(MAX_LINES + 1, fault, cure)
        })
        .collect()
}

#[test]
fn a_file_without_a_first_word_is_refused() {
    let refused = |text: &str| {
        let sources = [Source::new("benches/x.rs", text)];
        places(&without_docs(&sources)).len() == 1
    };
    assert!(!refused("//! The table of runs.\n\nfn f() {}\n"));
    for text in [
        "",
        "\n//! Late.\n",
        "// No.\n",
        "//!\n",
        "//!  \n",
        "fn f() {}\n",
    ] {
        assert!(refused(text), "accepted: {text:?}");
    }
}

#[test]
fn a_long_file_is_refused() {
    let file = |lines: usize| [Source::new("src/x.rs", &"//! X.\n".repeat(lines))];
    assert_eq!(too_long(&file(MAX_LINES)), []);
    assert_eq!(places(&too_long(&file(MAX_LINES + 1))), ["src/x.rs:601"]);
}
