//! A request to the collector: OTLP/JSON over plain HTTP, on a connection of its own. Blocks the thread that
//! asks, for a bounded time.

use std::io;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

use super::NoAddress;
use super::span::{Span, attribute};

/// How long a request may take, with its answer.
const LIMIT: Duration = Duration::from_secs(10);

/// Where collectors listen.
const PORT: u16 = 4318;

/// Who takes the spans.
#[derive(Debug)]
pub(super) struct Collector {
    address: Uri,
    resource: Value,
    runtime: Runtime,
}

/// What became of a request.
#[derive(Debug)]
pub(super) enum Sent {
    /// It was taken.
    Taken,
    /// It was not, and would not be another time.
    Refused(String),
    /// Nobody has taken it; another time somebody may.
    Unreached(String),
}

impl Collector {
    pub(super) fn new(address: &str, service: &str, instance: &str) -> Result<Self, NoAddress> {
        // A name and a password would be sent nowhere, and stand in the log.
        let shown = match address.rsplit_once('@') {
            Some((_, host)) => format!("***@{host}"),
            None => address.to_owned(),
        };
        let none = || NoAddress(shown.clone());
        let uri: Uri = address.parse().map_err(|_| none())?;
        if uri.scheme_str() != Some("http") || uri.host().is_none() || address.contains('@') {
            return Err(none());
        }
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|_| none())?;
        let named = [
            ("service.name", json!(service)),
            ("service.version", json!(env!("CARGO_PKG_VERSION"))),
            // Of what it is made, processes are told by; nobody else needs that.
            (
                "service.instance.id",
                json!(blake3::hash(instance.as_bytes()).to_hex()[..16]),
            ),
        ];
        let attributes: Vec<Value> = named
            .iter()
            .map(|(name, value)| attribute(name, value))
            .collect();
        Ok(Self {
            address: uri,
            resource: json!({ "attributes": attributes }),
            runtime,
        })
    }

    pub(super) const fn address(&self) -> &Uri {
        &self.address
    }

    /// Sends spans and waits for what the collector says.
    pub(super) fn send(&self, spans: &[Span]) -> Sent {
        let spans: Vec<Value> = spans.iter().map(Span::json).collect();
        let body = json!({ "resourceSpans": [{
            "resource": self.resource,
            "scopeSpans": [{ "scope": { "name": "twolane" }, "spans": spans }],
        }] });
        let body = Bytes::from(body.to_string());
        let answered = self
            .runtime
            .block_on(async { tokio::time::timeout(LIMIT, self.ask(body)).await });
        match answered {
            Err(_) => Sent::Unreached(format!("no answer within {} s", LIMIT.as_secs())),
            Ok(Err(error)) => Sent::Unreached(error.to_string()),
            Ok(Ok(status)) if status.is_success() => Sent::Taken,
            Ok(Ok(status)) => {
                let why = format!("the answer is {status}");
                // Those that OTLP says are worth another try.
                match status.as_u16() {
                    429 | 502 | 503 | 504 => Sent::Unreached(why),
                    _ => Sent::Refused(why),
                }
            }
        }
    }

    async fn ask(&self, body: Bytes) -> io::Result<StatusCode> {
        let host = self.address.host().unwrap_or_default();
        let port = self.address.port_u16().unwrap_or(PORT);
        let plain = host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((plain, port)).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        let path = self
            .address
            .path_and_query()
            .map_or("/", |path| path.as_str());
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(HOST, format!("{host}:{port}"))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(io::Error::other)?;
        let answer = sender.send_request(request);
        tokio::pin!(connection, answer);
        // The connection is driven by whoever waits for its answer.
        let answer = tokio::select! {
            answer = &mut answer => answer,
            ended = &mut connection => {
                ended.map_err(io::Error::other)?;
                answer.await
            }
        };
        answer
            .map(|answer| answer.status())
            .map_err(io::Error::other)
    }
}
