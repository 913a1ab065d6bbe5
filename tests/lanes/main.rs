//! The lanes through their public interface: as the daemon uses them, and as a library.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails, also in its helpers"
)]

mod attempts;
mod commands;
mod desk;
mod ends;
mod files;
mod http;
mod library;
mod panics;
mod pools;
mod shutdown;
mod support;
mod tasks;
mod unresponsive;
#[path = "../waiting/until.rs"]
mod until;
