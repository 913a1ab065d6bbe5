//! Each file under `bad/` is wrong in its own way, and beside it stands what people are told.
//! `UPDATE_EXPECT=1 cargo test --test config` writes the messages anew.

use std::fs;
use std::path::{Path, PathBuf};

use expect_test::expect_file;

use crate::read;

#[test]
fn each_mistake_has_its_message() {
    let mut files = 0;
    for (name, text) in in_directory("bad") {
        let (jobs, report) = read(&[(&name, &text)]);
        assert!(jobs.is_none() && report.errors() > 0, "{name} is accepted");
        for line in report.lines() {
            assert!(
                line.starts_with(&format!("{name}:")),
                "{name} and a place: {line}"
            );
        }
        let expected = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/bad");
        let expected = expected.join(Path::new(&name).with_extension("txt"));
        expect_file![expected].assert_eq(&report.render(false));
        files += 1;
    }
    assert!(files >= 36, "{files} files");
}

#[test]
fn mistakes_across_files_name_both() {
    let (jobs, report) = read(&[
        (
            "a.toml",
            "[jobs.fetch]\nsleep = \"1s\"\n[limits.l]\nsize = 1\n",
        ),
        (
            "b.toml",
            "[jobs.fetch]\nsleep = \"2s\"\n[limits.l]\nsize = 2\n[jobs.x]\nsleep = 1\n",
        ),
    ]);
    assert!(jobs.is_none());
    expect_test::expect![[r#"
        error: job `fetch` is defined twice
         --> b.toml:1:7
          |
        1 | [jobs.fetch]
          |       ^^^^^ here again
          |
         ::: a.toml:1:7
          |
        1 | [jobs.fetch]
          |       ----- the first one
          |
          = hint: give one of them another name

        error: limit `l` is defined twice
         --> b.toml:3:9
          |
        3 | [limits.l]
          |         ^ here again
          |
         ::: a.toml:3:9
          |
        3 | [limits.l]
          |         - the first one
          |
          = hint: give one of them another name

        error: `jobs.x.sleep` is a whole number, and has to be a duration in quotes, with its unit
         --> b.toml:6:9
          |
        6 | sleep = 1
          |         ^
          |
          = hint: write it like `sleep = "20s"`

        3 mistakes in all
    "#]]
    .assert_eq(&report.render(false));
}

/// Where a file cannot be read, the names that others expect of it are not called unknown.
#[test]
fn a_file_that_is_no_toml_makes_no_names_unknown() {
    let (jobs, report) = read(&[
        ("a.toml", "[jobs.fetch\nsleep = \"1s\"\n"),
        ("b.toml", "[jobs.x]\nsleep = \"1s\"\nafter = \"fetch\"\n"),
    ]);
    assert!(jobs.is_none());
    assert!(
        report
            .lines()
            .iter()
            .all(|line| line.starts_with("a.toml:1:")),
        "{report:?}"
    );
}

/// Whatever a text is, it is read or refused, and never more than that.
#[test]
fn no_text_makes_the_reader_panic() {
    let texts: Vec<String> = ["demo.toml", "examples/pipeline.toml", "jobs.d/example.toml"]
        .map(|name| fs::read_to_string(crate::shipped::path(name)).unwrap())
        .into();
    let rough =
        "[jobs.é]\nsleep=\"1s\"\nmessages={started=\"{job}{{\"}\n[pools.p]\nlane='io'\nsize=0x10\n";
    for text in texts.iter().map(String::as_str).chain([rough]) {
        let boundaries: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        for at in boundaries.iter().copied() {
            check(&text[..at]);
        }
        for (index, at) in boundaries.iter().copied().enumerate() {
            for other in ["\"", "=", "[", "{", "\n", "\u{0}", "9", "文"] {
                // Every text is changed at one of eight places for each of these.
                if index % 8 == other.len() % 8 {
                    let rest = &text[at..];
                    let skip = rest.chars().next().map_or(0, char::len_utf8);
                    check(&format!("{}{other}{}", &text[..at], &rest[skip..]));
                }
            }
        }
    }
}

/// Nor does one that is nested as nobody would, however it is written; it is refused with a place.
#[test]
fn no_file_is_nested_too_deep_to_be_refused() {
    let nested = |open: &str, close: &str| open.repeat(10_000) + "1" + &close.repeat(10_000);
    for text in [
        format!("[jobs.a]\nsleep = {}\n", nested("[", "]")),
        format!("[jobs.a]\nsleep = {}\n", nested("{ a = ", " }")),
        format!("[jobs.a]\n{}a = 1\n", "a.".repeat(10_000)),
        format!("[jobs.{}a]\nsleep = \"1s\"\n", "a.".repeat(10_000)),
        format!("[[jobs.{}a]]\nsleep = \"1s\"\n", "a.".repeat(10_000)),
        format!("[jobs.a]\nsleep = {}\n", "[".repeat(500_000)),
    ] {
        let (jobs, report) = read(&[("x.toml", &text)]);
        assert!(jobs.is_none(), "{text:.40} is accepted");
        let lines = report.lines();
        let refused = |line: &String| line.starts_with("x.toml:") && line.contains("recurs");
        assert!(lines.iter().any(refused), "{text:.40}: {lines:?}");
        let _ = report.render(true);
    }
}

fn check(text: &str) {
    let (jobs, report) = read(&[("x.toml", text)]);
    assert_eq!(jobs.is_none(), report.errors() > 0);
    let _ = report.render(true);
    let _ = report.lines();
}

/// Names and texts of the files of a directory beside this one.
pub(crate) fn in_directory(directory: &str) -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/config")
        .join(directory);
    let mut paths: Vec<PathBuf> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "toml"));
    paths.sort();
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    paths
        .iter()
        .map(|path| (name(path), fs::read_to_string(path).unwrap()))
        .collect()
}
