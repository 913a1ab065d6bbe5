//! Questions about the past: which runs were there in a stretch of time, and which jobs there are.

use super::*;

/// Three jobs with runs that are over, one that is running and one that waits.
fn past() -> Fixture {
    let fixture = Fixture::new();
    let (a, b, c) = (job("a"), job("b"), job("c"));
    let mut facts = vec![Fact::Opened];
    for run in 1..=6 {
        facts.extend(whole(run, if run % 2 == 0 { &b } else { &a }));
    }
    facts.push(accepted(7, &c, None));
    facts.push(Fact::Started {
        run: RunId(7),
        job: Arc::clone(&c),
        epoch: 1,
    });
    facts.push(accepted(8, &c, None));
    fixture.fill(&[records(1, facts)]);
    fixture
}

/// Of which job, from when to when, how many at most; which runs, and whether there are more.
type Case = (
    Option<&'static str>,
    (u64, u64),
    usize,
    &'static [u64],
    bool,
);

#[test]
fn runs_are_found_by_the_time_at_which_they_were_there() {
    let fixture = past();
    let reader = Reader::new(fixture.place.db());
    // Record n was decided at moment n: run r is accepted with 3r - 1 and over with 3r + 1.
    let all = (0, 100);
    let cases: [Case; 8] = [
        (None, all, 100, &[8, 7, 6, 5, 4, 3, 2, 1], false),
        (None, all, 3, &[8, 7, 6], true),
        (None, (8, 12), 100, &[4, 3], false),
        // Run 3 was there then, although it had begun before and ended after.
        (None, (9, 9), 100, &[3], false),
        (None, (21, 21), 100, &[7], false),
        (Some("a"), all, 100, &[5, 3, 1], false),
        (Some("a"), (9, 100), 100, &[5, 3], false),
        (Some("gone"), all, 100, &[], false),
    ];
    for (job, (since, until), limit, runs, more) in cases {
        let span = Span {
            job: job.map(str::to_owned),
            since: at(since).wall,
            until: at(until).wall,
        };
        let expected = Active {
            runs: runs.iter().map(|run| RunId(*run)).collect(),
            more,
        };
        assert_eq!(reader.active(&span, limit).unwrap(), expected, "{span:?}");
    }
}

#[test]
fn jobs_are_named_once_each_and_in_order() {
    let fixture = past();
    let reader = Reader::new(fixture.place.db());
    assert_eq!(reader.job_names(None, 10).unwrap(), ["a", "b", "c"]);
    assert_eq!(reader.job_names(Some("a"), 1).unwrap(), ["b"]);
    assert!(reader.job_names(Some("c"), 10).unwrap().is_empty());
}

/// The plan of each question names an index for each table: none looks at all rows.
#[test]
fn promise_6_no_question_about_the_past_looks_at_all_rows() {
    let fixture = past();
    let conn = Connection::open(fixture.place.db()).unwrap();
    let source = include_str!("../past.rs");
    let questions: Vec<&str> = source
        .split('"')
        .filter(|text| text.starts_with("SELECT"))
        .collect();
    assert_eq!(questions.len(), 5, "{questions:?}");
    for question in questions {
        let mut plan = conn
            .prepare(&format!("EXPLAIN QUERY PLAN {question}"))
            .unwrap();
        let rows = plan.raw_query().mapped(|row| row.get::<_, String>(3));
        let told: Vec<String> = rows.map(Result::unwrap).collect();
        let searched = |step: &String| step.starts_with("SEARCH") && step.contains("INDEX");
        assert!(told.iter().all(searched), "{question}: {told:?}");
    }
}
