//! Mistakes and warnings: where, what, and what to do. Rendered for people with the source line
//! underlined, or on one line for a log.

use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

/// The most that is kept in one report: more than anybody mends before reading anew.
const MOST_KEPT: usize = 200;

/// A text with the name it is told by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// As the caller gave it.
    pub path: PathBuf,
    /// All of it.
    pub text: String,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing of it is used.
    Error,
    /// It is used as it stands.
    Warning,
}

/// Where something is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a text.
    Text {
        /// Index of the source in the report.
        source: usize,
        /// Which bytes of it.
        span: Range<usize>,
        /// What is said at the line itself; may be empty.
        label: String,
    },
    /// A whole file, an environment variable, or a flag.
    Whole(String),
}

/// One mistake or warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong: one sentence.
    pub message: String,
    /// Where; the first place is where to look first.
    pub places: Vec<Place>,
    /// What to do.
    pub hint: Option<String>,
}

/// What is wrong with something whose place the caller knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct Complaint {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Complaint {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
        }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The complaint about a whole file, variable or flag.
    pub(super) fn about(self, what: impl Into<String>) -> Diagnostic {
        let found = Diagnostic::whole(what, self.message);
        match self.hint {
            Some(hint) => found.hint(hint),
            None => found,
        }
    }
}

/// All that was found, with the texts it was found in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    sources: Vec<Source>,
    diagnostics: Vec<Diagnostic>,
    /// Errors that found no room.
    more: usize,
}

impl Diagnostic {
    /// An error at a place in a text.
    pub(super) fn at(source: usize, span: Range<usize>, message: impl Into<String>) -> Self {
        let label = String::new();
        Self::of(
            Severity::Error,
            Place::Text {
                source,
                span,
                label,
            },
            message,
        )
    }

    /// An error that is about a whole file, variable or flag.
    pub(super) fn whole(what: impl Into<String>, message: impl Into<String>) -> Self {
        Self::of(Severity::Error, Place::Whole(what.into()), message)
    }

    fn of(severity: Severity, place: Place, message: impl Into<String>) -> Self {
        Self {
            severity,
            message: message.into(),
            places: vec![place],
            hint: None,
        }
    }

    /// The same as a warning.
    pub(super) fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// With words at the underlined place.
    pub(super) fn label(mut self, words: impl Into<String>) -> Self {
        if let Some(Place::Text { label, .. }) = self.places.first_mut() {
            *label = words.into();
        }
        self
    }

    /// With a further place.
    pub(super) fn also(mut self, source: usize, span: Range<usize>, words: &str) -> Self {
        self.places.push(Place::Text {
            source,
            span,
            label: words.to_owned(),
        });
        self
    }

    /// With what to do.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn order(&self) -> (Option<usize>, usize) {
        match self.places.first() {
            Some(Place::Text { source, span, .. }) => (Some(*source), span.start),
            Some(Place::Whole(_)) | None => (None, 0),
        }
    }
}

impl Report {
    /// Takes a text in; its index.
    pub(super) fn add_source(&mut self, source: Source) -> usize {
        self.sources.push(source);
        self.sources.len() - 1
    }

