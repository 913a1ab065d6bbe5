//! The form in which records are written.

use super::{Fixture, accepted, every_kind, job, records, whole};
use crate::engine::By;
use crate::engine::fact::Fact;
use crate::engine::id::RunId;
use crate::store::codec::{self, Wire, Written};
use crate::store::verify;

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

#[test]
fn a_record_that_changes_no_state_leaves_the_index_of_other_runs_alone() {
    let a = job("a");
    let began = |run| Fact::Began {
        run: RunId(run),
        job: std::sync::Arc::clone(&a),
        epoch: 1,
    };
    let mut one = whole(1, &a);
    let mut other = whole(2, &a);
    let (one_ends, other_ends) = (one.pop().unwrap(), other.pop().unwrap());
    let first: Vec<Fact> = one.into_iter().chain(other).collect();
    let count = first.len() as u64;
    // All in one transaction, which begins with what says nothing of a state.
    let second = vec![began(1), other_ends, one_ends, accepted(3, &a, None)];
    let fixture = Fixture::new();
    fixture.fill(&[records(1, first)]);
    fixture.fill(&[records(count + 1, second)]);
    let found = verify(&fixture.place.db()).unwrap();
    assert!(found.is_sound(), "{found:?}");
}
