//! The body of a request: a whole one, or one that is read from a file while the answer streams in.

use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::sync::mpsc::{Receiver, channel};

/// Read at once from a batch: some hundred submissions.
const CHUNK_BYTES: usize = 64 * 1024;

/// Chunks that may wait to be sent. Two keep reading and sending both busy.
const CHUNKS_BOUND: usize = 2;

/// What is sent with a request.
pub(super) enum Outgoing {
    /// All of it; `None` once it is sent, or if there is nothing.
    Whole(Option<Bytes>),
    /// As it comes.
    Chunks(Receiver<io::Result<Bytes>>),
}

impl Outgoing {
    /// A body that `from` is read for, on a thread of its own: what is read may be a pipe that
    /// somebody still writes. The thread ends with what it reads, or when nobody listens any more.
    pub(super) fn reading(mut from: Box<dyn Read + Send>) -> io::Result<Self> {
        let (sender, receiver) = channel(CHUNKS_BOUND);
        let read = move || {
            let mut chunk = vec![0; CHUNK_BYTES];
            loop {
                let sent = match from.read(&mut chunk) {
                    Ok(0) => return,
                    Ok(read) => Ok(Bytes::copy_from_slice(&chunk[..read])),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let broken = sent.is_err();
                if sender.blocking_send(sent).is_err() || broken {
                    return;
                }
            }
        };
        std::thread::Builder::new()
            .name("batch".to_owned())
            .spawn(read)?;
        Ok(Self::Chunks(receiver))
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Chunks(chunks) => chunks
                .poll_recv(context)
                .map(|chunk| chunk.map(|chunk| chunk.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Chunks(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Chunks(_) => SizeHint::default(),
        }
    }
}
