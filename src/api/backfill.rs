//! Backfills: what one would do, and asking for it. Which slots have run is looked up here, in the store, after
//! the daemon has said up to where its slots are decided on; what is decided after that the daemon knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::object::Object;
use super::problem::Problem;
use super::roles::Asker;
use super::shared::{Shared, strange};
use super::{view, wire};
use crate::engine::action::{Answer, Refusal};
use crate::engine::backfill::AT_ONCE_BOUND;
use crate::engine::backfill::survey::{Again, Known, SLOTS_BOUND, Survey};
use crate::engine::id::BackfillId;
use crate::engine::input::BackfillOrder;
use crate::engine::schedule::{ScheduleSpec, notes};
use crate::engine::spec::Name;
use crate::engine::time::Wall;
use crate::engine::{Ground, ScheduleGround, StateKind};
use crate::inbox::{Ask, Told};
use crate::store::{Reader, SlotRun};

/// Slots that are listed.
const LISTED: usize = 1_000;

/// `GET /backfills`.
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
) -> Result<Json<wire::Backfills>, Problem> {
    Ok(Json(wire::Backfills {
        backfills: all(&shared).await?,
    }))
}

async fn all(shared: &Shared) -> Result<Vec<wire::Backfill>, Problem> {
    match shared.ask(Ask::Backfills).await? {
        Told::Backfills(backfills) => Ok(backfills.iter().map(view::backfill).collect()),
        told => Err(strange(&told)),
    }
}

/// `POST /backfills`.
pub(super) async fn post(
    State(shared): State<Arc<Shared>>,
    Asker(by): Asker,
    order: Result<Json<Object<wire::BackfillOrder>>, JsonRejection>,
) -> Result<Json<wire::Backfilled>, Problem> {
    let Json(Object(order)) = order.map_err(|why| super::rejected(&why))?;
    let again = again(order.again.as_deref())?;
    let at_once = at_once(order.max_concurrent)?;
    let (ground, now) = match shared.ask(Ask::Ground(order.job.clone())).await? {
        Told::Ground(Some(ground), now) => (ground, now.wall),
        Told::Ground(None, _) => {
            let detail = format!("there is no job `{}`", order.job);
            return Err(Problem::new(StatusCode::NOT_FOUND, "unknown-job", detail));
        }
        told => return Err(strange(&told)),
    };
    let schedule = chosen(&ground, order.schedule.as_deref())?.clone();
    let span = span(&order, now)?;
    let (job, of) = (order.job.clone(), schedule.clone());
    // Of a job with many runs this takes seconds.
    let looked = move |reader: &Reader| {
        let runs = reader.slots(&job, &of.schedule, span)?;
        Ok(runs.map(|runs| (survey(&of, span, (&runs, again)), runs)))
    };
    let (survey, runs) = shared.read(looked).await?.ok_or_else(|| {
        Problem::arguments(format!(
            "job `{}` has too many runs on record to look at all of them: let \
                 the store forget (`store.keep_runs`)",
            order.job
        ))
    })?;
    let survey = survey?;
    let slots = survey.count() as u64;
    let mut answer = wire::Backfilled {
        backfill: None,
        job: order.job,
        schedule: schedule.schedule.to_string(),
        slots,
        left_out: survey.slots.len() as u64 - slots,
        list: Vec::new(),
    };
    if order.dry_run {
        if slots > 0 {
            refuse_beside_others(&shared, &ground.job.name, &schedule.schedule, span).await?;
        }
        answer.list = listed(&schedule.spec, &survey, &runs);
    } else if slots > 0 {
        let (from, until) = span;
        let order = BackfillOrder {
            job: Name::clone(&ground.job.name),
            schedule: Arc::clone(&schedule.schedule),
            from,
            until: until.min(schedule.decided.unwrap_or(until)),
            at_once,
            slots,
            left_out: answer.left_out,
            stretches: survey.stretches(),
            unseen: ground.unseen,
            caller: None,
        };
        answer.backfill = match shared.decide(by, Ask::Backfill(Box::new(order))).await? {
            Answer::Backfilling(id) => Some(id.0),
            Answer::Refused(refusal) => return Err(refusal.into()),
            answer => return Err(foreign(&answer)),
        };
    }
    Ok(Json(answer))
}

/// What is only tried is refused as it would be in earnest, where one that goes on has slots of the same schedule.
async fn refuse_beside_others(
    shared: &Shared,
    job: &Name,
    schedule: &str,
    span: (Wall, Wall),
) -> Result<(), Problem> {
    let all = match shared.ask(Ask::Backfills).await? {
        Told::Backfills(all) => all,
        told => return Err(strange(&told)),
    };
    let mut going = all.iter().filter(|it| it.ending.is_none());
    match going.find(|it| it.backfill.meets(job, schedule, span)) {
        Some(other) => Err(Refusal::Backfilling(other.backfill.id).into()),
        None => Ok(()),
    }
}

