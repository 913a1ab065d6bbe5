//! The daemon's settings in layers: built-in, files, environment, flags. The `config` crate puts the
//! layers on top of each other; what it cannot tell (line and column, several mistakes at once, the
//! difference between `3` and `"3"`) is found before, by the same table of keys as in job files.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::DirEntry;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use ::config::{Config, ConfigError, File, FileFormat, Value, ValueKind};

use super::diagnostic::{Complaint, Diagnostic, Report, Source};
use super::keys::{Key, Kind, SETTINGS};
use super::names::nearest;
use super::read::{Field, Item, Table, read};
use super::settings::Settings;
use super::{duration, jobs};

/// Where settings are when nobody says otherwise.
const DEFAULT_FILE: &str = "/etc/twolane/twolane.toml";
/// Files that add to it, in a directory beside it.
const MORE: &str = "conf.d";
/// How the variables begin that are settings.
const PREFIX: &str = "TWOLANE__";
/// What stands between the parts of a key in the name of a variable.
const SEPARATOR: &str = "__";

/// Everything that settings are read from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Instead of `/etc/twolane/twolane.toml`.
    pub config: Option<PathBuf>,
    /// The environment; what is none of ours is passed over.
    pub env: Vec<(String, String)>,
    /// Keys and values of `--set`.
    pub flags: Vec<(String, String)>,
}

/// Settings that are valid.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Their values.
    pub settings: Settings,
    /// Each with where it comes from, in the order of the table of keys.
    pub shown: Vec<Shown>,
    /// The directory that relative patterns are taken from.
    pub directory: PathBuf,
}

/// A setting that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its key, as in `lanes.cpu.workers`.
    pub key: String,
    /// Its value, as it is written in a file.
    pub value: String,
    /// Which layer has it.
    pub origin: Origin,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody has set it.
    BuiltIn,
    /// A file: `PATH:LINE:COLUMN`.
    File(String),
    /// An environment variable of this name.
    Variable(String),
    /// A flag of the command line.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built-in"),
            Self::File(place) => f.write_str(place),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Flag => f.write_str("--set"),
        }
    }
}

/// Reads the settings from all layers.
///
/// # Errors
/// Every mistake of every layer, each with its place.
pub fn load_settings(sources: &Sources) -> Result<Loaded, Report> {
    let mut report = Report::default();
    let main = sources.config.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
    let mut layers = Layers::default();
    for text in texts(&mut report, main, sources.config.is_some()) {
        let index = report.add_source(text.clone());
        if let Some(table) = read(&mut report, index, SETTINGS) {
            layers.file(&report, index, &table, text.text);
        }
    }
    for (name, value) in &sources.env {
        if let Some(key) = name.strip_prefix(PREFIX) {
            let key = key.replace(SEPARATOR, ".").to_lowercase();
            let what = format!("environment variable {name}");
            let origin = Origin::Variable(name.clone());
            layers.single(&mut report, (&key, value), &what, origin);
        }
    }
    for (key, value) in &sources.flags {
        let what = format!("--set {key}={value}");
        layers.single(&mut report, (key, value), &what, Origin::Flag);
    }
    report.sort();
    if report.errors() > 0 {
        return Err(report);
    }
    let directory = main.parent().map_or_else(PathBuf::new, Path::to_owned);
    layers.finish(directory).map_err(|error| {
        // The layers were checked one by one, so this is a value that only their sum makes wrong.
        report.push(Diagnostic::whole(
            main.display().to_string(),
            error.to_string(),
        ));
        report
    })
}

