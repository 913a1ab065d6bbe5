//! The API: HTTP in, requests to the daemon's loop and looks into the store, JSON out. Never decides.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "an answer of any other kind than the one asked for is a bug, and told as such"
)]

mod backfill;
pub mod client;
mod daemon;
mod follow;
mod looks;
mod metrics;
mod object;
mod openapi;
pub mod past;
mod peers;
mod problem;
mod refusals;
mod rest;
mod roles;
mod routes;
mod runs;
mod server;
mod shared;
mod socket;
mod standing;
mod submit;
mod tcp;
mod view;
pub mod wire;

use axum::extract::rejection::JsonRejection;

use problem::Problem;
pub use roles::{Nobody, Role, Roles};
pub use server::Server;
pub use shared::{AdHoc, AdHocSchema, Losses, Parts};
pub use socket::{Socket, SocketError};
pub use tcp::{Tcp, Token};

#[cfg(any(fuzzing, test))]
pub use submit::fuzz;

/// A body that is not what it has to be.
fn rejected(why: &JsonRejection) -> Problem {
    let text = why.body_text();
    match why {
        JsonRejection::JsonDataError(_) => Problem::unprocessable(text),
        JsonRejection::JsonSyntaxError(_) => Problem::bad(text),
        other => {
            let status = other.status();
            Problem::new(status, "bad-body", text)
        }
    }
}
