//! The tables under `schedule`, as the engine has them.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};

use super::diagnostic::{Diagnostic, Report};
use super::names::nearest;
use super::read::{Field, Span, Table};
use super::zones::{Found, Zones};
use crate::engine::schedule::spec::Moment;
use crate::engine::schedule::{
    Blackout, Cron, CronError, Fold, Gap, Missed, MissedPolicy, Overlap, SCHEDULED, ScheduleSpec,
    Trigger,
};
use crate::engine::time::Wall;

/// The keys of which a schedule has exactly one.
const TRIGGERS: [&str; 3] = ["cron", "every", "at"];

/// The schedules of a job; `None` if one of them is wrong, which has been reported.
pub(super) fn schedules(
    report: &mut Report,
    source: usize,
    table: &Table,
    zones: &Zones,
) -> Option<Vec<Arc<ScheduleSpec>>> {
    let mut good = table
        .get("schedule")
        .is_none_or(|field| field.item.is_some());
    good &= parameters(report, source, table);
    let mut schedules = Vec::new();
    let mut seen: BTreeMap<String, Span> = BTreeMap::new();
    for (span, table) in table.tables("schedule") {
        let mut reader = Reader {
            report,
            source,
            table,
            zones,
            good: !table.strange && table.fields.values().all(|field| field.item.is_some()),
        };
        let Some(schedule) = reader.schedule(span) else {
            good = false;
            continue;
        };
        if let Some(first) = seen.get(&schedule.to_string()) {
            let message = "the job has this schedule twice".to_owned();
            report.push(
                Diagnostic::at(source, span.clone(), message)
                    .also(source, first.clone(), "the first one")
                    .hint("take one of them away"),
            );
            good = false;
        }
        seen.insert(schedule.to_string(), span.clone());
        schedules.push(Arc::new(schedule));
    }
    good.then_some(schedules)
}

/// Reports parameters of a job that nobody gives a value when its schedule has it run.
fn parameters(report: &mut Report, source: usize, table: &Table) -> bool {
    let mut good = true;
    if table.tables("schedule").is_empty() {
        return good;
    }
    for (name, (span, param)) in table.named("params") {
        let message = match param.text("type") {
            Some("text" | "any") if name == SCHEDULED => continue,
            Some(_) if name == SCHEDULED => format!("parameter `{name}` is not of type text"),
            Some(_) if param.get("default").is_none() => {
                format!("parameter `{name}` has no default, and the schedule gives it no value")
            }
            _ => continue,
        };
        let hint = if name == SCHEDULED {
            "it is the slot, as in 2026-12-24T18:00:00Z: write `type = \"text\"`"
        } else {
            "give it one, as in `default = 80`"
        };
        report.push(Diagnostic::at(source, span.clone(), message).hint(hint));
        good = false;
    }
    good
}

struct Reader<'a> {
    report: &'a mut Report,
    source: usize,
    table: &'a Table,
    zones: &'a Zones,
    good: bool,
}

