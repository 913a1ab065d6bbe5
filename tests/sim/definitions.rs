//! The jobs of the simulated world, in versions that reloads change between.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde_json::Value;
use twolane::config;
use twolane::engine::amounts::{Amounts, Period, Rate};
use twolane::engine::command::{CommandSpec, Invocation, Stdin, Step};
use twolane::engine::flow::{FanOut, OnDuplicate, Unique, UniqueBy, When};
use twolane::engine::schedule::{Cron, Missed, MissedPolicy, Overlap, ScheduleSpec, Trigger, Zone};
use twolane::engine::spec::{
    Definitions, JobSpec, Lane, LimitSpec, Name, OnCrash, ParamKind, ParamSpec, PoolSpec, TaskSpec,
};

use crate::manners::Manners;

/// The names of all jobs.
pub(crate) const JOBS: [&str; 29] = [
    "io",
    "awaited",
    "cpu",
    "once",
    "careful",
    "mutex",
    "slow",
    "late",
    "again",
    "then",
    "future",
    "alone",
    "spread",
    "clean",
    "made",
    "heavy",
    "rated",
    "auto",
    "short",
    "shared",
    "behind",
    "pieces",
    "after-all",
    "either",
    "listed",
    "single",
    "same",
    "reads",
    "listens",
];

/// Those that have schedules; nobody submits them.
pub(crate) const SCHEDULED: [&str; 5] = ["hourly", "daily", "each", "now-and-then", "appointed"];

/// Those of them that are in all versions.
pub(crate) const ALWAYS_SCHEDULED: [&str; 4] = ["hourly", "daily", "each", "appointed"];

/// A zone whose clocks are changed twice a year.
static ZONE: LazyLock<Zone> = LazyLock::new(|| config::zone("Europe/Berlin").unwrap());

/// The rate of a limit, the same in all versions.
pub(crate) const OFTEN: Rate = Rate {
    tokens: 3,
    per: Period::Second,
    burst: 4,
};

/// A version of the definitions.
pub(crate) fn version(number: u64, manners: &Manners, scheduled: bool) -> Definitions {
    let mut jobs = BTreeMap::new();
    let mut add = |name: &str, lane: Lane, change: &dyn Fn(&mut JobSpec)| {
        let duration = Duration::from_secs(1);
        let mut job = JobSpec::new(Name::from(name), lane, TaskSpec::Sleep { duration });
        job.grace = Duration::from_millis(700);
        change(&mut job);
        jobs.insert(Name::from(name), Arc::new(job));
    };
    add("io", Lane::Io, &|_| {});
    add("cpu", Lane::Cpu, &|job| job.pool = Some("pool".into()));
    are_done_once(&mut add, manners);
    add("mutex", Lane::Cpu, &|job| {
        job.limits = Amounts::one_of_each(["one", "two"])
    });
    add("slow", Lane::Io, &|job| {
        job.timeout = Some(Duration::from_secs(2));
        job.limits = Amounts::one_of_each(["two"]);
        job.on_failure = Some("single".into());
    });
    add("late", Lane::Io, &|job| {
        job.delay = Duration::from_secs(3);
        job.start_within = Some(Duration::from_secs(2));
    });
    add("again", Lane::Io, &|job| {
        job.retry = manners.retry(3);
        job.run_timeout = Some(Duration::from_secs(9));
        job.timeout = Some(Duration::from_secs(2));
    });
    add("then", Lane::Cpu, &|job| {
        job.after = vec!["cpu".into(), "io".into()]
    });
    hang_together(&mut add);
    be_alone(&mut add, manners);
    add("future", Lane::Io, &|job| {
        job.task = TaskSpec::Future { what: "it".into() }
    });
    add("made", Lane::Io, &|job| {
        job.timeout = Some(Duration::from_secs(1));
        job.setup = Some(Box::new(step()));
        job.retry = manners.retry(3);
        job.teardown = manners.cleans_up.then(|| Box::new(step()));
        job.teardown_timeout = Duration::from_secs(2);
    });
    add("short", Lane::Io, &|job| {
        job.task = TaskSpec::Command(Box::new(CommandSpec::of(step())));
    });
    take_input(&mut add, manners);
    take_much(&mut add);
    if scheduled {
        come_by_the_clock(&mut add, manners);
    }
    change(&mut jobs, number);
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
        limits: limits(size),
        resources: BTreeMap::from([("ram".into(), 4 + size)]),
        aging: Duration::from_secs(2),
        io_concurrency: 6,
        max_runs: 60,
        ended_kept: 10,
        ..Definitions::empty(3)
    }
}

