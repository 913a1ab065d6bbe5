//! What is left of a request's body when it has been answered.
//!
//! Where it has not been read, the connection is closed after the answer. Who is still sending it then sees a broken
//! connection in place of the answer, so what is small is taken in first, for a moment.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

/// The longest that is taken in, in bytes, by what it is said to be.
const SMALL: u64 = 16 << 10;

/// How long it may take to come.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where a body is put that nobody reads any more.
type Left = Arc<Mutex<Option<Body>>>;

/// A body that is kept when it is dropped before its end.
struct Kept {
    body: Body,
    left: Left,
}

/// Answers when what nobody has read of a small body has come, too.
pub(super) async fn take_in(request: Request, next: Next) -> Response {
    let is_small = |body: &Body| body.size_hint().upper().is_some_and(|most| most <= SMALL);
    if request.body().is_end_stream() || !is_small(request.body()) {
        return next.run(request).await;
    }
    let left = Left::default();
    let request = request.map(|body| {
        Body::new(Kept {
            body,
            left: Arc::clone(&left),
        })
    });
    let response = next.run(request).await;
    let rest = left.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(rest) = rest {
        let all = to_bytes(rest, usize::MAX);
        // Who does not send it in time has had the answer that there is.
        let _come = tokio::time::timeout(PATIENCE, all).await;
    }
    response
}

impl HttpBody for Kept {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if !self.body.is_end_stream() {
            let rest = std::mem::take(&mut self.body);
            *self.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(rest);
        }
    }
}
