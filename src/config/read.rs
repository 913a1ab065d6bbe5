//! From TOML with spans to values, by a table of keys. Everything that is wrong is reported, and
//! reading goes on with the rest.

mod amounts;
mod scalars;
mod tables;

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, Report};
use super::duration;
use super::keys::{JOB_FILE, Key, Kind, SETTINGS};
use super::names::{self, complaint, nearest};
use crate::engine::amounts::Period;
use crate::engine::template::{Placeholder, Template, TemplateErrorKind};
pub(super) use amounts::Amount;

/// Which bytes of a text.
pub(super) type Span = Range<usize>;

/// A value that is of the kind that its key wants.
#[derive(Clone, Debug)]
pub(super) enum Item {
    Text(String),
    Texts(Vec<(String, Span)>),
    Duration(Duration),
    Integer(i64),
    Integers(Vec<i64>),
    Amounts(Vec<Amount>),
    Rate(u32, Period),
    Flag(bool),
    Variables(BTreeMap<String, String>),
    Table(Table),
    Tables(Vec<(Span, Table)>),
    Free(Value),
    Named(BTreeMap<String, (Span, Table)>),
}

/// What stood under a key.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) key: Span,
    pub(super) value: Span,
    /// `None`: it was wrong, and has been reported.
    pub(super) item: Option<Item>,
}

/// The fields of a table.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) fields: BTreeMap<&'static str, Field>,
    /// There were keys that nobody knows; they have been reported.
    pub(super) strange: bool,
}

impl Table {
    pub(super) fn get(&self, key: &str) -> Option<&Field> {
        self.fields.get(key)
    }

    fn item(&self, key: &str) -> Option<&Item> {
        self.get(key)?.item.as_ref()
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        let Item::Text(text) = self.item(key)? else {
            return None;
        };
        Some(text)
    }

    pub(super) fn texts(&self, key: &str) -> &[(String, Span)] {
        match self.item(key) {
            Some(Item::Texts(texts)) => texts,
            _ => &[],
        }
    }

    /// Names with numbers; of those that only stand in a list it is one each.
    pub(super) fn amounts(&self, key: &str) -> Vec<Amount> {
        match self.item(key) {
            Some(Item::Amounts(amounts)) => amounts.clone(),
            Some(Item::Texts(texts)) => {
                let one = |(name, span): &(String, Span)| Amount {
                    name: name.clone(),
                    at: span.clone(),
                    number: Some(1),
                    value: span.clone(),
                };
                texts.iter().map(one).collect()
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn rate(&self, key: &str) -> Option<(u32, Period)> {
        let Item::Rate(tokens, per) = self.item(key)? else {
            return None;
        };
        Some((*tokens, *per))
    }

    pub(super) fn boolean(&self, key: &str) -> Option<bool> {
        let Item::Flag(value) = self.item(key)? else {
            return None;
        };
        Some(*value)
    }

    pub(super) fn integer(&self, key: &str) -> Option<i64> {
        let Item::Integer(number) = self.item(key)? else {
            return None;
        };
        Some(*number)
    }

    /// A number whose range, by its key, has only natural numbers that fit.
    pub(super) fn natural<N: TryFrom<i64>>(&self, key: &str) -> Option<N> {
        N::try_from(self.integer(key)?).ok()
    }

    pub(super) fn integers(&self, key: &str) -> &[i64] {
        match self.item(key) {
            Some(Item::Integers(numbers)) => numbers,
            _ => &[],
        }
    }

    pub(super) fn variables(&self, key: &str) -> impl Iterator<Item = (&String, &String)> {
        let variables = match self.item(key) {
            Some(Item::Variables(variables)) => Some(variables),
            _ => None,
        };
        variables.into_iter().flatten()
    }

    pub(super) fn duration(&self, key: &str) -> Option<Duration> {
        let Item::Duration(duration) = self.item(key)? else {
            return None;
        };
        Some(*duration)
    }

    pub(super) fn table(&self, key: &str) -> Option<&Self> {
        let Item::Table(table) = self.item(key)? else {
            return None;
        };
        Some(table)
    }

    pub(super) fn free(&self, key: &str) -> Option<&Value> {
        let Item::Free(value) = self.item(key)? else {
            return None;
        };
        Some(value)
    }

    pub(super) fn named(&self, key: &str) -> impl Iterator<Item = (&String, &(Span, Self))> {
        let named = match self.item(key) {
            Some(Item::Named(named)) => Some(named),
            _ => None,
        };
        named.into_iter().flatten()
    }
}

/// Reads a source of the report by a table of keys; `None` if it is no TOML.
pub(super) fn read(report: &mut Report, source: usize, keys: &'static [Key]) -> Option<Table> {
    let text = report.text(source).to_owned();
    let (document, errors) = DeTable::parse_recoverable(&text);
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        let message = first_line(error.message());
        let hint = syntax_hint(&message);
        let found = Diagnostic::at(source, span, message);
        report.push(match hint {
            Some(hint) => found.hint(hint),
            None => found,
        });
    }
    if !errors.is_empty() {
        return None;
    }
    Some(Reader { report, source }.table(keys, document.get_ref(), ""))
}

struct Reader<'a> {
    report: &'a mut Report,
    source: usize,
}

impl Reader<'_> {
    fn error(&mut self, span: &Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::at(self.source, span.clone(), message)
    }

