//! The side of the API that asks: one request a connection over the daemon's Unix socket. Calls block;
//! the tokio runtime inside is the call's own, so none may be made from within one.

mod outgoing;

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::wire::Problem;
use outgoing::Outgoing;

/// How long an answer may take that is not a stream. Far more than a daemon needs that is well.
const PATIENCE: Duration = Duration::from_secs(60);

/// The longest answer, and the longest line of a stream, that is taken. A page of runs with large
/// results fits; a peer that never ends a line does not take all memory.
const ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// Asks the daemon behind a socket.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
}

/// Why there is no answer, or not the one that was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nothing listens there, or this user may not connect.
    #[error("{}", no_daemon(socket, source))]
    NoDaemon {
        /// The socket that was tried.
        socket: PathBuf,
        /// What connecting to it gave.
        source: io::Error,
    },
    /// The daemon said no, and why.
    #[error("{}", .0.detail)]
    Problem(Problem),
    /// The answer stopped half-way, or is none of this API.
    #[error("{0}")]
    Broken(String),
}

impl ClientError {
    /// The socket on which nothing listens at all, if this is why; where this user may only not connect, somebody
    /// may be there.
    #[must_use]
    pub fn silent_socket(&self) -> Option<&Path> {
        let Self::NoDaemon { socket, source } = self else {
            return None;
        };
        let nobody = matches!(
            source.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
        );
        nobody.then_some(socket)
    }

    /// Whether there is nothing of what was asked for.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Problem(problem) if problem.status == 404)
    }

    /// Whether what was asked for may have been done nevertheless: nobody can say.
    #[must_use]
    pub fn leaves_it_open(&self) -> bool {
        match self {
            Self::NoDaemon { .. } => false,
            Self::Problem(problem) => problem.kind == "urn:twolane:outcome-unknown",
            Self::Broken(_) => true,
        }
    }
}

fn no_daemon(socket: &Path, source: &io::Error) -> String {
    let socket = socket.display();
    if source.kind() == io::ErrorKind::PermissionDenied {
        return format!(
            "this user may not connect to `{socket}`: {source}\nhint: be in the group of the socket \
             (`ls -l {socket}` shows it), or use `sudo`"
        );
    }
    format!(
        "no daemon answers on `{socket}`: {source}\nhint: start one with `systemctl start twolane` or \
         `twolane serve`, or name its socket with `--socket PATH` or its settings with `--config FILE`"
    )
}

impl Client {
    /// A client of the daemon that listens on `socket`. Nothing is connected yet.
    #[must_use]
    pub fn new(socket: &Path) -> Self {
        Self {
            socket: socket.to_owned(),
        }
    }

