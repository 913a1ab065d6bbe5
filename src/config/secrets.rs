//! The table `secrets` of a job: where the values of its secret variables are. Reads none of them.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::diagnostic::{Diagnostic, Report};
use super::keys::{Key, Kind, key};
use super::read::Table;
use crate::engine::command::Secret;
use crate::engine::spec::Name;

/// The key under which it stands.
pub(super) const KEY: Key = key(
    "secrets",
    Kind::Free,
    "{ TOKEN = { file = \"/etc/twolane/token\" }, KEY = { credential = \"key\" } }",
    "Variables for commands whose values are read from a file, or from a credential of systemd, each \
     time an attempt begins, and are masked in all that the job says. In headers of `http` it is \
     `{secret.NAME}`.",
);

/// How it is written.
const HINT: &str = "write it like `secrets = { TOKEN = { file = \"/etc/twolane/token\" } }`, or with \
                    `credential = \"token\"`";

/// The secrets of a job; `None`, reported, if there is a mistake.
pub(super) fn secrets(
    report: &mut Report,
    source: usize,
    job: &Table,
    directory: &Path,
) -> Option<BTreeMap<Name, Secret>> {
    let Some(field) = job.get("secrets") else {
        return Some(BTreeMap::new());
    };
    let Value::Object(table) = job.free("secrets")? else {
        let found = Diagnostic::at(source, field.value.clone(), "`secrets` is no table");
        report.push(found.hint(HINT));
        return None;
    };
    let mut secrets = BTreeMap::new();
    let mut good = true;
    for (name, value) in table {
        match secret(name, value, directory) {
            Ok(secret) => _ = secrets.insert(Name::from(name.as_str()), secret),
            Err(wrong) => {
                good = false;
                let found = Diagnostic::at(source, field.value.clone(), wrong);
                report.push(found.hint(HINT));
            }
        }
    }
    good.then_some(secrets)
}

fn secret(name: &str, value: &Value, directory: &Path) -> Result<Secret, String> {
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty()
        || !name.chars().all(letter)
        || name.starts_with(|c: char| c.is_ascii_digit())
    {
        return Err(format!(
            "`{name}` cannot be the name of a variable: that has letters, digits and `_`"
        ));
    }
    let pairs: Vec<(&str, Option<&str>)> = value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.as_str(), value.as_str().filter(|text| !text.is_empty())))
        .collect();
    match pairs[..] {
        [("file", Some(path))] => Ok(Secret::File(directory.join(path))),
        [("credential", Some(id))] if !id.contains('/') && id != "." && id != ".." => {
            Ok(Secret::Credential(id.into()))
        }
        [("credential", Some(id))] => Err(format!("`{id}` cannot be the name of a credential")),
        // The value itself may stand there, and is not to be told.
        _ => Err(format!(
            "the secret `{name}` says neither where its `file` is nor which `credential` it is"
        )),
    }
}
