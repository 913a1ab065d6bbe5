//! The daemon in numbers: as OpenMetrics 1.0, and in the older text form of Prometheus for those who ask for
//! plain text.

use std::collections::BTreeSet;

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;

use super::shared::Losses;
use super::wire::Status;
use crate::meters::Meters;

/// What is known beside the status.
pub(super) struct Beside<'a> {
    /// What has been counted.
    pub(super) meters: &'a Meters,
    /// Requests that the API has answered.
    pub(super) served: u64,
    /// Requests that wait for the loop.
    pub(super) waiting: usize,
    /// What found no room.
    pub(super) losses: Losses,
}

type Labels<const N: usize> = Family<[(&'static str, String); N], Gauge>;

/// All metrics as OpenMetrics.
pub(super) fn text(status: &Status, beside: &Beside<'_>) -> String {
    let mut text = String::new();
    // Writing to a text cannot fail.
    let _ = encode_registry(&mut text, &of_status(status, beside));
    beside.meters.write(&mut text);
    let _ = encode_eof(&mut text);
    text
}

/// The same in the older form, in which a counter's family has the name of its sample.
pub(super) fn plain(open: &str) -> String {
    let counters: BTreeSet<&str> = open
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut text = String::with_capacity(open.len());
    for line in open.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("UNIT" | "EOF"), ..) => continue,
            (Some("#"), Some(what), Some(name), Some(rest)) if counters.contains(name) => {
                text.push_str(&format!("# {what} {name}_total {rest}"));
            }
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

/// What the status says, and what is known beside it.
fn of_status(status: &Status, beside: &Beside<'_>) -> Registry {
    let mut all = Registry::with_prefix("twolane");
    labelled(&mut all, status);
    gauges(&mut all, status, beside);
    counters(&mut all, status, beside);
    all
}

/// The families with a sample for each state or capacity.
fn labelled(all: &mut Registry, status: &Status) {
    let (runs, places, used) = (Labels::default(), Labels::default(), Labels::default());
    let (paused, left) = (Labels::default(), Labels::default());
    let (unresponsive, replaced) = (Labels::default(), Labels::default());
    for (state, count) in &status.runs {
        let labels = [("state", state.clone())];
        runs.get_or_create(&labels).set(count.cast_signed());
    }
    for capacity in &status.capacities {
        let labels = [
            ("kind", capacity.kind.clone()),
            ("name", capacity.name.clone()),
        ];
        // Of a limit that has only a rate there is no end of places.
        if capacity.size < u32::MAX {
            places.get_or_create(&labels).set(capacity.size.into());
        }
        if let Some(rate) = &capacity.rate {
            left.get_or_create(&labels).set(rate.left.into());
        }
        used.get_or_create(&labels).set(capacity.used.into());
        paused.get_or_create(&labels).set(capacity.paused.into());
        if capacity.kind == "lane" {
            let stuck = unresponsive.get_or_create(&labels);
            stuck.set(capacity.unresponsive.into());
            let given = replaced.get_or_create(&labels);
            given.set(capacity.replaced.into());
        }
    }
    all.register(
        "runs",
        "Runs by state; of those that are over, all that the store still has",
        runs,
    );
    all.register(
        "places",
        "Places of lanes, pools, limits and resources",
        places,
    );
    all.register("places_used", "Places that are taken", used);
    all.register(
        "rate_left",
        "How often a limit with a rate could be taken now",
        left,
    );
    all.register("paused", "Whether nothing starts that needs it", paused);
    all.register(
        "unresponsive_attempts",
        "Attempts that were asked to stop and do not leave their lane",
        unresponsive,
    );
    all.register(
        "places_replaced",
        "Places of unresponsive attempts that are given to others",
        replaced,
    );
}

fn gauges(all: &mut Registry, status: &Status, beside: &Beside<'_>) {
    let gauges: [(&str, &str, u64); 11] = [
        (
            "unfinished_runs",
            "Runs that are not over",
            status.unfinished,
        ),
        ("unfinished_runs_max", "The bound on them", status.max_runs),
        ("jobs", "Jobs that are defined", status.jobs),
        (
            "jobs_absent",
            "Jobs of which no success came within their `expect_within`",
            status.absent,
        ),
        ("backfills", "Backfills that go on", status.backfills),
        (
            "uncommitted_batches",
            "Batches of facts that wait for the disk",
            status.uncommitted,
        ),
        (
            "uncommitted_batches_max",
            "The bound on them",
            status.max_uncommitted,
        ),
        (
            "api_requests_waiting",
            "Requests that wait for the loop",
            beside.waiting as u64,
        ),
        (
            "draining",
            "Whether nothing starts any more",
            status.draining.into(),
        ),
        (
            "store_in_trouble",
            "Whether the store cannot be written",
            status.trouble.is_some().into(),
        ),
        ("pid", "The daemon's process", status.pid.into()),
    ];
    for (name, help, value) in gauges {
        all.register(name, help, ConstGauge::new(value.cast_signed()));
    }
    let up = ConstGauge::new(status.up_seconds);
    all.register("up_seconds", "How long the daemon has been up", up);
}

fn counters(all: &mut Registry, status: &Status, beside: &Beside<'_>) {
    let losses = &beside.losses;
    for (name, help, value) in [
        ("facts", "Facts so far", status.records),
        (
            "api_requests",
            "Requests that the API has answered",
            beside.served,
        ),
        (
            "log_lines_dropped",
            "Lines of the daemon's own log that are missing",
            losses.log_lines,
        ),
        (
            "run_log_lines_dropped",
            "Lines of runs that are missing in their logs because more came than is kept or written",
            losses.run_log_lines,
        ),
    ] {
        all.register(name, help, ConstCounter::new(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_form_names_counters_as_their_samples() {
        let open = "# HELP a_b Some.\n# TYPE a_b counter\n# UNIT a_b seconds\na_b_total{x=\"a_b c\"} 1\n\
                    # HELP g A gauge.\n# TYPE g gauge\ng 2\n# EOF\n";
        let expected = "# HELP a_b_total Some.\n# TYPE a_b_total counter\na_b_total{x=\"a_b c\"} 1\n\
                        # HELP g A gauge.\n# TYPE g gauge\ng 2\n";
        assert_eq!(plain(open), expected);
    }
}
