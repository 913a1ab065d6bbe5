//! The tasks on files: their keys, and what is made of them.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::diagnostic::{Diagnostic, Report};
use super::super::keys::{Key, Kind, TaskKind, key};
use super::super::names::nearest;
use super::super::read::{Field, Span, Table, list};
use crate::engine::braces::{Part, parts};
use crate::engine::files::{Compression, FileTask, FileWork, HashAlgorithm};
use crate::engine::spec::{Name, ParamSpec};

/// More than any file of today, and no more than what a bomb must stay below to go unnoticed.
const MAX_BYTES: u64 = 1 << 40;

const FORMAT: Key = key(
    "format",
    Kind::Choice(&["zstd", "gzip"]),
    "\"zstd\"",
    "The format; where it is not given, the end of the file's name says it: `.zst` or `.gz`.",
);

const KEEP: Key = key(
    "keep",
    Kind::Flag,
    "false",
    "Whether the file that is read stays; true unless said otherwise.",
);

const MAKE_DIRS: Key = key(
    "make_dirs",
    Kind::Flag,
    "true",
    "Make the directories of `to` that are missing.",
);

pub(in super::super) const HASH: &[Key] = &[
    key(
        "files",
        Kind::Patterns,
        "[\"data/**/*.bin\", \"one.txt\"]",
        "Which files: paths, or patterns of them, from the directory of the job file.",
    ),
    key(
        "algorithm",
        Kind::Choice(&["sha256", "blake3"]),
        "\"blake3\"",
        "`sha256` unless said otherwise; `blake3` is several times as fast.",
    ),
    key(
        "manifest",
        Kind::Text,
        "\"SUMS\"",
        "A file that all the hashes are written to, for `sha256sum -c` or `b3sum -c`.",
    ),
];

pub(in super::super) const COMPRESS: &[Key] = &[
    key(
        "from",
        Kind::Text,
        "\"a.log\"",
        "The file to compress, from the directory of the job file.",
    ),
    key(
        "to",
        Kind::Text,
        "\"a.log.zst\"",
        "The file to write; `from` with `.zst` or `.gz` unless said otherwise.",
    ),
    FORMAT,
    key(
        "level",
        Kind::Integer(1, 22),
        "3",
        "How much time to spend on it: 1 to 22 for zstd (3 unless said otherwise), 1 to 9 for gzip \
         (6).",
    ),
    KEEP,
];

pub(in super::super) const DECOMPRESS: &[Key] = &[
    key(
        "from",
        Kind::Text,
        "\"a.log.zst\"",
        "The file to decompress, from the directory of the job file.",
    ),
    key(
        "to",
        Kind::Text,
        "\"a.log\"",
        "The file to write; `from` without its `.zst` or `.gz` unless said otherwise.",
    ),
    FORMAT,
    KEEP,
    key(
        "max_bytes",
        Kind::Integer(1, i64::MAX),
        "1_000_000_000",
        "The most bytes that may come out; 1 TiB unless said otherwise.",
    ),
];

pub(in super::super) const WRITE: &[Key] = &[
    key(
        "to",
        Kind::Text,
        "\"out.txt\"",
        "The file to write, from the directory of the job file.",
    ),
    key(
        "text",
        Kind::Text,
        "\"done\\n\"",
        "What stands in it; without it, nothing.",
    ),
    key(
        "append",
        Kind::Flag,
        "true",
        "Put the text behind what is in the file, in place of a new file.",
    ),
    key(
        "mode",
        Kind::Text,
        "\"0644\"",
        "The file's permission bits in octal, at most 0777; of `append`, only where it makes the \
         file.",
    ),
    MAKE_DIRS,
];

pub(in super::super) const COPY: &[Key] = &[
    key(
        "from",
        Kind::Text,
        "\"a\"",
        "The file to copy, from the directory of the job file.",
    ),
    key("to", Kind::Text, "\"b\"", "The file to write."),
    MAKE_DIRS,
];