    pub(super) fn text(&self, source: usize) -> &str {
        &self.sources[source].text
    }

    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        if !self.is_full() {
            self.diagnostics.push(diagnostic);
        } else if diagnostic.severity == Severity::Error {
            self.more += 1;
        }
    }

    /// Whether further ones are only counted, so that looking for a cure is in vain.
    pub(super) fn is_full(&self) -> bool {
        self.diagnostics.len() >= MOST_KEPT
    }

    /// Orders what was found by place, and drops what was found twice.
    pub(super) fn sort(&mut self) {
        self.diagnostics.sort_by_key(Diagnostic::order);
        self.diagnostics.dedup();
    }

    /// All that was found.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// The files in which nothing stands.
    pub fn empty_files(&self) -> impl Iterator<Item = &Path> {
        let empty = self.sources.iter().filter(|source| source.text.is_empty());
        empty.map(|source| &*source.path)
    }

    /// How many errors there are.
    #[must_use]
    pub fn errors(&self) -> usize {
        let is_error = |found: &&Diagnostic| found.severity == Severity::Error;
        self.diagnostics.iter().filter(is_error).count() + self.more
    }

    /// `PATH:LINE:COLUMN` of a place in a text (both counted from 1, columns in characters).
    pub(super) fn position(&self, source: usize, at: usize) -> String {
        let Source { path, text } = &self.sources[source];
        let before = &text[..text.floor_char_boundary(at)];
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let column = before[start..].chars().count() + 1;
        format!("{}:{line}:{column}", path.display())
    }

    /// For people: each with the line it is about.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let renderer = if color {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let mut text = String::new();
        for diagnostic in &self.diagnostics {
            text.push_str(&renderer.render(&[self.group(diagnostic)]));
            text.push_str("\n\n");
        }
        let errors = self.errors();
        if self.more > 0 {
            let shown = errors - self.more;
            text.push_str(&format!(
                "{errors} mistakes in all, of which {shown} are shown\n"
            ));
        } else if errors > 1 {
            text.push_str(&format!("{errors} mistakes in all\n"));
        }
        text
    }

    /// For a log: a line each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let line = |diagnostic: &Diagnostic| {
            let place = match diagnostic.places.first() {
                Some(Place::Text { source, span, .. }) => self.position(*source, span.start),
                Some(Place::Whole(what)) => what.clone(),
                None => String::new(),
            };
            let hint = diagnostic
                .hint
                .as_deref()
                .map(|hint| format!(" (hint: {hint})"));
            format!(
                "{place}: {}{}",
                diagnostic.message,
                hint.unwrap_or_default()
            )
        };
        let more = (self.more > 0).then(|| format!("and {} more mistakes", self.more));
        self.diagnostics.iter().map(line).chain(more).collect()
    }

    fn group<'a>(&'a self, diagnostic: &'a Diagnostic) -> Group<'a> {
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = level
            .primary_title(&*diagnostic.message)
            .elements(Vec::<Origin<'_>>::new());
        // Places in the same text share one piece of it.
        let mut shown: Vec<usize> = Vec::new();
        for place in &diagnostic.places {
            match place {
                Place::Whole(what) => group = group.element(Origin::path(&**what)),
                Place::Text { source, .. } if !shown.contains(source) => {
                    shown.push(*source);
                    group = group.element(self.snippet(diagnostic, *source));
                }
                Place::Text { .. } => {}
            }
        }
        match &diagnostic.hint {
            Some(hint) => group.element(Level::HELP.with_name("hint").message(&**hint)),
            None => group,
        }
    }

    fn snippet<'a>(
        &'a self,
        diagnostic: &'a Diagnostic,
        wanted: usize,
    ) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        let Source { path, text } = &self.sources[wanted];
        // Only the lines that matter, since rendering looks at all that it is given.
        let spans = diagnostic.places.iter().filter_map(|place| match place {
            Place::Text { source, span, .. } if *source == wanted => Some(visible(text, span)),
            Place::Text { .. } | Place::Whole(_) => None,
        });
        let (first, last) = spans.fold((text.len(), 0), |(first, last), span| {
            (first.min(span.start), last.max(span.end))
        });
        let from = text[..first].rfind('\n').map_or(0, |end| end + 1);
        let to = text[last..].find('\n').map_or(text.len(), |end| last + end);
        let mut snippet = Snippet::source(&text[from..to])
            .line_start(text[..from].matches('\n').count() + 1)
            .path(path.display().to_string());
        for (index, place) in diagnostic.places.iter().enumerate() {
            if let Place::Text {
                source,
                span,
                label,
            } = place
                && *source == wanted
            {
                let kind = if index == 0 {
                    AnnotationKind::Primary
                } else {
                    AnnotationKind::Context
                };
                let shown = visible(text, span);
                let mut annotation = kind.span(shown.start - from..shown.end - from);
                if !label.is_empty() {
                    annotation = annotation.label(&**label);
                }
                snippet = snippet.annotation(annotation);
            }
        }
        snippet
    }
}

/// A span that can be underlined: within the text, on character boundaries, on one line, not empty
/// where there is something to show.
fn visible(text: &str, span: &Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(span.start.min(text.len()));
    let line_end = text[start..]
        .find('\n')
        .map_or(text.len(), |end| start + end);
    let end = text.floor_char_boundary(span.end.min(line_end)).max(start);
    if end == start && start < line_end {
        return start..start + text[start..].chars().next().map_or(0, char::len_utf8);
    }
    start..end
}
