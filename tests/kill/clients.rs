//! Clients that submit without a pause, each under keys of its own, and write down what they are told. A
//! submission without an answer is sent again under the same key.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use serde_json::json;
use twolane::api::client::{Client, ClientError};
use twolane::api::wire::Submitted;

/// A submission, with what came back each time that it was sent.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) key: String,
    pub(crate) job: &'static str,
    pub(crate) answers: Vec<Answer>,
}

/// What came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Run(u64),
    Refused(u16),
    /// Nothing, or that nobody knows what became of it.
    Unknown,
}

impl Told {
    /// Whether it was sent more than once before it was acknowledged.
    pub(crate) fn is_resent(&self) -> bool {
        !matches!(self.answers[..], [Answer::Run(_), ..])
    }
}

pub(crate) struct Clients {
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Told>>>,
}

impl Clients {
    pub(crate) fn start(count: u64, socket: &Path) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let threads = (0..count)
            .map(|client| {
                let (over, socket) = (Arc::clone(&over), socket.to_owned());
                std::thread::spawn(move || submit(client, &socket, &over))
            })
            .collect();
        Self { over, threads }
    }

    /// Has each client finish what it is about; what they all were told.
    pub(crate) fn finish(self) -> Vec<Told> {
        self.over.store(true, Ordering::SeqCst);
        let told = self
            .threads
            .into_iter()
            .map(|thread| thread.join().unwrap());
        told.flatten().collect()
    }
}

fn submit(client: u64, socket: &Path, over: &AtomicBool) -> Vec<Told> {
    let asks = Client::new(socket);
    let mut told = Vec::new();
    for n in 0_u64.. {
        if over.load(Ordering::SeqCst) {
            break;
        }
        let key = format!("client-{client}-{n}");
        let job = ["again", "compute", "once", "short"][usize::try_from(n % 4).unwrap()];
        let body = json!({ "job": job, "key": key, "args": { "id": key } });
        let mut answers = Vec::new();
        loop {
            match asks.post::<Submitted>("/runs", &body) {
                Ok(submitted) => {
                    answers.push(Answer::Run(submitted.run));
                    break;
                }
                Err(ClientError::NoDaemon { .. } | ClientError::Broken(_)) => {
                    answers.push(Answer::Unknown);
                }
                Err(ClientError::Problem(problem)) => {
                    assert_eq!(problem.status, 503, "{problem:?}");
                    let is_known = problem.kind != "urn:twolane:outcome-unknown";
                    answers.push(if is_known {
                        Answer::Refused(problem.status)
                    } else {
                        Answer::Unknown
                    });
                }
            }
            // Where nobody listens it is asked very often: once is enough of evidence.
            answers.dedup();
            std::thread::yield_now();
        }
        told.push(Told { key, job, answers });
    }
    told
}
