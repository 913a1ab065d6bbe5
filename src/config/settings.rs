//! The daemon's settings as values. What each means and may be is in `keys`, which also has the
//! defaults.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

use super::duration;

/// All settings.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The daemon.
    pub daemon: DaemonSettings,
    /// The two lanes.
    pub lanes: LanesSettings,
    /// Runs that wait.
    pub queue: QueueSettings,
    /// What is kept of runs that are over.
    pub store: StoreSettings,
    /// How others reach the daemon.
    pub api: ApiSettings,
    /// The log.
    pub log: LogSettings,
}

/// Settings of the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DaemonSettings {
    /// Patterns of job files; relative ones are taken from the directory of the settings file.
    pub jobs: Vec<String>,
    /// Where the store is and the logs of runs; `auto` leaves it to the surroundings.
    pub state_dir: String,
    /// Where the socket is, and what is to outlive the daemon but not the machine; `auto` leaves it to the surroundings.
    pub runtime_dir: String,
    /// The control group that commands get parts of: `auto`, `off`, or a directory.
    pub cgroup: String,
    /// How long, all in all, what runs is waited for at the end.
    #[serde(deserialize_with = "written")]
    pub drain_timeout: Duration,
}

/// Settings of the lanes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LanesSettings {
    /// The lane for what waits.
    pub io: IoSettings,
    /// The lane for what computes.
    pub cpu: CpuSettings,
}

/// Settings of the io lane.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IoSettings {
    /// Attempts at once; 1 or more.
    pub concurrency: u32,
    /// Threads; 0 for one a core.
    pub threads: u32,
}

/// Settings of the cpu lane.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CpuSettings {
    /// Threads, and with that attempts at once; 0 for one a core.
    pub workers: u32,
    /// Added to the nice value of its threads; 0 to 19.
    pub nice: u8,
    /// The scheduling policy of its threads.
    pub policy: CpuPolicy,
}

/// A scheduling policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CpuPolicy {
    /// Like any other thread.
    Normal,
    /// Never interrupts another thread on waking up.
    Batch,
    /// Next to nothing while anybody else wants the processor.
    Idle,
}

/// Settings of what waits.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueSettings {
    /// A waiting run gains one level of priority each time this long has passed.
    #[serde(deserialize_with = "written")]
    pub aging: Duration,
    /// The most unfinished runs.
    pub max_runs: u64,
}

/// Settings of the store.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreSettings {
    /// How long a run is kept after it is over.
    #[serde(deserialize_with = "written")]
    pub keep_for: Duration,
    /// How many runs are kept that are over.
    pub keep_runs: u64,
    /// How large the store may grow by them, in bytes.
    pub keep_bytes: u64,
}

/// Settings of the API.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiSettings {
    /// A loopback address, or `off`.
    pub tcp: String,
    /// Tokens beside the one of the state directory, each as `NAME:ROLE`.
    pub tokens: Vec<String>,
    /// Who may do what.
    pub roles: RolesSettings,
}

/// Who may do what: `user:NAME`, `group:NAME`, `NAME` or `*`. All empty: whoever can connect may do everything.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RolesSettings {
    /// Who may look.
    pub read: Vec<String>,
    /// Who may look and ask for runs of defined jobs.
    pub submit: Vec<String>,
    /// Who may do everything.
    pub control: Vec<String>,
    /// What those may who have the token.
    pub token: ApiRole,
}

impl RolesSettings {
    /// Whether nobody is given a role, so that whoever can connect may do everything.
    #[must_use]
    pub const fn gives_nothing(&self) -> bool {
        self.read.is_empty() && self.submit.is_empty() && self.control.is_empty()
    }
}

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApiRole {
    /// Look.
    Read,
    /// Ask for runs of defined jobs, too.
    Submit,
    /// Everything.
    Control,
}

/// Settings of the log.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    /// Its form.
    pub format: LogFormat,
    /// What is logged, in the syntax of `TWOLANE_LOG`.
    pub level: String,
}

/// A form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For the journal of systemd.
    Journal,
}

fn written<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    duration::parse(&text).map_err(de::Error::custom)
}
