//! What commands write, as lines of the log, where there is no file for it.

use tracing::Level;

use super::event::Event;
use super::narrator::RUN_TARGET;
use crate::inbox::{Missing, OutStream, Outlet, Output};

/// Makes each line that a command writes one of the log. What the log has no room for it counts itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct OutputLines;

impl Outlet for OutputLines {
    fn offer(&self, output: Output) -> Result<(), Box<Output>> {
        if !tracing::enabled!(target: RUN_TARGET, Level::INFO) {
            return Ok(());
        }
        let Missing { lines, bytes } = output.missing;
        if !output.missing.is_none() {
            tell(
                &output,
                &format!("[{lines} lines ({bytes} bytes) dropped: more came than is kept]"),
            );
        }
        for line in output.text.split_inclusive(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            tell(&output, &String::from_utf8_lossy(line));
        }
        Ok(())
    }
}

fn tell(output: &Output, line: &str) {
    tracing::event!(
        target: RUN_TARGET,
        Level::INFO,
        at = output.at.wall.0,
        event = Event::Output.as_str(),
        job = &*output.job.name,
        run = output.attempt.run.0,
        attempt = output.attempt.epoch,
        stream = match output.stream {
            OutStream::Out => "out",
            OutStream::Err => "err",
        },
        message = line,
    );
}
