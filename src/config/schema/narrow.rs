//! Tasks whose tables hold more than a schema of single keys can tell (a URL, a pattern, two keys that do not go
//! together): what is described here is less than what is read, and all of it is valid.

use std::time::Duration;

use serde_json::{Value, json};

use super::{closed, texts};
use crate::config::keys::TaskKind;

/// A name of a file that nothing else here can be, by its beginning.
fn file(begins: &str) -> Value {
    json!({ "type": "string", "pattern": format!("^{begins}[a-z0-9_]{{1,20}}$") })
}

/// A text without places for arguments.
fn text() -> Value {
    json!({ "type": "string", "minLength": 1, "pattern": "^[A-Za-z0-9 .,:;_-]+$" })
}

/// The schema of a task's value, where it is one of these.
pub(super) fn narrow(task: TaskKind) -> Option<Value> {
    let flag = json!({ "type": "boolean" });
    let table = |properties: Value, required: &[&str]| {
        let properties = properties.as_object().cloned().unwrap_or_default();
        closed(properties, required.to_vec())
    };
    let format = json!({ "enum": ["zstd", "gzip"] });
    Some(match task {
        TaskKind::Http => http(),
        TaskKind::Hash => table(
            json!({
                "files": { "type": "array", "items": file("in-"), "minItems": 1 },
                "algorithm": { "enum": ["sha256", "blake3"] },
                "manifest": file("sums-"),
            }),
            &["files"],
        ),
        TaskKind::Compress => table(
            json!({
                "from": file("in-"),
                "to": file("out-"),
                "format": format,
                "level": { "type": "integer", "minimum": 1, "maximum": 9 },
                "keep": flag,
            }),
            &["from", "to", "format"],
        ),
        TaskKind::Decompress => table(
            json!({
                "from": file("in-"),
                "to": file("out-"),
                "format": format,
                "keep": flag,
                "max_bytes": { "type": "integer", "minimum": 1, "maximum": i64::MAX },
            }),
            &["from", "to", "format"],
        ),
        TaskKind::Write => table(
            json!({
                "to": file("out-"),
                "text": text(),
                "append": flag,
                "mode": { "type": "string", "pattern": "^0[0-7]{3}$" },
                "make_dirs": flag,
            }),
            &["to"],
        ),
        TaskKind::Copy => table(
            json!({ "from": file("in-"), "to": file("out-"), "make_dirs": flag }),
            &["from", "to"],
        ),
        TaskKind::Sleep
        | TaskKind::Read
        | TaskKind::Compute
        | TaskKind::Call
        | TaskKind::Future
        | TaskKind::Exec
        | TaskKind::Shell => return None,
    })
}

fn http() -> Value {
    let url =
        json!({ "type": "string", "pattern": "^https?://[a-z]{1,20}(?:/[a-z0-9]{1,20}){0,3}$" });
    let a_while = texts::duration(Duration::from_millis(1));
    let properties = json!({
        "url": url,
        "method": { "enum": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] },
        "headers": {
            "type": "object",
            "propertyNames": { "pattern": "^x-[a-z]{1,20}$" },
            "additionalProperties": text(),
        },
        "body": text(),
        "expect": {
            "type": "array",
            "items": { "type": "integer", "minimum": 200, "maximum": 599 },
            "minItems": 1,
        },
        "connect_timeout": a_while,
        "total_timeout": a_while,
        "redirects": { "type": "integer", "minimum": 0, "maximum": 100 },
        "save_to": file("out-"),
        "sha256": { "type": "string", "pattern": "^[0-9a-f]{64}$" },
        "proxy": { "enum": ["env", "off"] },
    });
    let properties = properties.as_object().cloned().unwrap_or_default();
    json!({ "anyOf": [url, closed(properties, vec!["url"])] })
}
