//! The links that tie each record to the one before it, so that a changed, lost or inserted record is
//! seen. Knows bytes, not facts.

/// The first half of a BLAKE3 hash.
pub(super) type Link = [u8; 16];

/// What the first record of all follows.
pub(super) const GENESIS: Link = [0; 16];

/// What a record is about, apart from its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) number: i64,
    /// `None` where the record is about no run.
    pub(super) run: Option<i64>,
    pub(super) wall: i64,
    pub(super) mono: i64,
}

/// The link of a record that follows `prev`.
pub(super) fn link(prev: &Link, head: &Head, payload: &[u8]) -> Link {
    let mut fixed = [0_u8; 48];
    let (first, rest) = fixed.split_at_mut(16);
    first.copy_from_slice(prev);
    // Runs count from 1, so 0 stands for none.
    let numbers = [head.number, head.run.unwrap_or(0), head.wall, head.mono];
    for (place, number) in rest.chunks_exact_mut(8).zip(numbers) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(&fixed);
    hasher.update(payload);
    half(&hasher.finalize())
}

/// The digest by which equal bodies are found again.
pub(super) fn digest(body: &[u8]) -> Link {
    half(&blake3::hash(body))
}

fn half(hash: &blake3::Hash) -> Link {
    let mut link = GENESIS;
    for (to, from) in link.iter_mut().zip(hash.as_bytes()) {
        *to = *from;
    }
    link
}
