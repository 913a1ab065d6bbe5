//! What a command reads: a text, or what is sent to it while it runs.

use std::os::fd::OwnedFd;

use super::super::super::place::Place;
use crate::engine::command::Stdin;
use crate::inbox::Refused;
use crate::process::Writer;

/// Writes what there is to read into the pipe, and closes it when there is no more.
pub(super) async fn feed(pipe: Option<OwnedFd>, stdin: &Stdin, place: &Place) {
    let writer = pipe.map(Writer::new);
    match (writer, stdin) {
        (Some(Ok(writer)), Stdin::Text(text)) => {
            // A program need not read all that it is given.
            let _ = writer.write_all(text.as_bytes()).await;
        }
        (Some(Ok(writer)), Stdin::Open) => {
            let Some(mut inbox) = place.open_inbox() else {
                return;
            };
            while let Some(sent) = inbox.recv().await {
                let told = match &sent.value {
                    None => {
                        sent.answer(Ok(()));
                        break;
                    }
                    Some(value) => writer.write_all(line(value).as_bytes()).await,
                };
                let closed = told.is_err();
                sent.answer(told.map_err(|_| Refused::ReadsNoMore));
                if closed {
                    break;
                }
            }
            inbox.close();
        }
        // A child with a terminal has this end too, which must stay open while it runs.
        (Some(Ok(writer)), Stdin::Nothing | Stdin::File(_)) => {
            std::future::pending::<()>().await;
            drop(writer);
        }
        (None | Some(Err(_)), _) => {}
    }
}

/// A value as a line of text.
fn line(value: &serde_json::Value) -> String {
    let mut line = super::environment::text(value).into_owned();
    line.push('\n');
    line
}
