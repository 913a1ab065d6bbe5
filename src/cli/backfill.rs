//! `twolane backfill`: slots of the past are run. With `--dry-run` only what would be is shown, by the daemon or,
//! where none runs, by the files.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use super::ask::{self, Asked, told};
use super::moments::{ago, now};
use super::out::{Out, complain, tell};
use super::table::Table;
use super::{Exit, SettingsArgs, moments, next};
use crate::api::client::Client;
use crate::api::wire::{self, Backfilled, Backfills, Slot};
use crate::engine::backfill::survey::{Again, Known, LeftOut, SLOTS_BOUND, Survey};
use crate::engine::schedule::{ScheduleSpec, notes};
use crate::engine::spec::JobSpec;
use crate::engine::time::Wall;
use crate::lanes::Handlers;
use crate::logging::harmless;

const EXAMPLES: &str = "\
Examples:
  twolane backfill nightly --from 2026-11-01 --to 2026-11-15 --dry-run
  twolane backfill nightly --from 2026-11-01 --to 2026-11-15 --max-concurrent 3
  twolane backfill nightly --from 7d --again=failed
  twolane backfill --list
  twolane backfill --cancel 3

Each slot of the job's schedule from `--from` on and before `--to` is run, the oldest first, and told its slot as at
its own time. Slots that have a run on record are left out.";

/// The command's arguments.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Backfill {
    /// The job
    #[arg(value_name = "JOB", required_unless_present_any = ["list", "cancel"])]
    job: Option<String>,
    /// Slots from this time on: `2026-11-01`, `2026-11-01T03:00`, RFC 3339, or `7d` ago
    #[arg(long, value_name = "TIME", required_unless_present_any = ["list", "cancel"])]
    from: Option<String>,
    /// Slots before this time, which may not be in the future; without it all up to now
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Which schedule, where the job has several: its number in the file, from 1, or its text
    #[arg(long, value_name = "N")]
    schedule: Option<String>,
    /// How many runs may be unfinished at a time
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    max_concurrent: u32,
    /// Run slots again that have a run on record: those that did not succeed (`failed`), or all
    #[arg(long, value_name = "WHICH", value_parser = ["failed", "all"],
          num_args = 0..=1, require_equals = true, default_missing_value = "all")]
    again: Option<String>,
    /// Only list the slots, and say which would be left out
    #[arg(long)]
    dry_run: bool,
    /// The zone in which times without one are read
    #[arg(long, value_name = "ZONE")]
    tz: Option<String>,
    /// With `--dry-run`: ask no daemon, and work it out from these job files; can be repeated
    #[arg(
        long = "file",
        value_name = "FILE",
        requires = "dry_run",
        conflicts_with = "again"
    )]
    files: Vec<PathBuf>,
    /// List the backfills that go on, and the newest that are over: with what had come of their runs when they
    /// ended
    #[arg(long, conflicts_with_all = ["job", "from", "to", "cancel", "dry_run"])]
    list: bool,
    /// Run no more slots of this backfill; its runs that have not started are cancelled, others go on
    #[arg(long, value_name = "ID", conflicts_with_all = ["job", "from", "to", "dry_run"])]
    cancel: Option<u64>,
    /// Print the API's JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(
    args: &Backfill,
    client: &Client,
    (settings, handlers): (&SettingsArgs, &Arc<Handlers>),
    out: &mut Out,
) -> Exit {
    if args.list {
        return told(list(args, client, out));
    }
    if let Some(id) = args.cancel {
        return told(cancel(args, id, client, out));
    }
    let order = match order(args) {
        Ok(order) => order,
        Err(exit) => return exit,
    };
    let own = |out: &mut Out| match offline(args, &order, (settings, handlers), out) {
        Ok(exit) | Err(exit) => exit,
    };
    if !args.files.is_empty() {
        return own(out);
    }
    match client.post("/backfills", &order) {
        Ok(answer) => told(show(args, &answer, out)),
        Err(error) => match error.silent_socket().filter(|_| args.dry_run) {
            Some(socket) => {
                tell(&format!(
                    "no daemon answers on {}: worked out from the job files, so which slots have run is not known\n",
                    socket.display()
                ));
                own(out)
            }
            None => told(Err(error)),
        },
    }
}

