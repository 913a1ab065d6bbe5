//! Any bytes as a record of the store: it is damage, or a fact that is written as the same bytes again.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|payload: &[u8]| twolane::fuzzing::record(payload));
