//! The real binary, as people use it: real files, real processes, real signals.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod archive;
mod backfill;
mod commands;
mod demo;
mod examples;
mod files;
mod graph;
mod helper;
mod http;
mod import;
mod package;
mod run;
mod schedule;
mod serve;
mod support;
#[path = "../waiting/until.rs"]
mod until;
mod words;
mod zones;
