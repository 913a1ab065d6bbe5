//! Numbers, bytes and variables, as values of their keys.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Item, Reader, noun};
use crate::config::keys::{Key, Kind};

impl Reader<'_> {
    /// A number, or several.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "only keys for numbers come here, and of values only what may be one"
    )]
    pub(super) fn number(
        &mut self,
        key: &'static Key,
        value: &Spanned<DeValue<'_>>,
        path: &str,
    ) -> Option<Item> {
        let fits = |number: &i64| match key.kind {
            Kind::Integer(min, max) | Kind::Integers(min, max) => (min..=max).contains(number),
            _ => *number >= 0,
        };
        let found = match value.get_ref() {
            DeValue::Array(array) => {
                let numbers = array
                    .iter()
                    .map(|value| whole(value.get_ref()).filter(fits));
                let numbers: Option<Vec<i64>> = numbers.collect();
                numbers
                    .filter(|numbers| !numbers.is_empty())
                    .map(Item::Integers)
            }
            DeValue::String(text) => bytes(text).map(Item::Integer),
            one => whole(one).filter(fits).map(Item::Integer),
        };
        if found.is_some() {
            return found;
        }
        let message = match key.kind {
            Kind::Integer(min, max) => range(path, min, max),
            Kind::Integers(min, max) => {
                format!("`{path}` is a list of numbers from {min} to {max}")
            }
            _ => format!(
                "`{path}` is no number of bytes: units are kB, MB, GB, TB and KiB, MiB, GiB, TiB"
            ),
        };
        self.refuse(&value.span(), message, key)
    }

    /// Variables of an environment, as texts.
    pub(super) fn variables(&mut self, table: &DeTable<'_>, path: &str) -> Option<Item> {
        let mut variables = BTreeMap::new();
        let mut good = true;
        for (name, value) in table {
            let (span, name) = (name.span(), name.get_ref());
            let text = match value.get_ref() {
                DeValue::String(text) => text.to_string(),
                DeValue::Boolean(flag) => flag.to_string(),
                DeValue::Float(number) => number.as_str().to_owned(),
                DeValue::Integer(_)
                | DeValue::Datetime(_)
                | DeValue::Array(_)
                | DeValue::Table(_) => {
                    whole(value.get_ref()).map_or_else(String::new, |number| number.to_string())
                }
            };
            let complaint = if name.is_empty() || name.contains(['=', '\0']) {
                Some(format!("{name:?} cannot be the name of a variable"))
            } else if matches!(
                value.get_ref(),
                DeValue::Array(_) | DeValue::Table(_) | DeValue::Datetime(_)
            ) {
                Some(format!(
                    "`{path}.{name}` is {}, and has to be a text",
                    noun(value.get_ref())
                ))
            } else {
                text.contains('\0').then(|| {
                    format!("`{path}.{name}` has a NUL in it, which no program can be given")
                })
            };
            if let Some(message) = complaint {
                let error = self
                    .error(&span, message)
                    .hint("write it like `env = { LANG = \"C.UTF-8\" }`");
                self.report.push(error);
                good = false;
            }
            variables.insert(name.to_string(), text);
        }
        good.then_some(Item::Variables(variables))
    }
}

/// A whole number that fits.
pub(super) fn whole(value: &DeValue<'_>) -> Option<i64> {
    let DeValue::Integer(number) = value else {
        return None;
    };
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// A number of bytes with its unit.
fn bytes(text: &str) -> Option<i64> {
    let at = text
        .find(|c: char| !c.is_ascii_digit() && c != '_')
        .unwrap_or(text.len());
    let number: i64 = text[..at].replace('_', "").parse().ok()?;
    let unit = match text[at..].trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1000,
        "MB" => 1000_i64.pow(2),
        "GB" => 1000_i64.pow(3),
        "TB" => 1000_i64.pow(4),
        "KiB" | "K" => 1 << 10,
        "MiB" | "M" => 1 << 20,
        "GiB" | "G" => 1 << 30,
        "TiB" | "T" => 1 << 40,
        _ => return None,
    };
    number.checked_mul(unit)
}

pub(super) fn range(path: &str, min: i64, max: i64) -> String {
    match (min, max) {
        (min, i64::MAX) => format!("`{path}` is out of range: it has to be {min} or more"),
        (min, max) => format!("`{path}` is out of range: it has to be {min} to {max}"),
    }
}
