//! The engine in virtual time: scripts of inputs with their times, and the facts and actions that
//! they give.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod absence;
mod admission;
mod again;
mod again_parts;
mod alone;
mod announce;
mod arguments;
mod audit;
mod cancel;
mod capacity;
mod crash;
mod define;
mod dependencies;
mod fairness;
mod flow;
mod future;
#[path = "../records/in_force.rs"]
mod in_force;
#[path = "../records/known.rs"]
mod known;
mod pause;
mod placing;
mod random;
mod rates;
mod reload;
mod reserving;
mod retry;
mod script;
mod time;
mod told;