/// A task on files of a job, and where that stands.
pub(in super::super) struct Place<'a> {
    pub(in super::super) source: usize,
    pub(in super::super) kind: TaskKind,
    /// Its own table.
    pub(in super::super) table: &'a Table,
    pub(in super::super) field: &'a Field,
}

/// The task of such a key; `None`, reported, if that is none.
pub(in super::super) fn task(
    report: &mut Report,
    place: &Place<'_>,
    directory: &Path,
) -> Option<FileTask> {
    let work = work(report, place)?;
    let directory = directory.to_owned();
    Some(FileTask { directory, work })
}

fn work(report: &mut Report, place: &Place<'_>) -> Option<FileWork> {
    let table = place.table;
    let text = |key: &str| table.text(key).map(str::to_owned);
    match place.kind {
        TaskKind::Hash => {
            place.require(report, &["files"], "hash = { files = [\"data/*\"] }")?;
            hash(report, place)
        }
        TaskKind::Compress => {
            place.require(report, &["from"], "compress = { from = \"a.log\" }")?;
            compress(report, place)
        }
        TaskKind::Decompress => {
            place.require(report, &["from"], "decompress = { from = \"a.log.zst\" }")?;
            decompress(report, place)
        }
        TaskKind::Write => {
            let example = "write = { to = \"out.txt\", text = \"done\" }";
            place.require(report, &["to"], example)?;
            Some(FileWork::Write {
                to: text("to")?,
                text: place.optional("text", text)?.unwrap_or_default(),
                append: place.flag("append", false)?,
                mode: match place.optional("mode", text)? {
                    Some(mode) => Some(mode_bits(report, place, &mode)?),
                    None => None,
                },
                make_dirs: place.flag("make_dirs", false)?,
            })
        }
        TaskKind::Copy => {
            let example = "copy = { from = \"a\", to = \"b\" }";
            place.require(report, &["from", "to"], example)?;
            let (from, to) = (text("from")?, text("to")?);
            place.differ(report, &from, &to)?;
            let make_dirs = place.flag("make_dirs", false)?;
            Some(FileWork::Copy {
                from,
                to,
                make_dirs,
            })
        }
        TaskKind::Sleep
        | TaskKind::Read
        | TaskKind::Compute
        | TaskKind::Call
        | TaskKind::Future
        | TaskKind::Exec
        | TaskKind::Shell
        | TaskKind::Http => None,
    }
}

impl Place<'_> {
    fn span(&self, key: &str) -> Span {
        let field = self.table.get(key).unwrap_or(self.field);
        field.value.clone()
    }

    fn error(&self, key: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::at(self.source, self.span(key), message)
    }

    /// Reports which of these keys are missing.
    fn require(&self, report: &mut Report, keys: &[&'static str], example: &str) -> Option<()> {
        let missing: Vec<&str> = keys
            .iter()
            .copied()
            .filter(|key| self.table.get(key).is_none())
            .collect();
        if missing.is_empty() {
            return Some(());
        }
        if !self.table.strange {
            let message = format!("`{}` lacks {}", self.kind.key(), list(missing));
            let error = Diagnostic::at(self.source, self.field.value.clone(), message);
            report.push(error.hint(format!("write it like `{example}`")));
        }
        None
    }

    /// What `get` finds under a key that may be left out; `None` if it stands there and is wrong.
    fn optional<T>(&self, key: &str, get: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
        match self.table.get(key) {
            Some(_) => get(key).map(Some),
            None => Some(None),
        }
    }

    fn flag(&self, key: &str, otherwise: bool) -> Option<bool> {
        let said = self.optional(key, |key| self.table.boolean(key))?;
        Some(said.unwrap_or(otherwise))
    }

    fn format(&self) -> Option<Option<Compression>> {
        self.optional("format", |key| {
            let word = self.table.text(key)?;
            Compression::ALL
                .into_iter()
                .find(|format| format.as_str() == word)
        })
    }

    fn differ(&self, report: &mut Report, from: &str, to: &str) -> Option<()> {
        if from != to {
            return Some(());
        }
        let message = format!("`{}` has the same file in `from` and `to`", self.kind.key());
        report.push(self.error("to", message).hint("give `to` another name"));
        None
    }

    fn unknown_format(&self, report: &mut Report, key: &str) {
        let name = self.table.text(key).unwrap_or_default();
        let message = format!("the end of `{name}` does not say which format it is in");
        let hint = "add `format = \"zstd\"` or `format = \"gzip\"`, or end it with `.zst` or `.gz`";
        report.push(self.error(key, message).hint(hint));
    }
}

