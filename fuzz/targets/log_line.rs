//! Any bytes as the file of a run's log: what are lines is read in order, and the rest passed over.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| twolane::fuzzing::run_log(file));
