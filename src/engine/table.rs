//! All runs by their number. Numbers only grow and old runs go, so this is a row of chunks with a
//! moving start: every access is one step, and a million waiting runs cost no more than their size.

use std::collections::VecDeque;

use super::id::RunId;
use super::run::Run;

/// Runs in one chunk: large enough that the row stays short, small enough that one old run does not
/// keep much memory alive.
const CHUNK: usize = 256;

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct RunTable {
    /// Number of the chunk at the front of the row.
    first: u64,
    chunks: VecDeque<Option<Chunk>>,
    len: usize,
}

#[derive(Clone, Debug, PartialEq)]
struct Chunk {
    slots: Box<[Option<Run>]>,
    used: usize,
}

impl RunTable {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, id: RunId) -> Option<&Run> {
        let (index, slot) = self.locate(id)?;
        self.chunks.get(index)?.as_ref()?.slots[slot].as_ref()
    }

    pub(super) fn get_mut(&mut self, id: RunId) -> Option<&mut Run> {
        let (index, slot) = self.locate(id)?;
        self.chunks.get_mut(index)?.as_mut()?.slots[slot].as_mut()
    }

    /// Puts a run under a number that is free; if it is taken, the run comes back as the error.
    pub(super) fn insert(&mut self, id: RunId, run: Run) -> Result<(), Run> {
        if self.chunks.is_empty() {
            self.first = id.0 / CHUNK as u64;
        }
        // An old run that is tried once more. The row grows by some bytes for each chunk in between.
        while id.0 / (CHUNK as u64) < self.first {
            self.chunks.push_front(None);
            self.first -= 1;
        }
        let Some((index, slot)) = self.locate(id) else {
            return Err(run);
        };
        while self.chunks.len() <= index {
            self.chunks.push_back(None);
        }
        let chunk = self.chunks[index].get_or_insert_with(|| Chunk {
            slots: (0..CHUNK).map(|_| None).collect(),
            used: 0,
        });
        if chunk.slots[slot].is_some() {
            return Err(run);
        }
        chunk.slots[slot] = Some(run);
        chunk.used += 1;
        self.len += 1;
        Ok(())
    }

    pub(super) fn remove(&mut self, id: RunId) -> Option<Run> {
        let (index, slot) = self.locate(id)?;
        let place = self.chunks.get_mut(index)?;
        let chunk = place.as_mut()?;
        let run = chunk.slots[slot].take()?;
        chunk.used -= 1;
        self.len -= 1;
        if chunk.used == 0 {
            *place = None;
            while let Some(None) = self.chunks.front() {
                self.chunks.pop_front();
                self.first += 1;
            }
        }
        Some(run)
    }

    /// All runs in the order of their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (RunId, &Run)> {
        (self.first..)
            .zip(&self.chunks)
            .filter_map(|(number, chunk)| Some((number, chunk.as_ref()?)))
            .flat_map(|(number, chunk)| {
                (number * CHUNK as u64..)
                    .zip(&chunk.slots)
                    .filter_map(|(id, slot)| Some((RunId(id), slot.as_ref()?)))
            })
    }

    fn locate(&self, id: RunId) -> Option<(usize, usize)> {
        let index = (id.0 / CHUNK as u64).checked_sub(self.first)?;
        let slot = id.0 % CHUNK as u64;
        Some((usize::try_from(index).ok()?, usize::try_from(slot).ok()?))
    }
}