    /// Reads a table whose path is `path` (`jobs.fetch`).
    fn table(&mut self, keys: &'static [Key], table: &DeTable<'_>, path: &str) -> Table {
        let mut read = Table::default();
        for (name, value) in table {
            let Some(key) = keys.iter().find(|key| key.name == name.get_ref()) else {
                read.strange = true;
                self.unknown(keys, name.get_ref(), &name.span(), path);
                continue;
            };
            let item = self.item(key, value, &join(path, key.name));
            read.fields.insert(
                key.name,
                Field {
                    key: name.span(),
                    value: value.span(),
                    item,
                },
            );
        }
        read
    }

    fn unknown(&mut self, keys: &[Key], name: &str, span: &Span, path: &str) {
        let place = if path.is_empty() {
            String::new()
        } else {
            format!(" in `{path}`")
        };
        let known = keys.iter().map(|key| key.name);
        let is_of = |keys: &[Key]| path.is_empty() && keys.iter().any(|key| key.name == name);
        let hint = match nearest(name, known.clone()) {
            _ if is_of(JOB_FILE) => {
                "this belongs in a job file, one of those that `daemon.jobs` names".to_owned()
            }
            _ if is_of(SETTINGS) => {
                "this is a setting of the daemon, and belongs in its `twolane.toml`".to_owned()
            }
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("known keys are {}", list(known)),
        };
        let error = self
            .error(span, format!("unknown key `{name}`{place}"))
            .hint(hint);
        self.report.push(error);
    }

    fn item(
        &mut self,
        key: &'static Key,
        value: &Spanned<DeValue<'_>>,
        path: &str,
    ) -> Option<Item> {
        match (&key.kind, value.get_ref()) {
            (
                Kind::Text
                | Kind::Template
                | Kind::Choice(_)
                | Kind::Duration(_)
                | Kind::Name
                | Kind::Script
                | Kind::ScriptOrWords
                | Kind::Octal
                | Kind::Rate
                | Kind::Moment
                | Kind::TextOrTexts,
                DeValue::String(text),
            ) => self.text(key, text, &value.span()),
            (Kind::Names | Kind::NamesOrAmounts(_), DeValue::String(text)) => {
                Some(Item::Texts(vec![(text.to_string(), value.span())]))
            }
            (Kind::Patterns, DeValue::String(text)) => self.text(key, text, &value.span()),
            (
                Kind::Names
                | Kind::NamesOrAmounts(_)
                | Kind::Texts
                | Kind::Patterns
                | Kind::Words
                | Kind::ScriptOrWords
                | Kind::TextOrTexts,
                DeValue::Array(_),
            ) => self.texts(key, value, path),
            (Kind::Integer(..), DeValue::Integer(_))
            | (Kind::Integers(..), DeValue::Array(_))
            | (Kind::Bytes | Kind::Memory, DeValue::Integer(_) | DeValue::String(_)) => {
                self.number(key, value, path)
            }
            (Kind::Amounts(max) | Kind::NamesOrAmounts(max), DeValue::Table(table)) => {
                Some(self.amounts(key, table, *max, path))
            }
            (Kind::Flag, DeValue::Boolean(flag)) => Some(Item::Flag(*flag)),
            (Kind::Variables, DeValue::Table(table)) => self.variables(table, path),
            (
                Kind::Table(keys) | Kind::TextOrTable(keys) | Kind::TextOrOne(keys),
                DeValue::Table(table),
            ) => Some(Item::Table(self.table(keys, table, path))),
            (Kind::TextOrTable(keys) | Kind::TextOrOne(keys), DeValue::String(text)) => {
                self.as_first(keys, text, &value.span()).map(Item::Table)
            }
            (Kind::Tables(keys), DeValue::Table(_) | DeValue::String(_) | DeValue::Array(_)) => {
                self.tables((key, keys), value, path)
            }
            (Kind::Moment, DeValue::Datetime(at)) => Some(Item::Text(at.to_string())),
            (Kind::Free, DeValue::Table(_)) | (Kind::Any, _) => self.free(value).map(Item::Free),
            (Kind::Named(keys), DeValue::Table(table)) => Some(self.named(keys, table, path)),
            (_, found) => {
                let message = format!(
                    "`{path}` is {}, and has to be {}",
                    noun(found),
                    wanted(&key.kind)
                );
                self.refuse(&value.span(), message, key)
            }
        }
    }

