//! Any bytes as the file of a run's log.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| twolane::fuzzing::log_line(input));
