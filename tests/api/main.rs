//! The API of the real daemon, request by request, over its socket and its loopback address.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod audit;
mod crash;
mod daemon;
mod graphs;
mod guard;
mod metrics;
mod oversized;
mod past;
mod requests;
mod roles;
mod secrets;
mod send;
mod standing;
mod streams;
