//! Reads the definitions that scripts begin with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use twolane::engine::amounts::{Amounts, Period, Rate};
use twolane::engine::command::{CommandSpec, GRACE, Invocation, Step};
use twolane::engine::flow::{FanOut, OnDuplicate, Origin, Unique, UniqueBy, When};
use twolane::engine::retry::{Backoff, RetrySpec};
use twolane::engine::spec::{
    Definitions, JobSpec, Lane, LimitSpec, Name, OnCrash, ParamKind, ParamSpec, PoolSpec, Priority,
    TaskSpec,
};

use crate::script::seconds;

/// Reads definitions, one a line.
pub(crate) fn define(text: &str) -> Definitions {
    let mut definitions = Definitions::empty(2);
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |index: usize| words[index].parse::<u32>().unwrap();
        match words[0] {
            "io" => definitions.io_concurrency = number(1),
            "cpu" => definitions.cpu_workers = number(1),
            "max" => definitions.max_runs = number(1).into(),
            "kept" => definitions.ended_kept = number(1) as usize,
            "aging" => definitions.aging = seconds(words[1]),
            "pool" => {
                let (lane, size) = (lane(words[2]), number(3));
                definitions
                    .pools
                    .insert(words[1].into(), PoolSpec { lane, size });
            }
            "limit" => {
                definitions.limits.insert(words[1].into(), limit(&words));
            }
            "resource" => {
                definitions.resources.insert(words[1].into(), number(2));
            }
            "job" => {
                let job = job(&words);
                definitions
                    .jobs
                    .insert(Name::clone(&job.name), Arc::new(job));
            }
            other => panic!("no such definition: {other}"),
        }
    }
    definitions
}

fn limit(words: &[&str]) -> LimitSpec {
    let rate = |rate: &&str| {
        let (tokens, per) = rate.split_once('/').expect("TOKENS/PERIOD");
        Rate {
            tokens: tokens.parse().unwrap(),
            per: Period::ALL.into_iter().find(|p| p.as_str() == per).unwrap(),
            burst: words.get(4).map_or(1, |burst| burst.parse().unwrap()),
        }
    };
    LimitSpec {
        size: words[2].parse().ok(),
        rate: words.get(3).map(rate),
    }
}

fn amounts(text: Option<&&str>) -> Amounts {
    let amounts = text.into_iter().flat_map(|text| text.split(','));
    let amount = |text: &str| {
        let (name, number) = text.split_once(':').unwrap_or((text, "1"));
        (Name::from(name), number.parse().unwrap())
    };
    amounts.map(amount).collect()
}

pub(crate) fn lane(text: &str) -> Lane {
    Lane::ALL
        .into_iter()
        .find(|lane| lane.as_str() == text)
        .expect("a lane")
}