    /// Reports that a value is not what its key wants, with an example of what is.
    fn refuse(&mut self, span: &Span, message: String, key: &Key) -> Option<Item> {
        let mut error = self.error(span, message);
        if !key.example.is_empty() {
            error = error.hint(format!("write it like `{} = {}`", key.name, key.example));
        }
        self.report.push(error);
        None
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the other kinds take a text as it is"
    )]
    fn text(&mut self, key: &Key, text: &str, span: &Span) -> Option<Item> {
        match &key.kind {
            Kind::Duration(min) => match duration::parse(text) {
                Ok(duration) if duration < *min => {
                    let min = duration::write(*min);
                    self.refuse(
                        span,
                        format!("`{}` has to be at least {min}", key.name),
                        key,
                    )
                }
                Ok(duration) => Some(Item::Duration(duration)),
                Err(why) => self.refuse(span, why.to_string(), key),
            },
            Kind::Choice(words) if !words.contains(&text) => {
                let hint = match nearest(text, words.iter().copied()) {
                    Some(nearest) => format!("did you mean `{nearest}`?"),
                    None => format!("it is one of {}", list(words.iter().copied())),
                };
                let message = format!("`{text}` is nothing that `{}` can be", key.name);
                let error = self.error(span, message).hint(hint);
                self.report.push(error);
                None
            }
            Kind::Template => self.template(text, span),
            Kind::Rate => match amounts::rate(text) {
                Some((tokens, per)) => Some(Item::Rate(tokens, per)),
                None => self.refuse(
                    span,
                    format!("`{text}` is no rate: so many (1 to 1000000) a `s`, `m`, `h` or `d`"),
                    key,
                ),
            },
            _ if text.is_empty() => self.refuse(span, format!("`{}` is empty", key.name), key),
            _ => Some(Item::Text(text.to_owned())),
        }
    }

    /// Checks a text with placeholders.
    fn template(&mut self, text: &str, span: &Span) -> Option<Item> {
        let Err(wrong) = Template::parse(text) else {
            return Some(Item::Text(text.to_owned()));
        };
        // Where the text stands in the file as it is, the very character can be shown.
        let raw = &self.report.text(self.source)[span.clone()];
        let at = raw.find(text).filter(|_| !text.is_empty());
        let span = at.map_or(span.clone(), |at| {
            let start = span.start + at + wrong.offset;
            start..start + 1
        });
        let known = Placeholder::ALL.map(Placeholder::name);
        let hint = match &wrong.kind {
            TemplateErrorKind::Unknown(name) => match nearest(name, known) {
                Some(nearest) => format!("did you mean `{{{nearest}}}`?"),
                None => format!("known are {}", list(known)),
            },
            TemplateErrorKind::Unclosed | TemplateErrorKind::Stray => {
                "write `{{` or `}}` where the brace itself is meant".to_owned()
            }
            TemplateErrorKind::Empty => "leave the key out for the log's own words".to_owned(),
        };
        let error = self.error(&span, wrong.to_string()).hint(hint);
        self.report.push(error);
        None
    }

    fn texts(&mut self, key: &Key, value: &Spanned<DeValue<'_>>, path: &str) -> Option<Item> {
        let DeValue::Array(array) = value.get_ref() else {
            return None;
        };
        let mut texts = Vec::with_capacity(array.len());
        let mut good = true;
        for element in array {
            let what = if let DeValue::String(text) = element.get_ref() {
                if !text.is_empty()
                    || (matches!(key.kind, Kind::Words | Kind::ScriptOrWords) && !texts.is_empty())
                {
                    texts.push((text.to_string(), element.span()));
                    continue;
                }
                "an empty text"
            } else {
                noun(element.get_ref())
            };
            good = false;
            let message = format!("`{path}` has {what} in it, and is a list of texts");
            self.refuse(&element.span(), message, key);
        }
        good.then_some(Item::Texts(texts))
    }

    fn named(&mut self, keys: &'static [Key], table: &DeTable<'_>, path: &str) -> Item {
        let mut named = BTreeMap::new();
        for (name, value) in table {
            if let Some(why) = complaint(name.get_ref()) {
                let error = self.error(&name.span(), why);
                let usable = names::usable(name.get_ref());
                self.report
                    .push(error.hint(format!("call it `{usable}`, say")));
            }
            let path = join(path, name.get_ref());
            if let DeValue::Table(table) = value.get_ref() {
                let read = self.table(keys, table, &path);
                named.insert(name.get_ref().to_string(), (name.span(), read));
            } else {
                let noun = noun(value.get_ref());
                let error = self
                    .error(
                        &value.span(),
                        format!("`{path}` is {noun}, and has to be a table"),
                    )
                    .hint(format!("begin it with `[{path}]`"));
                self.report.push(error);
            }
        }
        Item::Named(named)
    }

    /// Any TOML as JSON; dates become texts.
    fn free(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Value> {
        Some(match value.get_ref() {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Boolean(value) => Value::Bool(*value),
            DeValue::Datetime(date) => Value::String(date.to_string()),
            DeValue::Integer(number) => {
                match i64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => Value::Number(number.into()),
                    Err(_) => return self.no_number(&value.span()),
                }
            }
            DeValue::Float(number) => {
                match number.as_str().parse().ok().and_then(Number::from_f64) {
                    Some(number) => Value::Number(number),
                    None => return self.no_number(&value.span()),
                }
            }
            DeValue::Array(array) => {
                let values: Vec<Option<Value>> = array.iter().map(|v| self.free(v)).collect();
                Value::Array(values.into_iter().collect::<Option<_>>()?)
            }
            DeValue::Table(table) => {
                let mut map = Map::new();
                for (name, value) in table {
                    map.insert(name.get_ref().to_string(), self.free(value)?);
                }
                Value::Object(map)
            }
        })
    }

    fn no_number(&mut self, span: &Span) -> Option<Value> {
        let message = "this number cannot be handed on: it is infinite, no number or too large";
        let error = self.error(span, message).hint("write it as a text");
        self.report.push(error);
        None
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// `a`, `b` and `c`.
pub(super) fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => "none".to_owned(),
    }
}

