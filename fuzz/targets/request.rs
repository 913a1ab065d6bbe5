//! Any bytes as the body of a request, and as a job that comes along with one: it is understood, or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| twolane::fuzzing::request(body));
