//! Places in a text that a run's arguments fill: `{name}`. Whatever else stands in braces stays as it is,
//! since texts of programs are full of them; where `{name}` itself is meant, it is written `{{name}}`.
//! (Texts that are ours to define have the stricter `braces`.)

use std::borrow::Cow;

/// A text cut at the places to be filled.
enum Piece<'t> {
    Text(&'t str),
    Place(&'t str),
}

/// The names of the places in a text, in order.
pub fn places(text: &str) -> impl Iterator<Item = &str> {
    Pieces(text).filter_map(|piece| match piece {
        Piece::Place(name) => Some(name),
        Piece::Text(_) => None,
    })
}

/// The text with each place filled by what `value` gives for its name.
///
/// # Errors
/// The first name for which there is nothing.
pub fn fill<'t, 'v>(
    text: &'t str,
    mut value: impl FnMut(&str) -> Option<Cow<'v, str>>,
) -> Result<String, &'t str> {
    let mut filled = String::with_capacity(text.len());
    for piece in Pieces(text) {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Place(name) => filled.push_str(&value(name).ok_or(name)?),
        }
    }
    Ok(filled)
}

/// The text that [`fill`] makes this one of, whatever is in it.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for piece in Pieces(text) {
        match piece {
            Piece::Text(text) => escaped.push_str(text),
            Piece::Place(name) => escaped.push_str(&format!("{{{{{name}}}}}")),
        }
    }
    escaped
}

/// What is left of the text.
struct Pieces<'t>(&'t str);

impl<'t> Iterator for Pieces<'t> {
    type Item = Piece<'t>;

    fn next(&mut self) -> Option<Piece<'t>> {
        let rest = self.0;
        if rest.is_empty() {
            return None;
        }
        let (piece, used) = match rest.find(['{', '}']) {
            None => (Piece::Text(rest), rest.len()),
            Some(0) => match (escaped(rest), name(rest)) {
                (Some(escaped), _) => (Piece::Text(escaped), escaped.len() + 2),
                (None, Some(name)) => (Piece::Place(name), name.len() + 2),
                (None, None) => (Piece::Text(&rest[..1]), 1),
            },
            Some(plain) => (Piece::Text(&rest[..plain]), plain),
        };
        self.0 = &rest[used..];
        Some(piece)
    }
}

/// The `{name}` that is meant where `text` begins with it in braces of its own.
fn escaped(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('{')?;
    let length = name(inside)?.len() + 2;
    inside[length..].starts_with('}').then(|| &inside[..length])
}

/// The name in the braces that `text` begins with.
fn name(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('{')?;
    let end = inside.find('}')?;
    let name = &inside[..end];
    let begins = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    (begins && name.chars().all(fits)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_braces_are_filled_and_all_else_stays() {
        let check = |text: &str, expected: Result<&str, &str>| {
            let value = |name: &str| (name != "gone").then(|| Cow::from(format!("<{name}>")));
            assert_eq!(
                fill(text, value).as_deref(),
                expected.as_ref().map(|t| *t),
                "{text}"
            );
        };
        check("{a}-{b_2}.{c-d}", Ok("<a>-<b_2>.<c-d>"));
        check("{print $1}", Ok("{print $1}"));
        check("{} {1} { a } {", Ok("{} {1} { a } {"));
        check("{{a}} }}{{", Ok("{a} }}{{"));
        check("{{{a}}}", Ok("{{a}}"));
        check("{\"a\":{\"b\":{}}}", Ok("{\"a\":{\"b\":{}}}"));
        check("{größe}", Ok("<größe>"));
        check("x {gone} {a}", Err("gone"));
        assert_eq!(
            places("{a} {b} {{c}} {d e}").collect::<Vec<_>>(),
            ["a", "b"]
        );
    }
}
