//! Texts with the names of a run's arguments in braces, as in `out/{name}.txt`: where the names are,
//! and what is no such text. Pure; knows neither the arguments nor what a text is for.

/// A part of a text.
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
/// A brace that has no other.
pub fn parts(text: &str) -> Result<Vec<Part<'_>>, BraceError> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (part, length) = match rest.find(['{', '}']) {
            None => (Part::Text(rest), rest.len()),
            Some(0) if rest.starts_with("{{") || rest.starts_with("}}") => {
                (Part::Text(&rest[..1]), 2)
            }
            Some(0) if rest.starts_with('{') => {
                let name = &rest[1..];
                // A name ends at its `}`; another `{` before that means that this one was never
                // closed.
                let end = name
                    .find(['{', '}'])
                    .filter(|end| name.as_bytes()[*end] == b'}')
                    .ok_or(BraceError::Unclosed)?;
                (Part::Name(&name[..end]), end + 2)
            }
            Some(0) => return Err(BraceError::Stray),
            Some(plain) => (Part::Text(&rest[..plain]), plain),
        };
        parts.push(part);
        rest = &rest[length..];
    }
    Ok(parts)
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
