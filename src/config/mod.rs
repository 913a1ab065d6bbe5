//! Settings and job files, from text to what the engine decides on. What leaves this place is valid;
//! what is wrong is told all at once, each mistake with its place and its cure.
//!
//! Three passes: `read` takes TOML with spans through a table of keys (`keys`), which is also what the
//! JSON Schema is made of; `jobs` makes each table a job; `check` looks across files.

mod check;
mod command;
mod diagnostic;
mod diff;
mod duration;
mod files;
mod flow;
mod job;
mod jobs;
mod keys;
mod layers;
mod machine;
mod names;
mod pipes;
mod read;
mod schedule;
pub mod schema;
mod secrets;
mod settings;
mod tasks;
mod unfilled;
mod zones;

pub use diagnostic::{Diagnostic, Place, Report, Severity, Source};
pub use diff::{Diff, diff};
pub use duration::{parse as parse_duration, write as write_duration};
pub use files::{PatternError, expand, starter};
pub use jobs::{JobContext, Jobs, load_jobs, read_jobs};
pub use layers::{Loaded, Origin, Shown, Sources, load_settings};
pub use machine::Machine;
pub use names::nearest;
pub use settings::{
    ApiRole, CpuPolicy, CpuSettings, DaemonSettings, IoSettings, LanesSettings, LogFormat,
    LogSettings, QueueSettings, RolesSettings, Settings,
};
pub use zones::zone;
