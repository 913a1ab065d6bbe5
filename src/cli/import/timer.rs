//! Jobs out of timers of systemd.

use std::path::Path;
use std::time::Duration;

use super::draft::{Draft, File, pair};
use super::unit::{Directories, Unit, span};
use super::{calendar, naming, service};
use crate::config::write_duration;

/// Settings that count from an event, with what that is.
const FROM_EVENTS: [(&str, &str); 3] = [
    ("OnBootSec", "the start of the machine"),
    ("OnStartupSec", "the start of systemd"),
    ("OnActiveSec", "the start of the timer"),
];

/// Settings of a timer that are used or told in this file.
const KNOWN: [&str; 10] = [
    "OnCalendar",
    "OnBootSec",
    "OnStartupSec",
    "OnActiveSec",
    "OnUnitActiveSec",
    "OnUnitInactiveSec",
    "Persistent",
    "RandomizedDelaySec",
    "FixedRandomDelay",
    "Unit",
];

/// Settings that say what is so here anyway, or that have no meaning for one job.
const NOTHING_LOST: [&str; 2] = ["RemainAfterElapse", "AccuracySec"];

/// Adds the job of a timer, which is named by its name or its path.
///
/// # Errors
/// What is not there or cannot be read.
pub(super) fn import(
    named: &str,
    directories: &Directories,
    file: &mut File,
) -> Result<(), String> {
    let path = Path::new(named);
    let beside;
    let (name, directories) = match path.file_name().and_then(|name| name.to_str()) {
        Some(name) if named.contains('/') || path.is_file() => {
            beside = directories.beside(path);
            (name.to_owned(), &beside)
        }
        _ => (named.to_owned(), directories),
    };
    let name = match name.rsplit_once('.') {
        Some((_, "timer")) => name,
        Some((stem, "service")) => {
            return Err(format!(
                "`{name}` is no timer\nhint: name the timer that starts it, as in `{stem}.timer`"
            ));
        }
        _ => format!("{name}.timer"),
    };
    if name.contains("@.") {
        let instance = name.replacen("@.", "@home.", 1);
        return Err(format!(
            "`{name}` is a template\nhint: name an instance of it, as in `{instance}`"
        ));
    }
    let timer = Unit::load(&name, directories)?;
    let starts = match timer.get("Timer", "Unit") {
        Some(unit) => unit,
        None => format!("{}.service", timer.stem()),
    };
    if !starts.ends_with(".service") {
        return Err(format!(
            "`{name}` starts `{starts}`, and only services can be made jobs of"
        ));
    }
    let service = Unit::load(&starts, directories)?;
    let mut job = Draft::default();
    let about = service
        .get("Unit", "Description")
        .or_else(|| timer.get("Unit", "Description"));
    job.origin.extend(about);
    let files = timer.files.iter().chain(&service.files);
    job.origin
        .extend(files.map(|path| format!("from {}", path.display())));
    service::fill(&service, &mut job)?;
    when(&timer, &mut job);
    for key in timer.keys("Timer") {
        if !KNOWN.contains(&key) && !NOTHING_LOST.contains(&key) {
            let value = timer.list("Timer", key).join(" ");
            job.note(format!("{key}={value} has no equal"));
        }
    }
    let unfilled = timer.unfilled("Timer").into_iter();
    for letter in unfilled.chain(service.unfilled("Service")) {
        job.note(format!(
            "`%{letter}` stands for something that only systemd fills in"
        ));
    }
    file.add(job, &naming::usable(timer.stem()));
    Ok(())
}

fn when(timer: &Unit, job: &mut Draft) {
    let is_persistent = timer.is_set("Timer", "Persistent");
    let mut manners = Vec::new();
    if is_persistent {
        manners.push(pair("missed", "latest"));
    }
    manners.extend(jitter(timer, job).map(|jitter| pair("jitter", jitter)));
    for text in timer.list("Timer", "OnCalendar") {
        match calendar::schedule(&text) {
            Ok(mut pairs) => {
                pairs.extend(manners.iter().cloned());
                job.schedule(&pairs);
            }
            Err(why) => job.note(format!("OnCalendar={text} is left out: {why}")),
        }
    }
    for key in ["OnUnitActiveSec", "OnUnitInactiveSec"] {
        for text in timer.list("Timer", key) {
            let Some(micros) = span(&text).filter(|micros| *micros >= 1_000_000) else {
                job.note(format!(
                    "{key}={text} is left out: it is no time of a second or more"
                ));
                continue;
            };
            let since = match key {
                "OnUnitActiveSec" => "start",
                _ => "end",
            };
            job.note(format!(
                "{key}={text} counts from the last {since}; `every` counts from the beginning of 1970 in UTC, or from \
                 `from`, and so does not drift"
            ));
            let every = write_duration(Duration::from_micros(micros));
            let mut pairs = vec![pair("every", every)];
            // What counts from the last run has no slots to be made up for.
            pairs.extend(manners.iter().filter(|(key, _)| key == "jitter").cloned());
            job.schedule(&pairs);
        }
    }
    events(timer, job);
    if is_persistent && timer.list("Timer", "OnCalendar").is_empty() {
        job.note("Persistent= means something beside OnCalendar= only");
    }
}

/// What counts from the start of something.
fn events(timer: &Unit, job: &mut Draft) {
    let all = FROM_EVENTS.iter().flat_map(|(key, what)| {
        timer
            .list("Timer", key)
            .into_iter()
            .map(move |text| (*key, *what, text))
    });
    let mut is_first = true;
    for (key, what, text) in all {
        let after = match span(&text) {
            Some(micros) if is_first && !job.has_schedule() => {
                write_duration(Duration::from_micros(micros))
            }
            _ => {
                job.note(format!(
                    "{key}={text}, after {what}, has no equal beside other times; `start = \"boot\"` would be one run more \
                     each time the daemon starts"
                ));
                continue;
            }
        };
        job.set("start", "boot");
        if after != "0s" {
            job.set("delay", after);
        }
        job.note(format!(
            "{key}={text} counts from {what}; this counts from each start of the daemon"
        ));
        is_first = false;
    }
}

fn jitter(timer: &Unit, job: &mut Draft) -> Option<String> {
    const DAY: u64 = 86_400_000_000;
    let text = timer.get("Timer", "RandomizedDelaySec")?;
    let micros = span(&text).filter(|micros| *micros > 0)?;
    if !timer.is_set("Timer", "FixedRandomDelay") {
        job.note(format!(
            "RandomizedDelaySec={text} draws another delay each time; here the job always has the same one (`jitter`)"
        ));
    }
    if micros >= DAY {
        job.note(format!(
            "RandomizedDelaySec={text} is longer than `jitter` can be, which is less than a day"
        ));
    }
    let micros = micros.min(DAY - 1_000_000);
    Some(write_duration(Duration::from_micros(micros)))
}
