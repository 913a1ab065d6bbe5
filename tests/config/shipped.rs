//! The files that are shipped, and the schemas: they agree with what is read.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use twolane::config::{expand, load_settings, schema, starter};

use crate::bad::in_directory;
use crate::{nowhere, read};

/// A file under `config/`.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("config")
        .join(name)
}

/// All job files that are shipped.
fn job_files() -> Vec<(String, String)> {
    let patterns = ["demo.toml", "jobs.d/*.toml", "examples/*.toml"].map(str::to_owned);
    let files = expand(&patterns, &path("")).unwrap();
    assert!(files.len() >= 4, "{files:?}");
    let name = |path: &Path| path.to_str().unwrap().to_owned();
    files
        .iter()
        .map(|path| (name(path), fs::read_to_string(path).unwrap()))
        .collect()
}

#[test]
fn what_is_shipped_is_valid() {
    for (name, text) in job_files() {
        let (jobs, report) = read(&[(&name, &text)]);
        assert!(jobs.is_some(), "{}", report.render(false));
    }
    assert!(load_settings(&nowhere()).is_ok());
}

/// The comments show what there is: with its # taken away, each line that looks like TOML is good.
#[test]
fn what_is_commented_out_is_valid_too() {
    let uncomment = |text: &str| -> String {
        let bare = text.lines().map(|line| match line.strip_prefix("# ") {
            Some(bare) if bare.contains(" = ") || bare.starts_with('[') => format!("{bare}\n"),
            _ if line.starts_with('[') => format!("{line}\n"),
            _ => "\n".to_owned(),
        });
        bare.collect()
    };
    for (name, text) in starter() {
        let text = uncomment(text);
        if name == "twolane.toml" {
            let directory = tempfile::tempdir().unwrap();
            let file = directory.path().join(name);
            fs::write(&file, &text).unwrap();
            let sources = twolane::config::Sources {
                config: Some(file),
                ..Default::default()
            };
            let loaded = load_settings(&sources).unwrap_or_else(|r| panic!("{}", r.render(false)));
            let built_in = load_settings(&nowhere()).unwrap();
            assert_eq!(
                loaded.settings, built_in.settings,
                "what is shown are the defaults"
            );
            let of_file = |shown: &&twolane::config::Shown| shown.origin.to_string() != "built-in";
            let shown = loaded.shown.iter().filter(of_file).count();
            assert_eq!(
                shown,
                loaded.shown.len(),
                "every setting is shown: {:?}",
                loaded.shown
            );
        } else {
            let (jobs, report) = read(&[(name, &text)]);
            let jobs = jobs.unwrap_or_else(|| panic!("{}", report.render(false)));
            assert!(jobs.order.len() >= 2, "{text}");
        }
    }
}

#[test]
fn schemas_accept_what_is_shipped() {
    let text = schema::jobs().to_string();
    assert!(
        !text.contains("__toml"),
        "a date is shown as the reader has it inside"
    );
    let schema = jsonschema::validator_for(&schema::jobs()).unwrap();
    for (name, text) in job_files() {
        let value = json(&text);
        let errors: Vec<String> = schema.iter_errors(&value).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
    let schema = jsonschema::validator_for(&schema::settings()).unwrap();
    {
        let (name, text) = (
            "twolane.toml",
            fs::read_to_string(path("twolane.toml")).unwrap(),
        );
        assert!(schema.is_valid(&json(&text)), "{name}");
    }
}

/// What a schema can know at all, it refuses: types, ranges, unknown keys, the number of tasks.
#[test]
fn schemas_refuse_what_the_reader_refuses() {
    let schema = jsonschema::validator_for(&schema::jobs()).unwrap();
    let mut refused = 0;
    for (name, text) in in_directory("bad") {
        let about_form = [
            "unknown-key",
            "unknown-table",
            "unknown-message",
            "wrong-type",
            "range-",
            "task",
            "name-",
            "lacks",
        ];
        let beyond_it = name == "range-huge.toml";
        if !beyond_it && about_form.iter().any(|word| name.contains(word)) {
            assert!(!schema.is_valid(&json(&text)), "{name}");
            refused += 1;
        }
    }
    assert!(refused >= 20, "{refused} files");
}

fn json(text: &str) -> Value {
    serde_json::to_value(text.parse::<toml::Table>().unwrap()).unwrap()
}
