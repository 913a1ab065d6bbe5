//! What a reload would change, in words: the names, and of schedules that differ what comes next before and
//! after.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::config::diff;
use crate::engine::schedule::ScheduleSpec;
use crate::engine::schedule::spec::Moment;
use crate::engine::schedule::upcoming::Upcoming;
use crate::engine::spec::{Definitions, Name};
use crate::engine::time::Wall;

/// How many slots of a job are shown.
const SHOWN: usize = 3;

/// Lines for people.
pub(super) fn preview(old: &Definitions, new: &Definitions, now: Wall) -> Vec<String> {
    let changes = diff(old, new);
    if changes.is_empty() && old == new {
        return vec!["nothing would change".to_owned()];
    }
    let mut lines = vec![format!("would change: {changes}")];
    let names: BTreeSet<&Name> = old.jobs.keys().chain(new.jobs.keys()).collect();
    for name in names {
        let (before, after) = (next(old, name, now), next(new, name, now));
        if schedules(old, name) != schedules(new, name) {
            lines.push(format!("job `{name}` comes next {before}; then {after}"));
        }
    }
    lines
}

/// The schedules of a job, with their manners and the rules of their zones.
fn schedules<'a>(definitions: &'a Definitions, name: &Name) -> &'a [Arc<ScheduleSpec>] {
    let job = definitions.jobs.get(name);
    job.map_or(&[], |job| &job.schedules)
}

fn next(definitions: &Definitions, name: &Name, now: Wall) -> String {
    let coming = Upcoming::after(definitions.jobs.get(name), now).take(SHOWN);
    let times: Vec<String> = coming.map(|c| Moment(c.begins).to_string()).collect();
    if times.is_empty() {
        "never".to_owned()
    } else {
        times.join(", ")
    }
}
