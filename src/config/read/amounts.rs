//! How many of what: names with whole numbers, and rates.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::scalars::{range, whole};
use super::{Item, Reader, Span, join, noun};
use crate::config::keys::Key;
use crate::config::names::{complaint, usable};
use crate::engine::amounts::Period;

/// So much of something.
#[derive(Clone, Debug)]
pub(in crate::config) struct Amount {
    pub(in crate::config) name: String,
    /// Where the name stands.
    pub(in crate::config) at: Span,
    /// `None`: it was wrong, and has been reported.
    pub(in crate::config) number: Option<u32>,
    /// Where the number stands, or the name that stands for one of it.
    pub(in crate::config) value: Span,
}

impl Reader<'_> {
    /// A table of names with numbers from 1 to `max`.
    pub(super) fn amounts(
        &mut self,
        key: &'static Key,
        table: &DeTable<'_>,
        max: u32,
        path: &str,
    ) -> Item {
        let mut amounts = Vec::new();
        for (name, value) in table {
            let (at, name) = (name.span(), name.get_ref().to_string());
            if let Some(why) = complaint(&name) {
                let hint = format!("call it `{}`, say", usable(&name));
                let error = self.error(&at, why).hint(hint);
                self.report.push(error);
            }
            amounts.push(Amount {
                number: self.amount((key, &name), value, max, &join(path, &name)),
                name,
                at,
                value: value.span(),
            });
        }
        amounts.sort_by_key(|amount| amount.at.start);
        Item::Amounts(amounts)
    }

    fn amount(
        &mut self,
        key: (&'static Key, &str),
        value: &Spanned<DeValue<'_>>,
        max: u32,
        path: &str,
    ) -> Option<u32> {
        let number = whole(value.get_ref());
        let fits = number.and_then(|n| u32::try_from(n).ok());
        if let Some(number) = fits.filter(|n| (1..=max).contains(n)) {
            return Some(number);
        }
        let message = if matches!(value.get_ref(), DeValue::Integer(_)) {
            range(path, 1, max.into())
        } else {
            let noun = noun(value.get_ref());
            format!("`{path}` is {noun}, and has to be a whole number")
        };
        let (key, name) = key;
        let hint = format!("write it like `{} = {{ {name} = 1 }}`", key.name);
        let error = self.error(&value.span(), message).hint(hint);
        self.report.push(error);
        None
    }
}

/// `10/s`: how many in which time.
pub(super) fn rate(text: &str) -> Option<(u32, Period)> {
    let (tokens, per) = text.split_once('/')?;
    let tokens = tokens.trim_end();
    if !tokens.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let tokens: u32 = tokens.replace('_', "").parse().ok()?;
    let per = match per.trim_start() {
        "s" | "sec" | "second" => Period::Second,
        "m" | "min" | "minute" => Period::Minute,
        "h" | "hr" | "hour" => Period::Hour,
        "d" | "day" => Period::Day,
        _ => return None,
    };
    (1..=1_000_000).contains(&tokens).then_some((tokens, per))
}
