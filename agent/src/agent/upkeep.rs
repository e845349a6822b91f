//! What is done beside reading: snapshots, the archiver's answers, deletion.

use super::streams::Streams;
use crate::bounds::{SNAPSHOT_EVERY, STATUS_EVERY, UPKEEP_EVERY, UPKEEP_EVERY_FULL};
use crate::now::{Now, millis};
use crate::recovery::snapshot::{Snapshot, SnapshotError, Snapshots};
use crate::sealing::stream_state::SealedState;
use crate::spool::prune::{Keep, delete_void, prune};
use crate::spool::receipts::Hold;
use host::health::WRITE_EVERY;
use ledger::manifest::StreamHead;
use ledger::name::{Epoch, Name};
use std::collections::BTreeMap;
use std::time::Duration;

/// By stream, a batch.
type Batches = BTreeMap<Name, (Epoch, u64)>;

/// What a snapshot knows of the streams' batches.
#[derive(Debug, Default, PartialEq, Eq)]
struct Known {
    /// The newest of each.
    newest: Batches,
    /// The newest of each that has a receipt.
    stored: Batches,
}

/// What was done last, and when.
pub(super) struct Upkeep {
    agent: Name,
    /// How long a batch stays after its receipt, while there is room.
    keep: Duration,
    snapshots: Snapshots,
    looked_boot_ms: u64,
    saved_boot_ms: u64,
    told_boot_ms: u64,
    /// Why there is no newer snapshot.
    snapshot_fault: Option<String>,
    /// What the newest snapshot knows, and the one before.
    saved: Known,
    covered: Known,
}

impl Upkeep {
    /// For an agent that starts from this snapshot.
    pub(super) fn new(
        agent: Name,
        keep: Duration,
        snapshots: Snapshots,
        snapshot: Option<&Snapshot>,
    ) -> Self {
        let saved = snapshot.map_or_else(Known::default, |snapshot| Known {
            newest: newest(&snapshot.states),
            stored: stored(snapshot.stored.iter().cloned()),
        });
        Self {
            agent,
            keep,
            snapshots,
            looked_boot_ms: 0,
            saved_boot_ms: 0,
            told_boot_ms: 0,
            snapshot_fault: None,
            saved,
            covered: Known::default(),
        }
    }

    /// Everything that is due now.
    pub(super) fn keep_up(&mut self, streams: &mut Streams, now: Now) {
        if is_due(self.looked_boot_ms, every(streams), now) {
            self.looked_boot_ms = now.boot_ms;
            self.look_for_receipts(streams);
            self.delete_old(streams, now);
            self.delete_void(streams, now);
        }
        if streams.is_unsaved() && is_due(self.saved_boot_ms, SNAPSHOT_EVERY, now) {
            self.save(streams, now);
        }
    }

    /// Whether `status.json` is to be written again; sooner if something in it `changed`.
    pub(super) fn status_is_due(&self, changed: bool, now: Now) -> bool {
        self.status_due_in(changed, now).is_zero()
    }

    /// How long until then.
    pub(super) fn status_due_in(&self, changed: bool, now: Now) -> Duration {
        let every = if changed { STATUS_EVERY } else { WRITE_EVERY };
        let passed = now.boot_ms.saturating_sub(self.told_boot_ms);
        every.saturating_sub(Duration::from_millis(passed))
    }

    /// Why there is no newer snapshot.
    pub(super) fn snapshot_fault(&self) -> Option<&String> {
        self.snapshot_fault.as_ref()
    }

    pub(super) fn status_is_told(&mut self, now: Now) {
        self.told_boot_ms = now.boot_ms;
    }

    /// Looks how far the archiver has come, and whether it holds a stream.
    pub(super) fn look_for_receipts(&self, streams: &mut Streams) {
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
                Some(Hold { slot, why, .. }) => {
                    tracing::error!(%slot, %why, "the archiver holds the stream");
                }
                None => tracing::info!(stream = %stream.name(), "stream no longer held"),
            }
            streams.change();
        }
        for closed in streams.closed_mut() {
            if let Err(error) = closed.look_for_receipts(&layout, &self.agent) {
                tracing::warn!(stream = %closed.state().stream, %error, "receipts cannot be read");
            }
        }
    }

    /// Deletes what may go; whether anything went.
    pub(super) fn delete_old(&mut self, streams: &mut Streams, now: Now) -> bool {
        let full = streams.any_is_full();
        // Old batches can only go once both kept snapshots know what came after them.
        let known = known(streams);
        if full && (self.saved != known || self.covered != known) {
            self.save(streams, now);
        }
        let keep = Keep {
            agent: &self.agent,
            covered: &self.covered.newest,
            stored: &self.covered.stored,
            newest: &known.newest,
            frozen: &streams.frozen(),
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

    /// Deletes what was refused and is sealed again, once a start needs it no longer.
    fn delete_void(&mut self, streams: &mut Streams, now: Now) {
        for index in 0..streams.count() {
            let stream = streams.get(index);
            let name = stream.name().clone();
            let Some((voids, (epoch, seq))) = stream.deletable_voids() else {
                continue;
            };
            let voids = voids.clone();
            let knows = |known: &Known| {
                let newest = known.newest.get(&name);
                newest.is_some_and(|(in_epoch, newest)| *in_epoch == epoch && *newest >= seq)
            };
            if !(knows(&self.saved) && knows(&self.covered)) {
                self.save(streams, now);
                continue;
            }
            let is_void = |epoch, seq| voids.holds(epoch, seq);
            match delete_void(streams.spool_mut(), &self.agent, &name, is_void) {
                Ok(0) => streams.get_mut(index).voids_are_gone(),
                Ok(gone) => tracing::info!(stream = %name, gone, "deleted void batches"),
                Err(error) => {
                    tracing::warn!(%error, "void batches cannot be deleted; tried again later");
                }
            }
        }
    }

    /// Writes a snapshot. Without one nothing is lost: the next start reads more of the spool, and
    /// old batches stay until it can be written.
    pub(super) fn save(&mut self, streams: &mut Streams, now: Now) {
        self.saved_boot_ms = now.boot_ms;
        let written = self.write_snapshot(streams);
        self.snapshot_fault = written.as_ref().err().map(ToString::to_string);
        if let Err(error) = written {
            tracing::warn!(%error, "no snapshot now; tried again later");
        }
    }

    fn write_snapshot(&mut self, streams: &mut Streams) -> Result<(), SnapshotError> {
        let snapshot = Snapshot {
            spool_id: streams.spool().id().to_owned(),
            states: streams.sealed_states().cloned().collect(),
            stored: streams.stored_heads().collect(),
            memory: streams.tracker().memory(),
        };
        self.snapshots.write(&snapshot)?;
        streams.saved();
        self.covered = std::mem::replace(&mut self.saved, known(streams));
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

fn known(streams: &Streams) -> Known {
    Known {
        newest: newest(streams.sealed_states()),
        stored: stored(streams.stored_heads()),
    }
}

fn stored(heads: impl Iterator<Item = StreamHead>) -> Batches {
    heads
        .map(|head| (head.stream, (head.epoch, head.seq)))
        .collect()
}

/// The newest batch of each of these streams.
fn newest<'a>(states: impl IntoIterator<Item = &'a SealedState>) -> Batches {
    let head = |state: &SealedState| (state.stream.clone(), (state.epoch, state.head.seq));
    states.into_iter().map(head).collect()
}

fn is_due(last_boot_ms: u64, every: Duration, now: Now) -> bool {
    now.boot_ms.saturating_sub(last_boot_ms) >= millis(every)
}
