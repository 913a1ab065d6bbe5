//! Child processes: made without forking the daemon, told apart by a mark in their environment, ended
//! with everything they have started. Knows nothing of jobs, runs or lanes.

mod birth;
mod cgroup;
mod code;
mod files;
mod inherited;
mod instance;
mod order;
mod orphans;
mod pipe;
mod proc;
mod shim;
mod spawn;
mod sweep;
mod unrunnable;
mod wait;

pub use cgroup::{Controllers, Group, GroupBounds, Groups, GroupsIn, NoGroups, Starved};
pub use code::forget_code;
pub use files::raise_open_files;
pub use inherited::pass_nothing_on;
pub use instance::{fresh_instance, instance_in};
pub use order::{Bounds, Identity, Manners, Order, StdinFrom};
pub use orphans::Orphans;
pub use pipe::{Reader, Writer, watch};
pub use proc::thread_delayed;
pub use shim::{SHIM, SHIM_FAILED, SHIM_WORD, carry_out, is_entered};
pub use spawn::{Child, SpawnError, spawn};
pub use sweep::{Left, Tree, end_marked};
pub use wait::{Ending, Usage};
