//! Errors in the form of RFC 9457: what was tried, on what, and what to do. Each has its HTTP status.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::past::PastError;
use super::roles::Role;
use super::wire;
use crate::engine::By;
use crate::engine::action::Refusal;
use crate::inbox::Unable;
use crate::store::StoreError;

/// How long somebody waits who is told to come again, in seconds.
const COME_AGAIN: &str = "1";

/// An error that is told to the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    status: StatusCode,
    kind: &'static str,
    detail: String,
}

impl Problem {
    pub(super) fn new(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self {
            status,
            kind,
            detail,
        }
    }

    pub(super) fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    }

    pub(super) fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", detail)
    }

    /// What is asked for is well formed, and its values do not go together or with what there is.
    pub(super) fn arguments(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "arguments", detail)
    }

    pub(super) fn no_run(run: u64) -> Self {
        let detail =
            format!("there is no run {run}: its number is wrong, or it is over and was removed");
        Self::new(StatusCode::NOT_FOUND, "unknown-run", detail)
    }

    pub(super) fn conflict(kind: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, kind, detail)
    }

    pub(super) fn unavailable(kind: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, kind, detail)
    }

    /// Somebody without the role that something needs.
    pub(super) fn forbidden(who: &By, needed: Role) -> Self {
        let (who, gives) = match who {
            By::User(u32::MAX) => ("a user whom the daemon cannot see".to_owned(), "api.roles"),
            By::User(uid) => (format!("user {uid}"), "api.roles"),
            By::Token(name) => (format!("the token `{name}`"), "api.tokens"),
            By::Daemon | By::Signal => (who.to_string(), "api.roles"),
        };
        let needed = needed.as_str();
        let detail = format!(
            "{who} may not do this: it needs the role `{needed}`, which `{gives}` of the settings gives"
        );
        Self::new(StatusCode::FORBIDDEN, "role", detail)
    }

    /// Whether it is of this kind.
    pub(super) fn is_of(&self, kind: &str) -> bool {
        self.kind == kind
    }

    /// Something that cannot be: a bug of ours.
    pub(super) fn bug(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "bug", detail)
    }

    /// What goes over the wire.
    pub(super) fn wire(&self) -> wire::Problem {
        wire::Problem {
            kind: format!("urn:twolane:{}", self.kind),
            title: self.kind.replace('-', " "),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.wire()).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        let form = HeaderValue::from_static("application/problem+json");
        headers.insert(CONTENT_TYPE, form);
        let again = [
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::INSUFFICIENT_STORAGE,
        ];
        if again.contains(&self.status) {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(COME_AGAIN));
        }
        response
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            Refusal::UnknownJob(_) => Self::new(StatusCode::NOT_FOUND, "unknown-job", detail),
            Refusal::Full { .. } => Self::new(StatusCode::TOO_MANY_REQUESTS, "full", detail),
            Refusal::Draining => Self::unavailable("draining", detail),
            Refusal::KeyReused(_) => Self::conflict("key-reused", detail),
            Refusal::Duplicate { .. } => Self::conflict("duplicate", detail),
            Refusal::UnknownSchedule { .. } => {
                Self::new(StatusCode::NOT_FOUND, "unknown-schedule", detail)
            }
            Refusal::Undecided(_) => Self::conflict("undecided", detail),
            Refusal::Backfilling(_) => Self::conflict("backfilling", detail),
            Refusal::TooManyBackfills { .. } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "full", detail)
            }
            Refusal::NoResult { .. } => Self::conflict("no-result", detail),
            Refusal::Empty
            | Refusal::MissingDependency { .. }
            | Refusal::AmbiguousDependency(_)
            | Refusal::Circle(_)
            | Refusal::Twice(_)
            | Refusal::TooMany { .. }
            | Refusal::ArgumentsTooDeep(_)
            | Refusal::ResultTooDeep(_)
            | Refusal::ArgumentsNoObject(_) => Self::unprocessable(detail),
            Refusal::UnknownArgument { .. }
            | Refusal::MissingArgument { .. }
            | Refusal::WrongArgument { .. } => {
                // A kind of its own: what a job takes, no schema of the API can say.
                Self::arguments(detail)
            }
        }
    }
}

impl From<Unable> for Problem {
    fn from(unable: Unable) -> Self {
        let detail = unable.to_string();
        match unable {
            Unable::StoreFull => Self::new(StatusCode::INSUFFICIENT_STORAGE, "store-full", detail),
            Unable::Behind { .. } => Self::unavailable("behind", detail),
            Unable::Leaving => Self::unavailable("leaving", detail),
            Unable::NoReload => Self::conflict("no-reload", detail),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(status, "store", error.to_string())
    }
}

impl From<PastError> for Problem {
    fn from(error: PastError) -> Self {
        match error {
            PastError::Question(wrong) => Self::bad(wrong),
            PastError::NoRun(run) => Self::no_run(run),
            PastError::Store(error) => error.into(),
            PastError::Log(error) => Self::bug(error.to_string()),
        }
    }
}
