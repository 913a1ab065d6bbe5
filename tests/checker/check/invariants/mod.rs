//! The invariants: each a function of its name, with its statement. What each letter means stands in the module above.

mod attempts;
mod clients;
mod processes;
mod runs;
mod slots;

use super::evidence::Evidence;
use super::report::{At, Expectations};

/// Tells each violation of one invariant.
pub(crate) type Invariant = fn(&Evidence, &Expectations, &mut At<'_>);

/// All of them, by their names.
pub(crate) const ALL: [(&str, Invariant); 11] = [
    ("I1", clients::i1_acknowledged_is_on_record),
    ("I2", runs::i2_one_end_each),
    ("I3", attempts::i3_no_end_is_forgotten_or_made_up),
    ("I4", attempts::i4_no_start_without_its_record),
    ("I5", attempts::i5_each_attempt_starts_once),
    ("I6", attempts::i6_attempts_follow_each_other),
    ("I7", runs::i7_no_more_attempts_than_allowed),
    ("I8", slots::i8_each_slot_once),
    ("I9", runs::i9_the_records_are_whole),
    ("I10", processes::i10_processes_are_what_runs),
    ("I12", clients::i12_each_answer_is_true),
];
