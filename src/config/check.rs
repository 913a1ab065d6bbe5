//! What can be told only across files: names that are defined twice or nowhere, pools of the other
//! lane, and circles.

use std::collections::{BTreeMap, BTreeSet};

use super::diagnostic::{Diagnostic, Report};
use super::job::{Draft, lane_named};
use super::names::nearest;
use super::read::{Amount, Span, Table, list};
use crate::engine::amounts::Rate;
use crate::engine::spec::{Lane, LimitSpec, Name, PoolSpec};

/// Where a name is defined.
#[derive(Clone, Debug)]
pub(super) struct Defined {
    source: usize,
    span: Span,
}

/// The names of one kind, with the places of their definitions.
#[derive(Debug)]
pub(super) struct Names {
    what: &'static str,
    defined: BTreeMap<String, Defined>,
}

impl Names {
    pub(super) const fn of(what: &'static str) -> Self {
        Self {
            what,
            defined: BTreeMap::new(),
        }
    }

    /// Takes a name in; reports it if it is there already.
    pub(super) fn add(&mut self, report: &mut Report, source: usize, name: &str, span: &Span) {
        let what = self.what;
        if let Some(first) = self.defined.get(name) {
            report.push(
                Diagnostic::at(
                    source,
                    span.clone(),
                    format!("{what} `{name}` is defined twice"),
                )
                .label("here again")
                .also(first.source, first.span.clone(), "the first one")
                .hint("give one of them another name"),
            );
            return;
        }
        let span = span.clone();
        self.defined
            .insert(name.to_owned(), Defined { source, span });
    }

    fn look_up(&self, report: &mut Report, source: usize, name: &str, span: &Span) -> bool {
        if self.defined.contains_key(name) {
            return true;
        }
        let what = self.what;
        if report.is_full() {
            report.push(Diagnostic::at(source, span.clone(), ""));
            return false;
        }
        let known = || self.defined.keys().map(String::as_str);
        let hint = match nearest(name, known()) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None if self.defined.is_empty() && what == "resource" => {
                format!("say how much there is of it, with `{name} = 16` under `[resources]`")
            }
            None if self.defined.is_empty() => {
                format!("no {what} is defined; begin one with `[{what}s.{name}]`")
            }
            None if self.defined.len() == 1 => format!("there is only {}", list(known())),
            None if self.defined.len() <= 8 => format!("there are {}", list(known())),
            None => format!("define it with `[{what}s.{name}]`"),
        };
        report.push(
            Diagnostic::at(source, span.clone(), format!("there is no {what} `{name}`")).hint(hint),
        );
        false
    }
}

/// A pool as its table has it; `None`, reported, if that is none.
pub(super) fn pool(
    report: &mut Report,
    source: usize,
    name: (&str, &Span),
    table: &Table,
) -> Option<PoolSpec> {
    let example = "lane = \"cpu\"` and `size = 3";
    lacks(
        report,
        source,
        ("pool", name),
        table,
        (&["lane", "size"], example),
    )?;
    Some(PoolSpec {
        lane: lane_named(table.text("lane")?)?,
        size: table.natural("size")?,
    })
}

/// A limit as its table has it; `None`, reported, if that is none.
pub(super) fn limit(
    report: &mut Report,
    source: usize,
    name: (&str, &Span),
    table: &Table,
) -> Option<LimitSpec> {
    if table.get("size").is_none() && table.get("rate").is_none() {
        if !table.strange {
            let (name, span) = name;
            let message = format!("limit `{name}` lacks `size`, or `rate`");
            report.push(
                Diagnostic::at(source, span.clone(), message).hint(
                    "write `size = 1` for how many at once, or `rate = \"10/s\"` for how often",
                ),
            );
        }
        return None;
    }
    if let (Some(burst), None) = (table.get("burst"), table.get("rate")) {
        report.push(
            Diagnostic::at(source, burst.key.clone(), "`burst` goes with `rate`")
                .hint("say how often it may be taken, as in `rate = \"10/s\"`"),
        );
        return None;
    }
    let size = match table.get("size") {
        Some(_) => Some(table.natural("size")?),
        None => None,
    };
    let burst = match table.get("burst") {
        Some(_) => table.natural("burst")?,
        None => 1,
    };
    let rate = match table.get("rate") {
        Some(_) => {
            let (tokens, per) = table.rate("rate")?;
            Some(Rate { tokens, per, burst })
        }
        None => None,
    };
    Some(LimitSpec { size, rate })
}

