//! The texts that a job names for its own log lines: what a placeholder is, which there are, and how
//! a text becomes a line. Pure; knows neither where a text comes from nor where the line goes.

use std::fmt;

use super::braces::{Piece, pieces};

/// Something that a text may name in braces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Placeholder {
    /// The job's name.
    Job,
    /// The run's number.
    Run,
    /// The attempt's number within its run.
    Attempt,
    /// The lane.
    Lane,
    /// How much is done, as a whole number from 0 to 100; empty where the task cannot tell.
    Percent,
    /// The task's own words.
    Message,
    /// What the run resulted in: a string as it is, anything else as JSON.
    Result,
    /// Why the run failed.
    Error,
    /// How long the attempt took, in seconds with a unit: `7.010283s`.
    Duration,
}

impl Placeholder {
    /// All of them, in the order in which they are listed for people.
    pub const ALL: [Self; 9] = [
        Self::Job,
        Self::Run,
        Self::Attempt,
        Self::Lane,
        Self::Percent,
        Self::Message,
        Self::Result,
        Self::Error,
        Self::Duration,
    ];

    /// What stands between the braces.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::Run => "run",
            Self::Attempt => "attempt",
            Self::Lane => "lane",
            Self::Percent => "percent",
            Self::Message => "message",
            Self::Result => "result",
            Self::Error => "error",
            Self::Duration => "duration",
        }
    }

    /// The placeholder of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }
}

/// A text with placeholders in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Template<'t> {
    text: &'t str,
}

impl<'t> Template<'t> {
    /// `text` as a template, found to be without a mistake.
    ///
    /// # Errors
    /// The first mistake in it, with its place.
    pub fn parse(text: &'t str) -> Result<Self, TemplateError> {
        if text.trim().is_empty() {
            let kind = TemplateErrorKind::Empty;
            return Err(TemplateError { offset: 0, kind });
        }
        for piece in pieces(text) {
            let (offset, kind) = match piece {
                Piece::Text(_) => continue,
                Piece::Name { name, .. } if Placeholder::named(name).is_some() => continue,
                Piece::Name { name, offset, .. } => {
                    (offset, TemplateErrorKind::Unknown(name.to_owned()))
                }
                Piece::Stray { text: "{", offset } => (offset, TemplateErrorKind::Unclosed),
                Piece::Stray { offset, .. } => (offset, TemplateErrorKind::Stray),
            };
            return Err(TemplateError { offset, kind });
        }
        Ok(Self { text })
    }

    /// `text` as a template, whatever is in it: what is no placeholder stays as it is written.
    #[must_use]
    pub const fn lenient(text: &'t str) -> Self {
        Self { text }
    }

    /// The line: each placeholder replaced by what `value` writes for it.
    #[must_use]
    pub fn render(&self, mut value: impl FnMut(Placeholder, &mut String)) -> String {
        let mut line = String::with_capacity(self.text.len());
        for piece in pieces(self.text) {
            match piece {
                Piece::Text(text) | Piece::Stray { text, .. } => line.push_str(text),
                Piece::Name { name, text, .. } => match Placeholder::named(name) {
                    Some(placeholder) => value(placeholder, &mut line),
                    None => line.push_str(text),
                },
            }
        }
        line
    }
}

/// A mistake in a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct TemplateError {
    /// Where it begins, in bytes from the start of the text.
    pub offset: usize,
    /// What it is.
    pub kind: TemplateErrorKind,
}

/// What can be wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateErrorKind {
    /// There is nothing in it.
    Empty,
    /// No placeholder has this name.
    Unknown(String),
    /// A `{` without its `}`.
    Unclosed,
    /// A `}` without its `{`.
    Stray,
}

impl fmt::Display for TemplateErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the text is empty"),
            Self::Unknown(name) => write!(f, "there is no placeholder `{{{name}}}`"),
            Self::Unclosed => f.write_str("a `{` has no `}`"),
            Self::Stray => f.write_str("a `}` has no `{`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// What parsing says of `text`, and what rendering makes of it all the same.
    fn check(text: &str, expected: &Expect) {
        let parsed = match Template::parse(text) {
            Ok(_) => "fine".to_owned(),
            Err(error) => format!("at {}: {error}", error.offset),
        };
        let line = Template::lenient(text).render(|placeholder, line| {
            line.push('<');
            line.push_str(placeholder.name());
            line.push('>');
        });
        expected.assert_eq(&format!("{parsed}\n{line}"));
    }

    #[test]
    fn texts() {
        check(
            "普通计算密集型任务",
            &expect![[r#"
            fine
            普通计算密集型任务"#]],
        );
        check(
            "{job}{run}.{attempt} {lane} {percent}% {message} {result} {error} {duration}",
            &expect![[r#"
            fine
            <job><run>.<attempt> <lane> <percent>% <message> <result> <error> <duration>"#]],
        );
        check(
            "{{job}} {{{job}}} }}{{",
            &expect![[r#"
            fine
            {job} {<job>} }{"#]],
        );
        check(
            "任务{jbo}!",
            &expect![[r#"
                at 6: there is no placeholder `{jbo}`
                任务{jbo}!"#]],
        );
        check(
            "{ job }",
            &expect![[r#"
                at 0: there is no placeholder `{ job }`
                { job }"#]],
        );
        check(
            "{}",
            &expect![[r#"
                at 0: there is no placeholder `{}`
                {}"#]],
        );
        check(
            "done {job",
            &expect![[r#"
                at 5: a `{` has no `}`
                done {job"#]],
        );
        check(
            "{任{job}",
            &expect![[r#"
                at 0: a `{` has no `}`
                {任<job>"#]],
        );
        check(
            "job} {run}",
            &expect![[r#"
                at 3: a `}` has no `{`
                job} <run>"#]],
        );
        check(
            " \n",
            &expect![[r#"
            at 0: the text is empty
             
        "#]],
        );
    }

    #[test]
    fn what_a_value_holds_is_no_template() {
        let line = Template::lenient("{message}").render(|_, line| line.push_str("{job}"));
        assert_eq!(line, "{job}");
    }
}
