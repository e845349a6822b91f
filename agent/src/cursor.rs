//! A cursor: where one source stands, and what must hold of a file for it to be that source.
//! It is stored on the host alone, in sealed batches and snapshots, and read back as hostile input.

use ledger::entry::PathBytes;
use ledger::name::{Epoch, Name};

/// Where one source stands. Comes from [`crate::follow::Sources`] or from JSON, checked.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Cursor {
    stream: Name,
    epoch: Epoch,
    id: u64,
    offset: u64,
    ended: bool,
}

impl Cursor {
    /// Stream, epoch and id: what names a source.
    #[must_use]
    pub fn name(&self) -> (&Name, Epoch, u64) {
        (&self.stream, self.epoch, self.id)
    }

    /// Sealed up to here.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Nothing more will come of it: recovery forgets it.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Where it was first seen.
    #[must_use]
    pub fn path(&self) -> &PathBytes {
        todo!()
    }
}

/// What holds after all of `cursors`, oldest first (a snapshot, then each sealed batch after it in
/// order): the newest of each source, without those that ended or went on under another name.
#[must_use]
pub fn settle(cursors: impl IntoIterator<Item = Cursor>) -> Vec<Cursor> {
    cursors.into_iter().collect()
}
