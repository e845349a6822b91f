//! What was looked at, so that a clean verdict says over how much.

use ledger::Moment;
use serde::Serialize;

/// Counts of what was judged. What findings say is wrong is counted too: it was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Agents with at least one trusted manifest.
    pub agents: u64,
    /// Streams with one.
    pub streams: u64,
    /// Epochs with one.
    pub epochs: u64,
    /// Trusted manifests followed.
    pub manifests: u64,
    /// Bodies whose every byte was checked.
    pub bodies: u64,
    /// Bodies absent because their retention is over.
    pub bodies_expired: u64,
    /// Entries in the bodies checked.
    pub entries: u64,
    /// Bytes of log that those bodies account for, restated ones counted once.
    pub log_bytes: u64,
    /// Bytes that the agents state as lost.
    pub gap_bytes: u64,
    /// Bytes sealed again after a rollback or lost state.
    pub restated_bytes: u64,
    /// Stored bytes of the bodies checked.
    pub stored_bytes: u64,
    /// Locks read back.
    pub locks: u64,
    /// Versions and delete markers listed in the reverse check.
    pub versions: u64,
    /// Delete markers among them.
    pub markers: u64,
    /// Versions newer than the start of the run, left to the next.
    pub pending: u64,
    /// Manifests refused because no key is pinned for their agent.
    pub refused: u64,
    /// When the first entry was read.
    pub first: Option<Moment>,
    /// When the last entry was read.
    pub last: Option<Moment>,
}

impl Coverage {
    /// Widens the time range by a batch's.
    pub(crate) fn span(&mut self, first: Option<Moment>, last: Option<Moment>) {
        self.first = match (self.first, first) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        self.last = self.last.max(last);
    }
}
