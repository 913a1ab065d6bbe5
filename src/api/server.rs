//! Listening and answering, on one thread of its own: connections over the Unix socket and, where it is
//! wanted, a loopback address. Everything that a connection can take of is bounded.

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Notify, watch};

use super::peers::Peers;
use super::refusals::Refusals;
use super::roles::{Caller, Roles};
use super::routes::router;
use super::shared::{Parts, Shared};
use super::socket::Socket;
use super::standing::Standing;
use super::tcp::{self, Tcp};
use crate::engine::By;

/// Connections at a time, and those of one user.
const CONNECTIONS: (usize, usize) = (1024, 512);

/// How long a request's head may take to arrive, also on a connection that is silent.
const HEAD: Duration = Duration::from_secs(30);

/// The largest head, in bytes.
const HEAD_BYTES: usize = 64 << 10;

/// How long is waited before the next connection when the system has no descriptors left.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// Threads for questions to the store; each has a connection of its own, and the disk is one. The first is there from
/// the beginning, and they stay: where the system gives no more, questions wait for these, and with none tokio panics.
const LOOKS: usize = 8;

/// The listening side. Ends when it is stopped or dropped.
#[derive(Debug)]
pub struct Server {
    end: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
    socket: Arc<Socket>,
}

impl Server {
    /// Begins to answer.
    ///
    /// # Errors
    /// If an address cannot be listened on, or no thread can be started.
    pub fn start(
        parts: Parts,
        mut socket: Socket,
        tcp: Option<Tcp>,
        roles: Roles,
    ) -> io::Result<Self> {
        let (end, ending) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(LOOKS)
            .thread_keep_alive(Duration::MAX)
            .build()?;
        if catch_unwind(AssertUnwindSafe(|| drop(runtime.spawn_blocking(|| ())))).is_err() {
            // Tokio has said it on standard error.
            return Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                "the system gives no thread",
            ));
        }
        if roles.are_given() {
            // Whoever has a role need not be in the socket's group; who has none is told so.
            socket.open_to_all()?;
        }
        let socket = Arc::new(socket);
        let unix = {
            let _inside = runtime.enter();
            let listener = UnixListener::from_std(socket.listener()?)?;
            let standing = Standing::new(Arc::clone(&socket));
            (listener, standing)
        };
        let refusals = Refusals::default();
        let tcp = match tcp {
            None => None,
            Some(tcp) => {
                let _inside = runtime.enter();
                let (listener, guard) = tcp.open(refusals.clone())?;
                Some((TcpListener::from_std(listener)?, guard))
            }
        };
        let shared = Arc::new(Shared::new(parts, refusals, ending.clone()));
        let thread = std::thread::Builder::new()
            .name("api".to_owned())
            .spawn(move || {
                runtime.block_on(listen(shared, unix, tcp, roles, ending));
                runtime.shutdown_background();
            })?;
        Ok(Self {
            end,
            thread: Some(thread),
            socket,
        })
    }

    /// Ends streams and connections, and takes the socket away.
    pub fn stop(mut self) {
        self.close();
    }

    fn close(&mut self) {
        let _ = self.end.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
            self.socket.remove();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.close();
    }
}

/// How long, at the end, answers that are being given may take.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

