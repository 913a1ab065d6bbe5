//! Clients that submit without a pause, each under keys of its own, and write down what they are told. A
//! submission without an answer is sent again under the same key.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use serde_json::json;
use twolane::api::client::{Client, ClientError};
use twolane::api::wire::Submitted;

/// One submission that was answered.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) key: String,
    pub(crate) job: &'static str,
    pub(crate) run: u64,
    /// How often it was sent before there was an answer.
    pub(crate) sent: u32,
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
        let mut sent = 0;
        let run = loop {
            sent += 1;
            match asks.post::<Submitted>("/runs", &body) {
                Ok(submitted) => break submitted.run,
                Err(ClientError::NoDaemon { .. } | ClientError::Broken(_)) => {
                    std::thread::yield_now();
                }
                Err(ClientError::Problem(problem)) => {
                    assert_eq!(problem.status, 503, "{problem:?}");
                    std::thread::yield_now();
                }
            }
        };
        told.push(Told {
            key,
            job,
            run,
            sent,
        });
    }
    told
}
