//! The tasks whose tables have much to say: their keys, and what is made of them.

pub(super) mod files;
pub(super) mod http;