    /// The socket that is asked.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// What is at `path`, with its query.
    ///
    /// # Errors
    /// No daemon, its refusal, or an answer that cannot be understood.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.whole(Method::GET, path, Outgoing::Whole(None))
    }

    /// Sends `body` as JSON to `path`. An answer without content is read as `null`.
    ///
    /// # Errors
    /// As for [`get`](Self::get).
    pub fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body)
            .map_err(|error| ClientError::Broken(format!("cannot write JSON: {error}")))?;
        self.whole(Method::POST, path, Outgoing::Whole(Some(Bytes::from(body))))
    }

    /// Sends what `from` gives, one JSON object a line, and hands each line of the answer to `each` as
    /// it comes, until that breaks.
    ///
    /// # Errors
    /// As for [`get`](Self::get); also when `from` cannot be read.
    pub fn post_lines(
        &self,
        path: &str,
        from: Box<dyn Read + Send>,
        mut each: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<(), ClientError> {
        let body = Outgoing::reading(from)
            .map_err(|error| ClientError::Broken(format!("cannot start a thread: {error}")))?;
        self.open(Method::POST, path, body)?.each(&mut each)
    }

    /// Hands each line that comes from `path` to `each`, until it breaks or the daemon ends it: JSON
    /// objects, of server-sent events their data.
    ///
    /// # Errors
    /// As for [`get`](Self::get).
    pub fn lines(
        &self,
        path: &str,
        mut each: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<(), ClientError> {
        self.stream(path)?.each(&mut each)
    }

    /// The lines that come from `path`, to be taken one by one.
    ///
    /// # Errors
    /// As for [`get`](Self::get).
    pub fn stream(&self, path: &str) -> Result<Lines, ClientError> {
        self.open(Method::GET, path, Outgoing::Whole(None))
    }

    fn whole<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Outgoing,
    ) -> Result<T, ClientError> {
        let request = self.request(method, path, body)?;
        let answer = async {
            let response = self.send(request).await?;
            let status = response.status();
            let problem = is(&response, "application/problem+json");
            let bytes = self.collect(response.into_body()).await?;
            if problem {
                return Err(self.problem(&bytes));
            }
            // A rejected reload is an answer with lines, not a problem.
            if !status.is_success() && status.as_u16() != 422 {
                return Err(self.broken(format_args!("it answered `{path}` with {status}")));
            }
            let json: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
            serde_json::from_slice(json).map_err(|error| {
                self.broken(format_args!(
                    "its answer to `{path}` makes no sense: {error}"
                ))
            })
        };
        self.runtime()?.block_on(async {
            timeout(PATIENCE, answer).await.unwrap_or_else(|_| {
                Err(self.broken(format_args!("no answer to `{path}` for {PATIENCE:?}")))
            })
        })
    }

    fn open(&self, method: Method, path: &str, body: Outgoing) -> Result<Lines, ClientError> {
        let request = self.request(method, path, body)?;
        let runtime = self.runtime()?;
        let (body, events) = runtime.block_on(async {
            let response = self.send(request).await?;
            let status = response.status();
            if is(&response, "application/problem+json") {
                let bytes = self.collect(response.into_body()).await?;
                return Err(self.problem(&bytes));
            }
            if !status.is_success() {
                return Err(self.broken(format_args!("it answered `{path}` with {status}")));
            }
            let events = is(&response, "text/event-stream");
            Ok((response.into_body(), events))
        })?;
        Ok(Lines {
            runtime,
            reading: Reading {
                client: self.clone(),
                body,
                events,
                buffer: Vec::new(),
                searched: 0,
            },
        })
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Outgoing,
    ) -> Result<Request<Outgoing>, ClientError> {
        let kind = match body {
            Outgoing::Whole(_) => "application/json",
            Outgoing::Chunks(_) => "application/x-ndjson",
        };
        Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, HeaderValue::from_static("twolane"))
            .header(ACCEPT, HeaderValue::from_static("*/*"))
            .header(CONTENT_TYPE, HeaderValue::from_static(kind))
            .body(body)
            .map_err(|error| self.broken(format_args!("cannot ask for `{path}`: {error}")))
    }

    fn runtime(&self) -> Result<Runtime, ClientError> {
        Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| self.broken(format_args!("cannot start a runtime: {error}")))
    }

    async fn send(&self, request: Request<Outgoing>) -> Result<Response<Incoming>, ClientError> {
        let stream =
            UnixStream::connect(&self.socket)
                .await
                .map_err(|source| ClientError::NoDaemon {
                    socket: self.socket.clone(),
                    source,
                })?;
        let cut = |error: hyper::Error| self.cut(&error);
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(cut)?;
        // What goes wrong on the connection is told by the request and its body.
        tokio::spawn(connection);
        sender.send_request(request).await.map_err(cut)
    }

    async fn collect(&self, mut body: Incoming) -> Result<Vec<u8>, ClientError> {
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| self.cut(&error))?;
            if let Some(data) = frame.data_ref() {
                bytes.extend_from_slice(data);
            }
            if bytes.len() > ANSWER_BYTES {
                return Err(self.broken(format_args!("an answer of over {ANSWER_BYTES} bytes")));
            }
        }
        Ok(bytes)
    }

    fn problem(&self, bytes: &[u8]) -> ClientError {
        serde_json::from_slice(bytes).map_or_else(
            |error| self.broken(format_args!("it refused, unintelligibly: {error}")),
            ClientError::Problem,
        )
    }

    /// The connection broke. The cause is the cause of hyper's own error.
    fn cut(&self, error: &hyper::Error) -> ClientError {
        let cause = std::error::Error::source(error).map_or(String::new(), |it| format!(": {it}"));
        self.broken(format_args!("{error}{cause}"))
    }

    fn broken(&self, what: std::fmt::Arguments<'_>) -> ClientError {
        ClientError::Broken(format!(
            "the talk with the daemon on `{}` broke: {what}\nhint: `twolane status` tells whether it \
             still answers, `journalctl -u twolane` what happened to it",
            self.socket.display()
        ))
    }
}

