//! Whether systemd runs the machine, and how the daemon's unit stands.

use std::collections::BTreeMap;

use super::Patient;
use super::finding::Finding;
use crate::cli::printed::printed;

/// The oldest version for which the unit is right.
const NEEDED: u32 = 252;

pub(super) fn look(_: &Patient) -> Vec<Finding> {
    if !sd_notify::booted().unwrap_or(false) {
        return vec![Finding::unknown(
            "booted",
            "systemd does not run this machine: the daemon is started in another way",
        )];
    }
    let mut found = vec![version()];
    let properties = "LoadState,ActiveState,SubState,Type,NRestarts,Result,UnitFileState,\
                      NeedDaemonReload,Delegate,StatusText";
    match printed("systemctl", &["show", "twolane.service", "-p", properties]) {
        Some(text) => unit(&parsed(&text), &mut found),
        None => found.push(Finding::unknown("unit", "systemctl does not answer")),
    }
    found
}

fn version() -> Finding {
    // `systemd 257 (257.13-1~deb13u1)` is the first line.
    let text = printed("systemctl", &["--version"]).unwrap_or_default();
    let number = text
        .split_whitespace()
        .nth(1)
        .and_then(|word| word.parse::<u32>().ok());
    match number {
        None => Finding::unknown("version", "systemd does not say its version"),
        Some(version) if version < NEEDED => Finding::wrong(
            "version",
            format!("systemd {version} is older than the unit is made for"),
            format!("use systemd {NEEDED} or later"),
        ),
        Some(version) => Finding::fine("version", format!("systemd {version}")),
    }
}

fn parsed(text: &str) -> BTreeMap<&str, &str> {
    text.lines()
        .filter_map(|line| line.split_once('='))
        .collect()
}

/// Whether it runs.
fn active(unit: &BTreeMap<&str, &str>) -> Finding {
    let is = |name| unit.get(name).copied().unwrap_or_default();
    let state = format!(
        "twolane.service is {} ({})",
        is("ActiveState"),
        is("SubState")
    );
    match is("ActiveState") {
        "active" | "reloading" => Finding::fine("state", format!("{state}: {}", is("StatusText"))),
        "failed" => Finding::wrong(
            "state",
            format!("{state}: {}", is("Result")),
            "see why: journalctl -u twolane -e",
        ),
        // It comes and goes.
        "activating" if is("SubState").starts_with("auto-restart") => Finding::wrong(
            "state",
            format!(
                "{state}: it has failed, and is started anew: {}",
                is("Result")
            ),
            "see why: journalctl -u twolane -e",
        ),
        "activating" => Finding::advice(
            "state",
            format!("{state}: it is not ready yet"),
            "wait, or see what it does: journalctl -u twolane -f",
        ),
        _ => Finding::advice("state", state, "systemctl start twolane"),
    }
}

fn unit(unit: &BTreeMap<&str, &str>, found: &mut Vec<Finding>) {
    let is = |name| unit.get(name).copied().unwrap_or_default();
    if is("LoadState") != "loaded" {
        found.push(Finding::advice(
            "unit",
            format!("twolane.service is {}", is("LoadState")),
            "install the package, or systemd/twolane.service of the project",
        ));
        return;
    }
    found.push(active(unit));
    if is("NeedDaemonReload") == "yes" {
        found.push(Finding::advice(
            "changed",
            "the unit's files have changed since systemd read them",
            "systemctl daemon-reload && systemctl restart twolane",
        ));
    }
    if is("UnitFileState") == "disabled" {
        found.push(Finding::advice(
            "enabled",
            "it does not start at boot",
            "systemctl enable twolane",
        ));
    }
    if is("Type") != "notify" {
        found.push(Finding::advice(
            "type",
            format!("Type={} does not tell when it is ready", is("Type")),
            "Type=notify",
        ));
    }
    if is("Delegate") != "yes" {
        found.push(Finding::advice(
            "delegate",
            "the unit has no control groups of its own for jobs",
            "Delegate=yes",
        ));
    }
    if is("NRestarts")
        .parse::<u64>()
        .is_ok_and(|restarts| restarts > 0)
    {
        found.push(Finding::advice(
            "restarts",
            format!("systemd has started it anew {} times", is("NRestarts")),
            "see why: journalctl -u twolane -p warning",
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn a_unit_is_judged_by_its_properties() {
        let good = "LoadState=loaded\nActiveState=active\nSubState=running\nType=notify\nNRestarts=0\n\
                    UnitFileState=enabled\nNeedDaemonReload=no\nDelegate=yes\nStatusText=0 running";
        type Expected = [(&'static str, Verdict)];
        let cases: [(&str, &str, &Expected); 8] = [
            ("", "", &[("state", Verdict::Fine)]),
            ("=loaded", "=not-found", &[("unit", Verdict::Advice)]),
            ("=active", "=failed", &[("state", Verdict::Wrong)]),
            ("=active", "=inactive", &[("state", Verdict::Advice)]),
            ("=active", "=activating", &[("state", Verdict::Advice)]),
            (
                "=active\nSubState=running",
                "=activating\nSubState=auto-restart",
                &[("state", Verdict::Wrong)],
            ),
            (
                "NRestarts=0",
                "NRestarts=3",
                &[("state", Verdict::Fine), ("restarts", Verdict::Advice)],
            ),
            (
                "Type=notify",
                "Type=exec",
                &[("state", Verdict::Fine), ("type", Verdict::Advice)],
            ),
        ];
        for (from, to, expected) in cases {
            let text = good.replace(from, to);
            let mut found = Vec::new();
            unit(
                &parsed(if from.is_empty() { good } else { &text }),
                &mut found,
            );
            let found: Vec<_> = found.iter().map(|one| (one.name, one.verdict)).collect();
            assert_eq!(found, expected, "{to}");
        }
    }
}
