//! The API: HTTP in, requests to the daemon's loop and looks into the store, JSON out. Never decides.

pub mod wire;
