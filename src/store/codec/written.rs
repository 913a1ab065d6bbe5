//! A record as it is written: a fact, and around it who asked for it, where somebody did.

use serde::{Deserialize, Serialize};

use super::Wire;
use crate::engine::By;

/// A fact and who asked for it.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::store) struct Written {
    pub(in crate::store) by: Option<By>,
    pub(in crate::store) fact: Wire,
}

/// What is written where somebody asked. Else there is the fact alone, as in stores before format 2.
#[derive(Serialize)]
struct Asked<'a> {
    by: &'a By,
    fact: &'a Wire,
}

#[derive(Deserialize)]
struct AskedOwned {
    by: By,
    fact: Wire,
}

/// What the first kind begins with. No fact is called that.
const ASKED: &[u8] = b"{\"by\":";

/// Appends the payload of a record.
pub(in crate::store) fn write(
    payload: &mut Vec<u8>,
    by: Option<&By>,
    fact: &Wire,
) -> serde_json::Result<()> {
    match by {
        Some(by) => serde_json::to_writer(payload, &Asked { by, fact }),
        None => serde_json::to_writer(payload, fact),
    }
}

impl Written {
    /// Reads the payload of a record.
    pub(in crate::store) fn read(payload: &[u8]) -> serde_json::Result<Self> {
        if payload.starts_with(ASKED) {
            let AskedOwned { by, fact } = serde_json::from_slice(payload)?;
            return Ok(Self { by: Some(by), fact });
        }
        let fact = serde_json::from_slice(payload)?;
        Ok(Self { by: None, fact })
    }
}
