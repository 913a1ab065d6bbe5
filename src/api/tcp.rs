//! A loopback address beside the socket, for those who have a token. Browsers are kept out: no page of
//! somebody else's may make a browser ask us anything.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use super::refusals::Refusals;
use super::rest::take_in;
use super::roles::{Caller, Role};
use super::submit::content_type;
use crate::engine::By;

/// Where to listen, and for whom.
#[derive(Clone, Debug)]
pub struct Tcp {
    /// A loopback address.
    pub address: SocketAddr,
    /// The tokens; each by itself lets in.
    pub tokens: Vec<Token>,
}

/// A token, by which somebody is known and may do something.
#[derive(Clone, Debug)]
pub struct Token {
    /// The name of whoever has it: what it asks for is on record under this name.
    pub name: Arc<str>,
    /// What that one may do.
    pub role: Role,
    /// Its file; made, open to its owner only, if it is not there.
    pub file: PathBuf,
}

/// What a request needs to come in.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    /// Who comes with which token.
    tokens: Arc<[(String, Caller)]>,
    refusals: Refusals,
    port: u16,
}

impl Tcp {
    /// Whether an address is one to listen at: nobody comes there from another machine.
    #[must_use]
    pub const fn may_listen(address: &SocketAddr) -> bool {
        address.ip().is_loopback()
    }

    pub(super) fn open(&self, refusals: Refusals) -> io::Result<(TcpListener, Guard)> {
        if !Self::may_listen(&self.address) {
            let text = format!(
                "{} is no loopback address, as in 127.0.0.1:7717",
                self.address
            );
            return Err(io::Error::new(ErrorKind::InvalidInput, text));
        }
        let named = |error: io::Error, what: &Path| {
            io::Error::new(error.kind(), format!("{}: {error}", what.display()))
        };
        let known = |own: &Token| {
            let text = token(&own.file).map_err(|error| named(error, &own.file))?;
            let caller = Caller {
                role: Some(own.role),
                by: By::Token(Arc::clone(&own.name)),
            };
            Ok((text, caller))
        };
        let tokens: io::Result<Vec<_>> = self.tokens.iter().map(known).collect();
        let tokens = tokens?;
        let listener = TcpListener::bind(self.address).map_err(|error| {
            let text = format!("{} (`api.tcp`): {error}", self.address);
            io::Error::new(error.kind(), text)
        })?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let guard = Guard {
            tokens: tokens.into(),
            refusals,
            port,
        };
        Ok((listener, guard))
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
    if let Some(directory) = path.parent().filter(|directory| !directory.exists()) {
        DirBuilder::new().mode(0o700).create(directory)?;
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
    router
        .layer(middleware::from_fn_with_state(guard, check))
        .layer(middleware::from_fn(take_in))
}

async fn check(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    match guard.admit(request.method(), request.headers()) {
        Err(problem) => {
            if problem.is_of("token") {
                let what = || format!("{} {}", request.method(), request.uri().path());
                guard.refusals.tell("somebody without a token", what);
            }
            problem.into_response()
        }
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
    }
}

impl Guard {
    /// Who comes in with this request.
    fn admit(&self, method: &Method, headers: &HeaderMap) -> Result<Caller, Problem> {
        let forbidden = |kind, detail: &str| Err(Problem::new(StatusCode::FORBIDDEN, kind, detail));
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
        let Some(caller) = given.and_then(|given| self.who(given)) else {
            let detail = "say Authorization: Bearer TOKEN, with a token of the state directory";
            return Err(Problem::new(StatusCode::UNAUTHORIZED, "token", detail));
        };
        let form = content_type(headers);
        let plain = matches!(
            form.as_deref(),
            None | Some("application/json" | "application/x-ndjson")
        );
        if *method == Method::POST && !plain {
            let detail = "a POST here is application/json or application/x-ndjson";
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(Problem::new(status, "media-type", detail));
        }
        Ok(caller)
    }

    /// Whose token this is. All are looked at, so that the time says nothing of which it is.
    fn who(&self, given: &str) -> Option<Caller> {
        let mut who = None;
        for (token, caller) in &*self.tokens {
            if same(given.as_bytes(), token.as_bytes()) {
                who = Some(caller);
            }
        }
        who.cloned()
    }
}

/// Compares in a time that says nothing of where two texts differ.
fn same(one: &[u8], other: &[u8]) -> bool {
    blake3::hash(one) == blake3::hash(other)
}
