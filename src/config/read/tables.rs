//! A table, or several of them in a list, as values of their key.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::DeValue;

use super::{Field, Item, Reader, Span, Table, noun};
use crate::config::keys::Key;

impl Reader<'_> {
    /// Tables in a list, each of which may be just the text of its first key; or only one of them.
    pub(super) fn tables(
        &mut self,
        (key, keys): (&'static Key, &'static [Key]),
        value: &Spanned<DeValue<'_>>,
        path: &str,
    ) -> Option<Item> {
        let DeValue::Array(array) = value.get_ref() else {
            return Some(Item::Tables(vec![self.one(key, keys, value, path)]));
        };
        if array.is_empty() {
            return self.refuse(&value.span(), format!("`{path}` is empty"), key);
        }
        let all = array.iter();
        Some(Item::Tables(
            all.map(|element| self.one(key, keys, element, path))
                .collect(),
        ))
    }

    /// What is no table is one with nothing but unknown keys, since it has been reported.
    fn one(
        &mut self,
        key: &'static Key,
        keys: &'static [Key],
        value: &Spanned<DeValue<'_>>,
        path: &str,
    ) -> (Span, Table) {
        let strange = Table {
            strange: true,
            ..Table::default()
        };
        let table = match value.get_ref() {
            DeValue::Table(table) => self.table(keys, table, path),
            DeValue::String(text) => {
                let table = self.as_first(keys, text, &value.span());
                table.unwrap_or(strange)
            }
            found @ (DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)) => {
                let message = format!(
                    "`{path}` is {}, and has to be a text in quotes, a table, or a list of these",
                    noun(found)
                );
                self.refuse(&value.span(), message, key);
                strange
            }
        };
        (value.span(), table)
    }

    /// A text as the table that has it under the first key.
    pub(super) fn as_first(
        &mut self,
        keys: &'static [Key],
        text: &str,
        span: &Span,
    ) -> Option<Table> {
        let first = keys.first()?;
        let item = self.text(first, text, span);
        let field = Field {
            key: span.clone(),
            value: span.clone(),
            item,
        };
        Some(Table {
            fields: BTreeMap::from([(first.name, field)]),
            strange: false,
        })
    }
}

impl Table {
    /// The tables under a key, each with its place.
    pub(in crate::config) fn tables(&self, key: &str) -> &[(Span, Self)] {
        match self.item(key) {
            Some(Item::Tables(tables)) => tables,
            _ => &[],
        }
    }

    /// The text or the texts under a key, each with its place.
    pub(in crate::config) fn one_or_more(&self, key: &str) -> Vec<(String, Span)> {
        match (self.text(key), self.get(key)) {
            (Some(text), Some(field)) => vec![(text.to_owned(), field.value.clone())],
            _ => self.texts(key).to_vec(),
        }
    }
}
