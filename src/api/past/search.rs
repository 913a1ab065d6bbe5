//! Lines of many runs' logs: by job, time, level and text.

use std::path::Path;

use serde::Deserialize;

use super::super::{view, wire};
use super::{PastError, moment, within};
use crate::engine::id::RunId;
use crate::engine::time::Wall;
use crate::runlog::{self, RunLine, Stream};
use crate::store::{Active, Reader, Span};

/// Lines in one answer, where nobody says how many, and the most.
const LINES: (usize, usize) = (1_000, 10_000);

/// Runs whose logs are looked into.
const RUNS: usize = 1_000;

/// Bytes of logs that are looked through, and of lines in one answer.
const BYTES: (usize, usize) = (64 << 20, 16 << 20);

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchQuery {
    /// In the log of this run only.
    pub run: Option<u64>,
    /// Of runs of this job only.
    pub job: Option<String>,
    /// Said at this moment or later, in RFC 3339.
    pub since: Option<wire::Moment>,
    /// Said at this moment or earlier.
    pub until: Option<wire::Moment>,
    /// Of this level or a graver one: `debug`, `info`, `warn` or `error`.
    pub level: Option<String>,
    /// With this in it; capital letters of ASCII are the same as small ones.
    pub text: Option<String>,
    /// The newest so many.
    pub limit: Option<usize>,
}

/// How grave a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

impl Level {
    const ALL: [Self; 4] = [Self::Debug, Self::Info, Self::Warn, Self::Error];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    fn asked(text: Option<&str>) -> Result<Self, PastError> {
        let Some(text) = text else {
            return Ok(Self::Debug);
        };
        let known = Self::ALL.into_iter().find(|level| level.as_str() == text);
        known.ok_or_else(|| {
            let all = Self::ALL.map(Self::as_str).join(", ");
            PastError::Question(format!("there is no level {text:?}: it is one of {all}"))
        })
    }

    /// What a line says of itself: `<3>` as for the journal, or a word such as `ERROR` or `level=warn`
    /// among its first ones. Where it says nothing, standard error and what is missing are a warning.
    fn of(line: &RunLine) -> Self {
        let mut first = line.text.as_bytes().iter().copied();
        if let (Some(b'<'), Some(digit), Some(b'>')) = (first.next(), first.next(), first.next()) {
            match digit {
                b'0'..=b'3' => return Self::Error,
                b'4' => return Self::Warn,
                b'5' | b'6' => return Self::Info,
                b'7' => return Self::Debug,
                _ => {}
            }
        }
        let words = line.text.split_whitespace().take(FIRST_WORDS);
        if let Some(level) = words.filter_map(Self::named).next() {
            return level;
        }
        match line.stream {
            Stream::Err | Stream::Dropped => Self::Warn,
            Stream::Out | Stream::Progress => Self::Info,
        }
    }

    /// The level that a word names. In capitals it stands alone, as in `[ERROR]`; after `level=` or in
    /// JSON in any letters.
    fn named(word: &str) -> Option<Self> {
        let of = |word: &str| match word {
            "EMERG" | "ALERT" | "CRIT" | "CRITICAL" | "FATAL" | "PANIC" | "ERROR" | "ERR" => {
                Some(Self::Error)
            }
            "WARN" | "WARNING" => Some(Self::Warn),
            "NOTICE" | "INFO" => Some(Self::Info),
            "DEBUG" | "TRACE" => Some(Self::Debug),
            _ => None,
        };
        let plain = |word: &str| {
            let word = word.trim_matches(|c: char| !c.is_ascii_alphabetic());
            word.to_owned()
        };
        if let Some((_, named)) = word
            .split_once("level=")
            .or_else(|| word.split_once("level\":"))
        {
            let named = named.trim_start_matches('"');
            let end = named.find(|c: char| !c.is_ascii_alphabetic());
            let named = named.get(..end.unwrap_or(named.len())).unwrap_or_default();
            return of(&named.to_ascii_uppercase());
        }
        of(&plain(word))
    }
}

/// A level stands among so many first words of a line: after a date, a time and a name.
const FIRST_WORDS: usize = 4;