/// The texts of the settings file and of those that add to it, in the order in which they count.
fn texts(report: &mut Report, main: &Path, asked_for: bool) -> Vec<Source> {
    let mut paths = Vec::new();
    let is_absent = |path: &Path| matches!(path.symlink_metadata(), Err(error) if error.kind() == ErrorKind::NotFound);
    if asked_for || !is_absent(main) {
        paths.push(main.to_owned());
    }
    let directory = main
        .parent()
        .map_or_else(|| PathBuf::from(MORE), |parent| parent.join(MORE));
    let entries = std::fs::read_dir(&directory).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    match entries {
        Ok(entries) => {
            let mut more: Vec<PathBuf> = entries
                .iter()
                .map(DirEntry::path)
                .filter(|path| path.extension().is_some_and(|end| end == "toml"))
                .collect();
            more.sort();
            paths.extend(more);
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => report.push(Diagnostic::whole(
            directory.display().to_string(),
            format!("cannot read this directory: {error}"),
        )),
    }
    paths
        .iter()
        .filter_map(|path| jobs::from_disk(report, path))
        .collect()
}

/// What the layers say, the later ones on top.
#[derive(Default)]
struct Layers {
    files: Vec<String>,
    /// Values of variables and flags, later ones overriding earlier ones.
    singles: Vec<(String, Value)>,
    origins: BTreeMap<String, Origin>,
}

impl Layers {
    fn file(&mut self, report: &Report, source: usize, table: &Table, text: String) {
        for (key, _) in all_keys() {
            let path: Vec<&str> = key.split('.').collect();
            if let Some(span) = jobs::places(table, &path) {
                let place = report.position(source, span.start);
                self.origins.insert(key, Origin::File(place));
            }
        }
        self.files.push(text);
    }

    /// Takes in a value that comes as a text, from a variable or a flag.
    fn single(&mut self, report: &mut Report, pair: (&str, &str), what: &str, origin: Origin) {
        let (key, text) = pair;
        let Some((key, kind)) = all_keys().into_iter().find(|(known, _)| known == key) else {
            let known: Vec<String> = all_keys().into_iter().map(|(key, _)| key).collect();
            let mut found = Diagnostic::whole(what, format!("there is no setting `{key}`"));
            if let Some(nearest) = nearest(key, known.iter().map(String::as_str)) {
                found = found.hint(format!("did you mean `{}`?", origin.spelling(nearest)));
            }
            report.push(found);
            return;
        };
        match value_of(text, kind) {
            Ok(value) => {
                self.singles
                    .push((key.clone(), Value::new(Some(&what.to_owned()), value)));
                self.origins.insert(key, origin);
            }
            Err(complaint) => report.push(complaint.about(what)),
        }
    }

    fn finish(self, directory: PathBuf) -> Result<Loaded, ConfigError> {
        let mut builder =
            Config::builder().add_source(File::from_str(&built_in(), FileFormat::Toml));
        for text in &self.files {
            builder = builder.add_source(File::from_str(text, FileFormat::Toml));
        }
        for (key, value) in self.singles {
            builder = builder.set_override(key, value)?;
        }
        let config = builder.build()?;
        let mut shown = Vec::new();
        for (key, _) in all_keys() {
            let value = written(&config.get::<Value>(&key)?.kind);
            let origin = self.origins.get(&key).cloned().unwrap_or(Origin::BuiltIn);
            shown.push(Shown { key, value, origin });
        }
        Ok(Loaded {
            settings: config.try_deserialize()?,
            shown,
            directory,
        })
    }
}

impl Origin {
    /// How a key is spelled in this layer.
    fn spelling(&self, key: &str) -> String {
        match self {
            Self::Variable(_) => format!("{PREFIX}{}", key.replace('.', SEPARATOR).to_uppercase()),
            Self::BuiltIn | Self::File(_) | Self::Flag => key.to_owned(),
        }
    }
}

/// All settings with their full keys, in the order of the table.
fn all_keys() -> Vec<(String, &'static Key)> {
    fn collect(keys: &'static [Key], path: &str, all: &mut Vec<(String, &'static Key)>) {
        for key in keys {
            let full = if path.is_empty() {
                key.name.to_owned()
            } else {
                format!("{path}.{}", key.name)
            };
            match &key.kind {
                Kind::Table(keys) => collect(keys, &full, all),
                Kind::Text
                | Kind::Template
                | Kind::Name
                | Kind::Names
                | Kind::Texts
                | Kind::Patterns
                | Kind::Flag
                | Kind::Choice(_)
                | Kind::Duration(_)
                | Kind::Integer(..)
                | Kind::Integers(..)
                | Kind::Bytes
                | Kind::Memory
                | Kind::Variables
                | Kind::Words
                | Kind::Script
                | Kind::ScriptOrWords
                | Kind::Octal
                | Kind::NamesOrAmounts(_)
                | Kind::Amounts(_)
                | Kind::Rate
                | Kind::TextOrOne(_)
                | Kind::TextOrTexts
                | Kind::TextOrTable(_)
                | Kind::Tables(_)
                | Kind::Moment
                | Kind::Free
                | Kind::Any
                | Kind::Named(_) => all.push((full, key)),
            }
        }
    }
    let mut all = Vec::new();
    collect(SETTINGS, "", &mut all);
    all
}

