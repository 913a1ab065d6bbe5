//! Why a request failed, in one line for somebody who is woken by it.

use std::error::Error;

use reqwest::{StatusCode, Url};

use super::super::super::handlers::causes;
use super::request::{Request, shown};
use crate::engine::http::HttpSpec;

/// The longest first line that is told, in characters.
const LINE_CHARS: usize = 200;

/// An error with its causes, as far as they say something.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = String::new();
    for cause in causes(error) {
        let cause = cause.to_string();
        // Where the library speaks of itself.
        let says_nothing = cause.starts_with("error sending request")
            || cause.starts_with("client error (")
            || cause.starts_with("error following redirect");
        // Some errors print their cause themselves.
        if !says_nothing && !line.ends_with(&cause) {
            if !line.is_empty() {
                line.push_str(": ");
            }
            line.push_str(&cause);
        }
    }
    if line.is_empty() {
        line = error.to_string();
    }
    line
}

/// No answer has come.
pub(super) fn no_answer(error: &reqwest::Error, spec: &HttpSpec) -> String {
    // After a redirect it may be another one than was asked for.
    let at = match error.url() {
        Some(url) if error.is_redirect() => format!(" (at {})", shown(url)),
        _ => String::new(),
    };
    if error.is_redirect() {
        format!("more than {} redirects (`redirects`){at}", spec.redirects)
    } else if error.is_connect() && error.is_timeout() {
        let limit = spec.connect_timeout;
        format!("no connection within {limit:?} (`connect_timeout`)")
    } else if error.is_connect() {
        let why = chain(error);
        let cure = if why.contains("UnknownIssuer") {
            "; whom this machine trusts is trusted, or whom the file says that SSL_CERT_FILE in the daemon's \
             environment names"
        } else {
            ""
        };
        format!("cannot connect: {why}{cure}")
    } else {
        format!("no answer: {}", chain(error))
    }
}

/// The answer has another status than was expected.
pub(super) fn unexpected(
    status: StatusCode,
    from: &Url,
    request: &Request<'_>,
    first_line: &str,
) -> String {
    let mut words = format!("unexpected status {status}");
    if from != request.url() {
        words.push_str(&format!(" from {}", shown(from)));
    }
    if !first_line.is_empty() {
        words.push_str(": ");
        words.push_str(first_line);
    }
    words
}

/// The answer has begun and did not end.
pub(super) fn broken_off(error: &reqwest::Error, received: u64, whole: Option<u64>) -> String {
    let of = whole.map_or(String::new(), |whole| format!(" of {whole}"));
    format!(
        "the answer broke off after {received}{of} bytes: {}",
        chain(error)
    )
}

/// What came is something else.
pub(super) fn other_sha256(expected: &str, found: &str, spec: &HttpSpec) -> String {
    let kept = match &spec.save_to {
        Some(path) => format!("; {} is as it was", path.display()),
        None => String::new(),
    };
    format!("the answer's SHA-256 is {found}, and has to be {expected}{kept}")
}

/// The first line with anything in it, without what would disturb a terminal, and not too long.
pub(super) fn first_line(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    let visible = line.unwrap_or("").chars().filter(|c| !c.is_control());
    let mut line: String = visible.take(LINE_CHARS + 1).collect();
    if line.chars().count() > LINE_CHARS {
        line.pop();
        line.push('…');
    }
    line
}