/// The lines that fit, of the logs below `logs`; the newest ones, in the order in which they were said.
///
/// # Errors
/// If the question is wrong, there is no such run, or something cannot be read.
pub fn search(
    reader: &Reader,
    logs: &Path,
    query: &SearchQuery,
    now: Wall,
) -> Result<wire::Found, PastError> {
    let limit = within("limit", query.limit, LINES.0, LINES.1)?;
    let wanted = Wanted {
        since: moment("since", query.since.as_deref(), Wall(i64::MIN))?,
        until: moment("until", query.until.as_deref(), now)?,
        level: Level::asked(query.level.as_deref())?,
        text: query.text.as_ref().map(|text| text.to_ascii_lowercase()),
    };
    let Active { runs, mut more } = runs(reader, query, &wanted)?;
    let (mut looked, mut read, mut kept) = (0, 0, 0);
    let mut found: Vec<(Wall, wire::FoundLine)> = Vec::new();
    for run in runs {
        if read > BYTES.0 || kept > BYTES.1 {
            more = true;
            break;
        }
        let Some(story) = reader.run(run)? else {
            continue;
        };
        looked += 1;
        for line in runlog::lines(logs, run, 0, usize::MAX)? {
            read += line.text.len();
            let level = Level::of(&line);
            if !wanted.has(&line, level) {
                continue;
            }
            kept += line.text.len();
            let line_found = wire::FoundLine {
                run: run.0,
                job: story.job.name.to_string(),
                level: level.as_str().to_owned(),
                line: view::log_line(&line),
            };
            found.push((line.at, line_found));
        }
    }
    found.sort_by_key(|(at, line)| (*at, line.run, line.line.number));
    let older = found.len().saturating_sub(limit);
    more |= older > 0;
    let lines = found.into_iter().skip(older).map(|(_, line)| line);
    Ok(wire::Found {
        lines: lines.collect(),
        runs: looked,
        more,
    })
}

/// What a line has to be.
struct Wanted {
    since: Wall,
    until: Wall,
    level: Level,
    text: Option<String>,
}

impl Wanted {
    fn has(&self, line: &RunLine, level: Level) -> bool {
        let said = |text: &String| line.text.to_ascii_lowercase().contains(text);
        (self.since..=self.until).contains(&line.at)
            && level >= self.level
            && self.text.as_ref().is_none_or(said)
    }
}

/// The runs whose logs may have such lines.
fn runs(reader: &Reader, query: &SearchQuery, wanted: &Wanted) -> Result<Active, PastError> {
    let Some(run) = query.run else {
        let span = Span {
            job: query.job.clone(),
            since: wanted.since,
            until: wanted.until,
        };
        return Ok(reader.active(&span, RUNS)?);
    };
    let known = i64::try_from(run).is_ok();
    let story = if known { reader.run(RunId(run))? } else { None };
    let Some(story) = story else {
        return Err(PastError::NoRun(run));
    };
    let of_job = query
        .job
        .as_ref()
        .is_none_or(|job| **job == *story.job.name);
    Ok(Active {
        runs: if of_job { vec![RunId(run)] } else { Vec::new() },
        more: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_grave_it_is() {
        let cases = [
            ("all is well", Stream::Out, Level::Info),
            ("all is well", Stream::Err, Level::Warn),
            ("half", Stream::Progress, Level::Info),
            ("3 lines dropped", Stream::Dropped, Level::Warn),
            ("<3>no disk", Stream::Out, Level::Error),
            ("<4>little disk", Stream::Out, Level::Warn),
            ("<7>x", Stream::Err, Level::Debug),
            ("<9>x", Stream::Out, Level::Info),
            ("ERROR: no disk", Stream::Out, Level::Error),
            ("2026-11-21 09:12:00 [WARNING] x", Stream::Out, Level::Warn),
            ("2026-11-21T09:12:00Z DEBUG x", Stream::Err, Level::Debug),
            ("ts=1 level=error msg=x", Stream::Out, Level::Error),
            ("{\"level\":\"info\",\"x\":1}", Stream::Err, Level::Info),
            // Far into a line, or in small letters, it is a word like any other.
            ("a line that tells of an ERROR", Stream::Out, Level::Info),
            ("no error here", Stream::Out, Level::Info),
            ("", Stream::Out, Level::Info),
        ];
        for (text, stream, expected) in cases {
            let line = RunLine {
                number: 1,
                at: Wall(0),
                attempt: 1,
                stream,
                text: text.into(),
                fraction: None,
            };
            assert_eq!(Level::of(&line), expected, "{text:?}");
        }
    }
}
