//! A job scheduler for one Linux machine with two lanes: jobs that wait run on a tokio runtime, jobs
//! that compute on a rayon pool, and neither hurts the other.

pub mod clock;
pub mod engine;
pub mod inbox;
pub mod logging;