/// What is asked for.
fn order(args: &Backfill) -> Result<wire::BackfillOrder, Exit> {
    let zone = args.tz.as_deref().map(next::zone).transpose()?;
    let zone = zone.unwrap_or_else(moments::here);
    let read = |text: &String| {
        let moment = moments::earlier(text, now(), &zone);
        moment.map(moments::written).map_err(|why| {
            complain(&why);
            Exit::Usage
        })
    };
    let from = args.from.as_ref().map(read).transpose()?;
    Ok(wire::BackfillOrder {
        job: args.job.clone().unwrap_or_default(),
        schedule: args.schedule.clone(),
        from: from.unwrap_or_default(),
        to: args.to.as_ref().map(read).transpose()?,
        max_concurrent: Some(args.max_concurrent),
        again: args.again.clone(),
        dry_run: args.dry_run,
    })
}

fn show(args: &Backfill, answer: &Backfilled, out: &mut Out) -> Asked {
    if args.json {
        return ask::json(out, answer);
    }
    let (job, schedule) = (harmless(&answer.job), harmless(&answer.schedule));
    let of = format!("of {job} by {schedule}");
    let (slots, left_out) = (answer.slots, answer.left_out);
    if args.dry_run {
        print(&answer.list, out);
        let listed = answer.list.len() as u64;
        let more = (slots + left_out).saturating_sub(listed);
        if more > 0 {
            out.line(format_args!("... and {more} more"));
        }
        return Ok(out.line(format_args!(
            "{slots} slots {of} would be run, {left_out} left out"
        )));
    }
    Ok(match answer.backfill {
        Some(id) => out.line(format_args!(
            "backfill {id}: {slots} slots {of} are run, {} at a time; {left_out} left out",
            args.max_concurrent
        )),
        None => out.line(format_args!(
            "nothing to do: there are {left_out} slots {of}, and all are left out \
             (`--dry-run` says why, `--again` runs them again)"
        )),
    })
}

fn print(slots: &[Slot], out: &mut Out) {
    let mut table = Table::new(&["SLOT", "SHOWN", "RUN", "NOTE"], &[]);
    for slot in slots {
        let run = match &slot.left_out {
            None => "yes".to_owned(),
            Some(why) => format!("no: {why}"),
        };
        table.row([
            slot.slot.replace(".000000Z", "Z"),
            slot.shown.clone(),
            run,
            slot.note.clone().unwrap_or_default(),
        ]);
    }
    if !slots.is_empty() {
        table.print(out);
    }
}

/// The same without a daemon.
fn offline(
    args: &Backfill,
    order: &wire::BackfillOrder,
    (settings, handlers): (&SettingsArgs, &Arc<Handlers>),
    out: &mut Out,
) -> Result<Exit, Exit> {
    let usage = |why: &str| {
        complain(why);
        Exit::Usage
    };
    let definitions = next::definitions(&args.files, settings, handlers)?;
    let jobs = next::chosen(std::slice::from_ref(&order.job), &definitions)?;
    let job = jobs.first().ok_or(Exit::NotFound)?;
    let spec = schedule(job, order.schedule.as_deref()).map_err(|why| usage(&why))?;
    let wall = |text: &String| text.parse().map(|at: Timestamp| Wall(at.as_microsecond()));
    let present = Wall(now().as_microsecond());
    let from = wall(&order.from).map_err(|_| Exit::Usage)?;
    let to = order.to.as_ref().map(wall).transpose();
    let to = to.map_err(|_| Exit::Usage)?.unwrap_or(Wall(present.0 + 1));
    if to.0 > present.0 + 1 {
        return Err(usage(
            "`--to` is in the future: a backfill is of slots whose time has come",
        ));
    }
    if from >= to {
        return Err(usage(
            "`--from` is not before `--to`, so there is nothing in between",
        ));
    }
    let known = Known {
        decided: Some(present),
        ..Known::default()
    };
    let survey = Survey::of(spec, (from, Wall(to.0 - 1)), &known, Again::No).ok_or_else(|| {
        usage(&format!(
            "there are more than {SLOTS_BOUND} slots in this time, which is the bound of one backfill"
        ))
    })?;
    let slots = survey.count() as u64;
    let answer = Backfilled {
        backfill: None,
        job: order.job.clone(),
        schedule: spec.to_string(),
        slots,
        left_out: survey.slots.len() as u64 - slots,
        list: survey.slots.iter().map(|slot| listed(spec, slot)).collect(),
    };
    Ok(told(show(args, &answer, out)))
}

