//! A job between its first step, which a thread takes that may stand still, and the runtime, which carries it
//! from there. Knows neither of the two.

use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};

use super::lock;
use crate::sync::Mutex;

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Whoever carries jobs to their ends.
pub(crate) trait Carry: Send + Sync {
    /// Carries this one. Never blocks.
    fn carry(&self, job: Job);
}

/// For who waits for his turn: cuts that short.
#[derive(Default)]
pub(crate) struct Haste(Mutex<Hurry>);

#[derive(Default)]
struct Hurry {
    made: bool,
    waits: Weak<Beginning>,
}

impl Haste {
    /// From here on it waits for no turn.
    pub(crate) fn make(&self) {
        let waits = {
            let mut hurry = lock(&self.0);
            hurry.made = true;
            mem::take(&mut hurry.waits)
        };
        if let Some(waits) = waits.upgrade() {
            waits.go_on();
        }
    }

    /// It waits for its turn from here on; false if it is not to.
    pub(crate) fn waits(&self, beginning: &Arc<Beginning>) -> bool {
        let mut hurry = lock(&self.0);
        hurry.waits = Arc::downgrade(beginning);
        !hurry.made
    }
}

/// The job. It is its own waker: who wakes it has it carried on.
pub(crate) struct Beginning {
    by: Arc<dyn Carry>,
    stage: Mutex<Stage>,
}

enum Stage {
    /// For its turn, or for something to come of what it has begun.
    Waits(Job),
    /// It takes its first step.
    Steps,
    /// It does, and was woken meanwhile.
    Woken,
    /// It is over, or is carried on.
    Gone,
}

impl Beginning {
    pub(crate) fn of(job: Job, by: Arc<dyn Carry>) -> Arc<Self> {
        let stage = Mutex::new(Stage::Waits(job));
        Arc::new(Self { by, stage })
    }

    /// Takes the first step, unless it is carried on without that.
    pub(crate) fn begin(self: Arc<Self>) {
        let mut stage = lock(&self.stage);
        let Stage::Waits(mut job) = mem::replace(&mut *stage, Stage::Steps) else {
            *stage = Stage::Gone;
            return;
        };
        drop(stage);
        let waker = Waker::from(Arc::clone(&self));
        let polled = job.as_mut().poll(&mut Context::from_waker(&waker));
        let mut stage = lock(&self.stage);
        match (polled, &*stage) {
            (Poll::Ready(()), _) => *stage = Stage::Gone,
            (Poll::Pending, Stage::Woken) => {
                *stage = Stage::Gone;
                drop(stage);
                self.by.carry(job);
            }
            (Poll::Pending, _) => *stage = Stage::Waits(job),
        }
    }

    /// Has it carried on.
    pub(crate) fn go_on(&self) {
        let mut stage = lock(&self.stage);
        match mem::replace(&mut *stage, Stage::Gone) {
            Stage::Waits(job) => {
                drop(stage);
                self.by.carry(job);
            }
            Stage::Steps if bug!("woken-at-the-first-step") => *stage = Stage::Steps,
            Stage::Steps | Stage::Woken => *stage = Stage::Woken,
            Stage::Gone => {}
        }
    }
}

impl Wake for Beginning {
    fn wake(self: Arc<Self>) {
        self.go_on();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.go_on();
    }
}
