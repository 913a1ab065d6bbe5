//! What the target `record` under `fuzz/` throws at the form of records.

use std::sync::Arc;

use super::codec::Wire;
use crate::engine::id::RunId;
use crate::engine::spec::JobSpec;

/// Reads any bytes as a record, with `job` for each number of one; what is a record comes back as it is when it
/// is written again.
pub fn record(payload: &[u8], job: &Arc<JobSpec>) {
    let Ok(wire) = serde_json::from_slice::<Wire>(payload) else {
        return;
    };
    let written = |wire: &Wire| serde_json::to_string(wire).unwrap_or_default();
    let first = written(&wire);
    let _numbers = (wire.specs(), wire.stands_for());
    for run in [None, Some(RunId(7))] {
        let read: Wire = serde_json::from_str(&first).expect("what was written can be read");
        let lookup = |_| Ok::<_, ()>(Arc::clone(job));
        if let Ok(fact) = read.into_fact(run, lookup) {
            let again = Wire::of(&fact, |_| Ok::<_, ()>(1)).expect("each job has a number");
            let text = written(&again);
            let third: Wire = serde_json::from_str(&text).expect("what was written can be read");
            assert_eq!(written(&third), text);
        }
    }
}
