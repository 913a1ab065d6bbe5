//! JSON Schemas (draft 2020-12), made from the tables of keys: of the files, for editors, and of a job that
//! comes along with a request, for the API's document.

mod narrow;
mod submitted;
mod texts;

use serde_json::{Map, Value, json};

use super::keys::{JOB_FILE, Key, Kind, SETTINGS, TaskKind};
pub use submitted::submitted;
pub use texts::name;

/// Where the schema of any value of TOML is, from the root of a schema.
const ANY: &str = "$defs/any";

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
    let shape = Shape { root: "#" };
    let mut schema = Map::new();
    schema.insert(
        "$schema".to_owned(),
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    schema.insert("title".to_owned(), json!(title));
    schema.insert("$defs".to_owned(), shape.definitions());
    if let Value::Object(rest) = shape.table(keys) {
        schema.extend(rest);
    }
    Value::Object(schema)
}

/// Makes schemas that stand in a document under `root`, a JSON pointer in the form of a reference.
#[derive(Clone, Copy)]
struct Shape<'a> {
    root: &'a str,
}

impl Shape<'_> {
    /// What schemas refer to.
    fn definitions(self) -> Value {
        let any = self.any();
        json!({ "any": { "anyOf": [
            { "type": ["string", "number", "boolean"] },
            { "type": "array", "items": any },
            { "type": "object", "additionalProperties": any },
        ] } })
    }

    /// Any value that TOML has; it has no null.
    fn any(self) -> Value {
        json!({ "$ref": format!("{}/{ANY}", self.root) })
    }

    /// A table of keys: nothing else may stand in it.
    fn table(self, keys: &[Key]) -> Value {
        let properties = keys.iter().map(|key| self.property(key)).collect();
        let mut schema = closed(properties, needed(keys));
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

    fn property(self, key: &Key) -> (String, Value) {
        let mut schema = self.of(&key.kind);
        schema["description"] = json!(key.doc);
        if !key.example.is_empty()
            && let Ok(example) = format!("example = {}", key.example).parse::<toml::Table>()
        {
            schema["examples"] = json!([json_of(&example["example"])]);
        }
        (key.name.to_owned(), schema)
    }

    fn of(self, kind: &Kind) -> Value {
        match kind {
            Kind::Text => json!({ "type": "string", "minLength": 1 }),
            Kind::Template => texts::template(),
            Kind::Name => name(),
            Kind::Names => json!({ "anyOf": names() }),
            Kind::NamesOrAmounts(max) => {
                let [one, several] = names();
                json!({ "anyOf": [one, several, amounts(*max)] })
            }
            Kind::Amounts(max) => amounts(*max),
            Kind::Rate => texts::rate(),
            Kind::Texts => texts::texts(),
            Kind::Words => json!({
                "type": "array",
                "prefixItems": [texts::program(1)],
                "items": texts::program(0),
                "minItems": 1,
            }),
            Kind::Script => texts::program(1),
            Kind::ScriptOrWords => {
                json!({ "anyOf": [texts::program(1), self.of(&Kind::Words)] })
            }
            Kind::TextOrTexts => {
                json!({ "anyOf": [{ "type": "string", "minLength": 1 }, texts::texts()] })
            }
            Kind::Patterns => {
                let text = json!({ "type": "string", "minLength": 1 });
                json!({ "anyOf": [text, { "type": "array", "items": text, "minItems": 1 }] })
            }
            Kind::Choice(words) => json!({ "enum": words }),
            Kind::Octal => json!({ "type": "string", "pattern": "^0?[0-7]{1,3}$" }),
            Kind::Integers(min, max) => json!({
                "type": "array",
                "items": { "type": "integer", "minimum": min, "maximum": max },
                "minItems": 1,
            }),
            Kind::Flag => json!({ "type": "boolean" }),
            Kind::Bytes => texts::bytes(),
            Kind::Memory => texts::memory(),
            Kind::Variables => texts::variables(),
            Kind::Duration(min) => texts::duration(*min),
            Kind::Integer(min, i64::MAX) => json!({ "type": "integer", "minimum": min }),
            Kind::Integer(min, max) => {
                json!({ "type": "integer", "minimum": min, "maximum": max })
            }
            Kind::Table(keys) => self.table(keys),
            Kind::TextOrTable(keys) => {
                json!({ "anyOf": [self.first(keys), self.table(keys)] })
            }
            Kind::Tables(keys) => {
                let one = json!({ "anyOf": [self.first(keys), self.table(keys)] });
                json!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
            }
            Kind::Moment => texts::moment(),
            Kind::TextOrOne(keys) => {
                let mut one = self.table(keys);
                one["minProperties"] = json!(1);
                one["maxProperties"] = json!(1);
                json!({ "anyOf": [{ "type": "string", "minLength": 1 }, one] })
            }
            Kind::Free => json!({ "type": "object", "additionalProperties": self.any() }),
            Kind::Any => self.any(),
            Kind::Named(keys) => json!({
                "type": "object",
                "propertyNames": name(),
                "additionalProperties": self.each(keys),
            }),
        }
    }

    /// What stands for the first key where the table is just its text.
    fn first(self, keys: &[Key]) -> Value {
        match keys.first().map(|key| &key.kind) {
            Some(kind @ Kind::Choice(_)) => self.of(kind),
            _ => json!({ "type": "string", "minLength": 1 }),
        }
    }

    /// One of the tables under names; the default of a parameter is of the parameter's type.
    fn each(self, keys: &[Key]) -> Value {
        let mut table = self.table(keys);
        if keys.iter().any(|key| key.name == "rate") {
            // A limit is one of places, of times, or of both.
            table["anyOf"] = json!([{ "required": ["size"] }, { "required": ["rate"] }]);
            table["dependentRequired"] = json!({ "burst": ["rate"] });
        }
        let Some(words) = table["properties"]["type"]["enum"].as_array() else {
            return table;
        };
        let of_type = |word: &Value| {
            let mut table = table.clone();
            let properties = &mut table["properties"];
            properties["type"]["enum"] = json!([word]);
            let default = match word.as_str() {
                Some("text") => json!({ "type": "string" }),
                Some("integer") => {
                    json!({ "type": "integer", "minimum": i64::MIN, "maximum": i64::MAX })
                }
                Some(word @ ("number" | "boolean")) => json!({ "type": word }),
                _ => self.any(),
            };
            // Of the parameter of `foreach` it is a list of such.
            let list = json!({ "type": "array", "items": default });
            properties["default"] = json!({ "anyOf": [default, list] });
            table
        };
        let types: Vec<Value> = words.iter().map(of_type).collect();
        json!({ "anyOf": types })
    }
}

/// A name, or several.
fn names() -> [Value; 2] {
    let name = name();
    [name.clone(), json!({ "type": "array", "items": name })]
}

/// Names with numbers.
fn amounts(max: u32) -> Value {
    json!({
        "type": "object",
        "propertyNames": name(),
        "additionalProperties": { "type": "integer", "minimum": 1, "maximum": max },
    })
}

fn needed(keys: &[Key]) -> Vec<&'static str> {
    let needed = keys.iter().filter(|key| key.needed);
    needed.map(|key| key.name).collect()
}

/// A table of these keys and no others.
fn closed(properties: Map<String, Value>, required: Vec<&str>) -> Value {
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

/// A value as an editor knows it: to that, a date is a text.
fn json_of(value: &toml::Value) -> Value {
    match value {
        toml::Value::Datetime(at) => json!(at.to_string()),
        toml::Value::Array(all) => all.iter().map(json_of).collect(),
        toml::Value::Table(all) => {
            let all = all.iter().map(|(key, value)| (key.clone(), json_of(value)));
            Value::Object(all.collect())
        }
        toml::Value::String(_)
        | toml::Value::Integer(_)
        | toml::Value::Float(_)
        | toml::Value::Boolean(_) => json!(value),
    }
}