/// What differs in some versions.
fn change(jobs: &mut BTreeMap<Name, Arc<JobSpec>>, number: u64) {
    if number == 1 {
        jobs.remove("now-and-then");
    }
    if number == 2 {
        jobs.remove("late");
        // It is put on a lane by hand.
        if let Some(auto) = jobs.get_mut("auto") {
            Arc::make_mut(auto).auto = false;
        }
    }
}

fn step() -> Step {
    Step {
        run: Invocation::Shell("true".into()),
        surroundings: Arc::default(),
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
        job.params.insert("n".into(), number());
        job.on_success = Some("cpu".into());
    });
    add("listed", Lane::Io, &|job| {
        job.fan_out = Some(FanOut::Each("n".into()));
        job.params.insert("n".into(), number());
    });
    // One run of which several graphs may come after.
    add("shared", Lane::Io, &|job| {
        job.unique = Some(Unique {
            by: UniqueBy::Job,
            on_duplicate: OnDuplicate::Join,
        });
        job.on_failure = Some("alone".into());
    });
    add("behind", Lane::Cpu, &|job| {
        job.after = vec!["shared".into()]
    });
    // What makes way with its parts, and whose end makes another one run.
    add("pieces", Lane::Io, &|job| {
        let values = vec![1.into(), 2.into()];
        job.fan_out = Some(FanOut::Matrix(BTreeMap::from([("n".into(), values)])));
        job.params.insert("n".into(), number());
        job.unique = Some(Unique {
            by: UniqueBy::Job,
            on_duplicate: OnDuplicate::Replace,
        });
        job.on_failure = Some("shared".into());
    });
    add("after-all", Lane::Io, &|job| {
        job.after = vec!["pieces".into(), "shared".into()];
        job.when = When::Always;
    });
    add("either", Lane::Io, &|job| {
        job.after = vec!["again".into(), "io".into()];
        job.when = When::Any;
    });
    add("clean", Lane::Io, &|job| {
        job.after = vec!["again".into(), "cpu".into()];
        job.when = When::Failure;
    });
}

/// Jobs that must not be done twice; one of them may fail, and be tried again.
fn are_done_once(add: Add<'_>, manners: &Manners) {
    add("once", Lane::Io, &|job| job.on_crash = OnCrash::Fail);
    add("careful", Lane::Io, &|job| {
        job.on_crash = OnCrash::Fail;
        job.retry = manners.retry(3);
    });
}

/// Jobs of which there is only one run at a time, in other ways than above.
fn be_alone(add: Add<'_>, manners: &Manners) {
    add("single", Lane::Io, &|job| {
        job.unique = Some(Unique {
            by: UniqueBy::Job,
            on_duplicate: OnDuplicate::Reject,
        });
    });
    add("same", Lane::Cpu, &|job| {
        job.unique = Some(Unique {
            by: UniqueBy::Args,
            on_duplicate: manners.on_duplicate,
        });
        job.params.insert("n".into(), number());
    });
}

const fn number() -> ParamSpec {
    ParamSpec {
        kind: ParamKind::Integer,
        default: None,
        from: None,
    }
}

