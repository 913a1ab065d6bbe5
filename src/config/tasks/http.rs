//! The table of the task `http`. Knows what a request has to be, and sends none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::Value;

use super::super::diagnostic::{Diagnostic, Report};
use super::super::keys::{Key, Kind, key};
use super::super::names::nearest;
use super::super::read::{Field, Span, Table, list};
use super::super::secrets::secrets;
use crate::engine::braces::{Piece, fill, pieces};
use crate::engine::http::{HttpBody, HttpSpec, Proxy, SECRET, Statuses};
use crate::engine::spec::TaskSpec;

/// A timer of a millisecond is the shortest that means anything on a network.
const A_WHILE: Kind = Kind::Duration(Duration::from_millis(1));

pub(in super::super) const KEYS: &[Key] = &[
    key(
        "url",
        Kind::Text,
        "\"https://example.org/in.png\"",
        "Where to. `{name}` is the run's argument of that name, percent-encoded; at the very \
         beginning it is taken as it is. `{{` and `}}` are the braces themselves, here as in \
         `headers` and `body`.",
    ),
    key(
        "method",
        Kind::Choice(&["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
        "\"POST\"",
        "`GET` unless said otherwise.",
    ),
    key(
        "headers",
        Kind::Free,
        "{ Accept = \"text/plain\" }",
        "Headers of the request, by name.",
    ),
    key(
        "body",
        Kind::Text,
        "\"how are you, {name}?\"",
        "What is sent along.",
    ),
    key(
        "body_file",
        Kind::Text,
        "\"out.bin\"",
        "The file that is sent along; a relative path is taken from the directory of the job file.",
    ),
    key(
        "expect",
        Kind::Any,
        "[200, \"4xx\"]",
        "The statuses that count as a success, one by one or as in `2xx`, which is what counts \
         unless said otherwise.",
    ),
    key(
        "connect_timeout",
        A_WHILE,
        "\"10s\"",
        "The longest that a connection may take to come about; 10 s unless said otherwise.",
    ),
    key(
        "total_timeout",
        A_WHILE,
        "\"5m\"",
        "The longest that all of it may take, to the last byte; 5 min unless said otherwise.",
    ),
    key(
        "redirects",
        Kind::Integer(0, 100),
        "10",
        "How many redirects are followed; 10 unless said otherwise.",
    ),
    key(
        "save_to",
        Kind::Text,
        "\"in.png\"",
        "The file that the answer goes to, which is there as a whole or not at all; a relative path \
         is taken from the directory of the job file. Without it the result has the beginning of the \
         answer's text.",
    ),
    key(
        "sha256",
        Kind::Text,
        "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"",
        "What the SHA-256 of the answer has to be.",
    ),
    key(
        "proxy",
        Kind::Text,
        "\"http://127.0.0.1:3128\"",
        "The proxy to go by, or `off`, or `env` (unless said otherwise) for what HTTP_PROXY, \
         HTTPS_PROXY and NO_PROXY say.",
    ),
];

/// The task, if there is no mistake in it.
pub(in super::super) fn http(
    report: &mut Report,
    source: usize,
    job: &Table,
    field: &Field,
    directory: &Path,
) -> Option<TaskSpec> {
    let table = job.table("http")?;
    let mut reader = Reader {
        report,
        source,
        job,
        table,
        good: table.fields.values().all(|field| field.item.is_some()),
    };
    let url = reader.url(field);
    let headers = reader.headers();
    let secrets = secrets(reader.report, source, job, directory);
    let body = reader.body(directory);
    let expect = reader.expect();
    let save_to = reader.save_to(directory);
    let sha256 = reader.sha256();
    let proxy = reader.proxy();
    if !reader.good {
        return None;
    }
    let usual = HttpSpec::get(url?);
    let expect = expect.unwrap_or_else(|| usual.expect.clone());
    Some(TaskSpec::Http(Box::new(HttpSpec {
        method: table
            .text("method")
            .map_or_else(|| Arc::clone(&usual.method), Arc::from),
        headers,
        secrets: secrets?,
        body,
        expect,
        connect_timeout: table
            .duration("connect_timeout")
            .unwrap_or(usual.connect_timeout),
        total_timeout: table
            .duration("total_timeout")
            .unwrap_or(usual.total_timeout),
        redirects: table.natural("redirects").unwrap_or(usual.redirects),
        save_to,
        sha256,
        proxy,
        ..usual
    })))
}

struct Reader<'a> {
    report: &'a mut Report,
    source: usize,
    job: &'a Table,
    table: &'a Table,
    /// No mistake has been found.
    good: bool,
}

impl Reader<'_> {
    fn mistake(&mut self, span: &Span, message: impl Into<String>, hint: impl Into<String>) {
        self.good = false;
        let found = Diagnostic::at(self.source, span.clone(), message.into());
        self.report.push(found.hint(hint.into()));
    }

    /// The text under a key, with its place.
    fn text(&self, key: &str) -> Option<(&str, Span)> {
        Some((self.table.text(key)?, self.table.get(key)?.value.clone()))
    }

    fn url(&mut self, field: &Field) -> Option<Arc<str>> {
        let Some((url, span)) = self.text("url") else {
            if self.table.get("url").is_none() && !self.table.strange {
                let hint = "write it like `http = { url = \"https://example.org/in.png\" }`";
                self.mistake(&field.value, "`http` lacks `url`", hint);
            }
            return None;
        };
        let url = url.to_owned();
        if !self.names(&url, &span) {
            return None;
        }
        // A digit can stand for a host, a port and a part of a path alike.
        let mut at_start = url.starts_with('{') && !url.starts_with("{{");
        let sample = fill(&url, |_, out| {
            out.push_str(if at_start { "http://1" } else { "1" });
            at_start = false;
        });
        let why = match Url::parse(&sample) {
            Ok(sample) if matches!(sample.scheme(), "http" | "https") => return Some(url.into()),
            Ok(sample) => format!("it begins with `{}:`", sample.scheme()),
            Err(error) => error.to_string(),
        };
        let message = format!("`{url}` is no URL that can be asked for: {why}");
        self.mistake(&span, message, "write it like `https://example.org/in.png`");
        None
    }

    fn headers(&mut self) -> Vec<(Arc<str>, Arc<str>)> {
        let Some(Value::Object(headers)) = self.table.free("headers") else {
            return Vec::new();
        };
        let span = self.table.get("headers").map_or(0..0, |f| f.value.clone());
        let mut read: BTreeMap<String, Arc<str>> = BTreeMap::new();
        for (name, value) in headers {
            let hint = "write it like `headers = { Accept = \"text/plain\" }`";
            let Ok(usual) = HeaderName::from_str(name) else {
                self.mistake(&span, format!("`{name}` cannot be a header's name"), hint);
                continue;
            };
            let Value::String(value) = value else {
                self.mistake(&span, format!("the header `{name}` is no text"), hint);
                continue;
            };
            let of_secrets = self.secrets();
            if !self.known(value, &span, &of_secrets) {
                continue;
            }
            if HeaderValue::from_str(&fill(value, |_, _| {})).is_err() {
                let message = format!("the header `{name}` has a line end or the like in it");
                self.mistake(&span, message, hint);
            } else if read
                .insert(usual.as_str().to_owned(), Arc::from(&**value))
                .is_some()
            {
                let message = format!("the header `{name}` stands there twice");
                self.mistake(
                    &span,
                    message,
                    "upper and lower case are the same in names of headers",
                );
            }
        }
        read.into_iter()
            .map(|(name, value)| (Arc::from(name), value))
            .collect()
    }

    fn body(&mut self, directory: &Path) -> Option<HttpBody> {
        let text = self
            .text("body")
            .map(|(text, span)| (text.to_owned(), span));
        let file = self
            .text("body_file")
            .map(|(path, span)| (directory.join(path), span));
        match (text, file) {
            (Some(_), Some((_, span))) => {
                let message = "`http` has two bodies, `body` and `body_file`";
                self.mistake(&span, message, "leave one of them out");
                None
            }
            (Some((text, span)), None) => {
                self.names(&text, &span);
                Some(HttpBody::Text(text.into()))
            }
            (None, Some((path, _))) => Some(HttpBody::File(path)),
            (None, None) => None,
        }
    }

    fn expect(&mut self) -> Option<Vec<Statuses>> {
        let span = self.table.get("expect")?.value.clone();
        let value = self.table.free("expect")?;
        let words = match value.as_array() {
            Some(words) => words.as_slice(),
            None => std::slice::from_ref(value),
        };
        let mut expected = Vec::with_capacity(words.len());
        for word in words {
            match statuses(word) {
                Some(statuses) => expected.push(statuses),
                None => self.mistake(
                    &span,
                    format!(
                        "`{}` is no status",
                        word.as_str().map_or(word.to_string(), str::to_owned)
                    ),
                    "write it like `expect = [200, \"4xx\"]`",
                ),
            }
        }
        if words.is_empty() {
            let hint = "leave it out where every `2xx` is good";
            self.mistake(&span, "`expect` is empty: nothing would be a success", hint);
        }
        Some(expected)
    }

    fn save_to(&mut self, directory: &Path) -> Option<PathBuf> {
        let (text, span) = self.text("save_to")?;
        let text = text.to_owned();
        if !self.names(&text, &span) {
            return None;
        }
        let path = directory.join(&text);
        if text.ends_with('/') || path.file_name().is_none() {
            let message = format!("`{text}` is a directory, and `save_to` has to be a file");
            self.mistake(&span, message, "write it like `save_to = \"in.png\"`");
            return None;
        }
        Some(path)
    }

    fn sha256(&mut self) -> Option<Arc<str>> {
        let (text, span) = self.text("sha256")?;
        if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Some(Arc::from(text.to_ascii_lowercase()));
        }
        let message = "`sha256` is no SHA-256: that has 64 hexadecimal digits";
        self.mistake(&span, message, "`sha256sum FILE` prints it");
        None
    }

    fn proxy(&mut self) -> Proxy {
        let Some((text, span)) = self.text("proxy") else {
            return Proxy::default();
        };
        match text {
            "env" => return Proxy::Environment,
            "off" => return Proxy::Off,
            _ => {}
        }
        let good = Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        let proxy = Proxy::Url(Arc::from(text));
        if !good {
            let message = format!("`{text}` is no proxy");
            let hint = "write `env`, `off`, or a URL as in `http://127.0.0.1:3128`";
            self.mistake(&span, message, hint);
        }
        proxy
    }

    /// What stands for the job's secrets in headers.
    fn secrets(&self) -> Vec<String> {
        let secrets = self.job.free("secrets").and_then(Value::as_object);
        let names = secrets.into_iter().flatten();
        names.map(|(name, _)| format!("{SECRET}{name}")).collect()
    }

    /// Whether each name in braces in `text`, which stands somewhere in `span`, is that of a parameter.
    fn names(&mut self, text: &str, span: &Span) -> bool {
        self.known(text, span, &[])
    }

    /// Whether each name in braces is that of a parameter, or one of these.
    fn known(&mut self, text: &str, span: &Span, more: &[String]) -> bool {
        let params = self.job.named("params").map(|(name, _)| name);
        let known: Vec<&String> = params.chain(more).collect();
        let mut good = true;
        for piece in pieces(text) {
            let (message, hint, offset, length) = match piece {
                Piece::Text(_) => continue,
                Piece::Name { name, .. } if known.iter().any(|known| *known == name) => continue,
                Piece::Name { name, text, offset } => {
                    let hint = match nearest(name, known.iter().map(|name| name.as_str())) {
                        Some(nearest) => format!("did you mean `{{{nearest}}}`?"),
                        None if known.is_empty() => "declare it, as in `params = { page = { type = \
                             \"integer\" } }`; where the braces themselves are meant, write `{{` and \
                             `}}`"
                            .to_owned(),
                        None => format!(
                            "declared are {}; where the braces themselves are meant, write `{{{{` and `}}}}`",
                            list(known.iter().map(|name| name.as_str()))
                        ),
                    };
                    let message = format!("the job has no parameter `{name}`");
                    (message, hint, offset, text.len())
                }
                Piece::Stray { text, offset } => {
                    let other = if text == "{" { "}" } else { "{" };
                    let message = format!("a `{text}` has no `{other}`");
                    let hint = "write `{{` or `}}` where the brace itself is meant".to_owned();
                    (message, hint, offset, 1)
                }
            };
            good = false;
            // Where the text stands in the file as it is, the very place can be shown.
            let raw = &self.report.text(self.source)[span.clone()];
            let place = raw.find(text).map_or(span.clone(), |at| {
                let start = span.start + at + offset;
                start..start + length
            });
            self.mistake(&place, message, hint);
        }
        good
    }
}

/// `200`, or `"2xx"`.
fn statuses(word: &Value) -> Option<Statuses> {
    if let Some(status) = word.as_u64() {
        let status = u16::try_from(status)
            .ok()
            .filter(|n| (100..=599).contains(n))?;
        let (first, last) = (status, status);
        return Some(Statuses { first, last });
    }
    let hundreds = word.as_str()?.strip_suffix("xx")?;
    let first = match hundreds {
        "1" | "2" | "3" | "4" | "5" => 100 * hundreds.parse::<u16>().ok()?,
        _ => return None,
    };
    let last = first + 99;
    Some(Statuses { first, last })
}