/// Which schedule of a job is meant.
fn schedule<'a>(job: &'a JobSpec, asked: Option<&str>) -> Result<&'a Arc<ScheduleSpec>, String> {
    let name = &job.name;
    match (asked, &job.schedules[..]) {
        (_, []) => Err(format!("job `{name}` has no schedule, so it has no slots")),
        (None, [only]) => Ok(only),
        (None, all) => Err(format!(
            "job `{name}` has {} schedules\nhint: say which, as in `--schedule 1`",
            all.len()
        )),
        (Some(asked), all) => ScheduleSpec::meant(all, |spec| spec, asked)
            .ok_or_else(|| format!("job `{name}` has no schedule `{asked}`")),
    }
}

fn listed(spec: &ScheduleSpec, (slot, left_out): &(Wall, Option<LeftOut>)) -> Slot {
    let at = Timestamp::from_microsecond(slot.0).unwrap_or(Timestamp::MAX);
    Slot {
        slot: moments::written(at),
        shown: notes::shown(spec, *slot),
        left_out: left_out.as_ref().map(ToString::to_string),
        note: notes::of_clock(spec, *slot),
    }
}

fn list(args: &Backfill, client: &Client, out: &mut Out) -> Asked {
    let all: Backfills = client.get("/backfills")?;
    if args.json {
        for backfill in &all.backfills {
            let exit = ask::json(out, backfill)?;
            if exit != Exit::Success || out.is_gone() {
                return Ok(exit);
            }
        }
        return Ok(Exit::Success);
    }
    if all.backfills.is_empty() {
        return Ok(out.line(format_args!("no backfills")));
    }
    let header = [
        "ID", "STATE", "JOB", "SCHEDULE", "FROM", "TO", "AT ONCE", "RUN", "ACCEPTED", "WHAT",
    ];
    let mut table = Table::new(&header, &[0, 6, 7]);
    for backfill in &all.backfills {
        table.row([
            backfill.backfill.to_string(),
            backfill.state.clone(),
            backfill.job.clone(),
            backfill.schedule.clone(),
            whole(&backfill.from),
            whole(&backfill.to),
            backfill.max_concurrent.to_string(),
            format!("{}/{}", backfill.begun, backfill.slots),
            ago(&backfill.accepted, now()),
            what(backfill),
        ]);
    }
    Ok(table.print(out))
}

/// A moment without the fraction that it does not have.
fn whole(moment: &str) -> String {
    moment.replace(".000000Z", "Z")
}

/// What came of its runs.
fn what(backfill: &wire::Backfill) -> String {
    let over = [
        (backfill.succeeded, "succeeded"),
        (backfill.failed, "failed"),
        (backfill.cancelled, "cancelled"),
        (backfill.skipped, "never started"),
    ];
    let ended: u64 = over.iter().map(|(count, _)| count).sum();
    // Of one that is over, what came of its runs since is told of them alone.
    let unfinished = match &*backfill.state {
        "running" => "unfinished",
        _ => "unfinished at its end",
    };
    let rest = [
        (backfill.begun.saturating_sub(ended), unfinished),
        (backfill.left_out, "left out"),
    ];
    let all = over.into_iter().chain(rest).filter(|(count, _)| *count > 0);
    let all = all.map(|(count, word)| format!("{count} {word}"));
    let all: Vec<String> = all.chain(backfill.reason.clone()).collect();
    all.join(", ")
}

fn cancel(args: &Backfill, id: u64, client: &Client, out: &mut Out) -> Asked {
    let backfill: wire::Backfill = client.post(&format!("/backfills/{id}/cancel"), &json!({}))?;
    if args.json {
        return ask::json(out, &backfill);
    }
    Ok(out.line(format_args!(
        "backfill {id} cancelled: {} of {} slots run, {}",
        backfill.begun,
        backfill.slots,
        what(&backfill)
    )))
}