fn wanted(kind: &Kind) -> String {
    match kind {
        Kind::Text | Kind::Template | Kind::Name | Kind::Script => "a text in quotes".to_owned(),
        Kind::Names => "a name in quotes, or a list of such names".to_owned(),
        Kind::Texts | Kind::Words => "a list of texts".to_owned(),
        Kind::Patterns => "a text in quotes, or a list of texts".to_owned(),
        Kind::Choice(words) => format!("one of {} in quotes", list(words.iter().copied())),
        Kind::Duration(_) => "a duration in quotes, with its unit".to_owned(),
        Kind::Integer(..) => "a whole number".to_owned(),
        Kind::Integers(..) => "a list of whole numbers".to_owned(),
        Kind::Flag => "`true` or `false`".to_owned(),
        Kind::Bytes | Kind::Memory => "a number of bytes, as in 1024 or \"2GiB\"".to_owned(),
        Kind::TextOrTexts | Kind::ScriptOrWords => {
            "a text in quotes, or a list of texts".to_owned()
        }
        Kind::Octal => "an octal number in quotes".to_owned(),
        Kind::Rate => "a rate in quotes".to_owned(),
        Kind::NamesOrAmounts(_) => {
            "a name in quotes, a list of such names, or a table of names with numbers".to_owned()
        }
        Kind::Amounts(_) => "a table of names with numbers".to_owned(),
        Kind::Table(_) | Kind::Free | Kind::Named(_) | Kind::Variables => "a table".to_owned(),
        Kind::TextOrTable(_) | Kind::TextOrOne(_) => "a text in quotes, or a table".to_owned(),
        Kind::Tables(_) => "a text in quotes, a table, or a list of these".to_owned(),
        Kind::Moment => "a date or a time".to_owned(),
        Kind::Any => "anything".to_owned(),
    }
}

fn noun(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "a truth value",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// What to do about the mistakes in TOML that are made most.
fn syntax_hint(message: &str) -> Option<&'static str> {
    let hints = [
        (
            "string values must be quoted",
            "write it in quotes, as in `sleep = \"20s\"`",
        ),
        ("invalid unquoted key", "write the name in quotes"),
        (
            "duplicate key",
            "a name stands in a file once; give one of them another name",
        ),
        ("unclosed table", "close it, as in `[jobs.fetch]`"),
        ("invalid basic string", "end it with `\"`"),
    ];
    hints
        .iter()
        .find(|(part, _)| message.contains(part))
        .map(|(_, hint)| *hint)
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or("this is no TOML").to_owned()
}
