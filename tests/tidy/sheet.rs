//! The sheet of docs/RELIABILITY.md and what plays it (`tests/faults/all`) name the same commands, and no script of
//! faults is left out.

use std::collections::{BTreeMap, BTreeSet};

use super::tree::{Finding, Text, places};

const DOCUMENT: &str = "docs/RELIABILITY.md";
const SCRIPT: &str = "tests/faults/all";

/// A command with the line of the sheet in which it stands.
type Played = BTreeMap<(usize, String), usize>;

/// Commands that stand in one of the two only, and scripts that are in neither.
pub(crate) fn differences(texts: &[Text]) -> Vec<Finding> {
    let find = |path: &str| texts.iter().find(|text| text.path == path);
    let (Some(document), Some(script)) = (find(DOCUMENT), find(SCRIPT)) else {
        let cure = "bring it back, or take this rule away with both";
        return vec![Finding::new(
            SCRIPT,
            1,
            format!("this or {DOCUMENT} is missing"),
            cure,
        )];
    };
    let (told, played) = (told(&document.text), played(&script.text));
    let mut findings = Vec::new();
    for (text, here, there) in [(document, &told, &played), (script, &played, &told)] {
        for ((number, command), line) in here {
            if !there.contains_key(&(*number, command.clone())) {
                let other = if text.path == SCRIPT {
                    DOCUMENT
                } else {
                    SCRIPT
                };
                findings.push(Finding::new(
                    &text.path,
                    *line,
                    format!("`{command}` is in line {number} of the sheet here, and not in {other}"),
                    "name it in both, as it is when it is played in full, without `--locked` and with BINARY",
                ));
            }
        }
    }
    let first = |command: &str| command.split(' ').next().map(str::to_owned);
    let names: BTreeSet<_> = played.keys().filter_map(|key| first(&key.1)).collect();
    for text in texts {
        let is_script = text.path.starts_with("tests/faults/") && text.text.starts_with("#!");
        if is_script && text.path != SCRIPT && !names.contains(&text.path) {
            findings.push(Finding::new(
                &text.path,
                1,
                format!("{SCRIPT} does not play it"),
                "add it to its SHEET, and to the line of the sheet that it belongs to",
            ));
        }
    }
    findings
}

/// The commands in the last column but one of each line of the table.
fn told(document: &str) -> Played {
    let mut found = Played::new();
    for (at, line) in document.lines().enumerate() {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        if let ["", number, _, _, _, commands, _, ""] = columns[..]
            && let Ok(number) = number.parse()
        {
            for command in commands.split('`').skip(1).step_by(2) {
                found.insert((number, command.to_owned()), at + 1);
            }
        }
    }
    found
}

/// The commands of SHEET, as they are when they are played in full.
fn played(script: &str) -> Played {
    let mut found = Played::new();
    let mut at = 0;
    for (part, entry) in script.split("\n    Line((").enumerate() {
        if part > 0
            && let Some((numbers, rest)) = entry.split_once("), ")
            && let [_, _, lengths, command, ..] = rest.split('"').collect::<Vec<_>>()[..]
        {
            let whole = lengths
                .split(')')
                .next()
                .and_then(|three| three.rsplit(", ").next());
            let command = command
                .replace("{n}", whole.unwrap_or_default())
                .replace(" --locked", "")
                .replace("{bin}", "BINARY")
                .replace("{bugs}", "BINARY")
                .replace("{functions}", "BINARY");
            for number in numbers
                .split([',', ' '])
                .filter_map(|number| number.parse().ok())
            {
                found.insert((number, command.clone()), at + 1);
            }
        }
        // The piece before has lost the end of its last line.
        at += entry.matches('\n').count() + 1;
    }
    found
}

#[test]
fn a_command_in_one_of_the_two_alone_is_found() {
    let found = |sheet: &str, list: &str, scripts: &[&str]| {
        let text = |path: &str, text: String| Text {
            path: path.to_owned(),
            text,
        };
        let mut texts = vec![
            text(DOCUMENT, format!("# A\n{sheet}")),
            text(SCRIPT, format!("#!\nSHEET = [\n{list}]\n")),
        ];
        texts.extend(scripts.iter().map(|path| text(path, "#!\n".to_owned())));
        places(&differences(&texts))
    };
    assert_eq!(
        places(&differences(&[])),
        [format!("{SCRIPT}:1")],
        "no sheet"
    );
    let row = |number, commands| format!("| {number} | a | b | c | {commands} | 2026-01-01 |\n");
    let line = |numbers, command| {
        format!("    Line(({numbers}), \"a\", (1, 2, 30),\n         \"{command}\", r\"x\"),\n")
    };
    let both = row(1, "`x/y BINARY 30`; `z`") + &row(2, "as there; `cargo test --test a`");
    let list = line("1,", "x/y {bin} {n}")
        + &line("1,", "z")
        + &line("2,", "cargo test --locked --test a");
    assert_eq!(found(&both, &list, &[]), [""; 0]);
    let here = |line| format!("{DOCUMENT}:{line}");
    let there = |line| format!("{SCRIPT}:{line}");
    // Missing in the list, and in the sheet.
    assert_eq!(
        found(&both, &list.replace("\"z\"", "\"q\""), &[]),
        [here(2), there(5)]
    );
    assert_eq!(
        found(&row(1, "`x/y BINARY 30`; `z`"), &list, &[]),
        [there(7)]
    );
    // Another length, and another line of the sheet.
    assert_eq!(
        found(&both.replace("30", "20"), &list, &[]),
        [here(2), there(3)]
    );
    assert_eq!(
        found(&both, &list.replace("(2,)", "(1,)"), &[]),
        [here(3), there(7)]
    );
    // One command for two lines.
    let two = row(1, "`z`") + &row(3, "`z`");
    assert_eq!(found(&two, &line("1, 3", "z"), &[]), [""; 0]);
    assert_eq!(found(&row(1, "`z`"), &line("1, 3", "z"), &[]), [there(3)]);
    let scripts = ["tests/faults/z", "tests/faults/new", "tests/e2e/other"];
    assert_eq!(
        found(
            &row(1, "`tests/faults/z`"),
            &line("1,", "tests/faults/z"),
            &scripts
        ),
        ["tests/faults/new:1"]
    );
}
