//! Who asked for something: goes with an input, and with the facts that follow from it at once.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Who asked for something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum By {
    /// The daemon itself: what begins with it, and what its schedules ask for.
    Daemon,
    /// Whoever may send signals to the daemon: its own user, root, or the service manager.
    Signal,
    /// A user of the machine, by its number, as the kernel says of the socket.
    User(u32),
    /// Whoever has the token of this name.
    Token(Arc<str>),
}

/// A text that names nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names nobody: it is `daemon`, `signal`, `uid:NUMBER` or `token:NAME`")]
pub struct Nobody(String);

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Daemon => f.write_str("daemon"),
            Self::Signal => f.write_str("signal"),
            Self::User(uid) => write!(f, "uid:{uid}"),
            Self::Token(name) => write!(f, "token:{name}"),
        }
    }
}

impl From<By> for String {
    fn from(by: By) -> Self {
        by.to_string()
    }
}

impl TryFrom<String> for By {
    type Error = Nobody;

    fn try_from(text: String) -> Result<Self, Nobody> {
        match text.as_str() {
            "daemon" => return Ok(Self::Daemon),
            "signal" => return Ok(Self::Signal),
            _ => {}
        }
        if let Some(name) = text.strip_prefix("token:") {
            return Ok(Self::Token(name.into()));
        }
        let uid = text.strip_prefix("uid:").and_then(|uid| uid.parse().ok());
        uid.map(Self::User).ok_or(Nobody(text))
    }
}