fn is(response: &Response<Incoming>, kind: &str) -> bool {
    let found = response.headers().get(CONTENT_TYPE);
    found.is_some_and(|found| found.as_bytes().starts_with(kind.as_bytes()))
}

/// A stream of lines from the daemon. Dropping it ends the connection.
#[derive(Debug)]
pub struct Lines {
    runtime: Runtime,
    reading: Reading,
}

/// What came of waiting for a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// A line, without its end.
    Line(String),
    /// The daemon has ended the stream.
    End,
    /// None came in time.
    Late,
}

impl Lines {
    /// Waits for the next line, for `limit` at most or for ever. Empty lines are left out.
    ///
    /// # Errors
    /// [`ClientError::Broken`] when the connection is cut or a line has no end.
    pub fn next(&mut self, limit: Option<Duration>) -> Result<Next, ClientError> {
        let reading = &mut self.reading;
        self.runtime.block_on(async {
            match limit {
                Some(limit) => timeout(limit, reading.next())
                    .await
                    .unwrap_or(Ok(Next::Late)),
                None => reading.next().await,
            }
        })
    }

    fn each(mut self, each: &mut impl FnMut(&str) -> ControlFlow<()>) -> Result<(), ClientError> {
        while let Next::Line(line) = self.next(None)? {
            if each(&line).is_break() {
                break;
            }
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Reading {
    client: Client,
    body: Incoming,
    /// They are server-sent events, of which only the data counts.
    events: bool,
    buffer: Vec<u8>,
    /// How much of the buffer holds no end of a line.
    searched: usize,
}

impl Reading {
    /// Dropped half-way, it loses nothing: what has come is in the buffer.
    async fn next(&mut self) -> Result<Next, ClientError> {
        loop {
            while let Some(line) = self.buffered() {
                let line = if self.events { data(&line) } else { &line };
                if !line.is_empty() {
                    return Ok(Next::Line(line.to_owned()));
                }
            }
            if self.buffer.len() > ANSWER_BYTES {
                let what = format_args!("a line of over {ANSWER_BYTES} bytes");
                return Err(self.client.broken(what));
            }
            let Some(frame) = self.body.frame().await else {
                if !self.events && !self.buffer.trim_ascii().is_empty() {
                    let what = format_args!("its answer ends within a line");
                    return Err(self.client.broken(what));
                }
                return Ok(Next::End);
            };
            let frame = frame.map_err(|error| self.client.cut(&error))?;
            if let Some(data) = frame.data_ref() {
                self.buffer.extend_from_slice(data);
            }
        }
    }

    /// Takes a line out of the buffer, if there is a whole one.
    fn buffered(&mut self) -> Option<String> {
        let fresh = &self.buffer[self.searched..];
        let Some(end) = fresh.iter().position(|byte| *byte == b'\n') else {
            self.searched = self.buffer.len();
            return None;
        };
        let line: Vec<u8> = self.buffer.drain(..=self.searched + end).collect();
        self.searched = 0;
        Some(String::from_utf8_lossy(&line).trim_end().to_owned())
    }
}

/// What a line of a server-sent event carries; of names, numbers and comments nothing.
fn data(line: &str) -> &str {
    let data = line.strip_prefix("data:").unwrap_or_default();
    data.strip_prefix(' ').unwrap_or(data)
}
