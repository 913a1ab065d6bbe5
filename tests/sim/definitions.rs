//! The jobs of the simulated world, in versions that reloads change between.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use twolane::engine::command::{Invocation, Step};
use twolane::engine::flow::{FanOut, OnDuplicate, Unique, UniqueBy, When};
use twolane::engine::retry::RetrySpec;
use twolane::engine::spec::{
    Definitions, JobSpec, Lane, LimitSpec, Name, OnCrash, ParamKind, ParamSpec, PoolSpec, TaskSpec,
};

/// The names of all jobs.
pub(crate) const JOBS: [&str; 13] = [
    "io", "cpu", "once", "mutex", "slow", "late", "again", "then", "future", "alone", "spread",
    "clean", "made",
];

/// A version of the definitions.
pub(crate) fn version(number: u64) -> Definitions {
    let mut jobs = BTreeMap::new();
    let mut add = |name: &str, lane: Lane, change: &dyn Fn(&mut JobSpec)| {
        let duration = Duration::from_secs(1);
        let mut job = JobSpec::new(Name::from(name), lane, TaskSpec::Sleep { duration });
        change(&mut job);
        jobs.insert(Name::from(name), Arc::new(job));
    };
    add("io", Lane::Io, &|_| {});
    add("cpu", Lane::Cpu, &|job| job.pool = Some("pool".into()));
    add("once", Lane::Io, &|job| job.on_crash = OnCrash::Fail);
    add("mutex", Lane::Cpu, &|job| {
        job.limits = vec!["one".into(), "two".into()]
    });
    add("slow", Lane::Io, &|job| {
        job.timeout = Some(Duration::from_secs(2));
        job.limits = vec!["two".into()];
    });
    add("late", Lane::Io, &|job| {
        job.delay = Duration::from_secs(3);
        job.start_within = Some(Duration::from_secs(2));
    });
    add("again", Lane::Io, &|job| {
        job.retry = Some(Box::new(RetrySpec::of(3)));
        job.run_timeout = Some(Duration::from_secs(9));
        job.timeout = Some(Duration::from_secs(2));
    });
    add("then", Lane::Cpu, &|job| {
        job.after = vec!["cpu".into(), "io".into()]
    });
    hang_together(&mut add);
    add("future", Lane::Io, &|job| {
        job.task = TaskSpec::Future { what: "it".into() }
    });
    add("made", Lane::Io, &|job| {
        job.timeout = Some(Duration::from_secs(1));
        job.setup = Some(Box::new(Step {
            run: Invocation::Shell("true".into()),
            surroundings: Arc::default(),
        }));
    });
    if number == 2 {
        jobs.remove("late");
    }
    let size = [2, 3, 1][usize::try_from(number).unwrap()];
    Definitions {
        jobs,
        pools: BTreeMap::from([(
            "pool".into(),
            PoolSpec {
                lane: Lane::Cpu,
                size,
            },
        )]),
        limits: BTreeMap::from([
            ("one".into(), LimitSpec { size: 1 }),
            ("two".into(), LimitSpec { size: size + 1 }),
        ]),
        io_concurrency: 6,
        max_runs: 60,
        ended_kept: 10,
        ..Definitions::empty(3)
    }
}

type Add<'a> = &'a mut dyn FnMut(&str, Lane, &dyn Fn(&mut JobSpec));

/// Jobs whose runs hang together with others.
fn hang_together(add: Add<'_>) {
    add("alone", Lane::Io, &|job| {
        job.unique = Some(Unique {
            by: UniqueBy::Job,
            on_duplicate: OnDuplicate::Replace,
        });
        job.on_failure = Some("io".into());
    });
    add("spread", Lane::Cpu, &|job| {
        let values = vec![1.into(), 2.into(), 3.into()];
        job.fan_out = Some(FanOut::Matrix(BTreeMap::from([("n".into(), values)])));
        job.params.insert(
            "n".into(),
            ParamSpec {
                kind: ParamKind::Integer,
                default: None,
                from: None,
            },
        );
        job.on_success = Some("cpu".into());
    });
    add("clean", Lane::Io, &|job| {
        job.after = vec!["again".into(), "cpu".into()];
        job.when = When::Failure;
    });
}

/// The most that any version allows of each capacity beside the lanes.
pub(crate) fn largest(name: &str) -> usize {
    match name {
        "one" => 1,
        "two" => 4,
        "pool" => 3,
        other => panic!("no such capacity: {other}"),
    }
}
