//! Reading the configuration again, off the loop: the loop never waits for the disk.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::preview::preview;
use crate::engine::By;
use crate::engine::spec::Definitions;
use crate::engine::time::Wall;
use crate::inbox::{Reply, Told};

/// Reads and checks the configuration anew.
pub type Reader = Arc<dyn Fn(Purpose) -> Result<Reread, Rejected> + Send + Sync>;

/// What the configuration is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be put in force.
    Force,
    /// To see what would change.
    Preview,
}

/// A configuration that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the configuration has {} mistakes", .mistakes.len())]
pub struct Rejected {
    /// What is wrong with it, a line each, with its place and cure.
    pub mistakes: Vec<String>,
}

type Outcome = Result<Reread, Rejected>;

/// A configuration that was read anew and found valid.
#[derive(Clone, Debug)]
pub struct Reread {
    /// What is in force from here on.
    pub definitions: Definitions,
    /// What else there is to say of it, a line each.
    pub warnings: Vec<String>,
}

/// Reads on request, one reading at a time.
pub(super) struct Reloader {
    reader: Reader,
    /// Whether one is being read.
    busy: bool,
    /// Whether another request came meanwhile; what is being read may be older than that.
    again: bool,
    /// Who is told of what is being read, and who of what is read after that.
    waiting: Vec<Reply>,
    next: Vec<Reply>,
    /// Who asked first for what is being read, and for what is read after that.
    asked_by: Option<By>,
    next_by: Option<By>,
    results: (Sender<Outcome>, Receiver<Outcome>),
}

impl Reloader {
    pub(super) fn new(reader: Reader) -> Self {
        Self {
            reader,
            busy: false,
            again: false,
            waiting: Vec::new(),
            next: Vec::new(),
            asked_by: None,
            next_by: None,
            results: bounded(1),
        }
    }

    /// Where results arrive. Each is to be reported to `finished`.
    pub(super) fn results(&self) -> Receiver<Outcome> {
        self.results.1.clone()
    }

    /// Begins to read, or notes that it is to be done again; `reply` is told of the result.
    pub(super) fn request(&mut self, by: Option<By>, reply: Option<Reply>) {
        if self.busy {
            self.again = true;
            self.next_by = self.next_by.take().or(by);
            self.next.extend(reply);
            return;
        }
        tracing::info!(target: "twolane::daemon", "reading the configuration again");
        self.waiting.extend(reply);
        self.asked_by = by;
        let (reader, sender) = (Arc::clone(&self.reader), self.results.0.clone());
        let spawned = std::thread::Builder::new()
            .name("reload".to_owned())
            .spawn(move || {
                let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    reader(Purpose::Force)
                }));
                let bug = "reading the configuration panicked; this is a bug".to_owned();
                let _ = sender.try_send(result.unwrap_or_else(|_| Err(rejected(bug))));
            });
        // Either way one result is on its way, and there is a place for one.
        self.busy = true;
        if let Err(error) = spawned {
            let why = format!("cannot start a thread to read the configuration: {error}");
            let _ = self.results.0.try_send(Err(rejected(why)));
        }
    }

    /// Tells what a reload would change, from a thread of its own: nothing of the daemon waits for it.
    pub(super) fn preview(&self, old: Arc<Definitions>, now: Wall, reply: Reply) {
        let reader = Arc::clone(&self.reader);
        let spawned = std::thread::Builder::new()
            .name("preview".to_owned())
            .spawn(move || {
                let lines = match reader(Purpose::Preview) {
                    Ok(reread) => {
                        let mut lines = preview(&old, &reread.definitions, now);
                        lines.extend(reread.warnings);
                        Ok(lines)
                    }
                    Err(rejected) => Err(rejected.mistakes),
                };
                reply(Told::Reloaded(lines));
            });
        if let Err(error) = spawned {
            // The one who asks is told by the reply that is gone.
            tracing::warn!(
                target: "twolane::daemon",
                "cannot start a thread to read the configuration: {error}"
            );
        }
    }

    /// Whether the configuration is being read, or is about to be.
    pub(super) const fn reads(&self) -> bool {
        self.busy || self.again
    }

    /// Who asked for what was read last.
    pub(super) fn asked_by(&self) -> Option<By> {
        self.asked_by.clone()
    }

    /// A result has been taken in.
    pub(super) const fn read(&mut self) {
        self.busy = false;
    }

    /// This is what came of what was read.
    pub(super) fn finished(&mut self, lines: &Result<Vec<String>, Vec<String>>) {
        for reply in std::mem::take(&mut self.waiting) {
            reply(Told::Reloaded(lines.clone()));
        }
        if std::mem::take(&mut self.again) {
            self.waiting = std::mem::take(&mut self.next);
            let by = self.next_by.take();
            self.request(by, None);
        }
    }
}

fn rejected(mistake: String) -> Rejected {
    Rejected {
        mistakes: vec![mistake],
    }
}
