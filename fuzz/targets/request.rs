//! Any bytes as the body of a request, and as a job that comes along with one.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| twolane::fuzzing::request(input));
