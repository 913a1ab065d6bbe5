//! A job of which there may be one run at a time, by its schedule.

use std::sync::Arc;
use std::time::Duration;

use twolane::engine::action::{Answer, Refusal};
use twolane::engine::flow::{OnDuplicate, Unique, UniqueBy};
use twolane::engine::id::CallerId;
use twolane::engine::input::{Input, Submission, SubmitItem};
use twolane::engine::schedule::{Overlap, Zone};

use crate::bench::{Bench, jobs};
use crate::{at, cron};

/// What says of a slot that it does not run takes nobody's place.
#[test]
fn a_run_that_is_alone_stays_so_when_slots_of_its_job_are_left_out() {
    for policy in [Overlap::Skip, Overlap::Allow] {
        let mut schedule = cron("0 * * * *", &Zone::utc());
        schedule.overlap = policy;
        let mut definitions = jobs([("a", vec![schedule])]);
        let job = Arc::make_mut(definitions.jobs.get_mut("a").unwrap());
        job.unique = Some(Unique {
            by: UniqueBy::Job,
            on_duplicate: OnDuplicate::Reject,
        });
        let mut bench = Bench::new(at("2026-11-21T10:30:00Z"), definitions);
        bench.takes.insert("a".into(), Duration::from_secs(9_000));
        bench.until(at("2026-11-21T12:10:00Z"));
        assert_eq!(bench.fired().len(), 1);
        bench.apply(Input::Submit(Submission {
            items: vec![SubmitItem::of(&"a".into())],
            key: None,
            caller: Some(CallerId(7)),
        }));
        let last = bench.answers.last();
        assert!(
            matches!(last, Some(Answer::Refused(Refusal::Duplicate { .. }))),
            "{last:?}"
        );
        bench.until(at("2026-11-21T13:10:00Z"));
        assert_eq!(bench.fired().len(), 1, "{}", bench.told());
        bench.check_recovery();
    }
}
