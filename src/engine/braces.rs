//! Texts with names in braces, cut into their pieces: what stands between `{` and `}` is a name, `{{`
//! and `}}` are the braces themselves. Knows no name; what one means is its caller's to say.

/// A text cut where something other than plain text begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'t> {
    /// What stands for itself.
    Text(&'t str),
    /// A name in braces.
    Name {
        /// What stands between them.
        name: &'t str,
        /// The same with the braces.
        text: &'t str,
        /// Where the first brace is, in bytes from the start of the text.
        offset: usize,
    },
    /// A brace that opens or closes nothing.
    Stray {
        /// The brace.
        text: &'t str,
        /// Where it is, in bytes from the start of the text.
        offset: usize,
    },
}

/// The pieces of `text`, in their order.
#[must_use]
pub const fn pieces(text: &str) -> Pieces<'_> {
    Pieces { text, at: 0 }
}

/// `text` with each name replaced by what `value` writes for it. A stray brace stays as it is.
#[must_use]
pub fn fill(text: &str, mut value: impl FnMut(&str, &mut String)) -> String {
    let mut filled = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) | Piece::Stray { text, .. } => filled.push_str(text),
            Piece::Name { name, .. } => value(name, &mut filled),
        }
    }
    filled
}

/// A part of a text without mistakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'t> {
    /// What stands there as it is; a doubled brace is one.
    Text(&'t str),
    /// The name of an argument.
    Name(&'t str),
}

/// What is wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BraceError {
    /// A `{` without its `}`.
    #[error("a `{{` has no `}}`")]
    Unclosed,
    /// A `}` without its `{`.
    #[error("a `}}` has no `{{`")]
    Stray,
}

/// The parts of a text, in their order.
///
/// # Errors
/// The first brace that has no other.
pub fn parts(text: &str) -> Result<Vec<Part<'_>>, BraceError> {
    pieces(text)
        .map(|piece| match piece {
            Piece::Text(text) => Ok(Part::Text(text)),
            Piece::Name { name, .. } => Ok(Part::Name(name)),
            Piece::Stray { text: "{", .. } => Err(BraceError::Unclosed),
            Piece::Stray { .. } => Err(BraceError::Stray),
        })
        .collect()
}

/// The pieces of a text.
#[derive(Clone, Debug)]
pub struct Pieces<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Pieces<'t> {
    /// What begins with the brace at the start of `rest`.
    fn brace(&mut self, rest: &'t str) -> Piece<'t> {
        let offset = self.at;
        let after = &rest[1..];
        // A name ends at its `}`; another `{` before that means that this one was never closed.
        let end = after.find(['{', '}']);
        match end.filter(|&end| rest.starts_with('{') && after.as_bytes()[end] == b'}') {
            Some(end) => {
                self.at += end + 2;
                Piece::Name {
                    name: &after[..end],
                    text: &rest[..end + 2],
                    offset,
                }
            }
            None => {
                self.at += 1;
                Piece::Stray {
                    text: &rest[..1],
                    offset,
                }
            }
        }
    }
}

impl<'t> Iterator for Pieces<'t> {
    type Item = Piece<'t>;

    fn next(&mut self) -> Option<Piece<'t>> {
        let rest = &self.text[self.at..];
        Some(match rest.find(['{', '}']) {
            None if rest.is_empty() => return None,
            None => {
                self.at = self.text.len();
                Piece::Text(rest)
            }
            Some(0) if rest.starts_with("{{") || rest.starts_with("}}") => {
                self.at += 2;
                Piece::Text(&rest[..1])
            }
            Some(0) => self.brace(rest),
            Some(plain) => {
                self.at += plain;
                Piece::Text(&rest[..plain])
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_braces_and_braces_are_doubled() {
        use Part::{Name, Text};
        for (text, expected) in [
            ("", Ok(vec![])),
            ("plain", Ok(vec![Text("plain")])),
            (
                "a{b}c{d}",
                Ok(vec![Text("a"), Name("b"), Text("c"), Name("d")]),
            ),
            ("{{{x}}}", Ok(vec![Text("{"), Name("x"), Text("}")])),
            ("{}", Ok(vec![Name("")])),
            ("{ä ö}", Ok(vec![Name("ä ö")])),
            ("{x", Err(BraceError::Unclosed)),
            ("{x{y}", Err(BraceError::Unclosed)),
            ("x}", Err(BraceError::Stray)),
        ] {
            assert_eq!(parts(text), expected, "{text}");
        }
    }
}