async fn listen(
    shared: Arc<Shared>,
    (mut unix, mut standing): (UnixListener, Standing),
    tcp: Option<(TcpListener, tcp::Guard)>,
    roles: Roles,
    ending: watch::Receiver<bool>,
) {
    let mut ends = ending.clone();
    let router = router(Arc::clone(&shared));
    let guarded = tcp
        .as_ref()
        .map(|(_, guard)| tcp::guarded(router.clone(), guard.clone()));
    let users = Users::default();
    let peers = Peers::here();
    if roles.are_given() && peers.look_alike() {
        tracing::warn!(
            target: "twolane::api",
            "the daemon is in a user namespace, where users who are not in its map look alike: of those whom `api.roles` \
             names they have no role (PrivateUsers=no in the unit lets them be told apart)"
        );
    }
    let roles = Arc::new(roles);
    let full = Refusals::default();
    loop {
        let accepted = tokio::select! {
            () = told_to_end(&mut ends) => break,
            accepted = unix.accept() => accepted.map(|(stream, _)| {
                let (user, group) = peers.of(&stream);
                if let Some(place) = users.enter(user) {
                    let known = Known::By(Arc::clone(&roles), user, group);
                    serve(stream, (router.clone(), known), place, ending.clone());
                }
            }),
            anew = standing.bound_again() => {
                // Whoever has connected to the old one and was not let in yet is refused, and asks again.
                unix = anew;
                Ok(())
            }
            accepted = accept(tcp.as_ref()) => accepted.map(|stream| {
                if let (Some(place), Some(guarded)) = (users.enter(u32::MAX), &guarded) {
                    serve(stream, (guarded.clone(), Known::ByToken), place, ending.clone());
                }
            }),
        };
        if let Err(error) = accepted {
            full.nothing_left(&error);
            tokio::time::sleep(EXHAUSTED).await;
        }
    }
    // Whoever is still answered then is cut off with the runtime.
    let _ = tokio::time::timeout(LAST_ANSWERS, users.none()).await;
}

async fn accept(tcp: Option<&(TcpListener, tcp::Guard)>) -> io::Result<tokio::net::TcpStream> {
    match tcp {
        Some((listener, _)) => Ok(listener.accept().await?.0),
        None => std::future::pending().await,
    }
}

/// Waits until the API ends.
pub(super) async fn told_to_end(ending: &mut watch::Receiver<bool>) {
    // Whoever could tell is gone: that is the end, too.
    let _ = ending.wait_for(|ends| *ends).await;
}

/// Answers on one connection until it is closed.
fn serve<S>(
    stream: S,
    (router, known): (Router, Known),
    place: Place,
    mut ending: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    tokio::spawn(async move {
        let _place = place;
        let caller = known.caller().await;
        let routes = TowerToHyperService::new(router);
        let service = service_fn(move |mut request: Request<Incoming>| {
            if let Some(caller) = &caller {
                request.extensions_mut().insert(caller.clone());
            }
            routes.call(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(HEAD_BYTES.max(16 << 10))
            .half_close(true)
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = told_to_end(&mut ending) => {
                connection.as_mut().graceful_shutdown();
                connection.as_mut().await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(target: "twolane::api", %error, "a connection ended badly");
        }
    });
}

/// By what a caller is known.
enum Known {
    /// The user and its main group, as the kernel says.
    By(Arc<Roles>, u32, u32),
    /// The token that each request brings along.
    ByToken,
}

impl Known {
    /// Who it is; `None` where each request says so itself.
    async fn caller(self) -> Option<Caller> {
        match self {
            Self::ByToken => None,
            Self::By(roles, user, group) => {
                // The groups of a user may be asked for over a network.
                let role = tokio::task::spawn_blocking(move || roles.of(user, group)).await;
                Some(Caller {
                    role: role.ok().flatten(),
                    by: By::User(user),
                })
            }
        }
    }
}

/// Connections by user.
#[derive(Clone, Default)]
struct Users {
    count: Arc<Mutex<BTreeMap<u32, usize>>>,
    /// Told each time when a connection is closed. A word that nobody waits for is kept.
    left: Arc<Notify>,
}

/// One connection of a user; given back on drop.
struct Place {
    users: Users,
    user: u32,
}

impl Users {
    fn enter(&self, user: u32) -> Option<Place> {
        let mut users = self.lock();
        let all: usize = users.values().sum();
        let own = users.entry(user).or_default();
        let (most, most_own) = CONNECTIONS;
        if all >= most || *own >= most_own {
            tracing::debug!(target: "twolane::api", user, "too many connections: one is closed at once");
            return None;
        }
        *own += 1;
        drop(users);
        Some(Place {
            users: self.clone(),
            user,
        })
    }

    /// Waits until nobody is connected.
    async fn none(&self) {
        while self.lock().values().any(|count| *count > 0) {
            self.left.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, usize>> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(count) = self.users.lock().get_mut(&self.user) {
            *count = count.saturating_sub(1);
        }
        self.users.left.notify_one();
    }
}
