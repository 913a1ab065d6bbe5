//! Any bytes as a record of the store.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| twolane::fuzzing::record(input));