fn hash(report: &mut Report, place: &Place<'_>) -> Option<FileWork> {
    let table = place.table;
    let files: Vec<(String, Span)> = match table.text("files") {
        Some(file) => vec![(file.to_owned(), place.span("files"))],
        None => table.texts("files").to_vec(),
    };
    if files.is_empty() {
        // An empty list; what is none has been reported.
        if table.get("files").is_some_and(|field| field.item.is_some()) {
            let error = place.error("files", "`hash` has no files");
            report.push(error.hint("write it like `hash = { files = [\"data/*\"] }`"));
        }
        return None;
    }
    let mut good = true;
    for (file, span) in &files {
        // What an argument stands for is no part of the pattern.
        let Ok(parts) = parts(file) else { continue };
        let pattern: String = parts
            .into_iter()
            .map(|part| match part {
                Part::Text(text) => text,
                Part::Name(_) => "x",
            })
            .collect();
        if let Err(error) = glob::Pattern::new(&pattern) {
            let message = format!("cannot understand the pattern `{file}`: {}", error.msg);
            report.push(
                Diagnostic::at(place.source, span.clone(), message)
                    .hint("`*` is any part of a name, `**` any directories, `[*]` a star itself"),
            );
            good = false;
        }
    }
    let algorithm = place.optional("algorithm", |key| {
        let word = table.text(key)?;
        HashAlgorithm::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == word)
    })?;
    let manifest = place.optional("manifest", |key| table.text(key).map(str::to_owned))?;
    good.then(|| FileWork::Hash {
        files: files.into_iter().map(|(file, _)| file).collect(),
        algorithm: algorithm.unwrap_or(HashAlgorithm::Sha256),
        manifest,
    })
}

fn compress(report: &mut Report, place: &Place<'_>) -> Option<FileWork> {
    let table = place.table;
    let from = table.text("from")?.to_owned();
    let to = place.optional("to", |key| table.text(key))?;
    let format = match (place.format()?, to) {
        (Some(format), _) => format,
        (None, None) => Compression::Zstd,
        (None, Some(to)) => {
            let format = Compression::of_name(to);
            if format.is_none() {
                place.unknown_format(report, "to");
            }
            format?
        }
    };
    let to = to.map_or_else(|| format!("{from}{}", format.suffix()), str::to_owned);
    place.differ(report, &from, &to)?;
    let level: Option<u8> = place.optional("level", |key| table.natural(key))?;
    if let Some(level) = level
        && level > format.highest_level()
    {
        let (name, highest) = (format.as_str(), format.highest_level());
        let message = format!("{name} has no level {level}");
        let error = place.error("level", message);
        report.push(error.hint(format!("its highest level is {highest}")));
        return None;
    }
    Some(FileWork::Compress {
        from,
        to,
        format,
        level,
        keep: place.flag("keep", true)?,
    })
}

