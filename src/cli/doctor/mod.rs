//! `twolane doctor`: looks at the machine as the daemon needs it, and says what it would change. Changes
//! nothing but a file of a few blocks in the state directory, by which the disk is measured and which is gone
//! again.

mod cgroups;
mod clock;
mod disk;
mod finding;
mod journal;
mod limits;
mod permissions;
mod state;
mod systemd;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::out::Out;
use super::{Exit, SettingsArgs, load, place};
use crate::config::{Jobs, Loaded};
use crate::lanes::Handlers;
use crate::logging::harmless;
use finding::{Finding, Verdict};

/// The command's arguments.
#[derive(Args, Debug)]
#[command(after_help = "\
Run as root, it looks at the daemon of the system; as another user, at one of that user's.
Exit codes: 0 if nothing is wrong (there may be advice), 5 if something is, 3 if the configuration is.")]
pub(super) struct Doctor {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What the checks look at.
struct Patient {
    loaded: Loaded,
    /// The jobs, where their files can be read.
    jobs: Option<Jobs>,
    state: PathBuf,
    runtime: PathBuf,
    /// The socket that is named on the command line.
    socket: Option<PathBuf>,
}

/// A group of checks.
type Group = (&'static str, fn(&Patient) -> Vec<Finding>);

const GROUPS: [Group; 8] = [
    ("systemd", systemd::look),
    ("journal", journal::look),
    ("cgroups", cgroups::look),
    ("limits", limits::look),
    ("disk", disk::look),
    ("clock", clock::look),
    ("permissions", permissions::look),
    ("state", state::look),
];

pub(super) fn run(
    args: &Doctor,
    (settings, socket): (&SettingsArgs, Option<PathBuf>),
    handlers: &Arc<Handlers>,
    out: &mut Out,
) -> Exit {
    let loaded = match load::settings(settings) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    let (read, jobs) = state::jobs(&loaded, handlers);
    let patient = Patient {
        state: place::state_dir(&loaded),
        runtime: place::runtime_dir(&loaded),
        jobs: read,
        socket,
        loaded,
    };
    let mut all: Vec<(&str, Finding)> = vec![("jobs", jobs)];
    for (group, look) in GROUPS {
        all.extend(look(&patient).into_iter().map(|finding| (group, finding)));
    }
    let is_wrong = |finding: &Finding| finding.verdict == Verdict::Wrong;
    let wrong = all.iter().any(|(_, finding)| is_wrong(finding));
    let told = if args.json {
        let checks: Vec<_> = all.iter().map(|(group, one)| one.as_json(group)).collect();
        out.line(format_args!(
            "{}",
            json!({ "ok": !wrong, "checks": checks })
        ))
    } else {
        tell(&all, out)
    };
    if told == Exit::Success && wrong {
        return Exit::System;
    }
    told
}

fn tell(all: &[(&str, Finding)], out: &mut Out) -> Exit {
    let mut before = "";
    for (group, finding) in all {
        let shown = if *group == before { "" } else { group };
        before = group;
        let what = harmless(&finding.what);
        out.line(format_args!(
            "{shown:<12} {:<8} {what}",
            finding.verdict.as_str()
        ));
        if let Some(cure) = &finding.cure {
            out.line(format_args!("{:<12} {:<8} → {}", "", "", harmless(cure)));
        }
    }
    let count = |verdict| {
        let of_it = all.iter().filter(|(_, finding)| finding.verdict == verdict);
        of_it.count()
    };
    out.line(format_args!(
        "{} wrong, {} to improve, {} not seen, {} fine",
        count(Verdict::Wrong),
        count(Verdict::Advice),
        count(Verdict::Unknown),
        count(Verdict::Fine),
    ))
}

/// The trimmed text of a small file of the kernel's.
fn kernel(path: &str) -> Option<String> {
    fs::read_to_string(path)
        .ok()
        .map(|text| text.trim().to_owned())
}

/// The number in such a file.
fn kernel_number(path: &str) -> Option<u64> {
    kernel(path)?.split_whitespace().next()?.parse().ok()
}

/// The directory itself, or the nearest one above that is there.
fn nearest(path: &Path) -> &Path {
    let mut ancestors = path.ancestors();
    let there = ancestors.find(|path| path.is_dir());
    there.unwrap_or_else(|| Path::new("/"))
}
