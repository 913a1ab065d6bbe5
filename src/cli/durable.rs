//! What outlives the daemon: the store, opened and recovered, and the logs of runs.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::mem;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::unistd::{Uid, User};

use super::Exit;
use super::out::complain;
use super::place;
use crate::clock::Clock;
use crate::config::Loaded;
use crate::engine::fact::{Fact, Record};
use crate::engine::id::AttemptId;
use crate::engine::spec::{Definitions, JobSpec};
use crate::engine::{Engine, Recovery};
use crate::lanes::{Begun, Life, MARK};
use crate::process::{Left, end_marked, instance_in};
use crate::runlog::RunLogs;
use crate::store::{Opened, Reader, Retention, SqliteLog, StorePlace};

/// The logs of runs, in the state directory.
pub(super) const LOGS: &str = "logs";

/// The file in the state directory with the name by which the daemon's processes are told.
const INSTANCE: &str = "instance";

/// Looks for processes of an earlier life, each with a fifth of a second for what it finds to end.
const ROUNDS: usize = 25;

/// What was there from before, ready to go on.
pub(super) struct Durable {
    pub(super) directory: PathBuf,
    pub(super) log: SqliteLog,
    pub(super) engine: Engine,
    pub(super) clock: Clock,
    pub(super) run_logs: RunLogs,
    /// By which its processes are told from all others.
    pub(super) instance: String,
    /// The records of the runs that are not over.
    #[cfg(feature = "otlp")]
    pub(super) records: Vec<crate::engine::fact::Record>,
    /// The attempts of runs that are not over, each with the record by which it has started, and its job as it was then.
    starts: BTreeMap<AttemptId, (u64, Arc<JobSpec>)>,
    /// The number of the newest record, and of this daemon among those that had the store.
    newest: u64,
    epoch: u64,
    /// What of an earlier life was still there.
    left: Left,
    is_new: bool,
}

/// Whether the state directory is not another user's: what root leaves there, that user's daemon could not use.
fn own(directory: &Path) -> Result<(), Exit> {
    let owner = std::fs::metadata(directory).map_or(0, |there| there.uid());
    if owner == 0 || !rustix::process::getuid().is_root() {
        return Ok(());
    }
    let user = User::from_uid(Uid::from_raw(owner)).ok().flatten();
    let name = user.map_or_else(|| owner.to_string(), |user| user.name);
    complain(&format!(
        "the state directory {0} belongs to the user `{name}`, whose daemon could not use what root leaves there\n\
         hint: `systemctl start twolane` starts the daemon as that user; one of root's own needs a directory of its \
         own, as with `--set daemon.state_dir=PATH`, or `chown -R root {0}`",
        directory.display()
    ));
    Err(Exit::System)
}

impl Durable {
    /// Opens the store and recovers from it. What is wrong is told here.
    pub(super) fn open(loaded: &Loaded, definitions: &Definitions) -> Result<Self, Exit> {
        // Whatever the daemon makes from here on is its own alone.
        let usual = rustix::process::umask(rustix::fs::Mode::from_bits_truncate(0o077));
        let directory = place::state_dir(loaded);
        own(&directory)?;
        let keep = &loaded.settings.store;
        let retention = Retention {
            max_age: Some(keep.keep_for),
            max_runs: Some(keep.keep_runs),
            max_bytes: Some(keep.keep_bytes),
        };
        let opened = SqliteLog::open(&StorePlace::new(&directory), retention);
        let Opened {
            log,
            recovered,
            epoch,
        } = opened.map_err(|error| {
            complain(&error.to_string());
            Exit::of_store(&error)
        })?;
        let recovery = Recovery {
            next_run: recovered.next_run,
            next_record: recovered.next_record,
            last: recovered.last,
            held: true,
            live_only: true,
        };
        let before = Arc::new(Definitions::empty(definitions.cpu_workers));
        let engine = Engine::recover(before, &recovered.records, recovery).map_err(|broken| {
            complain(&format!(
                "cannot go on from the store in {}: {broken}\nhint: `twolane store verify` says more; \
                 restore a backup, or move the directory away to begin anew",
                directory.display()
            ));
            Exit::Store
        })?;
        let run_logs = RunLogs::start(directory.join(LOGS)).map_err(|error| {
            complain(&format!(
                "cannot start the thread that writes the logs of runs: {error}"
            ));
            Exit::System
        })?;
        forget_logs(&log, &run_logs)?;
        let path = directory.join(INSTANCE);
        let instance = instance_in(&path).map_err(|error| {
            complain(&format!("cannot go on with {}: {error}", path.display()));
            Exit::System
        })?;
        // From here on each file says itself who may read it, and commands make theirs as is usual.
        rustix::process::umask(usual);
        let left = end_marked(&format!("{MARK}={instance}-"), ROUNDS);
        Ok(Self {
            clock: Clock::after(recovered.last),
            is_new: recovered.is_new,
            directory,
            log,
            engine,
            starts: starts(&recovered.records),
            epoch,
            newest: recovered.next_record.saturating_sub(1),
            run_logs,
            instance,
            left,
            #[cfg(feature = "otlp")]
            records: recovered.records,
        })
    }

