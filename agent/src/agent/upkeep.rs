//! What is done beside reading: snapshots, the archiver's answers, deletion.

use super::streams::Streams;
use crate::bounds::{SNAPSHOT_EVERY, STATUS_EVERY, UPKEEP_EVERY, UPKEEP_EVERY_FULL};
use crate::now::{Now, millis};
use crate::recovery::snapshot::{Snapshot, SnapshotError, Snapshots};
use crate::sealing::stream_state::SealedState;
use crate::spool::prune::{Keep, prune};
use crate::spool::receipts::Hold;
use ledger::name::{Epoch, Name};
use std::collections::BTreeMap;
use std::time::Duration;

/// By stream, its newest batch.
type NewestBatches = BTreeMap<Name, (Epoch, u64)>;

/// What was done last, and when.
pub(super) struct Upkeep {
    agent: Name,
    /// How long a batch stays after its receipt, while there is room.
    keep: Duration,
    snapshots: Snapshots,
    looked_boot_ms: u64,
    saved_boot_ms: u64,
    told_boot_ms: u64,
    /// Newest batch of each stream in the newest snapshot, and in the one before.
    saved: NewestBatches,
    covered: NewestBatches,
}

impl Upkeep {
    /// For an agent that starts from a snapshot with these states.
    pub(super) fn new<'a>(
        agent: Name,
        keep: Duration,
        snapshots: Snapshots,
        saved: impl IntoIterator<Item = &'a SealedState>,
    ) -> Self {
        Self {
            agent,
            keep,
            snapshots,
            looked_boot_ms: 0,
            saved_boot_ms: 0,
            told_boot_ms: 0,
            saved: newest(saved),
            covered: NewestBatches::new(),
        }
    }

    /// Everything that is due now.
    pub(super) fn keep_up(&mut self, streams: &mut Streams, now: Now) {
        if is_due(self.looked_boot_ms, every(streams), now) {
            self.looked_boot_ms = now.boot_ms;
            self.look_for_receipts(streams);
            self.delete_old(streams, now);
        }
        if streams.is_unsaved() && is_due(self.saved_boot_ms, SNAPSHOT_EVERY, now) {
            self.save(streams, now);
        }
    }

    /// Whether `status.json` is to be written again.
    pub(super) fn status_is_due(&self, now: Now) -> bool {
        is_due(self.told_boot_ms, STATUS_EVERY, now)
    }

    pub(super) fn status_is_told(&mut self, now: Now) {
        self.told_boot_ms = now.boot_ms;
    }

    /// Looks how far the archiver has come, and whether it holds a stream.
    fn look_for_receipts(&self, streams: &mut Streams) {
        let layout = streams.spool().layout().clone();
        for index in 0..streams.count() {
            let stream = streams.get_mut(index);
            match stream.look_for_receipts(&layout, &self.agent) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(error) => {
                    tracing::warn!(stream = %stream.name(), %error, "receipts cannot be read");
                    continue;
                }
            }
            match stream.hold() {
                Some(Hold { slot, why }) => {
                    tracing::error!(%slot, %why, "stream held: its files are not read");
                }
                None => tracing::info!(stream = %stream.name(), "stream no longer held"),
            }
            streams.change();
        }
    }

    /// Deletes what may go; whether anything went.
    pub(super) fn delete_old(&mut self, streams: &mut Streams, now: Now) -> bool {
        let full = streams.any_is_full();
        // Old batches can only go once both kept snapshots know what came after them.
        let newest = newest(streams.sealed_states());
        if full && (self.saved != newest || self.covered != newest) {
            self.save(streams, now);
        }
        let keep = Keep {
            agent: &self.agent,
            covered: &self.covered,
            newest: &newest,
            keep: if full { Duration::ZERO } else { self.keep },
            now: now.wall,
        };
        match prune(streams.spool_mut(), &keep) {
            Ok(0) => return false,
            Ok(gone) => {
                tracing::info!(gone, "deleted archived batches from the spool");
                streams.change();
                return true;
            }
            Err(error) => {
                tracing::warn!(%error, "old batches cannot be deleted; tried again later");
            }
        }
        false
    }

    /// Writes a snapshot. Without one nothing is lost: the next start reads more of the spool, and
    /// old batches stay until it can be written.
    pub(super) fn save(&mut self, streams: &mut Streams, now: Now) {
        self.saved_boot_ms = now.boot_ms;
        if let Err(error) = self.write_snapshot(streams) {
            tracing::warn!(%error, "no snapshot now; tried again later");
        }
    }

    fn write_snapshot(&mut self, streams: &mut Streams) -> Result<(), SnapshotError> {
        let snapshot = Snapshot {
            spool_id: streams.spool().id().to_owned(),
            states: streams.sealed_states().cloned().collect(),
            checkpoints: streams.tracker().checkpoints(),
        };
        self.snapshots.write(&snapshot)?;
        streams.saved();
        let newest = newest(streams.sealed_states());
        self.covered = std::mem::replace(&mut self.saved, newest);
        Ok(())
    }
}

/// Between looks for receipts, holds and batches to delete.
pub(super) fn every(streams: &Streams) -> Duration {
    if streams.any_is_full() {
        UPKEEP_EVERY_FULL
    } else {
        UPKEEP_EVERY
    }
}

/// The newest batch of each of these streams.
fn newest<'a>(states: impl IntoIterator<Item = &'a SealedState>) -> NewestBatches {
    let head = |state: &SealedState| (state.stream.clone(), (state.epoch, state.head.seq));
    states.into_iter().map(head).collect()
}

fn is_due(last_boot_ms: u64, every: Duration, now: Now) -> bool {
    now.boot_ms.saturating_sub(last_boot_ms) >= millis(every)
}
