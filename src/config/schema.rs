//! JSON Schemas (draft 2020-12) of the files, made from the tables of keys, for editors.

use serde_json::{Map, Value, json};

use super::keys::{JOB_FILE, Key, Kind, SETTINGS, TaskKind};
use super::names::LONGEST;

/// The form of a duration, as far as a pattern can tell.
const DURATION: &str = r"^\s*[0-9].*[a-zA-Zµ]\s*$";
/// The form of a number of bytes with a unit.
const BYTES: &str = r"^[0-9][0-9_]*\s*(B|[kK]B?|[MGT]B?|[KMGT]iB)?$";
/// The form of a name.
const NAME: &str = r"^[\p{L}\p{N}_.-]+$";

/// The schema of job files.
#[must_use]
pub fn jobs() -> Value {
    document("twolane job file", JOB_FILE)
}

/// The schema of `twolane.toml`.
#[must_use]
pub fn settings() -> Value {
    document("twolane settings", SETTINGS)
}

fn document(title: &str, keys: &[Key]) -> Value {
    let mut schema = Map::new();
    schema.insert(
        "$schema".to_owned(),
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    schema.insert("title".to_owned(), json!(title));
    if let Value::Object(rest) = table(keys) {
        schema.extend(rest);
    }
    Value::Object(schema)
}

/// A table of keys: nothing else may stand in it.
fn table(keys: &[Key]) -> Value {
    let property = |key: &Key| {
        let mut schema = of(&key.kind);
        schema["description"] = json!(key.doc);
        if !key.example.is_empty()
            && let Ok(example) = format!("example = {}", key.example).parse::<toml::Table>()
            && let Ok(example) = serde_json::to_value(&example["example"])
        {
            schema["examples"] = json!([example]);
        }
        (key.name.to_owned(), schema)
    };
    let properties: Map<String, Value> = keys.iter().map(property).collect();
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    let tasks = TaskKind::ALL.map(TaskKind::key);
    let has = |name: &&str| keys.iter().any(|key| key.name == *name);
    if tasks.iter().all(has) {
        // Exactly one of the tasks.
        let one: Vec<Value> = tasks
            .iter()
            .map(|task| json!({ "required": [task] }))
            .collect();
        schema["oneOf"] = json!(one);
    }
    schema
}

fn of(kind: &Kind) -> Value {
    match kind {
        Kind::Text | Kind::Template => json!({ "type": "string", "minLength": 1 }),
        Kind::Name => name(),
        Kind::Names => json!({ "anyOf": [name(), { "type": "array", "items": name() }] }),
        Kind::Texts => {
            json!({ "type": "array", "items": { "type": "string", "minLength": 1 } })
        }
        Kind::Words => json!({
            "type": "array",
            "prefixItems": [{ "type": "string", "minLength": 1 }],
            "items": { "type": "string" },
            "minItems": 1,
        }),
        Kind::Choice(words) => json!({ "enum": words }),
        Kind::Duration(_) => json!({ "type": "string", "pattern": DURATION }),
        Kind::Integer(min, i64::MAX) => json!({ "type": "integer", "minimum": min }),
        Kind::Integer(min, max) => {
            json!({ "type": "integer", "minimum": min, "maximum": max })
        }
        Kind::Integers(min, max) => json!({
            "type": "array",
            "items": { "type": "integer", "minimum": min, "maximum": max },
        }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Bytes => json!({ "anyOf": [
            { "type": "integer", "minimum": 0 },
            { "type": "string", "pattern": BYTES },
        ] }),
        Kind::Variables => json!({
            "type": "object",
            "propertyNames": { "pattern": "^[^=\\u0000]+$" },
            "additionalProperties": { "type": ["string", "integer", "number", "boolean"] },
        }),
        Kind::TextOrTexts => json!({ "anyOf": [
            { "type": "string", "minLength": 1 },
            { "type": "array", "items": { "type": "string", "minLength": 1 } },
        ] }),
        Kind::Table(keys) => table(keys),
        Kind::TextOrTable(keys) => {
            json!({ "anyOf": [{ "type": "string", "minLength": 1 }, table(keys)] })
        }
        Kind::Free => json!({ "type": "object" }),
        Kind::Any => json!({}),
        Kind::Named(keys) => json!({
            "type": "object",
            "propertyNames": name(),
            "additionalProperties": table(keys),
        }),
    }
}

fn name() -> Value {
    json!({ "type": "string", "pattern": NAME, "maxLength": LONGEST })
}
