//! What the daemon has: jobs that can be read, a store, and somebody who answers.

use std::sync::Arc;

use serde_json::Value;

use super::Patient;
use super::finding::Finding;
use crate::api::client::{Client, ClientError};
use crate::cli::{load, place};
use crate::config::{self, Jobs, Loaded};
use crate::lanes::Handlers;
use crate::store::{self, StorePlace};

pub(super) fn look(patient: &Patient) -> Vec<Finding> {
    vec![stored(patient), answering(patient)]
}

/// The jobs, and whether all their files can be read.
pub(super) fn jobs(loaded: &Loaded, handlers: &Arc<Handlers>) -> (Option<Jobs>, Finding) {
    let files = match config::expand(&loaded.settings.daemon.jobs, &loaded.directory) {
        Ok(files) => files,
        Err(error) => {
            let found = Finding::wrong("files", error.to_string(), "mend `daemon.jobs`");
            return (None, found);
        }
    };
    let (jobs, report) = load::jobs(&files, &loaded.settings, handlers);
    let found = match (&jobs, report.lines().first()) {
        (None, first) => Finding::wrong(
            "files",
            first.cloned().unwrap_or_default(),
            "twolane check tells every mistake",
        ),
        (Some(jobs), _) if jobs.order.is_empty() => Finding::advice(
            "files",
            format!("no job is defined in {} files", files.len()),
            format!("see {}", loaded.directory.join("jobs.d").display()),
        ),
        (Some(jobs), _) => Finding::fine(
            "files",
            format!("{} jobs in {} files", jobs.order.len(), files.len()),
        ),
    };
    (jobs, found)
}

fn stored(patient: &Patient) -> Finding {
    let db = StorePlace::new(&patient.state).db();
    match db.try_exists() {
        Ok(false) => {
            return Finding::fine(
                "store",
                format!("no store in {} yet", patient.state.display()),
            );
        }
        Err(error) => {
            return Finding::unknown(
                "store",
                format!("{} cannot be looked at: {error}", db.display()),
            );
        }
        Ok(true) => {}
    }
    match store::info(&db) {
        Ok(info) => Finding::fine(
            "store",
            format!(
                "{}: {} runs, {} unfinished, {} MiB",
                db.display(),
                info.runs,
                info.live,
                info.bytes >> 20
            ),
        ),
        Err(error) => Finding::wrong(
            "store",
            error.to_string().lines().next().unwrap_or_default(),
            "twolane store verify says more; restore a backup, or move the directory away to begin anew",
        ),
    }
}

/// Whether a daemon answers, and not only somebody listens.
fn answering(patient: &Patient) -> Finding {
    let usual = || patient.runtime.join(place::SOCKET);
    let socket = patient.socket.clone().unwrap_or_else(usual);
    let place = socket.display();
    match Client::new(&socket).get::<Value>("/status") {
        Ok(_) => Finding::fine("daemon", format!("a daemon answers on {place}")),
        Err(ClientError::Problem(problem)) => Finding::fine(
            "daemon",
            format!("a daemon answers on {place}: {}", problem.detail),
        ),
        Err(ClientError::NoDaemon { source, .. }) => {
            let what = format!("nobody answers on {place}: {source}");
            match &patient.socket {
                Some(_) => Finding::wrong("daemon", what, "name the socket of a daemon that runs"),
                None => {
                    Finding::advice("daemon", what, "systemctl start twolane, or twolane serve")
                }
            }
        }
        Err(ClientError::Broken(why)) => Finding::wrong(
            "daemon",
            format!("what listens on {place} answers as no twolane does: {why}"),
            "see what it is: journalctl -u twolane -e, or ss -xlp",
        ),
    }
}