/// The lowest layer, as a file.
fn built_in() -> String {
    let line = |(key, kind): (String, &Key)| format!("{key} = {}\n", kind.example);
    all_keys().into_iter().map(line).collect()
}

/// A text from outside a file as what its key wants: read as TOML where that fits, else as a string.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the other kinds are written as texts"
)]
fn value_of(text: &str, key: &'static Key) -> Result<ValueKind, Complaint> {
    let quoted = match &key.kind {
        Kind::Integer(..) | Kind::Flag => text.trim().to_owned(),
        Kind::Texts => {
            let texts: Vec<String> = text
                .split(',')
                .map(|text| format!("{:?}", text.trim()))
                .collect();
            format!("[{}]", texts.join(", "))
        }
        _ => toml::Value::String(text.trim().to_owned()).to_string(),
    };
    let mut report = Report::default();
    let index = report.add_source(Source {
        path: PathBuf::new(),
        text: format!("{} = {quoted}\n", key.name),
    });
    let table = read(&mut report, index, std::slice::from_ref(key));
    let field = table.as_ref().and_then(|table| table.get(key.name));
    match field {
        Some(Field {
            item: Some(item), ..
        }) => Ok(kind_of(item)),
        _ => {
            let name = key.name;
            let found = report.diagnostics().first().filter(|_| table.is_some());
            let Some(found) = found else {
                let message = format!("{text:?} is no value for `{name}`");
                return Err(Complaint::new(message).hint(format!("a good one is {}", key.example)));
            };
            let complaint = Complaint::new(&*found.message);
            Err(match &found.hint {
                Some(hint) => complaint.hint(&**hint),
                None => complaint,
            })
        }
    }
}

fn kind_of(item: &Item) -> ValueKind {
    match item {
        Item::Text(text) => text.clone().into(),
        Item::Texts(texts) => {
            let texts: Vec<String> = texts.iter().map(|(text, _)| text.clone()).collect();
            texts.into()
        }
        Item::Duration(duration) => duration::write(*duration).into(),
        Item::Integer(number) => (*number).into(),
        Item::Flag(value) => (*value).into(),
        // No setting is of these kinds.
        Item::Table(_)
        | Item::Tables(_)
        | Item::Free(_)
        | Item::Named(_)
        | Item::Integers(_)
        | Item::Amounts(_)
        | Item::Rate(..)
        | Item::Variables(_) => ValueKind::Nil,
    }
}

/// A value as it is written in a file.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the other kinds say themselves how they look"
)]
fn written(kind: &ValueKind) -> String {
    match kind {
        ValueKind::String(text) => format!("{text:?}"),
        ValueKind::Array(values) => {
            let values: Vec<String> = values.iter().map(|value| written(&value.kind)).collect();
            format!("[{}]", values.join(", "))
        }
        other => other.to_string(),
    }
}
