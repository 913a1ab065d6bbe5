//! Rust functions that are registered under a name, for jobs with `call`. Knows nothing of jobs.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::Value;

use super::context::{Context, Stopped};
use crate::engine::spec::{Lane, Name};

/// What a handler may fail with: anything that is an error or a text. `context.check()?` inside a
/// handler, passed on as it is, says that the handler stopped because it was asked to.
pub type HandlerError = Box<dyn Error + Send + Sync>;

/// Functions by name, each for one lane.
///
/// ```
/// use serde_json::json;
/// use twolane::lanes::{Handlers, HandlerError};
///
/// let handlers = Handlers::new()
///     .cpu("count", |context, args| {
///         let up_to = args["up_to"].as_u64().ok_or("`up_to` is missing")?;
///         let mut sum = 0;
///         for n in 0..up_to {
///             context.check()?;
///             sum += n;
///         }
///         Ok::<_, HandlerError>(json!(sum))
///     })
///     .io("greet", |_context, args| async move { Ok::<_, HandlerError>(json!({ "hello": args["name"] })) });
/// assert_eq!(handlers.lanes().len(), 2);
/// ```
#[derive(Default)]
pub struct Handlers {
    by_name: BTreeMap<Name, Handler>,
}

/// One function.
pub(super) enum Handler {
    /// For the io lane.
    Io(Arc<IoHandler>),
    /// For the cpu lane.
    Cpu(Arc<CpuHandler>),
}

pub(super) type HandlerResult = Result<Value, HandlerError>;
pub(super) type HandlerFuture = Pin<Box<dyn Future<Output = HandlerResult> + Send>>;
pub(super) type IoHandler = dyn Fn(Context, Value) -> HandlerFuture + Send + Sync;
pub(super) type CpuHandler = dyn Fn(&Context, Value) -> HandlerResult + Send + Sync;

impl Handlers {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an asynchronous function for the io lane. It is given the arguments of the job, with
    /// those of the run in their place where both name the same key. A name that was there is
    /// replaced.
    #[must_use]
    pub fn io<F, Fut, E>(mut self, name: &str, handler: F) -> Self
    where
        F: Fn(Context, Value) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Value, E>> + Send + 'static,
        E: Into<HandlerError>,
    {
        let handler: Arc<IoHandler> = Arc::new(move |context, args| {
            let future = handler(context, args);
            Box::pin(async move { future.await.map_err(Into::into) })
        });
        self.by_name.insert(Name::from(name), Handler::Io(handler));
        self
    }

    /// Adds a function for the cpu lane; the rest as for [`io`](Self::io).
    #[must_use]
    pub fn cpu<F, E>(mut self, name: &str, handler: F) -> Self
    where
        F: Fn(&Context, Value) -> Result<Value, E> + Send + Sync + 'static,
        E: Into<HandlerError>,
    {
        let handler: Arc<CpuHandler> =
            Arc::new(move |context, args| handler(context, args).map_err(Into::into));
        self.by_name.insert(Name::from(name), Handler::Cpu(handler));
        self
    }

    /// The names, each with its lane.
    #[must_use]
    pub fn lanes(&self) -> BTreeMap<String, Lane> {
        self.by_name
            .iter()
            .map(|(name, handler)| (name.to_string(), handler.lane()))
            .collect()
    }

    pub(super) fn get(&self, name: &str) -> Option<&Handler> {
        self.by_name.get(name)
    }
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handlers").field(&self.lanes()).finish()
    }
}

impl Handler {
    pub(super) const fn lane(&self) -> Lane {
        match self {
            Self::Io(_) => Lane::Io,
            Self::Cpu(_) => Lane::Cpu,
        }
    }
}

/// Whether an error, or one that caused it, says that a stop was obeyed.
pub(super) fn is_stop(error: &HandlerError) -> bool {
    causes(error.as_ref()).any(|cause| cause.is::<Stopped>())
}

/// The error with its causes, in one line.
pub(super) fn describe(error: &HandlerError) -> String {
    let mut line = error.to_string();
    for cause in causes(error.as_ref()).skip(1) {
        let cause = cause.to_string();
        // Some errors print their cause themselves.
        if !line.ends_with(&cause) {
            line.push_str(": ");
            line.push_str(&cause);
        }
    }
    line
}

/// Causes that are followed: an error that is its own cause must not hold the lane.
const CAUSES_BOUND: usize = 32;

pub(super) fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |cause| (*cause).source()).take(CAUSES_BOUND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot fetch `{what}`")]
    struct Outer {
        what: &'static str,
        #[source]
        source: HandlerError,
    }

    fn outer(cause: impl Into<HandlerError>) -> HandlerError {
        Box::new(Outer {
            what: "x",
            source: cause.into(),
        })
    }

    #[test]
    fn errors_are_told_with_their_causes() {
        assert_eq!(describe(&"plain".into()), "plain");
        assert_eq!(describe(&outer("no route")), "cannot fetch `x`: no route");
    }

    #[test]
    fn a_stop_is_recognised_through_what_wraps_it() {
        assert!(is_stop(&Stopped.into()));
        assert!(is_stop(&outer(Stopped)));
        assert!(!is_stop(&outer("other")));
    }

    #[test]
    fn names_are_listed_with_their_lanes() {
        let handlers = Handlers::new()
            .io("wait", |_, args| async move { Ok::<_, Stopped>(args) })
            .cpu("count", |_, args| Ok::<_, String>(args));
        let expected = [
            ("count".to_owned(), Lane::Cpu),
            ("wait".to_owned(), Lane::Io),
        ];
        assert_eq!(handlers.lanes(), BTreeMap::from(expected));
    }
}
