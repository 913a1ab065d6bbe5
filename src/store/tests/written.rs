//! The form in which records are written.

use super::every_kind;
use crate::engine::By;
use crate::engine::fact::Fact;
use crate::store::codec::{self, Wire, Written};

#[test]
fn every_line_ever_written_is_read_for_ever() {
    let golden = include_str!("../golden.jsonl");
    let asked = [
        By::Daemon,
        By::Signal,
        By::User(1000),
        By::Token("ci".into()),
    ];
    let of_nobody = every_kind().into_iter().map(|fact| (None, fact));
    let asked_for = asked.map(|by| (Some(by), Fact::Draining));
    let lines: Vec<String> = of_nobody
        .chain(asked_for)
        .map(|(by, fact)| {
            let fact = Wire::of(&fact, |_| Ok::<_, ()>(1)).unwrap();
            line(&Written { by, fact })
        })
        .collect();
    // Lines are only ever added to the file: what is written is one of them, and each is understood.
    let missing: Vec<&String> = lines
        .iter()
        .filter(|line| !golden.lines().any(|old| old == *line))
        .collect();
    assert!(missing.is_empty(), "add these lines: {missing:#?}");
    for line in golden.lines() {
        let written = Written::read(line.as_bytes()).unwrap();
        assert_eq!(self::line(&written), *line);
    }
}

fn line(written: &Written) -> String {
    let mut line = Vec::new();
    codec::write(&mut line, written.by.as_ref(), &written.fact).unwrap();
    String::from_utf8(line).unwrap()
}
