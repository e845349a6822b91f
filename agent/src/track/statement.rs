//! What a stream's next manifest must say of its sources.

use super::checkpoint::Checkpoint;
use ledger::limits::MANIFEST_TARGET;
use ledger::manifest::{self, Event};

/// Manifest bytes that sources and events may take; the other half is for blocks and all else. One
/// source may exceed it, by its path.
pub(super) const STATED_BYTES_MAX: usize = MANIFEST_TARGET / 2;

/// What the next manifest of a stream must say of everything taken, or happened, since the last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StreamStatement {
    /// `sources`: every source touched, once per file it was read through, in order.
    pub(crate) sources: Vec<manifest::Source>,
    /// `events`: gaps, `ambiguous`, `weak`, all about these sources.
    pub(crate) events: Vec<Event>,
    /// The batch's `cursors` file: where these sources stand once the batch is sealed.
    pub(crate) checkpoints: Vec<Checkpoint>,
}
