//! What is sent: the job's texts with the run's arguments in them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::Metadata;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Body, Client, Method, Response, Url};
use serde_json::Value;
use tokio::fs::File;
use tokio_util::io::ReaderStream;

use super::super::TaskError;
use crate::engine::braces::fill;
use crate::engine::http::{HttpBody, HttpSpec, SECRET};
use crate::engine::spec::Name;

/// What is read of a body's file at a time. As tokio's threads for files do it, less costs more.
const CHUNK_BYTES: usize = 64 << 10;

/// A request with nothing left open.
pub(super) struct Request<'a> {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<Filled<'a>>,
}

enum Filled<'a> {
    Text(String),
    File(&'a Path),
}

impl<'a> Request<'a> {
    /// The request of `spec` with the arguments `args`, and with these secrets.
    pub(super) fn fill(
        spec: &'a HttpSpec,
        args: Option<&Value>,
        secrets: &BTreeMap<Name, String>,
    ) -> Result<Self, TaskError> {
        let unable =
            |why: String| TaskError::failed(format!("cannot ask for `{}`: {why}", spec.url));
        let url = url(&spec.url, args).map_err(unable)?;
        let method = Method::from_str(&spec.method).map_err(|error| unable(error.to_string()))?;
        let mut headers = HeaderMap::with_capacity(spec.headers.len());
        for (name, value) in &spec.headers {
            let filled = fill(value, |name, out| {
                let secret = name.strip_prefix(SECRET).and_then(|name| secrets.get(name));
                match secret {
                    Some(secret) => out.push_str(secret),
                    None => out.push_str(&word(args, name)),
                }
            });
            let header = HeaderName::from_str(name).ok();
            match header.zip(HeaderValue::from_str(&filled).ok()) {
                Some((header, filled)) => headers.insert(header, filled),
                None => {
                    let why =
                        format!("the header `{name}` would have a line end or the like in it");
                    return Err(unable(why));
                }
            };
        }
        let body = spec.body.as_ref().map(|body| match body {
            HttpBody::Text(text) => {
                Filled::Text(fill(text, |name, out| out.push_str(&word(args, name))))
            }
            HttpBody::File(path) => Filled::File(path),
        });
        Ok(Self {
            method,
            url,
            headers,
            body,
        })
    }

    /// Sends it; the answer's body is not read yet.
    pub(super) async fn send(
        &self,
        client: &Client,
    ) -> Result<reqwest::Result<Response>, TaskError> {
        let mut builder = client
            .request(self.method.clone(), self.url.clone())
            .headers(self.headers.clone());
        match &self.body {
            None => {}
            Some(Filled::Text(text)) => builder = builder.body(text.clone()),
            Some(Filled::File(path)) => {
                let (body, bytes) = Box::pin(self.open(path)).await?;
                builder = builder.body(body).header(CONTENT_LENGTH, bytes);
            }
        }
        Ok(builder.send().await)
    }

    /// A body that is in a file, and how long it is.
    async fn open(&self, path: &Path) -> Result<(Body, u64), TaskError> {
        let unable = |error: std::io::Error| {
            self.failed(format!(
                "cannot read the body from {}: {error}",
                path.display()
            ))
        };
        let regular = |metadata: Metadata| match metadata.is_file() {
            true => Ok(metadata.len()),
            false => Err(unable(std::io::Error::other("it is no regular file"))),
        };
        // Opening a pipe would wait for its writer. Something else may come in the file's place until then.
        regular(tokio::fs::metadata(path).await.map_err(unable)?)?;
        let file = File::open(path).await.map_err(unable)?;
        let bytes = regular(file.metadata().await.map_err(unable)?)?;
        let stream = ReaderStream::with_capacity(file, CHUNK_BYTES);
        Ok((Body::wrap_stream(stream), bytes))
    }

    /// A failure of this request, for this reason.
    pub(super) fn failed(&self, why: impl AsRef<str>) -> TaskError {
        TaskError::failed(format!(
            "{} {}: {}",
            self.method,
            shown(&self.url),
            why.as_ref()
        ))
    }

    /// Where it goes first.
    pub(super) const fn url(&self) -> &Url {
        &self.url
    }
}

/// A URL as it may be told: without the password, if it has one.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    if url.password().is_some() {
        // A URL that has a password can have another one.
        let _ = url.set_password(Some("***"));
    }
    url.to_string()
}

/// The URL with the arguments in it.
fn url(template: &str, args: Option<&Value>) -> Result<Url, String> {
    let mut wrong = None;
    let mut at_start = template.starts_with('{') && !template.starts_with("{{");
    let filled = fill(template, |name, out| {
        let word = word(args, name);
        if std::mem::take(&mut at_start) {
            out.push_str(&word);
        } else if matches!(&*word, "." | "..") {
            // However it is encoded, a path would take it for a step to somewhere else.
            wrong = Some(format!(
                "the argument `{name}` is `{word}`, which would change the path"
            ));
        } else {
            encode(&word, out);
        }
    });
    if let Some(wrong) = wrong {
        return Err(wrong);
    }
    let url = Url::parse(&filled).map_err(|error| format!("`{filled}` is no URL: {error}"))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => Err(format!(
            "`{filled}` begins with `{other}:`, and not with `http:` or `https:`"
        )),
    }
}

/// The argument of this name as a text; empty where there is none.
fn word(args: Option<&Value>, name: &str) -> Arc<str> {
    match args.and_then(|args| args.get(name)) {
        None | Some(Value::Null) => Arc::from(""),
        Some(Value::String(text)) => Arc::from(&**text),
        Some(other) => Arc::from(other.to_string()),
    }
}

/// Writes `word` so that it means itself in any part of a URL: all but letters, digits and `-._~` as
/// `%` and two digits.
fn encode(word: &str, out: &mut String) {
    for byte in word.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _infallible = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arguments_are_put_into_urls() {
        let args =
            json!({"base": "http://h:1/x", "q": "a b&c=/ü?", "n": 7, "none": null, "up": ".."});
        let check = |template: &str, expected: Result<&str, &str>| {
            let filled = url(template, Some(&args)).map(String::from);
            assert_eq!(filled.as_deref().map_err(String::as_str), expected);
        };
        check(
            "http://h/{n}?q={q}",
            Ok("http://h/7?q=a%20b%26c%3D%2F%C3%BC%3F"),
        );
        check("{base}/{q}", Ok("http://h:1/x/a%20b%26c%3D%2F%C3%BC%3F"));
        check("http://h:{n}/{{n}}/{none}", Ok("http://h:7/%7Bn%7D/"));
        check(
            "http://h/{up}/x",
            Err("the argument `up` is `..`, which would change the path"),
        );
        check(
            "{q}",
            Err("`a b&c=/ü?` is no URL: relative URL without a base"),
        );
    }

    #[test]
    fn passwords_are_not_told() {
        let url = Url::parse("http://me:secret@h/").unwrap();
        assert_eq!(shown(&url), "http://me:***@h/");
    }
}
