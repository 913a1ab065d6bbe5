//! What is only said of runs that hang together.

use std::sync::Arc;

use serde_json::json;

use crate::engine::fact::{Fact, FinalState};
use crate::engine::flow::{Over, PartEnd, Parts, Ties};
use crate::engine::id::RunId;
use crate::engine::outcome::{SkipReason, StopReason};
use crate::engine::spec::{JobSpec, Priority};

/// What is only said of runs that hang together.
pub(super) fn of_graphs(job: &Arc<JobSpec>) -> Vec<Fact> {
    let job = || Arc::clone(job);
    let parts = Parts {
        ends: vec![
            PartEnd::default(),
            PartEnd {
                over: Some(Over::Succeeded),
                result: json!(7),
            },
        ],
        first: RunId(9),
    };
    vec![
        Fact::Accepted {
            run: RunId(6),
            job: job(),
            priority: Priority::default(),
            args: None,
            after: Box::default(),
            ties: Ties {
                graph: Some(RunId(1)),
                part_of: Some(RunId(2)),
                replaces: Some(RunId(3)),
                cause: Some(RunId(4)),
            },
            due: None,
            key: None,
            slot: None,
        },
        Fact::Met {
            run: RunId(6),
            job: job(),
            by: RunId(3),
            over: Over::Skipped,
            given: serde_json::Map::from_iter([("file".to_owned(), json!("a.png"))]),
        },
        Fact::Spread {
            run: RunId(6),
            job: job(),
            first: RunId(9),
            count: 2,
        },
        Fact::Gathered {
            run: RunId(6),
            job: job(),
            state: FinalState::Succeeded,
            result: Some(Arc::new(json!([1, 2]))),
        },
        Fact::Retried {
            run: RunId(6),
            job: job(),
            priority: Priority::default(),
            args: None,
            epoch: 3,
            after: [RunId(9)].into(),
            ties: Ties {
                graph: Some(RunId(1)),
                ..Ties::default()
            },
            parts: Some(Box::new(parts)),
        },
    ]
}

/// Why runs that hang together, or that are to be alone, end before they begin.
pub(super) fn of_runs_left_out(job: &Arc<JobSpec>) -> Vec<Fact> {
    let cancelled = |reason| Fact::Cancelled {
        run: RunId(6),
        job: Arc::clone(job),
        reason,
    };
    vec![
        cancelled(StopReason::Request),
        cancelled(StopReason::Replaced(Some(RunId(7)))),
        cancelled(StopReason::Replaced(None)),
        Fact::Skipped {
            run: RunId(6),
            job: Arc::clone(job),
            reason: SkipReason::Duplicate(RunId(7)),
        },
    ]
}
