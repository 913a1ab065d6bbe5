//! A loopback address beside the socket, for those who have the token. Browsers are kept out: no page of
//! somebody else's may make a browser ask us anything.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use super::submit::content_type;

/// Where to listen, and where the token is kept.
#[derive(Clone, Debug)]
pub struct Tcp {
    /// A loopback address.
    pub address: SocketAddr,
    /// The token's file; made, open to its owner only, if it is not there.
    pub token: PathBuf,
}

/// What a request needs to come in.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    token: String,
    port: u16,
}

impl Tcp {
    pub(super) fn open(&self) -> io::Result<(TcpListener, Guard)> {
        if !self.address.ip().is_loopback() {
            let text = format!(
                "{} is no loopback address, as in 127.0.0.1:7717",
                self.address
            );
            return Err(io::Error::new(ErrorKind::InvalidInput, text));
        }
        let named = |error: io::Error, what: &Path| {
            io::Error::new(error.kind(), format!("{}: {error}", what.display()))
        };
        let token = token(&self.token).map_err(|error| named(error, &self.token))?;
        let listener = TcpListener::bind(self.address)?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        Ok((listener, Guard { token, port }))
    }
}

/// Reads the token, or makes one of 256 random bits.
fn token(path: &Path) -> io::Result<String> {
    match fs::read_to_string(path) {
        Ok(token) if token.trim().len() >= 32 => return Ok(token.trim().to_owned()),
        Ok(_) => {
            let text = "a token has at least 32 characters; remove the file for a new one";
            return Err(io::Error::new(ErrorKind::InvalidData, text));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut bytes = [0; 32];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(token.as_bytes())?;
    file.sync_all()?;
    Ok(token)
}

/// The same routes, for those who may.
pub(super) fn guarded(router: Router, guard: Guard) -> Router {
    router.layer(middleware::from_fn_with_state(guard, check))
}

async fn check(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    match guard.refusal(request.method(), request.headers()) {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    }
}

impl Guard {
    fn refusal(&self, method: &Method, headers: &HeaderMap) -> Option<Problem> {
        let forbidden =
            |kind, detail: &str| Some(Problem::new(StatusCode::FORBIDDEN, kind, detail));
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let port = self.port;
        let hosts = ["localhost", "127.0.0.1", "[::1]"].map(|host| format!("{host}:{port}"));
        if !text(HOST).is_some_and(|host| hosts.iter().any(|own| own == host)) {
            return forbidden(
                "host",
                "the Host of a request names this address, as in 127.0.0.1:PORT",
            );
        }
        let site = headers.get("sec-fetch-site").map(|site| site.as_bytes());
        if headers.contains_key(ORIGIN) || !matches!(site, None | Some(b"none" | b"same-origin")) {
            return forbidden("origin", "no web page may ask this");
        }
        let given = text(AUTHORIZATION).and_then(|given| given.strip_prefix("Bearer "));
        if !given.is_some_and(|given| same(given.as_bytes(), self.token.as_bytes())) {
            let detail = "say Authorization: Bearer TOKEN, with the token of the state directory";
            return Some(Problem::new(StatusCode::UNAUTHORIZED, "token", detail));
        }
        let form = content_type(headers);
        let plain = matches!(
            form.as_deref(),
            None | Some("application/json" | "application/x-ndjson")
        );
        if *method == Method::POST && !plain {
            let detail = "a POST here is application/json or application/x-ndjson";
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Some(Problem::new(status, "media-type", detail));
        }
        None
    }
}

/// Compares in a time that says nothing of where two texts differ.
fn same(one: &[u8], other: &[u8]) -> bool {
    blake3::hash(one) == blake3::hash(other)
}
