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

/// The numbers of a status.
pub(super) fn text(status: &Status, served: u64) -> String {
    let gauge = |name, help, value| Family {
        name,
        kind: "gauge",
        help,
        samples: vec![(String::new(), value)],
    };
    let draining = u8::from(status.draining);
    let troubled = u8::from(status.trouble.is_some());
    let of_capacities = |value: fn(&super::wire::Capacity) -> &u32| {
        let sample = move |capacity| (labels(capacity), value(capacity) as &dyn std::fmt::Display);
        status.capacities.iter().map(sample).collect::<Vec<_>>()
    };
    let runs = status.runs.iter().map(|(state, count)| {
        let label = format!("{{state=\"{state}\"}}");
        (label, count as &dyn std::fmt::Display)
    });
    let families = [
        Family {
            name: "twolane_runs",
            kind: "gauge",
            help: "Runs by state; of those that are over, all that the store still has.",
            samples: runs.collect(),
        },
        gauge(
            "twolane_unfinished_runs",
            "Runs that are not over.",
            &status.unfinished,
        ),
        gauge(
            "twolane_unfinished_runs_max",
            "The bound on them.",
            &status.max_runs,
        ),
        Family {
            name: "twolane_places",
            kind: "gauge",
            help: "Places of lanes, pools and limits.",
            samples: of_capacities(|capacity| &capacity.size),
        },
        Family {
            name: "twolane_places_used",
            kind: "gauge",
            help: "Places that are taken.",
            samples: of_capacities(|capacity| &capacity.used),
        },
        gauge("twolane_jobs", "Jobs that are defined.", &status.jobs),
        gauge(
            "twolane_uncommitted_batches",
            "Batches of facts that wait for the disk.",
            &status.uncommitted,
        ),
        gauge(
            "twolane_uncommitted_batches_max",
            "The bound on them.",
            &status.max_uncommitted,
        ),
        gauge(
            "twolane_draining",
            "Whether nothing starts any more.",
            &draining,
        ),
        gauge(
            "twolane_store_in_trouble",
            "Whether the store cannot be written.",
            &troubled,
        ),
        gauge(
            "twolane_up_seconds",
            "How long the daemon has been up.",
            &status.up_seconds,
        ),
        Family {
            name: "twolane_facts",
            kind: "counter",
            help: "Facts so far.",
            samples: vec![("_total".to_owned(), &status.records)],
        },
        Family {
            name: "twolane_api_requests",
            kind: "counter",
            help: "Requests that the API has answered.",
            samples: vec![("_total".to_owned(), &served)],
        },
    ];
    let mut text = String::new();
    for family in families {
        let Family {
            name,
            kind,
            help,
            samples,
        } = family;
        // Writing to a text cannot fail.
        let _ = writeln!(text, "# TYPE {name} {kind}\n# HELP {name} {help}");
        for (suffix, value) in samples {
            let _ = writeln!(text, "{name}{suffix} {value}");
        }
    }
    text.push_str("# EOF\n");
    text
}

fn labels(capacity: &super::wire::Capacity) -> String {
    format!("{{kind=\"{}\",name=\"{}\"}}", capacity.kind, capacity.name)
}
