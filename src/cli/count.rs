//! How many of something, in words. Knows no more of language than a plural `s`.

/// So many of `what`, which is in the singular.
pub(super) fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}
