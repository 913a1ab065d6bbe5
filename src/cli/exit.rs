//! How the program ends: the exit codes, each with its one meaning.

use std::process::ExitCode;

use crate::store::StoreError;

/// What an exit code says. The numbers are part of the interface and never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// 0: everything that was asked for was done.
    Success = 0,
    /// 1: at least one run did not succeed.
    RunFailed = 1,
    /// 2: the command line cannot be understood.
    Usage = 2,
    /// 3: the configuration or a job file is wrong; nothing was started.
    Config = 3,
    /// 4: the daemon left while something still ran.
    Unfinished = 4,
    /// 5: the machine did not give what is needed: a file, a thread, a descriptor, an answer.
    System = 5,
    /// 6: no daemon answers.
    NoDaemon = 6,
    /// 7: the daemon knows no such run, job, lane, pool or limit.
    NotFound = 7,
    /// 8: the daemon said no.
    Refused = 8,
    /// 9: what was waited for has not come in time.
    TimedOut = 9,
    /// 10: the store is damaged, gone, or of another twolane; to try again would not mend it.
    Store = 10,
    /// 130: interrupted by SIGINT, as a shell counts it.
    Interrupted = 130,
    /// 143: ended by SIGTERM or SIGHUP before all was done, as a shell counts it.
    Terminated = 143,
}

impl Exit {
    /// What an error of the store comes to.
    pub(super) const fn of_store(error: &StoreError) -> Self {
        if error.is_lasting() {
            Self::Store
        } else {
            Self::System
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The list of exit codes for `--help`.
pub(super) const HELP: &str = "\
Exit codes:
  0    everything that was asked for was done
  1    at least one run did not succeed
  2    the command line cannot be understood
  3    the configuration or a job file is wrong; nothing was started
  4    the daemon left while something still ran
  5    the machine did not give what is needed: a file, a thread, a descriptor, an answer
  6    no daemon answers
  7    the daemon knows no such run, job, lane, pool or limit
  8    the daemon said no
  9    what was waited for has not come in time
  10   the store is damaged, gone, or of another twolane: to try again would not mend it
  130  interrupted by SIGINT
  143  ended by SIGTERM or SIGHUP before all was done";
