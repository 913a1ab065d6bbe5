//! A job scheduler for one Linux machine with two lanes: jobs that wait run on a tokio runtime, jobs
//! that compute on a rayon pool, and neither hurts the other.

pub mod clock;
pub mod engine;
pub mod executor;
pub mod inbox;
pub mod lanes;
pub mod logging;

pub use executor::{
    BuildError, Context, Handle, Lane, Lanes, LanesBuilder, Policy, Progress, Stopped, TaskError,
};
