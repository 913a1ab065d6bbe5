//! Each promise of the project has a test that bears its number, or a reason why it has none yet.

use std::collections::BTreeMap;

use super::tree::{Finding, Source, Text, places};

/// What the project promises.
pub(crate) struct Promise {
    /// From 1, without gaps.
    pub(crate) number: usize,
    pub(crate) text: &'static str,
    /// The tests that hold us to it: functions of Rust tests or of scripts under `tests/`, whose
    /// names begin with `promise_` and hold the number.
    pub(crate) tests: &'static [&'static str],
    /// What of it no test checks at this stage, and why; empty if nothing is left.
    pub(crate) later: &'static str,
}

/// Where faults of the table itself are.
const TABLE: &str = "tests/tidy.rs";

/// Promises without their test, tests of promises that the table does not know, and gaps in it.
pub(crate) fn unkept(table: &[Promise], sources: &[Source], texts: &[Text]) -> Vec<Finding> {
    let tests = tests(sources, texts);
    let mut findings = Vec::new();
    let mut fault = |fault: String, cure: &str| findings.push(Finding::new(TABLE, 1, fault, cure));
    let mut listed: Vec<&str> = Vec::new();
    for (index, promise) in table.iter().enumerate() {
        let (number, text) = (promise.number, promise.text);
        if number != index + 1 {
            fault(
                format!("promise {number} stands where {} should", index + 1),
                "number the promises from 1 without gaps",
            );
        }
        if promise.tests.is_empty() && promise.later.len() < 10 {
            fault(
                format!("promise {number} ({text}) has neither a test nor a reason"),
                "name its test in PROMISES, or say there why it comes later",
            );
        }
        for name in promise.tests {
            listed.push(name);
            if !numbers(name).contains(&number) {
                fault(
                    format!("`{name}` is listed for promise {number}, not named after it"),
                    "name the test `promise_N_…`, or `promise_N_and_M_…`",
                );
            }
            if !tests.contains_key(*name) {
                fault(
                    format!("promise {number} ({text}) names `{name}`, which is no test"),
                    "write the test, or correct the name in PROMISES",
                );
            }
        }
    }
    for (name, (file, line)) in &tests {
        if !listed.contains(&name.as_str()) {
            findings.push(Finding::new(
                file,
                *line,
                format!("`{name}` is not in the table of promises"),
                "add it to its promise under PROMISES in tests/tidy.rs",
            ));
        }
    }
    findings
}

/// The functions whose names begin with `promise_`, with their places.
fn tests(sources: &[Source], texts: &[Text]) -> BTreeMap<String, (String, usize)> {
    let mut found = BTreeMap::new();
    for source in sources {
        for pair in source.tokens.windows(2) {
            if let (Some("fn"), Some(name)) = (pair[0].word(), pair[1].word())
                && !numbers(name).is_empty()
            {
                found.insert(name.to_owned(), (source.path.clone(), pair[1].line));
            }
        }
    }
    let scripts = texts
        .iter()
        .filter(|text| text.path.starts_with("tests/") && text.text.starts_with("#!"));
    for script in scripts {
        for (number, line) in script.text.lines().enumerate() {
            if let Some((name, _)) = line.split_once("()")
                && !numbers(name).is_empty()
            {
                found.insert(name.to_owned(), (script.path.clone(), number + 1));
            }
        }
    }
    found
}

/// The promises that a test is named after: 2 and 3 for `promise_2_and_3_hold`.
fn numbers(name: &str) -> Vec<usize> {
    let mut numbers = Vec::new();
    for part in name.strip_prefix("promise_").unwrap_or_default().split('_') {
        match part.parse() {
            Ok(number) => numbers.push(number),
            Err(_) if part == "and" => {}
            Err(_) => break,
        }
    }
    numbers
}

#[test]
fn a_promise_without_its_test_is_found() {
    let rust = [Source::new(
        "tests/a/b.rs",
        "//! B.\n#[test]\nfn promise_1_and_2_hold() {}\n// fn promise_3_no() {}\n",
    )];
    let script = [Text {
        path: "tests/e2e/quick".to_owned(),
        text: "#!/bin/bash\npromise_3_holds() {\n}\n".to_owned(),
    }];
    let found = |states: [(&'static [&'static str], &'static str); 3]| {
        let promise = |(number, (tests, later))| Promise {
            number,
            text: "it holds",
            tests,
            later,
        };
        let table: Vec<Promise> = (1..).zip(states).map(promise).collect();
        places(&unkept(&table, &rust, &script))
    };
    let both: &[&str] = &["promise_1_and_2_hold"];
    let third: &[&str] = &["promise_3_holds"];
    let reason = "not at this stage";
    let table = [TABLE.to_owned() + ":1"];
    assert_eq!(found([(both, ""), (both, ""), (third, "")]), [""; 0]);
    assert_eq!(found([(both, ""), (&[], reason), (third, "")]), [""; 0]);
    assert_eq!(found([(both, ""), (both, reason), (third, "")]), [""; 0]);
    assert_eq!(found([(both, ""), (&[], ""), (third, "")]), table);
    let missing: &[&str] = &["promise_2_is_missing"];
    assert_eq!(found([(both, ""), (missing, ""), (third, "")]), table);
    assert_eq!(found([(both, ""), (third, ""), (third, "")]), table);
    let unlisted = found([(both, ""), (both, ""), (&[], reason)]);
    assert_eq!(unlisted, ["tests/e2e/quick:2"]);
}

#[test]
fn promises_are_numbered_without_gaps() {
    let promise = Promise {
        number: 2,
        text: "it holds",
        tests: &[],
        later: "not at this stage",
    };
    assert_eq!(
        places(&unkept(&[promise], &[], &[])),
        [TABLE.to_owned() + ":1"]
    );
}
