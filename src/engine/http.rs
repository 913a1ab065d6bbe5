//! What a job of the task `http` asks for: plain values, as all of `spec`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::command::Secret;
use super::spec::Name;

/// A request and what becomes of its answer. `{name}` in the URL, in the headers' values and in the
/// body stands for the run's argument of that name; `{{` and `}}` are the braces themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpSpec {
    /// Where to. Arguments are percent-encoded, but for one at the very beginning, which is taken as
    /// it is: it holds the scheme and the host.
    pub url: Arc<str>,
    /// `GET` and the like.
    pub method: Arc<str>,
    /// Names and values, in the order of the names.
    #[serde(default)]
    pub headers: Vec<(Arc<str>, Arc<str>)>,
    /// What `{secret.NAME}` in a header's value stands for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<Name, Secret>,
    /// What is sent along.
    #[serde(default)]
    pub body: Option<HttpBody>,
    /// The statuses that count as a success; never empty.
    pub expect: Vec<Statuses>,
    /// The longest that a connection may take to come about: name, TCP and TLS.
    pub connect_timeout: Duration,
    /// The longest that all of it may take, to the last byte.
    pub total_timeout: Duration,
    /// How many redirects are followed.
    pub redirects: u32,
    /// The file that the answer goes to; made absolute as far as the job file's path is.
    #[serde(default)]
    pub save_to: Option<PathBuf>,
    /// What the answer's SHA-256 has to be: 64 hexadecimal digits in lower case.
    #[serde(default)]
    pub sha256: Option<Arc<str>>,
    /// By way of whom.
    #[serde(default)]
    pub proxy: Proxy,
}

impl HttpSpec {
    /// A plain `GET` of `url`, with everything else as it is unless said otherwise.
    #[must_use]
    pub fn get(url: impl Into<Arc<str>>) -> Self {
        Self {
            url: url.into(),
            method: "GET".into(),
            headers: Vec::new(),
            secrets: BTreeMap::new(),
            body: None,
            expect: vec![Statuses {
                first: 200,
                last: 299,
            }],
            connect_timeout: Duration::from_secs(10),
            total_timeout: Duration::from_secs(300),
            redirects: 10,
            save_to: None,
            sha256: None,
            proxy: Proxy::default(),
        }
    }
}

/// What the name of a secret begins with where it stands in braces.
pub const SECRET: &str = "secret.";

/// What is sent along with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HttpBody {
    /// This text, with the run's arguments put in as they are.
    Text(Arc<str>),
    /// What this file holds when the attempt runs.
    File(PathBuf),
}

/// Statuses that follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statuses {
    /// The first of them.
    pub first: u16,
    /// The last of them.
    pub last: u16,
}

/// By way of whom a request goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proxy {
    /// Those that `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` name.
    #[default]
    Environment,
    /// Nobody.
    Off,
    /// This one.
    Url(Arc<str>),
}
