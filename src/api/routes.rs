//! The table of routes: each path with its methods, once, for the router and for whoever checks that the
//! document describes them all.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use axum::{Json, Router};
use serde_json::Value;

use super::problem::Problem;
use super::shared::Shared;
use super::{daemon, follow, looks, openapi, runs, submit};

/// The largest body of a single request, in bytes.
const BODY: usize = 1 << 20;

type Route = (
    &'static str,
    &'static [&'static str],
    MethodRouter<Arc<Shared>>,
);

fn table() -> Vec<Route> {
    vec![
        (
            "/runs",
            &["get", "post"],
            get(runs::list).post(submit::post),
        ),
        ("/runs/{run}", &["get"], get(runs::show)),
        ("/runs/{run}/explain", &["get"], get(runs::explain)),
        ("/runs/{run}/log", &["get"], get(runs::log)),
        ("/runs/{run}/cancel", &["post"], post(runs::cancel)),
        ("/runs/{run}/retry", &["post"], post(runs::retry)),
        ("/runs/{run}/complete", &["post"], post(runs::complete)),
        ("/runs/{run}/send", &["post"], post(runs::send)),
        ("/logs", &["get"], get(looks::logs)),
        ("/history", &["get"], get(looks::history)),
        ("/timeline", &["get"], get(looks::timeline)),
        ("/events", &["get"], get(follow::events)),
        ("/pause", &["post"], post(daemon::pause)),
        ("/resume", &["post"], post(daemon::resume)),
        ("/status", &["get"], get(daemon::status)),
        ("/jobs", &["get"], get(daemon::jobs)),
        ("/reload", &["post"], post(daemon::reload)),
        ("/drain", &["post"], post(daemon::drain)),
        ("/stop", &["post"], post(daemon::stop)),
        ("/healthz", &["get"], get(daemon::health)),
        ("/metrics", &["get"], get(daemon::metrics)),
        ("/openapi.json", &["get"], get(document)),
    ]
}

/// Every path with its methods.
#[cfg(test)]
pub(super) fn all() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    table()
        .into_iter()
        .map(|(path, methods, _)| (path, methods))
}

/// The router.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    let mut router = Router::new();
    for (path, methods, handlers) in table() {
        let allowed = methods.join(", ").to_uppercase();
        let handlers = handlers.fallback(move || async move {
            let detail = format!("this path takes {allowed}");
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", detail)
        });
        router = router.route(path, handlers);
    }
    router
        .fallback(|request: Request| async move {
            let path = request.uri().path().to_owned();
            let detail =
                format!("there is nothing at {path}; GET /openapi.json says what there is");
            Problem::new(StatusCode::NOT_FOUND, "unknown-path", detail)
        })
        .layer(DefaultBodyLimit::max(BODY))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), count))
        .with_state(shared)
}

async fn count(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    shared.count();
    response
}

async fn document(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(openapi::document((shared.parts.ad_hoc_schema)()))
}
