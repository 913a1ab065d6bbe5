//! `twolane resume`: what was paused starts again.

use super::ask::Asked;
use super::out::Out;
use super::pause::{self, Pause};
use crate::api::client::Client;

pub(super) fn run(args: &Pause, client: &Client, out: &mut Out) -> Asked {
    pause::ask(args, "/resume", client, out)
}
