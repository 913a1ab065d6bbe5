//! `twolane next`: when jobs run next by their schedules, worked out from the files; no daemon is asked.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::out::{Out, complain};
use super::table::Table;
use super::{Exit, SettingsArgs, ask, load, moments};
use crate::config;
use crate::engine::schedule::upcoming::{Coming, Upcoming};
use crate::engine::schedule::{ScheduleSpec, notes};
use crate::engine::spec::{Definitions, JobSpec};
use crate::engine::time::Wall;
use crate::lanes::Handlers;

const EXAMPLES: &str = "\
Examples:
  twolane next
  twolane next nightly -n 5 --from 2027-03-27T00:00:00Z --tz UTC
  twolane next --file jobs.toml --json | jq -r .slot";

/// The command's arguments.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Next {
    /// Only these jobs
    #[arg(value_name = "JOB")]
    jobs: Vec<String>,
    /// How many
    #[arg(short = 'n', long = "count", value_name = "N", default_value_t = 20)]
    count: usize,
    /// After this time instead of now: `2026-11-01`, `2026-11-01T03:00`, RFC 3339, `+10m` or `HH:MM`
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Show times as the clocks of this zone do, instead of each as those of its schedule
    #[arg(long, value_name = "ZONE")]
    tz: Option<String>,
    /// Job files instead of those that the settings name; can be repeated
    #[arg(long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print one JSON object a slot
    #[arg(long)]
    json: bool,
}

/// One slot as programs read it.
#[derive(Serialize)]
struct Line<'a> {
    job: &'a str,
    schedule: String,
    /// The logical time.
    slot: String,
    /// When the run begins.
    begins: String,
    /// What the clocks of the zone show at the slot.
    shown: String,
    zone: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

pub(super) fn run(
    args: &Next,
    settings_args: &SettingsArgs,
    handlers: &Arc<Handlers>,
    out: &mut Out,
) -> Exit {
    match next(args, settings_args, handlers, out) {
        Ok(exit) | Err(exit) => exit,
    }
}

fn next(
    args: &Next,
    settings_args: &SettingsArgs,
    handlers: &Arc<Handlers>,
    out: &mut Out,
) -> Result<Exit, Exit> {
    let zone = args.tz.as_deref().map(zone).transpose()?;
    // Schedules without a zone go by the machine's whatever times are shown in.
    let own = moments::here();
    let here = zone.clone().unwrap_or(own);
    let now = moments::now();
    let from = match &args.from {
        Some(from) => moments::moment(from, now, &here).map_err(|why| {
            complain(&why);
            Exit::Usage
        })?,
        None => now,
    };
    let definitions = definitions(&args.files, settings_args, handlers)?;
    let jobs = chosen(&args.jobs, &definitions)?;
    if jobs.iter().all(|job| job.schedules.is_empty()) {
        let message = format_args!("no job has a schedule");
        return Ok(if args.json {
            Exit::Success
        } else {
            out.line(message)
        });
    }
    let from = Wall(from.as_microsecond());
    let coming: Vec<Coming<'_>> = Upcoming::after(jobs, from).take(args.count).collect();
    if args.json {
        for coming in &coming {
            let exit = ask::json(out, &line(coming)).unwrap_or(Exit::System);
            if exit != Exit::Success || out.is_gone() {
                return Ok(exit);
            }
        }
        return Ok(Exit::Success);
    }
    if coming.is_empty() {
        return Ok(out.line(format_args!("nothing comes any more")));
    }
    Ok(table(&coming, from, Wall(now.as_microsecond()), zone.as_ref()).print(out))
}

/// What stands in these job files; in those that the settings name where there are none.
pub(super) fn definitions(
    files: &[PathBuf],
    settings_args: &SettingsArgs,
    handlers: &Arc<Handlers>,
) -> Result<Definitions, Exit> {
    let loaded = load::settings(settings_args)?;
    let files = if files.is_empty() {
        config::expand(&loaded.settings.daemon.jobs, &loaded.directory).map_err(|error| {
            complain(&error.to_string());
            Exit::Config
        })?
    } else {
        files.to_vec()
    };
    let (jobs, report) = load::jobs(&files, &loaded.settings, handlers);
    load::show(&report);
    Ok(jobs.ok_or(Exit::Config)?.definitions)
}

