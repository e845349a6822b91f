//! What the archiver says of sealed batches: how far it has come with a stream, and whether it holds
//! it. Deletion is [`super::prune`]'s.

use crate::bounds::{NOTE_MAX, RECEIPTS_MAX};
use crate::spool::Layout;
use host::disk;
use host::terminal::quoted;
use ledger::limits::MANIFEST_FILE_MAX;
use ledger::manifest::{EpochHead, Manifest};
use ledger::name::{Epoch, Slot};
use ledger::receipt::{Bad, BadReason, Receipt};
use ledger::{Digest, Moment, signature};
use std::collections::BTreeMap;
use std::io;
use std::time::UNIX_EPOCH;

/// What the archiver says against a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The store holds another statement for its number.
    Conflict,
    /// It cannot be uploaded as it is.
    Bad(BadReason),
    /// Nobody can read what it says.
    Unclear,
}

/// Why the archiver holds a stream. The agent answers with a new epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) slot: Slot,
    pub(crate) refusal: Refusal,
    /// For people.
    pub(crate) why: String,
}

/// How far the archiver has come with one stream.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReceiptProgress {
    /// By epoch, the first batch without a receipt, as far as we looked.
    next: BTreeMap<Epoch, u64>,
    /// The stream's newest manifest with a matching receipt.
    stored: Option<EpochHead>,
}

impl ReceiptProgress {
    /// A stream of which `stored` is known to have a receipt; that batch may be gone from the spool.
    #[must_use]
    pub(crate) fn knowing(stored: Option<EpochHead>) -> Self {
        Self {
            next: BTreeMap::new(),
            stored,
        }
    }

    /// The stream's newest manifest with a matching receipt.
    #[must_use]
    pub(crate) fn stored(&self) -> Option<EpochHead> {
        self.stored
    }

    /// Looks on from where the last look ended. `head` is the stream's newest batch; what is said against a batch
    /// that is past is answered.
    ///
    /// # Errors
    /// What the system says of the archiver's half of the spool.
    pub(crate) fn look(
        &mut self,
        layout: &Layout,
        head: &Slot,
        is_past: impl Fn(Epoch, u64) -> bool,
    ) -> io::Result<Option<Hold>> {
        let mut epochs = layout.epochs(&head.stream)?;
        if !epochs.contains(&head.epoch) {
            epochs.push(head.epoch);
        }
        self.next.retain(|epoch, _| epochs.contains(epoch));
        for epoch in epochs {
            let slot = Slot {
                epoch,
                ..head.clone()
            };
            let hold = self.look_at(layout, &slot, head.epoch)?;
            // The archiver takes epochs in order: what stands before one that has a receipt is done.
            let is_done = |slot: &Slot| {
                let stored = self.stored.is_some_and(|stored| stored.epoch == head.epoch);
                stored && slot.epoch != head.epoch
            };
            let asks =
                |hold: &Hold| !is_past(hold.slot.epoch, hold.slot.seq) && !is_done(&hold.slot);
            if let Some(hold) = hold.filter(asks) {
                return Ok(Some(hold));
            }
        }
        Ok(None)
    }

    /// Batches of the stream's epoch that wait for a receipt.
    #[must_use]
    pub(crate) fn waiting(&self, head: &Slot) -> u64 {
        let next = self.next.get(&head.epoch).copied().unwrap_or_default();
        (head.seq + 1).saturating_sub(next)
    }

    /// When the oldest of them was sealed; `None` if there is none, or it cannot be told.
    #[must_use]
    pub(crate) fn waits_since(&self, layout: &Layout, head: &Slot) -> Option<Moment> {
        let seq = self.next.get(&head.epoch).copied().unwrap_or_default();
        let oldest = Slot {
            seq,
            ..head.clone()
        };
        let manifest = layout.batch(&oldest).join(ledger::spool::MANIFEST);
        let written = (seq <= head.seq).then(|| manifest.metadata()?.modified());
        let since = written?.ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(Moment::from_micros(u64::try_from(since.as_micros()).ok()?))
    }

