//! Tells the service manager how the daemon stands.

use std::fmt::Write as _;

use crate::daemon::Turn;
use crate::daemon::shutdown::Shutdown;
use crate::daemon::supervisor::Phase;
use crate::engine::Engine;
use crate::engine::time::Mono;

/// Of the runs that are running, the status names at most this many.
const NAMED: usize = 3;

impl Turn {
    /// Tells what there is to be told, if anybody wants to know.
    pub(super) fn supervise(&mut self) {
        let phase = match self.shutdown {
            Shutdown::No | Shutdown::Emptying => match &self.reloader {
                Some(reloader) if reloader.reads() => Phase::Reloading,
                Some(_) | None => Phase::Ready,
            },
            Shutdown::Draining { .. } | Shutdown::Stopping { .. } | Shutdown::Leaving => {
                Phase::Leaving
            }
        };
        let now = self.clock.mono();
        let (engine, shutdown) = (&self.engine, self.shutdown);
        let (trouble, rejected) = (self.trouble.as_deref(), self.rejected.as_deref());
        self.supervisor.look(now, phase, || {
            let mut status = counts(engine);
            push_way_down(&mut status, shutdown, now);
            if let Some(trouble) = trouble {
                _ = write!(status, "; {trouble}");
            }
            if let Some(mistake) = rejected {
                _ = write!(status, "; the last reload was rejected: {mistake}");
            }
            status
        });
    }
}

/// What runs, by name where it is few, and how much waits.
fn counts(engine: &Engine) -> String {
    let running = engine.active_count();
    let waiting = engine.live_count() - running;
    let mut text = format!("{running} running");
    let names: Vec<String> = engine
        .active()
        .take(NAMED)
        .map(|view| format!("{} {}", view.job.name, view.run.0))
        .collect();
    if !names.is_empty() {
        let more = if running > NAMED { ", …" } else { "" };
        _ = write!(text, " ({}{more})", names.join(", "));
    }
    _ = write!(text, ", {waiting} waiting");
    text
}

fn push_way_down(status: &mut String, shutdown: Shutdown, now: Mono) {
    _ = match shutdown {
        Shutdown::No => Ok(()),
        Shutdown::Emptying => write!(status, "; leaving when nothing runs any more"),
        Shutdown::Draining { leave_at, .. } => {
            let left = leave_at.since(now).as_secs();
            write!(
                status,
                "; leaving when nothing runs any more, in {left} s at the latest"
            )
        }
        Shutdown::Stopping { .. } => write!(status, "; leaving: what runs is asked to stop"),
        Shutdown::Leaving => write!(status, "; leaving"),
    };
}
