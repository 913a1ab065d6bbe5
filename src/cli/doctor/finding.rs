//! What a check has found, and how it is told.

use serde_json::{Value, json};

/// How it stands with one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As it should be.
    Fine,
    /// The daemon works, and would work better.
    Advice,
    /// Something does not work.
    Wrong,
    /// It cannot be seen from here.
    Unknown,
}

impl Verdict {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Advice => "advice",
            Self::Wrong => "wrong",
            Self::Unknown => "unknown",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// What was looked at, in one word.
    pub(super) name: &'static str,
    pub(super) verdict: Verdict,
    /// What is so.
    pub(super) what: String,
    /// What to change.
    pub(super) cure: Option<String>,
}

impl Finding {
    pub(super) fn fine(name: &'static str, what: impl Into<String>) -> Self {
        Self::new(name, Verdict::Fine, what, None)
    }

    pub(super) fn advice(
        name: &'static str,
        what: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Self::new(name, Verdict::Advice, what, Some(cure.into()))
    }

    pub(super) fn wrong(
        name: &'static str,
        what: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Self::new(name, Verdict::Wrong, what, Some(cure.into()))
    }

    pub(super) fn unknown(name: &'static str, what: impl Into<String>) -> Self {
        Self::new(name, Verdict::Unknown, what, None)
    }

    fn new(
        name: &'static str,
        verdict: Verdict,
        what: impl Into<String>,
        cure: Option<String>,
    ) -> Self {
        Self {
            name,
            verdict,
            what: what.into(),
            cure,
        }
    }

    /// The same for programs.
    pub(super) fn as_json(&self, group: &str) -> Value {
        json!({
            "group": group, "check": self.name, "verdict": self.verdict.as_str(),
            "what": self.what, "cure": self.cure,
        })
    }
}