/// Jobs with schedules: in each zone and way there is, but few.
fn come_by_the_clock(add: Add<'_>, manners: &Manners) {
    let cron = |text: &str, zone: &Zone| {
        ScheduleSpec::new(Trigger::Cron(Cron::parse(text).unwrap()), zone.clone())
    };
    let missed = |policy| Missed {
        policy,
        window: manners.window,
        max: 5,
    };
    let mut with = |name: &str, schedules: Vec<ScheduleSpec>| {
        let schedules: Vec<_> = schedules.into_iter().map(Arc::new).collect();
        add(name, Lane::Io, &|job| job.schedules.clone_from(&schedules));
    };
    let mut hourly = cron("0 * * * *", &Zone::utc());
    (hourly.from, hourly.until) = manners.span;
    // In the hour that is skipped and in the one that comes twice.
    let mut daily = cron("30 2 * * *", &ZONE);
    daily.missed = missed(MissedPolicy::Latest);
    daily.overlap = Overlap::Queue;
    (daily.gap, daily.fold) = (manners.gap, manners.fold);
    let mut each = ScheduleSpec::new(Trigger::Every(Duration::from_secs(420)), Zone::utc());
    each.missed = missed(MissedPolicy::All);
    each.overlap = Overlap::Latest;
    manners.black_out(&mut each, "10:00-14:00");
    let mut now_and_then = cron("*/20 * * * *", &ZONE);
    now_and_then.jitter = Duration::from_secs(90);
    now_and_then.overlap = Overlap::Replace;
    manners.black_out(&mut now_and_then, "Sat,Sun");
    let mut appointed = ScheduleSpec::new(Trigger::At(manners.appointed), Zone::utc());
    appointed.missed = missed(MissedPolicy::Latest);
    with("hourly", vec![hourly]);
    with("daily", vec![daily]);
    with("each", vec![each]);
    with("now-and-then", vec![now_and_then]);
    with("appointed", vec![appointed]);
}

/// Jobs that take what is sent to them.
fn take_input(add: Add<'_>, manners: &Manners) {
    add("reads", Lane::Io, &|job| {
        let mut command = CommandSpec::of(step());
        command.stdin = Stdin::Open;
        job.task = TaskSpec::Command(Box::new(command));
    });
    add("listens", Lane::Cpu, &|job| {
        let (handler, args) = ("it".into(), Value::Null);
        job.task = TaskSpec::Call { handler, args };
        job.retry = manners.retry(4);
    });
}

/// Jobs that take more than one of something, or of which something is found out.
fn take_much(add: Add<'_>) {
    add("awaited", Lane::Io, &|job| {
        job.expect_within = Some(Duration::from_secs(20));
        job.on_absent = Some("io".into());
    });
    add("auto", Lane::Io, &|job| {
        job.auto = true;
        job.limits = Amounts::one_of_each(["two"]);
    });
    add("heavy", Lane::Cpu, &|job| {
        job.cpus = Some(2);
        job.limits = [("two".into(), 2)].into_iter().collect();
        job.resources = [("ram".into(), 5)].into_iter().collect();
    });
    add("rated", Lane::Io, &|job| {
        job.limits = [("often".into(), 2)].into_iter().collect();
        job.resources = [("ram".into(), 3)].into_iter().collect();
    });
}

fn limits(size: u32) -> BTreeMap<Name, LimitSpec> {
    let often = LimitSpec {
        size: Some(4),
        rate: Some(OFTEN),
    };
    BTreeMap::from([
        ("one".into(), LimitSpec::of(1)),
        ("two".into(), LimitSpec::of(size + 1)),
        ("often".into(), often),
    ])
}

/// How many attempts each lane carries at once, in all versions.
pub(crate) const fn lane_size(lane: Lane) -> usize {
    match lane {
        Lane::Io => 6,
        Lane::Cpu => 3,
    }
}

/// The most that any version allows of each capacity beside the lanes.
pub(crate) fn largest(name: &str) -> u32 {
    match name {
        "one" => 1,
        "two" => 4,
        "pool" => 3,
        "often" => 4,
        "ram" => 7,
        "cpu" => 3,
        other => panic!("no such capacity: {other}"),
    }
}