/// The jobs of these names; all where there are none.
pub(super) fn chosen<'a>(
    names: &[String],
    definitions: &'a Definitions,
) -> Result<Vec<&'a Arc<JobSpec>>, Exit> {
    if names.is_empty() {
        return Ok(definitions.jobs.values().collect());
    }
    let find = |name: &String| {
        definitions.jobs.get(name.as_str()).ok_or_else(|| {
            let known = definitions.jobs.keys().map(|name| &**name);
            let hint = match config::nearest(name, known) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => "`twolane next` without a name shows all that have a schedule".to_owned(),
            };
            complain(&format!("there is no job `{name}`\nhint: {hint}"));
            Exit::NotFound
        })
    };
    names.iter().map(find).collect()
}

/// The zone that times are shown in.
pub(super) fn zone(name: &str) -> Result<TimeZone, Exit> {
    let bundled = || TimeZoneDatabase::bundled().get(name);
    jiff::tz::db().get(name).or_else(|_| bundled()).map_err(|_| {
        complain(&format!(
            "there is no time zone `{name}`\nhint: it is a name such as `Europe/Berlin` or `UTC`"
        ));
        Exit::Usage
    })
}

fn line<'a>(coming: &Coming<'a>) -> Line<'a> {
    Line {
        job: coming.job,
        schedule: coming.schedule.to_string(),
        slot: utc(coming.slot),
        begins: utc(coming.begins),
        shown: shown(coming.schedule, coming.slot, None),
        zone: coming.schedule.zone.name(),
        note: note(coming),
    }
}

fn table(coming: &[Coming<'_>], from: Wall, now: Wall, zone: Option<&TimeZone>) -> Table {
    let header = ["WHEN", "JOB", "SCHEDULE", "IN", "NOTE"];
    let mut table = Table::new(&header, &[]);
    let mut rows = Vec::new();
    let last = coming.last().map_or(from, |coming| coming.slot);
    let mut seen: Vec<(&str, &ScheduleSpec)> = Vec::new();
    for coming in coming {
        let what = (&**coming.job, coming.schedule);
        if !seen.contains(&what) {
            seen.push(what);
            for (at, why) in coming.schedule.lost(from, last) {
                rows.push((at, what, notes::why_not(why)));
            }
        }
        rows.push((coming.slot, what, note(coming).unwrap_or_default()));
    }
    rows.sort_by_key(|(at, ..)| *at);
    for (at, (job, schedule), note) in rows {
        table.row([
            shown(schedule, at, zone),
            job.to_owned(),
            schedule.to_string(),
            until(at, now),
            note,
        ]);
    }
    table
}

/// What clocks show at `at`, with their offset: those of `zone`, or those of the schedule.
fn shown(schedule: &ScheduleSpec, at: Wall, zone: Option<&TimeZone>) -> String {
    match zone {
        Some(zone) => {
            let zoned = timestamp(at).to_zoned(zone.clone());
            zoned.strftime(notes::SHOWN).to_string()
        }
        None => notes::shown(schedule, at),
    }
}

fn timestamp(at: Wall) -> Timestamp {
    Timestamp::from_microsecond(at.0).unwrap_or(Timestamp::MAX)
}

fn utc(at: Wall) -> String {
    moments::written(timestamp(at))
}

fn until(at: Wall, now: Wall) -> String {
    let written = utc(at);
    moments::ago(&written, timestamp(now))
}

/// What is peculiar about a slot.
fn note(coming: &Coming<'_>) -> Option<String> {
    let schedule = coming.schedule;
    let mut notes: Vec<String> = notes::of_clock(schedule, coming.slot).into_iter().collect();
    if let Some(blackout) = schedule.blackout_at(coming.slot) {
        notes.push(format!("not run: blackout `{blackout}`"));
    }
    if coming.begins > coming.slot {
        let later = SignedDuration::from_micros(coming.begins.0 - coming.slot.0);
        notes.push(format!("begins {later:#} later (jitter)"));
    }
    (!notes.is_empty()).then(|| notes.join("; "))
}
