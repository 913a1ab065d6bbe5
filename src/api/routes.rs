//! The table of routes: each path with its methods, once, for the router and for whoever checks that the
//! document describes them all.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Json, Router};
use serde_json::Value;

use super::problem::Problem;
use super::refusals::Refusals;
use super::rest::take_in;
use super::roles::{Caller, Role};
use super::shared::Shared;
use super::{backfill, daemon, follow, looks, openapi, runs, submit};

/// The largest body of a single request, in bytes.
const BODY: usize = 1 << 20;

type Route = (
    &'static str,
    &'static [(&'static str, Role)],
    MethodRouter<Arc<Shared>>,
);

fn table() -> Vec<Route> {
    vec![
        (
            "/runs",
            &[("get", Role::Read), ("post", Role::Submit)],
            get(runs::list).post(submit::post),
        ),
        ("/runs/{run}", &[("get", Role::Read)], get(runs::show)),
        (
            "/runs/{run}/explain",
            &[("get", Role::Read)],
            get(runs::explain),
        ),
        ("/runs/{run}/log", &[("get", Role::Read)], get(runs::log)),
        (
            "/runs/{run}/cancel",
            &[("post", Role::Control)],
            post(runs::cancel),
        ),
        (
            "/runs/{run}/retry",
            &[("post", Role::Control)],
            post(runs::retry),
        ),
        (
            "/runs/{run}/complete",
            &[("post", Role::Control)],
            post(runs::complete),
        ),
        (
            "/runs/{run}/send",
            &[("post", Role::Control)],
            post(runs::send),
        ),
        ("/logs", &[("get", Role::Read)], get(looks::logs)),
        ("/history", &[("get", Role::Read)], get(looks::history)),
        ("/timeline", &[("get", Role::Read)], get(looks::timeline)),
        ("/events", &[("get", Role::Read)], get(follow::events)),
        (
            "/backfills",
            &[("get", Role::Read), ("post", Role::Submit)],
            get(backfill::list).post(backfill::post),
        ),
        (
            "/backfills/{backfill}/cancel",
            &[("post", Role::Control)],
            post(backfill::cancel),
        ),
        ("/pause", &[("post", Role::Control)], post(daemon::pause)),
        ("/resume", &[("post", Role::Control)], post(daemon::resume)),
        ("/status", &[("get", Role::Read)], get(daemon::status)),
        ("/jobs", &[("get", Role::Read)], get(daemon::jobs)),
        ("/reload", &[("post", Role::Control)], post(daemon::reload)),
        (
            "/reload/preview",
            &[("post", Role::Control)],
            post(daemon::preview),
        ),
        ("/drain", &[("post", Role::Control)], post(daemon::drain)),
        ("/stop", &[("post", Role::Control)], post(daemon::stop)),
        ("/healthz", &[("get", Role::Read)], get(daemon::health)),
        ("/metrics", &[("get", Role::Read)], get(daemon::metrics)),
        ("/openapi.json", &[("get", Role::Read)], get(document)),
    ]
}

/// Every path with its methods, and the role that each needs.
#[cfg(test)]
pub(super) fn all() -> impl Iterator<Item = (&'static str, &'static [(&'static str, Role)])> {
    table()
        .into_iter()
        .map(|(path, methods, _)| (path, methods))
}

/// The router.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    let mut router = Router::new();
    for (path, methods, handlers) in table() {
        let words: Vec<&str> = methods.iter().map(|(method, _)| *method).collect();
        let allowed = words.join(", ").to_uppercase();
        let handlers = handlers.fallback(move || async move {
            let detail = format!("this path takes {allowed}");
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", detail)
        });
        let refusals = shared.refusals.clone();
        let handlers = handlers.layer(middleware::from_fn(move |request: Request, next: Next| {
            admit(refusals.clone(), methods, request, next)
        }));
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
        .layer(middleware::from_fn(take_in))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), count))
        .with_state(shared)
}

/// Lets in who has the role that the method needs. This is the one place where it is asked.
async fn admit(
    refusals: Refusals,
    methods: &'static [(&'static str, Role)],
    request: Request,
    next: Next,
) -> Response {
    let method = request.method().as_str().to_ascii_lowercase();
    // HEAD is a GET of which less is told.
    let method = if method == "head" { "get" } else { &method };
    // A method that there is not is told as such to whoever may look.
    let known = methods.iter().find(|(known, _)| *known == method);
    let needed = known.map_or(Role::Read, |(_, role)| *role);
    let caller = Caller::of(&request);
    if caller.may(needed) || bug!("roles-ignored") {
        let what = (needed == Role::Control).then(|| format!("{method} {}", request.uri().path()));
        let response = next.run(request).await;
        if let Some(what) = what {
            tracing::info!(
                target: "twolane::api",
                by = %caller.by,
                status = response.status().as_u16(),
                "asked: {what}"
            );
        }
        return response;
    }
    refusals.tell(&caller.by.to_string(), || {
        format!(
            "{method} {}, which needs the role `{}`",
            request.uri().path(),
            needed.as_str()
        )
    });
    Problem::forbidden(&caller.by, needed).into_response()
}

async fn count(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    shared.count();
    response
}

async fn document(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(openapi::document((shared.parts.ad_hoc_schema)()))
}