fn decompress(report: &mut Report, place: &Place<'_>) -> Option<FileWork> {
    let table = place.table;
    let from = table.text("from")?.to_owned();
    let format = place.format()?.or_else(|| Compression::of_name(&from));
    let Some(format) = format else {
        place.unknown_format(report, "from");
        return None;
    };
    let to = match place.optional("to", |key| table.text(key))? {
        Some(to) => to.to_owned(),
        None => match from.strip_suffix(format.suffix()) {
            Some(to) if !to.is_empty() && !to.ends_with('/') => to.to_owned(),
            _ => {
                let suffix = format.suffix();
                let why = if from.ends_with(suffix) {
                    format!("nothing is left of `{from}` without `{suffix}`")
                } else {
                    format!("`{from}` does not end with `{suffix}`")
                };
                let message = format!("`decompress` lacks `to`: {why}");
                report.push(place.error("from", message).hint("add `to = \"out\"`"));
                return None;
            }
        },
    };
    place.differ(report, &from, &to)?;
    let max_bytes = place.optional("max_bytes", |key| table.natural(key))?;
    Some(FileWork::Decompress {
        from,
        to,
        format,
        keep: place.flag("keep", true)?,
        max_bytes: max_bytes.unwrap_or(MAX_BYTES),
    })
}

fn mode_bits(report: &mut Report, place: &Place<'_>, text: &str) -> Option<u32> {
    let bits = u32::from_str_radix(text, 8).ok();
    let bits = bits.filter(|bits| *bits <= 0o777 && (3..=4).contains(&text.len()));
    if bits.is_none() {
        let message = format!("`{text}` is nothing that `mode` can be");
        let hint = "write three octal digits, as in `mode = \"0644\"`";
        report.push(place.error("mode", message).hint(hint));
    }
    bits
}

/// Reports the names in braces that are no parameters of the job. `table` is the job's.
pub(in super::super) fn placeholders(
    report: &mut Report,
    source: usize,
    table: &Table,
    task: &FileTask,
    params: &BTreeMap<Name, ParamSpec>,
) {
    let Some(own) = table.table(task.work.kind()) else {
        return;
    };
    for (key, text) in task.work.templates() {
        // What is made of another key has been looked at there.
        let Some(field) = own.get(key) else { continue };
        let listed = own.texts(key).iter().find(|(listed, _)| listed == text);
        let span = listed.map_or(&field.value, |(_, span)| span);
        let wrong = |what: &str| place_of(report.text(source), span, what);
        match parts(text) {
            Err(error) => {
                let hint = "write `{{` or `}}` where the brace itself is meant";
                let error = Diagnostic::at(source, span.clone(), error.to_string());
                report.push(error.hint(hint));
            }
            Ok(parts) => {
                let unknown = parts.into_iter().filter_map(|part| match part {
                    Part::Name(name) if !params.contains_key(name) => {
                        Some((name, wrong(&format!("{{{name}}}"))))
                    }
                    Part::Name(_) | Part::Text(_) => None,
                });
                let unknown: Vec<(&str, Span)> = unknown.collect();
                for (name, span) in unknown {
                    let message = format!("the job has no parameter `{name}`");
                    let hint = unknown_hint(name, params);
                    report.push(Diagnostic::at(source, span, message).hint(hint));
                }
            }
        }
    }
}

/// Where `what` stands in a value; the whole value where it is written in another way there.
fn place_of(text: &str, span: &Span, what: &str) -> Span {
    match text[span.clone()].find(what) {
        Some(at) => span.start + at..span.start + at + what.len(),
        None => span.clone(),
    }
}

fn unknown_hint(name: &str, params: &BTreeMap<Name, ParamSpec>) -> String {
    let known = || params.keys().map(|name| &**name);
    match nearest(name, known()) {
        Some(nearest) => format!("did you mean `{{{nearest}}}`?"),
        None if !params.is_empty() => format!("its parameters are {}", list(known())),
        None if super::super::names::complaint(name).is_none() => format!(
            "declare it with `params = {{ {name} = {{ type = \"text\" }} }}`, or write `{{{{` where the \
             brace itself is meant"
        ),
        None => "write `{{` or `}}` where the brace itself is meant".to_owned(),
    }
}