/// `POST /backfills/N/cancel`.
pub(super) async fn cancel(
    State(shared): State<Arc<Shared>>,
    Asker(by): Asker,
    path: Result<Path<u64>, PathRejection>,
) -> Result<Json<wire::Backfill>, Problem> {
    let Path(id) = path.map_err(|_| Problem::bad("the number of a backfill is a whole number"))?;
    let ask = Ask::CancelBackfill(BackfillId(id));
    match shared.decide(by, ask).await? {
        Answer::BackfillCancelled(_) => {}
        Answer::BackfillOver(_) => {
            let text = format!("backfill {id} is over already");
            return Err(Problem::conflict("already-over", text));
        }
        Answer::UnknownBackfill(_) => {
            let text = format!("there is no backfill {id}");
            return Err(Problem::new(
                StatusCode::NOT_FOUND,
                "unknown-backfill",
                text,
            ));
        }
        answer => return Err(foreign(&answer)),
    }
    let mut all = all(&shared).await?.into_iter();
    let found = all.find(|backfill| backfill.backfill == id);
    // Thirty others may have come and gone in between.
    found.map(Json).ok_or_else(|| {
        Problem::bug(format!(
            "backfill {id} was cancelled and is forgotten already"
        ))
    })
}

fn foreign(answer: &Answer) -> Problem {
    Problem::bug(format!("a backfill was answered {answer:?}; this is a bug"))
}

fn again(text: Option<&str>) -> Result<Again, Problem> {
    match text {
        None => Ok(Again::No),
        Some("failed") => Ok(Again::Failed),
        Some("all") => Ok(Again::All),
        Some(other) => Err(Problem::arguments(format!(
            "`again` is `failed` or `all`, not {other:?}"
        ))),
    }
}

fn at_once(asked: Option<u32>) -> Result<u32, Problem> {
    match asked.unwrap_or(1) {
        asked @ 1..=AT_ONCE_BOUND => Ok(asked),
        asked => Err(Problem::arguments(format!(
            "`max_concurrent` {asked} is out of range: it is 1 to {AT_ONCE_BOUND}"
        ))),
    }
}

/// The schedule that is meant.
fn chosen<'a>(ground: &'a Ground, asked: Option<&str>) -> Result<&'a ScheduleGround, Problem> {
    let (job, all) = (&ground.job.name, &ground.schedules);
    let each = || {
        let each = all.iter().enumerate();
        let each = each.map(|(place, it)| format!("{} ({})", place + 1, it.schedule));
        each.collect::<Vec<_>>().join(", ")
    };
    match (asked, &all[..]) {
        (_, []) => Err(Problem::conflict(
            "no-schedule",
            format!("job `{job}` has no schedule, so it has no slots"),
        )),
        (None, [only]) => Ok(only),
        (None, _) => Err(Problem::arguments(format!(
            "job `{job}` has several schedules: say which, by its number: {}",
            each()
        ))),
        (Some(asked), all) => {
            let found = ScheduleSpec::meant(all, |it| &it.spec, asked);
            found.ok_or_else(|| {
                let detail = format!("job `{job}` has no schedule {asked:?}: it has {}", each());
                Problem::new(StatusCode::NOT_FOUND, "unknown-schedule", detail)
            })
        }
    }
}

/// The first and the last instant that are meant.
fn span(order: &wire::BackfillOrder, now: Wall) -> Result<(Wall, Wall), Problem> {
    let read = |name: &str, text: &str| {
        view::parse_moment(text).ok_or_else(|| {
            Problem::bad(format!(
                "`{name}` is no moment: write it in RFC 3339, as in 2026-11-21T09:12:00Z"
            ))
        })
    };
    let from = read("from", &order.from)?;
    let to = match &order.to {
        Some(to) => read("to", to)?,
        None => Wall(now.0 + 1),
    };
    if to.0 > now.0 + 1 {
        return Err(Problem::arguments(format!(
            "`to` is in the future: a backfill is of slots whose time has come; without `to` it is of all up \
             to now, {}",
            view::moment(now)
        )));
    }
    if from >= to {
        return Err(Problem::arguments(
            "`from` is not before `to`, so there is nothing in between",
        ));
    }
    Ok((from, Wall(to.0 - 1)))
}

fn survey(
    schedule: &ScheduleGround,
    span: (Wall, Wall),
    (runs, again): (&[SlotRun], Again),
) -> Result<Survey, Problem> {
    let mut ran: BTreeMap<Wall, Vec<_>> = BTreeMap::new();
    for run in runs.iter().filter(|run| run.state != StateKind::Skipped) {
        let of_slot = ran.entry(run.first).or_default();
        of_slot.push((run.run, run.state));
    }
    let known = Known {
        decided: schedule.decided,
        waiting: schedule.waiting.clone(),
        ran,
    };
    Survey::of(&schedule.spec, span, &known, again).ok_or_else(|| {
        Problem::arguments(format!(
            "there are more than {SLOTS_BOUND} slots in this time, which is the bound of one backfill: ask for \
             a shorter time"
        ))
    })
}

/// The first slots, as they are told.
fn listed(spec: &ScheduleSpec, survey: &Survey, runs: &[SlotRun]) -> Vec<wire::Slot> {
    let skipped: Vec<&SlotRun> = runs
        .iter()
        .filter(|run| run.state == StateKind::Skipped)
        .collect();
    let slots = survey.slots.iter().take(LISTED);
    let tell = |(slot, left_out): &(Wall, Option<_>)| {
        let why = skipped
            .iter()
            .find(|it| it.first <= *slot && *slot <= it.last);
        let why =
            why.and_then(|it| Some(format!("run {} skipped: {}", it.run, it.reason.as_ref()?)));
        let notes: Vec<String> = notes::of_clock(spec, *slot)
            .into_iter()
            .chain(why)
            .collect();
        wire::Slot {
            slot: view::moment(*slot),
            shown: notes::shown(spec, *slot),
            left_out: left_out.as_ref().map(ToString::to_string),
            note: (!notes.is_empty()).then(|| notes.join("; ")),
        }
    };
    slots.map(tell).collect()
}
