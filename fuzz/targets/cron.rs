//! Any text as an expression of cron.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| twolane::fuzzing::cron(input));