    /// Takes note of a batch with a receipt, if that is newer than what is known and its receipt is for the manifest
    /// that is in the spool.
    fn note_stored(&mut self, layout: &Layout, slot: &Slot, current: Epoch) -> io::Result<()> {
        if !is_newer((slot.epoch, slot.seq), self.stored, current) {
            return Ok(());
        }
        let sealed = layout.batch(slot).join(ledger::spool::MANIFEST);
        let file = match disk::read_bounded(&sealed, MANIFEST_FILE_MAX as u64) {
            Ok(file) => file,
            // Deleted, so a snapshot knows of a newer one; or not ours to judge here.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let receipt = disk::read_bounded(&layout.note(slot, "receipt"), NOTE_MAX)?;
        let receipt = serde_json::from_slice::<Receipt>(&receipt).ok();
        let line = signature::split(&file).ok().map(|(line, _)| line);
        // The spool's own bytes say how long it is kept; the receipt only that it is stored.
        let sealed =
            line.and_then(|line| Some(Manifest::parse(line).ok()?.reference(Digest::of(line))));
        if let (Some(sealed), Some(receipt)) = (sealed, receipt)
            && sealed == receipt.reference(slot.seq)
        {
            self.stored = Some(sealed.in_epoch(slot.epoch));
        }
        Ok(())
    }

    fn look_at(
        &mut self,
        layout: &Layout,
        head: &Slot,
        current: Epoch,
    ) -> io::Result<Option<Hold>> {
        let next = match self.next.get(&head.epoch) {
            Some(next) => *next,
            // What was deleted had a receipt.
            None => layout
                .seqs(&head.stream, head.epoch)?
                .first()
                .copied()
                .unwrap_or(0),
        };
        let mut slot = Slot {
            seq: next,
            ..head.clone()
        };
        while slot.seq < next + RECEIPTS_MAX && layout.note(&slot, "receipt").try_exists()? {
            slot.seq += 1;
        }
        self.next.insert(head.epoch, slot.seq);
        if let Some(newest) = slot.seq.checked_sub(1) {
            let newest = Slot {
                seq: newest,
                ..slot.clone()
            };
            self.note_stored(layout, &newest, current)?;
        }
        if !layout.batch(&slot).try_exists()? {
            // Answered, and deleted: what is said of it goes as well.
            return Ok(None);
        }
        if layout.note(&slot, "conflict").try_exists()? {
            let why =
                "the store holds another batch that this agent signed for this seq".to_owned();
            return Ok(Some(Hold {
                slot,
                refusal: Refusal::Conflict,
                why,
            }));
        }
        let bad = layout.note(&slot, "bad");
        if !bad.try_exists()? {
            return Ok(None);
        }
        let note = disk::read_bounded(&bad, NOTE_MAX)?;
        let (refusal, why) = match serde_json::from_slice::<Bad>(&note) {
            Ok(bad) => (
                Refusal::Bad(bad.reason),
                format!("the archiver refuses it: {}", quoted(&bad.detail)),
            ),
            Err(_) => (
                Refusal::Unclear,
                "the archiver refuses it, and its reason cannot be read".to_owned(),
            ),
        };
        Ok(Some(Hold { slot, refusal, why }))
    }
}

/// Whether a stored batch of a stream is newer than the one `known`. Of an epoch that is neither the stream's `current`
/// one nor the one known, nobody here knows.
pub(crate) fn is_newer(
    (epoch, seq): (Epoch, u64),
    known: Option<EpochHead>,
    current: Epoch,
) -> bool {
    match known {
        Some(known) if known.epoch == epoch => seq > known.seq,
        _ => epoch == current,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{World, agent, epoch, receipt, stream};

    #[test]
    fn progress_follows_receipts_and_stops_at_a_refusal() {
        let mut world = World::new();
        let mut spool = world.spool();
        let history = world.history(&mut spool);
        let head = Slot {
            agent: agent(),
            stream: stream(),
            epoch: epoch(1),
            seq: 3,
        };
        let mut progress = ReceiptProgress::default();
        assert_eq!(
            progress.look(&world.layout(), &head, |_, _| false).unwrap(),
            None
        );
        assert_eq!(progress.waiting(&head), 4);
        receipt(&world, epoch(1), 0, Digest::of(b"another manifest"));
        assert_eq!(
            progress.look(&world.layout(), &head, |_, _| false).unwrap(),
            None
        );
        assert_eq!(progress.stored(), None, "the receipt is not for it");
        receipt(&world, epoch(1), 0, history[0].head.sha256);
        assert_eq!(
            progress.look(&world.layout(), &head, |_, _| false).unwrap(),
            None
        );
        assert_eq!(progress.stored(), Some(history[0].epoch_head()));
        assert_eq!(progress.waiting(&head), 3);
        let since = progress.waits_since(&world.layout(), &head).unwrap();
        assert!(host::clock::now().since_s(since) < 600);
        let none = Slot {
            seq: 0,
            ..head.clone()
        };
        assert_eq!(progress.waits_since(&world.layout(), &none), None);
        let bad = world.layout().note(
            &Slot {
                seq: 1,
                ..head.clone()
            },
            "bad",
        );
        std::fs::write(&bad, b"not json").unwrap();
        let hold = progress
            .look(&world.layout(), &head, |_, _| false)
            .unwrap()
            .unwrap();
        assert_eq!(
            (hold.slot.seq, hold.why.as_str()),
            (1, "the archiver refuses it, and its reason cannot be read")
        );
        let answered = progress.look(&world.layout(), &head, |_, seq| seq == 1);
        assert_eq!(answered.unwrap(), None);
        std::fs::remove_file(bad).unwrap();
        assert_eq!(
            progress.look(&world.layout(), &head, |_, _| false).unwrap(),
            None
        );
    }
}