pub(crate) fn job(words: &[&str]) -> JobSpec {
    let keys: BTreeMap<&str, &str> = words[3..]
        .iter()
        .map(|word| word.split_once('=').expect("KEY=VALUE"))
        .collect();
    let names = |key: &str| -> Vec<Name> {
        let mut names: Vec<Name> = keys.get(key).map_or(Vec::new(), |names| {
            names.split(',').map(Name::from).collect()
        });
        names.sort();
        names
    };
    let task = match keys.get("task") {
        Some(&"future") => TaskSpec::Future { what: "it".into() },
        Some(&"call") => TaskSpec::Call {
            handler: "it".into(),
            args: Value::Null,
        },
        Some(&"command") => TaskSpec::Command(Box::new(CommandSpec::of(Step {
            run: Invocation::Shell("true".into()),
            surroundings: Arc::default(),
        }))),
        _ => TaskSpec::Sleep {
            duration: Duration::from_secs(1),
        },
    };
    JobSpec {
        auto: keys.contains_key("auto"),
        pool: keys.get("pool").map(|pool| Name::from(*pool)),
        cpus: keys.get("cpus").map(|cpus| cpus.parse().unwrap()),
        limits: amounts(keys.get("limits")),
        resources: amounts(keys.get("resources")),
        priority: keys.get("priority").map_or(Priority::default(), |level| {
            Priority::new(level.parse().unwrap()).unwrap()
        }),
        delay: keys
            .get("delay")
            .map_or(Duration::ZERO, |text| seconds(text)),
        timeout: keys.get("timeout").map(|text| seconds(text)),
        grace: keys.get("grace").map_or(GRACE, |text| seconds(text)),
        after: names("after"),
        on_crash: match keys.get("on_crash") {
            Some(&"fail") => OnCrash::Fail,
            _ => OnCrash::Retry,
        },
        params: keys.get("params").map_or(BTreeMap::new(), |params| {
            params.split(',').map(param).collect()
        }),
        when: keys.get("when").map_or(When::Success, |when| {
            let all = [When::Success, When::Failure, When::Always, When::Any];
            let mut all = all.into_iter();
            all.find(|known| known.as_str() == *when)
                .expect("a condition")
        }),
        fan_out: keys
            .get("foreach")
            .map(|param| FanOut::Each((*param).into()))
            .or_else(|| keys.get("matrix").map(|text| matrix(text))),
        unique: keys.get("unique").map(|text| unique(text)),
        on_failure: keys.get("on_failure").map(|name| (*name).into()),
        on_success: keys.get("on_success").map(|name| (*name).into()),
        on_absent: keys.get("on_absent").map(|name| (*name).into()),
        expect_within: keys.get("expect_within").map(|text| seconds(text)),
        run_timeout: keys.get("run_timeout").map(|text| seconds(text)),
        start_within: keys.get("start_within").map(|text| seconds(text)),
        retry: keys.get("retry").map(|text| Box::new(retry(text))),
        ..JobSpec::new(words[1].into(), lane(words[2]), task)
    }
}

/// Reads `x:1,2+y:3,4`.
fn matrix(text: &str) -> FanOut {
    let list = |text: &str| {
        let (name, values) = text.split_once(':').expect("NAME:VALUES");
        let values = values
            .split(',')
            .map(|value| serde_json::from_str(value).unwrap());
        (Name::from(name), values.collect())
    };
    FanOut::Matrix(text.split('+').map(list).collect())
}

/// Reads `args|job[:replace|join]`.
fn unique(text: &str) -> Unique {
    let (by, on_duplicate) = text.split_once(':').unwrap_or((text, ""));
    Unique {
        by: match by {
            "job" => UniqueBy::Job,
            _ => UniqueBy::Args,
        },
        on_duplicate: match on_duplicate {
            "replace" => OnDuplicate::Replace,
            "join" => OnDuplicate::Join,
            _ => OnDuplicate::Reject,
        },
    }
}

/// Reads `ATTEMPTS[:fixed]`: pauses of a second, or from that doubling, none of them drawn.
fn retry(text: &str) -> RetrySpec {
    let (attempts, backoff) = text.split_once(':').unwrap_or((text, ""));
    RetrySpec {
        backoff: match backoff {
            "fixed" => Backoff::Fixed,
            _ => Backoff::Exponential,
        },
        jitter: false,
        ..RetrySpec::of(attempts.parse().unwrap())
    }
}

/// Reads `NAME:KIND[<JOB/PATH][=DEFAULT]`.
fn param(text: &str) -> (Name, ParamSpec) {
    let (name, rest) = text.split_once(':').expect("NAME:KIND");
    let (kind, default) = rest
        .split_once("=")
        .map_or((rest, None), |(kind, default)| (kind, Some(default)));
    let (kind, from) = kind
        .split_once('<')
        .map_or((kind, None), |(k, f)| (k, Some(f)));
    let kind = ParamKind::ALL.into_iter().find(|k| k.as_str() == kind);
    let spec = ParamSpec {
        kind: kind.expect("a kind"),
        default: default.map(Value::from),
        from: from.map(|from| {
            let (job, path) = from.split_at(from.find('/').unwrap_or(from.len()));
            Origin {
                job: job.into(),
                path: path.to_owned(),
            }
        }),
    };
    (name.into(), spec)
}