fn lacks(
    report: &mut Report,
    source: usize,
    named: (&str, (&str, &Span)),
    table: &Table,
    needs: (&[&'static str], &str),
) -> Option<()> {
    let (what, (name, span)) = named;
    let (needs, example) = needs;
    let missing: Vec<&str> = needs
        .iter()
        .copied()
        .filter(|key| table.get(key).is_none())
        .collect();
    if missing.is_empty() {
        return Some(());
    }
    if !table.strange {
        let message = format!("{what} `{name}` lacks {}", list(missing));
        report
            .push(Diagnostic::at(source, span.clone(), message).hint(format!("write `{example}`")));
    }
    None
}

/// What jobs may name.
pub(super) struct Known<'a> {
    pub(super) jobs: &'a Names,
    pub(super) pools: &'a (Names, BTreeMap<Name, PoolSpec>),
    pub(super) limits: &'a (Names, BTreeMap<Name, LimitSpec>),
    pub(super) resources: &'a (Names, BTreeMap<Name, u32>),
    pub(super) cpu_workers: u32,
}

/// Looks up what a job names. Gives it the lane of its pool where it says none of its own.
pub(super) fn references(report: &mut Report, own: &str, draft: &mut Draft, known: &Known<'_>) {
    let source = draft.source;
    for (name, span) in draft.table.texts("after") {
        if name == own {
            report.push(
                Diagnostic::at(
                    source,
                    span.clone(),
                    format!("job `{name}` comes after itself"),
                )
                .hint("take it out of `after`"),
            );
        } else {
            known.jobs.look_up(report, source, name, span);
        }
    }
    needs(report, own, draft, known);
    pool_of(report, draft, known);
    cpus(report, draft, known.cpu_workers);
}

/// Looks up the limits and resources of a job, and whether there is ever as much as it takes.
fn needs(report: &mut Report, own: &str, draft: &Draft, known: &Known<'_>) {
    let source = draft.source;
    let too_much = |report: &mut Report, amount: &Amount, what: &str, there: &str| {
        let (name, number) = (&amount.name, amount.number.unwrap_or(0));
        let message = format!("job `{own}` takes {number} of {what} `{name}`, and {there}");
        report.push(
            Diagnostic::at(source, amount.value.clone(), message)
                .hint("it could never start; take less of it, or make that larger"),
        );
    };
    for amount in draft.table.amounts("limits") {
        let (names, limits) = known.limits;
        names.look_up(report, source, &amount.name, &amount.at);
        let Some(LimitSpec { size, rate }) = limits.get(&*amount.name) else {
            continue;
        };
        match (size, rate) {
            (Some(size), _) if amount.number > Some(*size) => {
                too_much(report, &amount, "limit", &format!("its size is {size}"));
            }
            (_, Some(rate)) if amount.number > Some(rate.burst) => {
                let there = format!("its `burst` is {}", rate.burst);
                too_much(report, &amount, "limit", &there);
            }
            _ => {}
        }
    }
    for amount in draft.table.amounts("resources") {
        let (names, totals) = known.resources;
        names.look_up(report, source, &amount.name, &amount.at);
        if let Some(total) = totals.get(&*amount.name)
            && amount.number > Some(*total)
        {
            too_much(
                report,
                &amount,
                "resource",
                &format!("there are only {total}"),
            );
        }
    }
}

/// Threads are something that only the cpu lane has, and it has only so many.
fn cpus(report: &mut Report, draft: &Draft, workers: u32) {
    let (Some(field), Some(spec)) = (draft.table.get("cpus"), &draft.spec) else {
        return;
    };
    let Some(cpus) = spec.cpus else {
        return;
    };
    let place = field.value.clone();
    if spec.lane != Lane::Cpu {
        let message = if spec.auto {
            "`cpus` is for jobs of the cpu lane, and this one finds its lane by itself"
        } else {
            "`cpus` is for jobs of the cpu lane, and this one is in the io lane"
        };
        report.push(
            Diagnostic::at(draft.source, field.key.clone(), message)
                .hint("leave it out, or write `lane = \"cpu\"` where the task allows that"),
        );
    } else if cpus > workers {
        let message = format!("`cpus` is {cpus}, and the cpu lane has only {workers} workers");
        report.push(
            Diagnostic::at(draft.source, place, message).warning().hint(
                "a run waits for all of them; the setting `lanes.cpu.workers` makes them more",
            ),
        );
    }
}

/// Looks up the pool of a job. Gives it the lane of its pool where it says none of its own.
fn pool_of(report: &mut Report, draft: &mut Draft, known: &Known<'_>) {
    let source = draft.source;
    let (pool_names, pools) = known.pools;
    let (Some(name), Some(field)) = (draft.table.text("pool"), draft.table.get("pool")) else {
        return;
    };
    if !pool_names.look_up(report, source, name, &field.value) {
        return;
    }
    let (Some(pool), Some(spec)) = (pools.get(name), &mut draft.spec) else {
        return;
    };
    if spec.auto {
        let (lane, place) = (pool.lane, field.value.clone());
        let message = format!("pool `{name}` is in the {lane} lane, and the job may be in either");
        let hint =
            format!("write `lane = \"{lane}\"`, or a limit of the same size in place of the pool");
        report.push(Diagnostic::at(source, place, message).hint(hint));
        return;
    }
    if pool.lane == spec.lane {
        return;
    }
    // A task that may be on either lane goes to that of its pool.
    if draft.table.get("lane").is_none() && spec.task.fits_either_lane() {
        spec.lane = pool.lane;
        return;
    }
    let (lane, other) = (spec.lane, pool.lane);
    let message = format!("pool `{name}` is in the {other} lane, and the job in the {lane} lane");
    report.push(
        Diagnostic::at(source, field.value.clone(), message)
            .hint(format!("name a pool of the {lane} lane")),
    );
}

/// Warns of a pool that can never be full.
pub(super) fn oversized(
    report: &mut Report,
    place: (usize, &Span),
    name: &str,
    pool: PoolSpec,
    lane_size: u32,
) {
    if pool.size > lane_size {
        let (lane, size) = (pool.lane, pool.size);
        let message =
            format!("pool `{name}` has {size} places, and the {lane} lane only {lane_size}");
        let setting = match lane {
            Lane::Io => "lanes.io.concurrency",
            Lane::Cpu => "lanes.cpu.workers",
        };
        report.push(
            Diagnostic::at(place.0, place.1.clone(), message)
                .warning()
                .hint(format!("the setting `{setting}` makes the lane larger")),
        );
    }
}

/// Reports each circle of jobs that come after each other, once.
pub(super) fn circles(report: &mut Report, drafts: &[(String, Draft)]) {
    let drafts: BTreeMap<&str, &Draft> = drafts
        .iter()
        .map(|(name, draft)| (&**name, draft))
        .collect();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for start in drafts.keys() {
        // The path from `start` down, and for each job on it what is still to look at.
        let mut path: Vec<(&str, usize)> = vec![(start, 0)];
        let mut on_path: BTreeMap<&str, usize> = BTreeMap::from([(*start, 0)]);
        while let Some((name, next)) = path.last_mut() {
            let name: &str = name;
            let after = drafts
                .get(name)
                .map_or(&[][..], |draft| draft.table.texts("after"));
            let Some((before, span)) = after.get(*next).filter(|_| !done.contains(name)) else {
                done.insert(name);
                on_path.remove(name);
                path.pop();
                continue;
            };
            *next += 1;
            if **before == *name || done.contains(before.as_str()) {
                continue;
            }
            if let Some(begin) = on_path.get(before.as_str()) {
                let source = drafts.get(name).map_or(0, |draft| draft.source);
                let circle = shown_circle(&path[*begin..], before);
                let message = format!("jobs come after each other in a circle: {circle}");
                report.push(
                    Diagnostic::at(source, span.clone(), message)
                        .hint("none of them could ever run; take one of these steps away"),
                );
            } else if drafts.contains_key(before.as_str()) {
                on_path.insert(before, path.len());
                path.push((before, 0));
            }
        }
    }
}

/// `a -> b -> a`; of a long circle, the beginning and the end.
fn shown_circle(path: &[(&str, usize)], again: &str) -> String {
    const SHOWN: usize = 20;
    let names: Vec<&str> = path.iter().map(|(name, _)| *name).collect();
    if names.len() <= SHOWN {
        return format!("{} -> {again}", names.join(" -> "));
    }
    let (head, tail) = (&names[..SHOWN / 2], &names[names.len() - SHOWN / 2..]);
    let left_out = names.len() - SHOWN;
    format!(
        "{} -> ({left_out} more) -> {} -> {again}",
        head.join(" -> "),
        tail.join(" -> ")
    )
}
