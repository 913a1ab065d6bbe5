//! The daemon in numbers, in the text form of OpenMetrics 1.0.

use std::fmt::Write as _;

use super::wire::Status;

/// A family of metrics.
struct Family<'a> {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    samples: Vec<(String, &'a dyn std::fmt::Display)>,
}

type Value<'a> = &'a dyn std::fmt::Display;

fn single<'a>(
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    value: Value<'a>,
) -> Family<'a> {
    let suffix = if kind == "counter" { "_total" } else { "" };
    Family {
        name,
        kind,
        help,
        samples: vec![(suffix.to_owned(), value)],
    }
}

/// The numbers of a status.
pub(super) fn text(status: &Status, served: u64) -> String {
    let draining = u8::from(status.draining);
    let troubled = u8::from(status.trouble.is_some());
    let single_of = [
        (
            "twolane_unfinished_runs",
            "gauge",
            "Runs that are not over.",
            &status.unfinished as Value<'_>,
        ),
        (
            "twolane_unfinished_runs_max",
            "gauge",
            "The bound on them.",
            &status.max_runs,
        ),
        (
            "twolane_jobs",
            "gauge",
            "Jobs that are defined.",
            &status.jobs,
        ),
        (
            "twolane_uncommitted_batches",
            "gauge",
            "Batches of facts that wait for the disk.",
            &status.uncommitted,
        ),
        (
            "twolane_uncommitted_batches_max",
            "gauge",
            "The bound on them.",
            &status.max_uncommitted,
        ),
        (
            "twolane_draining",
            "gauge",
            "Whether nothing starts any more.",
            &draining,
        ),
        (
            "twolane_store_in_trouble",
            "gauge",
            "Whether the store cannot be written.",
            &troubled,
        ),
        (
            "twolane_up_seconds",
            "gauge",
            "How long the daemon has been up.",
            &status.up_seconds,
        ),
        ("twolane_facts", "counter", "Facts so far.", &status.records),
        (
            "twolane_api_requests",
            "counter",
            "Requests that the API has answered.",
            &served,
        ),
    ];
    let mut families = labelled(status);
    families.extend(single_of.map(|(name, kind, help, value)| single(name, kind, help, value)));
    let mut text = String::new();
    for family in families {
        family.write(&mut text);
    }
    text.push_str("# EOF\n");
    text
}

/// The families with a sample for each state or capacity.
fn labelled(status: &Status) -> Vec<Family<'_>> {
    let of_capacities = |value: fn(&super::wire::Capacity) -> &u32| {
        let sample = move |capacity| (labels(capacity), value(capacity) as Value<'_>);
        status.capacities.iter().map(sample).collect::<Vec<_>>()
    };
    let runs = status.runs.iter().map(|(state, count)| {
        let label = format!("{{state=\"{state}\"}}");
        (label, count as Value<'_>)
    });
    let family = |name, help, samples| Family {
        name,
        kind: "gauge",
        help,
        samples,
    };
    vec![
        family(
            "twolane_runs",
            "Runs by state; of those that are over, all that the store still has.",
            runs.collect(),
        ),
        family(
            "twolane_places",
            "Places of lanes, pools and limits.",
            of_capacities(|capacity| &capacity.size),
        ),
        family(
            "twolane_places_used",
            "Places that are taken.",
            of_capacities(|capacity| &capacity.used),
        ),
    ]
}

impl Family<'_> {
    fn write(&self, text: &mut String) {
        let Self {
            name, kind, help, ..
        } = self;
        // Writing to a text cannot fail.
        let _ = writeln!(text, "# TYPE {name} {kind}\n# HELP {name} {help}");
        for (suffix, value) in &self.samples {
            let _ = writeln!(text, "{name}{suffix} {value}");
        }
    }
}

fn labels(capacity: &super::wire::Capacity) -> String {
    format!("{{kind=\"{}\",name=\"{}\"}}", capacity.kind, capacity.name)
}