    /// Somebody who reads the store.
    pub(super) fn reader(&self) -> Reader {
        self.log.reader()
    }

    /// What is to know after a crash which attempts had begun, and those of the last life that had not. To be called
    /// when the daemon has its runtime directory to itself.
    pub(super) fn begun(&mut self, loaded: &Loaded) -> (Option<Arc<Begun>>, BTreeSet<AttemptId>) {
        // Nobody needs them after that.
        let starts = mem::take(&mut self.starts);
        let directory = place::runtime_dir(loaded);
        let life = Life {
            name: &self.instance,
            epoch: self.epoch,
            newest: self.newest,
        };
        let begun = match Begun::open(&directory, life) {
            Ok(begun) => begun,
            Err(error) => {
                tell_unknown(&directory, &error);
                return (None, BTreeSet::new());
            }
        };
        let has_not_begun = |attempt: &AttemptId| {
            let start = starts.get(attempt);
            start.is_some_and(|(number, job)| !begun.may_have(job, *number))
        };
        let active = self.engine.active_orders().map(|order| order.attempt);
        let waited: BTreeSet<AttemptId> = active.filter(has_not_begun).collect();
        if !waited.is_empty() {
            tracing::info!(
                target: "twolane::daemon",
                runs = waited.len(),
                "what was in a lane and had not begun waits again: that the daemon went down does not count for it"
            );
        }
        (Some(Arc::new(begun)), waited)
    }

    /// Logs what was found.
    pub(super) fn tell(&self) {
        if self.is_new {
            tracing::info!(
                target: "twolane::daemon",
                "a new store was made in {}", self.directory.display()
            );
            return;
        }
        let running = self.engine.active_count();
        let waiting = self.engine.live_count() - running;
        tracing::info!(
            target: "twolane::daemon",
            waiting,
            running,
            "going on from the store: what was running is settled first"
        );
        if self.left.ended > 0 {
            tracing::warn!(
                target: "twolane::daemon",
                processes = self.left.ended,
                "processes of commands had outlived the daemon: they were ended before anything starts"
            );
        }
        if !self.left.stubborn.is_empty() {
            tracing::error!(
                target: "twolane::daemon",
                pids = ?self.left.stubborn,
                "processes of commands have outlived the daemon and cannot be ended; their runs are \
                 settled all the same"
            );
        }
    }
}

/// Says that a kill will count for what waits in the lanes.
fn tell_unknown(directory: &Path, error: &io::Error) {
    let directory = directory.display();
    // That is how somebody has set it up, or their system.
    if error.kind() == io::ErrorKind::Unsupported {
        tracing::debug!(
            target: "twolane::daemon",
            "if the daemon is killed, what waits in the lanes counts as begun: {directory} is not in memory (tmpfs)"
        );
    } else {
        tracing::warn!(
            target: "twolane::daemon",
            %error,
            "if the daemon is killed, what waits in the lanes counts as begun, since it cannot be written down in \
             {directory} what has"
        );
    }
}

/// By which record each attempt has started of which nothing on record says that it had begun. Futures are in no lane.
fn starts(records: &[Record]) -> BTreeMap<AttemptId, (u64, Arc<JobSpec>)> {
    let mut starts = BTreeMap::new();
    for record in records {
        if let Fact::Started { run, job, epoch } = &record.fact
            && !job.task.is_future()
        {
            let (run, epoch) = (*run, *epoch);
            starts.insert(AttemptId { run, epoch }, (record.number, Arc::clone(job)));
        } else if let Fact::Began { run, epoch, .. } = record.fact {
            starts.remove(&AttemptId { run, epoch });
        }
    }
    starts
}

/// Has the logs of runs go with the runs. The thread ends with the store.
fn forget_logs(log: &SqliteLog, run_logs: &RunLogs) -> Result<(), Exit> {
    let (removed, mut ear) = (log.removed(), run_logs.ear());
    let spawned = std::thread::Builder::new()
        .name("retention".to_owned())
        .spawn(move || {
            for run in removed.iter().flatten() {
                ear.gone(run);
            }
        });
    spawned.map(drop).map_err(|error| {
        complain(&format!(
            "cannot start the thread that removes old logs: {error}"
        ));
        Exit::System
    })
}
