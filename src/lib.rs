//! A job scheduler for one Linux machine with two lanes: jobs that wait run on a tokio runtime, jobs
//! that compute on a rayon pool, and neither hurts the other.
//!
//! - [`Lanes`] is the library: both lanes inside any program.
//! - [`App`] is the `twolane` program, with Rust functions of one's own for the task `call`.
//!
//! How the parts fit together is told in `docs/ARCHITECTURE.md`.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[macro_use]
mod bugs;

pub mod engine;

pub mod clock;
pub mod inbox;

pub mod config;
pub mod lanes;
pub mod logging;
pub mod meters;
#[cfg(feature = "otlp")]
pub mod otlp;
pub mod process;
pub mod runlog;
pub mod store;

pub mod executor;

pub mod api;
pub mod daemon;

pub mod cli;

#[cfg(any(fuzzing, test))]
pub mod fuzzing;

mod sync;

pub use cli::App;
pub use executor::{
    BuildError, Context, Handle, Lane, Lanes, LanesBuilder, Policy, Progress, Stopped, TaskError,
};
pub use lanes::{HandlerError, Handlers};