impl Reader<'_> {
    fn schedule(&mut self, span: &Span) -> Option<ScheduleSpec> {
        let trigger = self.one_trigger(span);
        let found = self.zone()?;
        let from = self.moment("from", &found);
        let until = self.moment("until", &found);
        let trigger = match trigger? {
            ("cron", field) => Trigger::Cron(self.cron(&field)?),
            ("every", _) => Trigger::Every(self.table.duration("every")?),
            (_, field) => {
                let at = self.moment("at", &found)?;
                self.doubt(&field, &found, at);
                Trigger::At(at)
            }
        };
        let mut schedule = ScheduleSpec::new(trigger, found.zone);
        if let (Some(from), Some(until), Some(field)) = (from, until, self.table.get("until"))
            && until <= from
        {
            let message = "`until` is not after `from`, so there is no slot";
            self.fault(field.value.clone(), message, "exchange the two");
        }
        (schedule.from, schedule.until) = (from, until);
        if let Some(dst) = self.table.table("dst") {
            self.only_of_cron("dst", &schedule);
            schedule.gap = dst.text("gap").and_then(Gap::named).unwrap_or(schedule.gap);
            schedule.fold = dst
                .text("fold")
                .and_then(Fold::named)
                .unwrap_or(schedule.fold);
            self.good &= is_whole(dst);
        }
        schedule.missed = self.missed();
        let overlap = self.table.text("overlap").and_then(Overlap::named);
        schedule.overlap = overlap.unwrap_or_default();
        schedule.jitter = self.table.duration("jitter").unwrap_or_default();
        if let Some(field) = self.table.get("jitter")
            && schedule.jitter.as_secs() >= 86_400
        {
            let message = "`jitter` is a day or more";
            self.fault(field.value.clone(), message, "it has to be less");
        }
        schedule.blackout = self.blackout();
        self.good.then_some(schedule)
    }

    fn fault(&mut self, span: Span, message: impl Into<String>, hint: impl Into<String>) {
        self.report
            .push(Diagnostic::at(self.source, span, message).hint(hint));
        self.good = false;
    }

    /// The one key that says when.
    fn one_trigger(&mut self, span: &Span) -> Option<(&'static str, Field)> {
        let triggers: Vec<(&'static str, Field)> = TRIGGERS
            .into_iter()
            .filter_map(|key| Some((key, self.table.get(key)?.clone())))
            .collect();
        match &triggers[..] {
            [one] => return Some(one.clone()),
            [] if self.table.strange => {}
            [] => self.fault(
                span.clone(),
                "this schedule does not say when",
                "add `cron = \"30 3 * * *\"`, `every = \"90s\"` or `at = 2026-12-24T18:00:00`",
            ),
            [(first, _), (second, field), ..] => {
                let message = format!("this schedule has both `{first}` and `{second}`");
                let hint = "make it two: `schedule` can be a list of tables";
                self.fault(field.key.clone(), message, hint);
            }
        }
        None
    }

    fn zone(&mut self) -> Option<Found> {
        let Some(name) = self.table.text("tz") else {
            return Some(self.zones.local());
        };
        let found = self.zones.get(name);
        if let (None, Some(field)) = (&found, self.table.get("tz")) {
            let names = self.zones.names();
            let hint = match nearest(name, names.iter().map(String::as_str)) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => "it is a name such as `Europe/Berlin`, `America/New_York` or `UTC`".into(),
            };
            let message = format!("there is no time zone `{name}`");
            self.fault(field.value.clone(), message, hint);
        }
        found
    }

    fn cron(&mut self, field: &Field) -> Option<Cron> {
        let text = self.table.text("cron")?;
        match Cron::parse(text) {
            Ok(cron) => Some(cron),
            Err(error) => {
                let span = inside(self.report.text(self.source), &field.value, text, &error);
                let hint = error.hint.clone().unwrap_or_default();
                self.fault(span, error.to_string(), hint);
                None
            }
        }
    }

    fn moment(&mut self, key: &str, found: &Found) -> Option<Wall> {
        let field = self.table.get(key)?;
        let text = self.table.text(key)?;
        let moment = moment(text, found);
        if moment.is_none() {
            let message = format!("`{text}` is no time");
            let hint = format!("write it like `{key} = 2026-12-24T18:00:00`");
            self.fault(field.value.clone(), message, hint);
        }
        moment
    }

    /// Warns where the clocks do not show once what is written: it is one instant of several that could be meant.
    fn doubt(&mut self, field: &Field, found: &Found, at: Wall) {
        let text = self.table.text("at").unwrap_or_default();
        let shown = text.parse::<DateTime>().ok();
        let is_instant = text.parse::<Timestamp>().is_ok();
        let Some((does, how)) = shown
            .filter(|_| !is_instant)
            .and_then(|shown| found.doubt(shown))
        else {
            return;
        };
        let (zone, at) = (found.zone.name(), Moment(at));
        let message = format!("the clocks of {zone} {does} {text}{how}: it is taken for {at}");
        let found = Diagnostic::at(self.source, field.value.clone(), message).warning();
        let hint = format!("write the one that is meant, as in `at = {at}`");
        self.report.push(found.hint(hint));
    }

    fn missed(&mut self) -> Missed {
        let Some(table) = self.table.table("missed") else {
            return Missed::default();
        };
        self.good &= is_whole(table);
        let policy = table.text("policy").and_then(MissedPolicy::named);
        if policy.is_none()
            && is_whole(table)
            && let Some(field) = self.table.get("missed")
        {
            let hint = "write it like `missed = { policy = \"latest\", window = \"12h\" }`";
            self.fault(field.value.clone(), "`missed` lacks `policy`", hint);
        }
        Missed {
            policy: policy.unwrap_or_default(),
            window: table.duration("window"),
            max: table.natural("max").unwrap_or(Missed::USUAL),
        }
    }

    fn blackout(&mut self) -> Vec<Blackout> {
        let mut blackout = Vec::new();
        for (text, span) in self.table.one_or_more("blackout") {
            match Blackout::parse(&text) {
                Ok(window) => blackout.push(window),
                Err(error) => {
                    let hint = format!("write it like {}", Blackout::EXAMPLES);
                    self.fault(span, error.to_string(), hint);
                }
            }
        }
        blackout
    }

    /// Reports a key that has no meaning for what makes the slots.
    fn only_of_cron(&mut self, key: &str, schedule: &ScheduleSpec) {
        let is_cron = matches!(schedule.trigger, Trigger::Cron(_));
        if let (Some(field), false) = (self.table.get(key), is_cron) {
            let message = format!("`{key}` is for expressions of cron");
            let hint = "take it away: other slots are no times of day";
            self.fault(field.key.clone(), message, hint);
        }
    }
}

fn is_whole(table: &Table) -> bool {
    !table.strange && table.fields.values().all(|field| field.item.is_some())
}

/// Where in a file the part of an expression is that is wrong, if the expression stands there as it is.
fn inside(file: &str, value: &Span, text: &str, error: &CronError) -> Span {
    let raw = &file[value.clone()];
    match raw.find(text).filter(|_| !text.is_empty()) {
        Some(at) => {
            let start = value.start + at;
            start + error.span.start..start + error.span.end.max(error.span.start + 1)
        }
        None => value.clone(),
    }
}

/// A date, a civil time of the zone, or an instant with an offset.
fn moment(text: &str, found: &Found) -> Option<Wall> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(Wall(at.as_microsecond()));
    }
    let shown = match text.parse::<Date>() {
        Ok(date) if text.len() == 10 => date.to_datetime(Time::midnight()),
        _ => text.parse::<DateTime>().ok()?,
    };
    found.instant(shown)
}
