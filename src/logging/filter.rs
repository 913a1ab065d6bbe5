//! Which events are logged: reads `info,twolane::lanes=debug`. Stricter than `tracing-subscriber`,
//! which takes a misspelt level for the name of a target and then logs nothing else.

use tracing_subscriber::filter::{LevelFilter, Targets};

/// A mistake in a filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{part} is wrong in the log filter `{filter}`: {kind}; write for example `info,twolane::lanes=debug`"
)]
pub struct FilterError {
    /// The whole filter.
    pub filter: String,
    /// The wrong part of it, as the message has it.
    part: String,
    /// What is wrong with it.
    pub kind: FilterErrorKind,
}

/// What can be wrong with a part of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterErrorKind {
    /// Nothing between two commas, or at an end.
    #[error("a part is `LEVEL` or `TARGET=LEVEL`")]
    Empty,
    /// What should be a level is none.
    #[error("a level is one of off, error, warn, info, debug, trace")]
    Level,
    /// What should be a target holds something that no target does.
    #[error("a target is a path such as `twolane::lanes`")]
    Target,
    /// A second level for everything.
    #[error("a level for all targets is there already")]
    Twice,
}

/// Whether a filter can be read.
///
/// # Errors
/// What is wrong with it.
pub fn check_filter(filter: &str) -> Result<(), FilterError> {
    parse(filter).map(drop)
}

/// Reads a filter: levels for targets (and what is below them) as `TARGET=LEVEL`, one for all others
/// as `LEVEL`, which is `info` unless said otherwise. A blank filter says nothing, so `info`.
pub(super) fn parse(filter: &str) -> Result<Targets, FilterError> {
    let wrong = |part: &str, kind| FilterError {
        filter: filter.to_owned(),
        part: match kind {
            FilterErrorKind::Empty => "an empty part".to_owned(),
            FilterErrorKind::Level | FilterErrorKind::Target | FilterErrorKind::Twice => {
                format!("`{part}`")
            }
        },
        kind,
    };
    let mut targets = Targets::new();
    let mut all = None;
    let parts = filter.split(',').map(str::trim);
    for part in parts.filter(|_| !filter.trim().is_empty()) {
        if part.is_empty() {
            return Err(wrong(part, FilterErrorKind::Empty));
        }
        match part.split_once('=') {
            None => {
                let level = level(part).ok_or_else(|| wrong(part, FilterErrorKind::Level))?;
                if all.replace(level).is_some() {
                    return Err(wrong(part, FilterErrorKind::Twice));
                }
            }
            Some((target, word)) => {
                let (target, word) = (target.trim(), word.trim());
                if !is_target(target) {
                    return Err(wrong(part, FilterErrorKind::Target));
                }
                let level = level(word).ok_or_else(|| wrong(part, FilterErrorKind::Level))?;
                targets = targets.with_target(target, level);
            }
        }
    }
    Ok(targets.with_default(all.unwrap_or(LevelFilter::INFO)))
}

fn level(word: &str) -> Option<LevelFilter> {
    const LEVELS: [(&str, LevelFilter); 6] = [
        ("off", LevelFilter::OFF),
        ("error", LevelFilter::ERROR),
        ("warn", LevelFilter::WARN),
        ("info", LevelFilter::INFO),
        ("debug", LevelFilter::DEBUG),
        ("trace", LevelFilter::TRACE),
    ];
    let found = LEVELS
        .into_iter()
        .find(|(name, _)| word.eq_ignore_ascii_case(name));
    found.map(|(_, level)| level)
}

fn is_target(target: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    !target.is_empty() && target.chars().all(part)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(filter: &str, expected: &Expect) {
        let said = match parse(filter) {
            Ok(targets) => targets.to_string(),
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&said);
    }

    #[test]
    fn filters() {
        check("", &expect!["info"]);
        check("  ", &expect!["info"]);
        check("info", &expect!["info"]);
        check("WARN", &expect!["warn"]);
        check("off", &expect!["off"]);
        check(
            "info,twolane::lanes=debug",
            &expect!["twolane::lanes=debug,info"],
        );
        check(
            " twolane::run = trace , warn ",
            &expect!["twolane::run=trace,warn"],
        );
        check("twolane::run=off", &expect!["twolane::run=off,info"]);
        check(
            "inof",
            &expect![
                "`inof` is wrong in the log filter `inof`: a level is one of off, error, warn, info, debug, trace; write for example `info,twolane::lanes=debug`"
            ],
        );
        check(
            "twolane::lanes",
            &expect![
                "`twolane::lanes` is wrong in the log filter `twolane::lanes`: a level is one of off, error, warn, info, debug, trace; write for example `info,twolane::lanes=debug`"
            ],
        );
        check(
            "info,",
            &expect![
                "an empty part is wrong in the log filter `info,`: a part is `LEVEL` or `TARGET=LEVEL`; write for example `info,twolane::lanes=debug`"
            ],
        );
        check(
            "info,,twolane=debug",
            &expect![
                "an empty part is wrong in the log filter `info,,twolane=debug`: a part is `LEVEL` or `TARGET=LEVEL`; write for example `info,twolane::lanes=debug`"
            ],
        );
        check(
            "info,debug",
            &expect![
                "`debug` is wrong in the log filter `info,debug`: a level for all targets is there already; write for example `info,twolane::lanes=debug`"
            ],
        );
        check(
            "twolane=loud",
            &expect![
                "`twolane=loud` is wrong in the log filter `twolane=loud`: a level is one of off, error, warn, info, debug, trace; write for example `info,twolane::lanes=debug`"
            ],
        );
        check(
            "=debug",
            &expect![
                "`=debug` is wrong in the log filter `=debug`: a target is a path such as `twolane::lanes`; write for example `info,twolane::lanes=debug`"
            ],
        );
        check(
            "a b=debug",
            &expect![
                "`a b=debug` is wrong in the log filter `a b=debug`: a target is a path such as `twolane::lanes`; write for example `info,twolane::lanes=debug`"
            ],
        );
        check(
            "twolane[span]=debug",
            &expect![
                "`twolane[span]=debug` is wrong in the log filter `twolane[span]=debug`: a target is a path such as `twolane::lanes`; write for example `info,twolane::lanes=debug`"
            ],
        );
    }
}
