//! Backfills on disk: what they need to go on is in force until they are over, and which slots have run is found.

use super::*;
use crate::engine::backfill::{Backfill, Ending, Went};
use crate::engine::fact::Slot;
use crate::engine::id::BackfillId;
use crate::engine::outcome::{Unrun, Why};
use crate::engine::placing::Finding;
use crate::engine::schedule::Passed;

fn backfill(id: u64, place: u8) -> Arc<Backfill> {
    Arc::new(Backfill {
        id: BackfillId(id),
        place,
        job: "a".into(),
        schedule: "@daily UTC".into(),
        from: Wall(10),
        until: Wall(90),
        at_once: 2,
        slots: 7,
        left_out: 2,
        stretches: [(Wall(20), Wall(30))].into(),
        accepted: Wall(100),
    })
}

fn went(begun: u64) -> Went {
    Went {
        at: Wall(50),
        begun,
        succeeded: 1,
        failed: 2,
        cancelled: 0,
        skipped: 0,
    }
}

fn ended(id: u64, place: u8, ending: Ending) -> Fact {
    let bare = Backfill {
        stretches: Box::default(),
        ..Backfill::clone(&backfill(id, place))
    };
    Fact::BackfillEnded {
        backfill: Arc::new(bare),
        went: went(7),
        ending,
    }
}

fn misplaced(job: &str) -> Fact {
    Fact::Misplaced {
        job: job.into(),
        finding: Finding {
            run: RunId(3),
            lane: Lane::Io,
            fits: Lane::Cpu,
            took: Duration::from_secs(2),
            busy: Duration::from_millis(1_990),
            moves: true,
        },
    }
}

/// One of each kind, and what else stays in force of a job.
pub(super) fn of_backfills() -> Vec<Fact> {
    let id = BackfillId(3);
    vec![
        misplaced("a"),
        Fact::Reconsidered { job: "b".into() },
        Fact::BackfillAccepted {
            backfill: backfill(3, 1),
        },
        Fact::BackfillMoved {
            id,
            place: 1,
            went: went(4),
        },
        ended(2, 0, Ending::Done),
        ended(1, 2, Ending::Refused("no".into())),
    ]
}

#[test]
fn what_a_backfill_needs_is_in_force_until_it_is_over() {
    let fixture = Fixture::new();
    let accepted = |id, place| Fact::BackfillAccepted {
        backfill: backfill(id, place),
    };
    let moved = |id, place, begun| Fact::BackfillMoved {
        id: BackfillId(id),
        place,
        went: went(begun),
    };
    let facts = vec![
        accepted(1, 0),
        accepted(2, 1),
        moved(1, 0, 1),
        moved(2, 1, 1),
        moved(1, 0, 2),
        ended(2, 1, Ending::Cancelled),
        accepted(3, 1),
    ];
    fixture.fill(&[records(1, facts.clone())]);
    let found = fixture.open().recovered.records;
    let found: Vec<Fact> = found.into_iter().map(|record| record.fact).collect();
    // The second one's end stands no more: another one has its place.
    let expected: Vec<Fact> = [0, 3, 4, 6].map(|at: usize| facts[at].clone()).into();
    assert_eq!(found, expected);
}

#[test]
fn what_was_found_of_a_lane_is_in_force_until_it_is_reconsidered() {
    let fixture = Fixture::new();
    let facts = vec![
        misplaced("a"),
        misplaced("b"),
        Fact::Reconsidered { job: "a".into() },
    ];
    fixture.fill(&[records(1, facts.clone())]);
    let found = fixture.open().recovered.records;
    let found: Vec<Fact> = found.into_iter().map(|record| record.fact).collect();
    assert_eq!(found, facts[1..]);
}

/// A run of a slot, one of another schedule, one that stands for slots that did not run, one of none.
#[test]
fn the_runs_of_slots_are_found_with_what_became_of_them() {
    let fixture = Fixture::new();
    let a = job("a");
    let first = at(0).wall.0;
    let of_slot = |run, schedule: &str, slot| {
        let slot = Slot {
            schedule: schedule.into(),
            at: Wall(first + slot),
            backfill: None,
        };
        with_slot(accepted(run, &a, None), slot)
    };
    let (run, job) = (RunId(3), Arc::clone(&a));
    let slots = Passed {
        first: Wall(first - 70),
        last: Wall(first - 5),
        count: 3,
        more: false,
    };
    let why = Why::Missed;
    let facts = vec![
        of_slot(1, "x", 0),
        Fact::Started {
            run: RunId(1),
            job: Arc::clone(&a),
            epoch: 1,
        },
        of_slot(2, "y", 1),
        of_slot(3, "x", -70),
        Fact::Skipped {
            run,
            job,
            reason: SkipReason::Slots(Box::new(Unrun { why, slots })),
        },
        accepted(4, &a, None),
        of_slot(5, "x", -60),
    ];
    fixture.fill(&[records(1, facts)]);
    let reader = Reader::new(fixture.place.db());
    let found = |from: i64, until: i64| {
        let span = (Wall(first + from), Wall(first + until));
        let found = reader.slots("a", "x", span).unwrap().unwrap();
        let mut found: Vec<_> = found
            .into_iter()
            .map(|it| (it.run.0, it.first.0 - first, it.last.0 - first, it.state))
            .collect();
        found.sort_unstable();
        found
    };
    let all = [
        (1, 0, 0, StateKind::Running),
        (3, -70, -5, StateKind::Skipped),
        (5, -60, -60, StateKind::Queued),
    ];
    assert_eq!(found(-80, 0), all);
    assert_eq!(found(-80, -1), all[1..]);
    assert_eq!(found(-59, -1), all[1..2]);
    assert_eq!(found(-4, 9), all[..1]);
    assert_eq!(found(1, 9), []);
}

fn with_slot(mut fact: Fact, of: Slot) -> Fact {
    if let Fact::Accepted { slot, .. } = &mut fact {
        *slot = Some(Arc::new(of));
    }
    fact
}
