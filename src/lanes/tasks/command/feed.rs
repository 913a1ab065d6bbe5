//! What a command reads: a text, or what is sent to it while it runs.

use super::super::super::place::Place;
use crate::engine::command::Stdin;
use crate::inbox::Refused;
use crate::process::Writer;

/// What a terminal takes for the end of its input, at the beginning of a line.
const END_OF_INPUT: &[u8] = b"\x04";

/// Writes what there is to read into the pipe, and closes it when there is no more.
pub(super) async fn feed(writer: Option<Writer>, stdin: &Stdin, pty: bool, place: &Place) {
    match (writer, stdin) {
        (Some(writer), Stdin::Text(text)) => {
            // A program need not read all that it is given.
            let _ = writer.write_all(text.as_bytes()).await;
        }
        (Some(writer), Stdin::Open) => {
            let Some(mut inbox) = place.open_inbox() else {
                return;
            };
            while let Some(sent) = inbox.recv().await {
                let told = match &sent.value {
                    None => {
                        if pty {
                            // A terminal stays open; so it says that nothing more comes.
                            let _ = writer.write_all(END_OF_INPUT).await;
                        }
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
            while let Ok(sent) = inbox.try_recv() {
                sent.answer(Err(Refused::ReadsNoMore));
            }
        }
        // A child with a terminal has this end too, which must stay open while it runs.
        (Some(writer), Stdin::Nothing | Stdin::File(_)) => {
            std::future::pending::<()>().await;
            drop(writer);
        }
        (None, _) => {}
    }
}

/// A value as a line of text.
fn line(value: &serde_json::Value) -> String {
    let mut line = super::environment::text(value).into_owned();
    line.push('\n');
    line
}
