//! What the commands that ask the daemon have in common: how its answers are printed as JSON, and what
//! its refusals mean for the exit code.

use serde::Serialize;
use serde_json::Value;

use super::Exit;
use super::out::{Out, complain};
use crate::api::client::{Client, ClientError};
use crate::api::wire;
use crate::config;
use crate::logging::{harmless, harmless_json};

/// What came of asking.
pub(super) type Asked = Result<Exit, ClientError>;

/// Tells what went wrong, and gives the exit code for it.
pub(super) fn told(asked: Asked) -> Exit {
    asked.unwrap_or_else(|error| {
        // The daemon's words may quote a job's; a hint stays on a line of its own.
        let lines: Vec<String> = error.to_string().lines().map(harmless).collect();
        complain(&lines.join("\n"));
        match &error {
            ClientError::NoDaemon { .. } => Exit::NoDaemon,
            _ if error.is_not_found() => Exit::NotFound,
            ClientError::Problem(_) if !error.leaves_it_open() => Exit::Refused,
            ClientError::Problem(_) | ClientError::Broken(_) => Exit::System,
        }
    })
}

/// What to do where there is no job of this name.
pub(super) fn meant(name: &str, known: &wire::Jobs) -> String {
    let names = known.jobs.iter().map(|job| &*job.job);
    match config::nearest(name, names) {
        Some(nearest) => format!("hint: did you mean `{}`?", harmless(nearest)),
        None => "hint: `twolane jobs` lists the jobs".to_owned(),
    }
}

/// Asks for each run by itself. What goes wrong with one does not keep the others from being asked
/// for, unless no daemon is there; the first that went wrong decides the exit code.
pub(super) fn each(runs: &[u64], mut ask: impl FnMut(u64) -> Asked) -> Asked {
    let mut exit = Exit::Success;
    for run in runs {
        let one = told(ask(*run));
        if exit == Exit::Success {
            exit = one;
        }
        if one == Exit::NoDaemon {
            break;
        }
    }
    Ok(exit)
}

/// Prints an answer as JSON on one line. What a terminal would take for a command is escaped; inside
/// of JSON's strings, where alone it can be, an escape means the same.
pub(super) fn json(out: &mut Out, answer: &impl Serialize) -> Asked {
    let text = serde_json::to_string(answer)
        .map_err(|error| ClientError::Broken(format!("cannot write JSON: {error}")))?;
    Ok(out.line(format_args!("{}", harmless_json(&text))))
}

/// Reads an object for an option such as `--args`.
pub(super) fn json_object(text: &str) -> Result<Value, String> {
    match json_value(text)? {
        value @ Value::Object(_) => Ok(value),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err("expected a JSON object, as in `{\"n\": 3}`".to_owned())
        }
    }
}

/// Reads any JSON for an option such as `--result`.
pub(super) fn json_value(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))
}

/// A path with a query of those pairs that have a value.
pub(super) fn path(path: &str, query: &[(&str, Option<String>)]) -> String {
    let mut text = path.to_owned();
    let mut separator = '?';
    for (key, value) in query {
        let Some(value) = value else { continue };
        text.push(separator);
        text.push_str(key);
        text.push('=');
        for byte in value.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b',' => {
                    text.push(char::from(byte));
                }
                byte => text.push_str(&format!("%{byte:02X}")),
            }
        }
        separator = '&';
    }
    text
}

/// Changes a run (`POST /runs/N/VERB`) and prints its state from here on.
pub(super) fn change(
    client: &Client,
    out: &mut Out,
    (run, verb): (u64, &str),
    body: &impl Serialize,
    as_json: bool,
) -> Asked {
    let changed: wire::Changed = client.post(&format!("/runs/{run}/{verb}"), body)?;
    if as_json {
        return json(out, &changed);
    }
    let state = super::table::state(out, &changed.state);
    let mut exit = out.line(format_args!("run {} {state}", changed.run));
    for run in &changed.with {
        exit = out.line(format_args!("run {run} once more with it"));
    }
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_carries_any_text_and_leaves_out_what_is_not_given() {
        let given = |text: &str| Some(text.to_owned());
        let cases = [
            (vec![], "/runs"),
            (vec![("job", None), ("limit", None)], "/runs"),
            (
                vec![
                    ("job", given("a b&c=ü")),
                    ("live", None),
                    ("limit", given("20")),
                ],
                "/runs?job=a%20b%26c%3D%C3%BC&limit=20",
            ),
        ];
        for (query, expected) in cases {
            assert_eq!(path("/runs", &query), expected);
        }
    }

    #[test]
    fn json_commands_no_terminal_and_means_the_same() {
        let text = "a\u{9b}31m\u{1b}[2J\u{202e}b";
        let json = serde_json::to_string(text).unwrap();
        let shown = harmless_json(&json);
        assert!(shown.is_ascii(), "{shown}");
        assert!(!shown.chars().any(char::is_control), "{shown}");
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
    }
}
