//! Any text as a job file.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| twolane::fuzzing::jobs(input));
