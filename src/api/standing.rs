//! Sees to it that the socket stays where it is: what cleans directories up takes it away as well, and a daemon that
//! nobody can ask any more looks dead to everybody but its jobs.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
use tokio::net::UnixListener;
use tokio::net::unix::pipe::Receiver;
use tokio::time::{Sleep, sleep};

use super::socket::{Socket, SocketError};

/// How long is waited where the socket cannot be bound again now, because its directory is being removed, or for want
/// of rights or room: at first, and, twice as long each time, at most.
const AGAIN: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(10));

/// The pause before which it is told that it cannot be bound: the fourth.
const TOLD: Duration = Duration::from_millis(400);

/// Room for what is told at a time, which is at least one event with the longest name.
const TOLD_BYTES: usize = 512;

/// What becomes of a directory in which a file may be gone after that.
const LOSSES: WatchFlags = WatchFlags::DELETE
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF);

/// A socket that is watched. Within the runtime of the API.
pub(super) struct Standing {
    socket: Arc<Socket>,
    /// `None` where there is nothing to watch, or the system gives no watch.
    watch: Option<Receiver>,
    /// Whether something has happened since it was last looked for.
    is_in_doubt: bool,
    /// How long is waited when it cannot be bound.
    pause: Duration,
    /// When it may be tried; for who is dropped while it waits, too.
    next_try: Option<Pin<Box<Sleep>>>,
}

impl Standing {
    pub(super) fn new(socket: Arc<Socket>) -> Self {
        let mut standing = Self {
            socket,
            watch: None,
            is_in_doubt: true,
            pause: AGAIN.0,
            next_try: None,
        };
        standing.watch();
        standing
    }

    /// Watches the directory as it is there now.
    fn watch(&mut self) {
        let Some(directory) = self.socket.directory() else {
            return;
        };
        let watch = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).and_then(|watch| {
            add_watch(&watch, directory, LOSSES)?;
            Ok(watch)
        });
        let watch = watch.map_err(io::Error::from);
        self.watch = match watch.and_then(Receiver::from_owned_fd_unchecked) {
            Ok(watch) => Some(watch),
            Err(error) => {
                tracing::warn!(
                    target: "twolane::api",
                    %error,
                    "cannot watch {}: if somebody removes the socket, nobody can ask this daemon until it is started \
                     again", directory.display()
                );
                None
            }
        };
        // What happened before it was watched is not told.
        self.is_in_doubt = true;
    }

    /// Waits until the socket is gone and bound again, and returns what listens on it. May be dropped at any point
    /// where it waits, and asked again.
    pub(super) async fn bound_again(&mut self) -> UnixListener {
        loop {
            if !self.is_in_doubt {
                self.happens().await;
                self.is_in_doubt = true;
            }
            if let Some(pause) = &mut self.next_try {
                pause.await;
                self.next_try = None;
            }
            if self.socket.is_in_place() {
                self.is_in_doubt = false;
                self.pause = AGAIN.0;
                continue;
            }
            match self.bind() {
                Ok(listener) => {
                    self.pause = AGAIN.0;
                    self.watch();
                    tracing::warn!(
                        target: "twolane::api",
                        "somebody removed {}: it is there again", self.socket.path().display()
                    );
                    return listener;
                }
                Err(error) => self.put_off(&error),
            }
        }
    }

    fn bind(&self) -> Result<UnixListener, SocketError> {
        let bound = self.socket.bind_again()?;
        let listener = bound.listener().and_then(UnixListener::from_std);
        let listener = listener.map_err(|source| self.socket.failed(source))?;
        // Not before somebody can accept on it.
        self.socket.keep(bound);
        Ok(listener)
    }

    /// It is tried again after a while, which is longer each time.
    fn put_off(&mut self, error: &SocketError) {
        // What is over in a moment is not worth a word.
        if self.pause == TOLD {
            tracing::error!(
                target: "twolane::api",
                "somebody removed the socket, and nobody can ask this daemon until it is there again, which is tried on: \
                 {error}"
            );
        }
        self.next_try = Some(Box::pin(sleep(self.pause)));
        self.pause = (2 * self.pause).min(AGAIN.1);
    }

    /// Waits for something that happens in the directory. Which it was is seen by looking.
    async fn happens(&self) {
        let mut told = [0; TOLD_BYTES];
        loop {
            let Some(watch) = &self.watch else {
                return std::future::pending().await;
            };
            if watch.readable().await.is_err() {
                return std::future::pending().await;
            }
            match watch.try_read(&mut told) {
                Ok(_) => return,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return std::future::pending().await,
            }
        }
    }
}
