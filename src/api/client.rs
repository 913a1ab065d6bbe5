//! The other side of the API: asks a daemon over its Unix socket, and waits for what it says.

use std::convert::Infallible;
use std::io::{self, BufRead};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::body::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http1;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

use super::wire;

/// Why a daemon could not be asked, or what it said instead.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody answers.
    #[error(
        "no daemon answers on {socket}: {source}\nhint: start one with `systemctl start twolane`, or `twolane serve`; `--socket` names another socket"
    )]
    NoDaemon {
        /// Where.
        socket: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The daemon says no.
    #[error("{}", .0.detail)]
    Problem(wire::Problem),
    /// The connection broke, or what came is not understood.
    #[error("the daemon's answer is not whole: {0}")]
    Broken(String),
}

type Body = BoxBody<Bytes, Infallible>;

/// Asks one daemon.
#[derive(Debug)]
pub struct Client {
    socket: PathBuf,
    runtime: Runtime,
}

/// Lines of a batch that are read ahead of what is sent.
const AHEAD: usize = 64;

/// How large a piece of a batch is sent at a time, in bytes.
const PIECE: usize = 64 << 10;

impl Client {
    /// Asks whoever answers on `socket`; connects when it is asked.
    ///
    /// # Errors
    /// If the system gives no descriptors for it.
    pub fn new(socket: &Path) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let socket = socket.to_owned();
        Ok(Self { socket, runtime })
    }

    /// `GET`s JSON.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.json(Method::GET, path, None)
    }

    /// `POST`s JSON and gets JSON.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let body =
            serde_json::to_vec(body).map_err(|error| ClientError::Broken(error.to_string()))?;
        self.json(Method::POST, path, Some(body))
    }

    /// `POST`s nothing, and is told nothing but that it is well.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn tell(&self, path: &str) -> Result<(), ClientError> {
        self.runtime.block_on(async {
            let request = request(Method::POST, path, "application/json", full(Vec::new()))?;
            good(self.send(request).await?).await.map(drop)
        })
    }

    fn json<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<T, ClientError> {
        self.runtime.block_on(async {
            let body = full(body.unwrap_or_default());
            let request = request(method, path, "application/json", body)?;
            let response = good(self.send(request).await?).await?;
            let bytes = response
                .into_body()
                .collect()
                .await
                .map_err(broken)?
                .to_bytes();
            serde_json::from_slice(&bytes).map_err(broken)
        })
    }

    /// Hands each line of an answer to `each` as it comes, until that has enough or `limit` is over.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn lines(
        &self,
        path: &str,
        limit: Option<Duration>,
        mut each: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<(), ClientError> {
        self.runtime.block_on(async {
            let all = async {
                let request = request(Method::GET, path, "application/json", full(Vec::new()))?;
                let response = good(self.send(request).await?).await?;
                each_line(response.into_body(), &mut each).await
            };
            match limit {
                None => all.await,
                Some(limit) => tokio::time::timeout(limit, all).await.unwrap_or(Ok(())),
            }
        })
    }

    /// Sends `lines` as they come, and hands each line of the answer to `each`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn batch(
        &self,
        mut lines: impl BufRead + Send + 'static,
        mut each: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<(), ClientError> {
        let (send, receive) = mpsc::channel::<Bytes>(AHEAD);
        // It may wait for more on standard input for ever, so nobody waits for it.
        std::thread::spawn(move || {
            loop {
                let mut piece = Vec::new();
                while piece.len() < PIECE {
                    match lines.read_until(b'\n', &mut piece) {
                        Ok(0) | Err(_) => break,
                        Ok(_) => {}
                    }
                }
                if piece.is_empty() || send.blocking_send(Bytes::from(piece)).is_err() {
                    return;
                }
            }
        });
        self.runtime.block_on(async {
            let frames = ReceiverStream::new(receive).map(|piece| Ok(Frame::data(piece)));
            let body = BodyExt::boxed(StreamBody::new(frames));
            let request = request(Method::POST, "/runs", "application/x-ndjson", body)?;
            let response = good(self.send(request).await?).await?;
            each_line(response.into_body(), &mut each).await
        })
    }

    async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, ClientError> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|source| {
            let socket = self.socket.clone();
            ClientError::NoDaemon { socket, source }
        })?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        tokio::spawn(async move {
            // What goes wrong on the way is told to whoever reads the answer.
            let _ = connection.await;
        });
        sender.send_request(request).await.map_err(broken)
    }
}

fn request(
    method: Method,
    path: &str,
    form: &str,
    body: Body,
) -> Result<Request<Body>, ClientError> {
    Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .header("content-type", form)
        .body(body)
        .map_err(broken)
}

fn full(bytes: Vec<u8>) -> Body {
    Full::new(Bytes::from(bytes)).boxed()
}

fn broken(error: impl std::fmt::Display) -> ClientError {
    ClientError::Broken(error.to_string())
}

/// An answer that is no error; but what is wrong with a configuration is an answer, too.
async fn good(response: Response<Incoming>) -> Result<Response<Incoming>, ClientError> {
    let form = response.headers().get("content-type");
    let is_problem = form.is_some_and(|form| form.as_bytes().starts_with(b"application/problem"));
    if response.status().is_success() || !is_problem {
        return Ok(response);
    }
    let bytes = response
        .into_body()
        .collect()
        .await
        .map_err(broken)?
        .to_bytes();
    let problem = serde_json::from_slice(&bytes).map_err(broken)?;
    Err(ClientError::Problem(problem))
}

async fn each_line(
    mut body: Incoming,
    each: &mut impl FnMut(&str) -> ControlFlow<()>,
) -> Result<(), ClientError> {
    let mut rest: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(broken)?.into_data() else {
            continue;
        };
        rest.extend_from_slice(&data);
        let mut begin = 0;
        while let Some(length) = rest[begin..].iter().position(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(&rest[begin..begin + length]);
            begin += length + 1;
            if each(&line).is_break() {
                return Ok(());
            }
        }
        rest.drain(..begin);
    }
    Ok(())
}
