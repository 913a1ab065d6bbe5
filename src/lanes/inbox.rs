//! What somebody outside sends to a running attempt. Bounded, told as delivered only when it is.

use std::fmt;
use std::sync::Mutex;

use serde_json::Value;
use tokio::sync::mpsc;

use super::lock;
use crate::engine::command::Stdin;
use crate::engine::spec::TaskSpec;
use crate::inbox::{INBOX_BOUND, Refused};

/// Takes the answer to whoever sent something: delivered, or why not.
pub type Delivered = Box<dyn FnOnce(Result<(), Refused>) + Send>;

/// Something that was sent.
pub(crate) struct Sent {
    /// `None`: nothing more comes.
    pub(crate) value: Option<Value>,
    answer: Option<Delivered>,
}

impl Sent {
    /// Says what became of it.
    pub(crate) fn answer(mut self, told: Result<(), Refused>) {
        if let Some(answer) = self.answer.take() {
            answer(told);
        }
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        if let Some(answer) = self.answer.take() {
            answer(Err(Refused::Ended));
        }
    }
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sent").field(&self.value).finish()
    }
}

/// Both ends, as long as nobody has taken them. `None`: the task takes nothing.
pub(crate) struct Inbox(Option<Ends>);

struct Ends {
    sender: Mutex<Option<mpsc::Sender<Sent>>>,
    receiver: Mutex<Option<mpsc::Receiver<Sent>>>,
}

impl Inbox {
    pub(super) fn of(task: &TaskSpec) -> Self {
        let takes = match task {
            TaskSpec::Command(command) => command.stdin == Stdin::Open,
            TaskSpec::Call { .. } => true,
            TaskSpec::Sleep { .. }
            | TaskSpec::Read { .. }
            | TaskSpec::Compute { .. }
            | TaskSpec::Http(_)
            | TaskSpec::File(_)
            | TaskSpec::Future { .. } => false,
        };
        Self(takes.then(|| {
            let (sender, receiver) = mpsc::channel(INBOX_BOUND);
            Ends {
                sender: Mutex::new(Some(sender)),
                receiver: Mutex::new(Some(receiver)),
            }
        }))
    }

    pub(super) fn send(&self, value: Option<Value>, answer: Delivered) {
        let sent = Sent {
            value,
            answer: Some(answer),
        };
        let Some(ends) = &self.0 else {
            return sent.answer(Err(Refused::TakesNothing));
        };
        let Some(sender) = lock(&ends.sender).clone() else {
            return sent.answer(Err(Refused::Ended));
        };
        match sender.try_send(sent) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(sent)) => sent.answer(Err(Refused::Full)),
            Err(mpsc::error::TrySendError::Closed(sent)) => sent.answer(Err(Refused::ReadsNoMore)),
        }
    }

    pub(crate) fn take(&self) -> Option<mpsc::Receiver<Sent>> {
        lock(&self.0.as_ref()?.receiver).take()
    }

    /// Puts it back, for whoever takes the next.
    pub(crate) fn put_back(&self, receiver: mpsc::Receiver<Sent>) {
        if let Some(ends) = &self.0 {
            *lock(&ends.receiver) = Some(receiver);
        }
    }

    /// The attempt has ended: what waits is told so.
    pub(super) fn close(&self) {
        if let Some(ends) = &self.0 {
            drop(lock(&ends.sender).take());
            drop(self.take());
        }
    }
}
