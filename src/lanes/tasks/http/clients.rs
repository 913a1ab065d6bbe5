//! The clients that all requests of the lanes share, made when the first request needs one. A client
//! has a pool of connections; what it cannot be told anew for each request makes it another one.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use reqwest::Client;
use reqwest::redirect::Policy;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::OnceCell;

use super::super::super::lock;
use super::words;
use crate::engine::http::{HttpSpec, Proxy};

/// Clients that are kept: far more than a configuration has kinds of. Beyond it one makes place, with
/// its connections that nobody uses.
const CLIENTS_BOUND: usize = 64;

/// Connections to one host that wait for a further request. What a burst opened beyond it is closed.
const IDLE_BOUND: usize = 256;

/// All clients of the lanes.
#[derive(Default)]
pub(in super::super::super) struct Clients {
    tls: OnceCell<ClientConfig>,
    clients: Mutex<BTreeMap<Kind, Client>>,
}

/// What a client is told once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    connect_timeout: Duration,
    redirects: u32,
    proxy: Proxy,
}

impl Clients {
    /// The client for a request; or, in words, why there is none.
    pub(super) async fn of(&self, spec: &HttpSpec) -> Result<Client, String> {
        let kind = Kind {
            connect_timeout: spec.connect_timeout,
            redirects: spec.redirects,
            proxy: spec.proxy.clone(),
        };
        let tls = self.tls.get_or_try_init(tls).await?;
        let mut clients = lock(&self.clients);
        if let Some(client) = clients.get(&kind) {
            return Ok(client.clone());
        }
        let client = client(&kind, tls)
            .map_err(|error| format!("cannot make an HTTP client: {}", words::chain(&error)))?;
        if clients.len() >= CLIENTS_BOUND {
            clients.pop_first();
        }
        clients.insert(kind, client.clone());
        Ok(client)
    }
}

fn client(kind: &Kind, tls: &ClientConfig) -> reqwest::Result<Client> {
    let redirects = match kind.redirects {
        0 => Policy::none(),
        most => Policy::limited(most as usize),
    };
    let builder = Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .user_agent(concat!("twolane/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(kind.connect_timeout)
        .redirect(redirects)
        .referer(false)
        .pool_max_idle_per_host(IDLE_BOUND);
    match &kind.proxy {
        Proxy::Environment => builder,
        Proxy::Off => builder.no_proxy(),
        Proxy::Url(url) => builder.proxy(reqwest::Proxy::all(&**url)?),
    }
    .build()
}

/// What TLS needs: the root certificates of the system, read once. Where it has none, every `https`
/// fails with `UnknownIssuer`, and plain `http` goes on.
async fn tls() -> Result<ClientConfig, String> {
    tokio::task::spawn_blocking(|| {
        let mut roots = RootCertStore::empty();
        // Certificates that nobody can read vouch for nothing; the others still do.
        let (_read, _unread) =
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = rustls::crypto::ring::default_provider();
        let config = ClientConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("cannot set TLS up: {error}"))?;
        Ok(config.with_root_certificates(roots).with_no_client_auth())
    })
    .await
    .map_err(|error| format!("cannot set TLS up: {error}"))?
}
