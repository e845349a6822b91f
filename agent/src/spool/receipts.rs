//! What the archiver says of sealed batches: how far it has come with a stream, and whether it holds
//! it. Deletion is [`super::prune`]'s.
//!
//! A receipt counts only beside the batch whose manifest it names: whoever writes to the archiver's half could else hide
//! what waits behind names alone.

use crate::bounds::{LOOKS_PER_LIST, NOTE_MAX, RECEIPTS_MAX};
use crate::spool::Layout;
use host::disk;
use host::terminal::quoted;
use ledger::limits::MANIFEST_FILE_MAX;
use ledger::manifest::{EpochHead, Manifest, Reference};
use ledger::name::{Epoch, Slot};
use ledger::receipt::{Bad, BadReason, Receipt};
use ledger::spool::{MANIFEST, Mark};
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
    /// A batch of the stream's epoch that has a receipt and was never sealed here.
    ahead: Option<(Epoch, u64)>,
    /// Looks for such, so far.
    looks: u32,
}

impl ReceiptProgress {
    /// A stream of which `stored` is known to have a receipt; that batch may be gone from the spool.
    #[must_use]
    pub(crate) fn knowing(stored: Option<EpochHead>) -> Self {
        Self {
            stored,
            ..Self::default()
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

    /// Looks for a receipt of a batch that comes after the stream's newest one. Nothing follows from it but that somebody
    /// is told: the manifest that it names is none of this agent's, as far as that knows.
    ///
    /// # Errors
    /// The archiver's half cannot be listed.
    pub(crate) fn look_ahead(&mut self, layout: &Layout, head: &Slot) -> io::Result<()> {
        let is_ahead = |(epoch, seq): &(Epoch, u64)| *epoch == head.epoch && *seq > head.seq;
        self.ahead = self.ahead.filter(is_ahead);
        let is_due = self.looks.is_multiple_of(LOOKS_PER_LIST);
        self.looks = self.looks.wrapping_add(1);
        if !is_due {
            return Ok(());
        }
        let marks = layout.marks(&head.stream, head.epoch)?;
        let newest = marks.newest_receipt()?;
        let ahead = newest.map(|seq| (head.epoch, seq)).filter(is_ahead);
        if let Some((_, seq)) = ahead
            && ahead != self.ahead
        {
            tracing::error!(stream = %head.stream, epoch = %head.epoch, seq, newest = head.seq, "a receipt for a batch that was never sealed here is not believed");
        }
        self.ahead = ahead;
        Ok(())
    }

    /// The batch that has a receipt and was never sealed here, if there is one.
    #[must_use]
    pub(crate) fn ahead(&self) -> Option<u64> {
        self.ahead.map(|(_, seq)| seq)
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
        let manifest = layout.batch(&oldest).join(MANIFEST);
        let written = (seq <= head.seq).then(|| manifest.metadata()?.modified());
        let since = written?.ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(Moment::from_micros(u64::try_from(since.as_micros()).ok()?))
    }

    /// Goes from receipt to receipt, each beside its batch, to the first batch that has none.
    fn follow(&mut self, layout: &Layout, head: &Slot, current: Epoch) -> io::Result<Slot> {
        let next = match self.next.get(&head.epoch) {
            Some(next) => *next,
            // What was deleted had a receipt.
            None => layout
                .seqs(&head.stream, head.epoch)?
                .first()
                .copied()
                .unwrap_or(0),
        };
        // And so had all before one that is stored.
        let stored = self.stored.filter(|stored| stored.epoch == head.epoch);
        let next = stored.map_or(next, |stored| next.max(stored.seq + 1));
        let mut slot = Slot {
            seq: next,
            ..head.clone()
        };
        let mut newest = None;
        let followed = loop {
            if slot.seq == next + RECEIPTS_MAX {
                break Ok(());
            }
            match stored_manifest(layout, &slot) {
                Ok(Some(reference)) => newest = Some(reference),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
            slot.seq += 1;
        };
        self.next.insert(head.epoch, slot.seq);
        if let Some(newest) = newest
            && is_newer((head.epoch, newest.seq), self.stored, current)
        {
            self.stored = Some(newest.in_epoch(head.epoch));
        }
        followed.map(|()| slot)
    }

    fn look_at(
        &mut self,
        layout: &Layout,
        head: &Slot,
        current: Epoch,
    ) -> io::Result<Option<Hold>> {
        let slot = self.follow(layout, head, current)?;
        if !layout.batch(&slot).try_exists()? {
            // Answered, and deleted: what is said of it goes as well.
            return Ok(None);
        }
        let marks = layout.marks(&slot.stream, slot.epoch)?;
        if marks.has(slot.seq, Mark::Conflict)? {
            let why =
                "the store holds another batch that this agent signed for this seq".to_owned();
            return Ok(Some(Hold {
                slot,
                refusal: Refusal::Conflict,
                why,
            }));
        }
        let Some(note) = marks.read(slot.seq, Mark::Bad, NOTE_MAX)? else {
            return Ok(None);
        };
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

/// What the receipt of a batch says of its manifest; `None` if there is none, or nobody can make sense of it.
///
/// # Errors
/// It cannot be read.
pub(crate) fn receipted(layout: &Layout, slot: &Slot) -> io::Result<Option<Reference>> {
    let marks = layout.marks(&slot.stream, slot.epoch)?;
    let receipt = marks.read(slot.seq, Mark::Receipt, NOTE_MAX)?;
    let receipt = receipt.and_then(|bytes| serde_json::from_slice::<Receipt>(&bytes).ok());
    Ok(receipt.map(|receipt| receipt.reference(slot.seq)))
}

/// The manifest of a batch in the spool, if the receipt beside it is for that one.
fn stored_manifest(layout: &Layout, slot: &Slot) -> io::Result<Option<Reference>> {
    let batch = layout.batch(slot);
    if !batch.try_exists()? {
        return Ok(None);
    }
    let Some(receipt) = receipted(layout, slot)? else {
        return Ok(None);
    };
    let file = disk::read_bounded(&batch.join(MANIFEST), MANIFEST_FILE_MAX as u64)?;
    let line = signature::split(&file).ok().map(|(line, _)| line);
    // The spool's own bytes say how long it is kept; the receipt only that it is stored.
    let sealed =
        line.and_then(|line| Some(Manifest::parse(line).ok()?.reference(Digest::of(line))));
    Ok(sealed.filter(|sealed| *sealed == receipt))
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
        assert_eq!(progress.waiting(&head), 4);
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
        let refused = Slot {
            seq: 1,
            ..head.clone()
        };
        let bad = world.layout().mark(&refused, Mark::Bad);
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

    #[test]
    fn receipts_that_are_names_alone_hide_nothing_that_waits() {
        let mut world = World::new();
        let mut spool = world.spool();
        let history = world.history(&mut spool);
        let layout = world.layout();
        let at = |seq| crate::testing::slot(epoch(1), seq);
        let head = at(3);
        receipt(&world, epoch(1), 0, history[0].head.sha256);
        for seq in 1..9 {
            std::fs::write(layout.mark(&at(seq), Mark::Receipt), b"").unwrap();
        }
        let bad =
            b"{\"reason\":\"rot\",\"detail\":\"as told\",\"at\":\"2026-11-22T12:00:00.000000Z\"}";
        std::fs::write(layout.mark(&at(1), Mark::Bad), bad).unwrap();
        let mut progress = ReceiptProgress::default();
        let hold = progress.look(&layout, &head, |_, _| false).unwrap();
        assert_eq!(hold.map(|hold| hold.slot.seq), Some(1));
        assert_eq!(progress.waiting(&head), 3);
        assert!(progress.waits_since(&layout, &head).is_some());
        progress.look_ahead(&layout, &head).unwrap();
        assert_eq!(progress.ahead(), Some(8));
        // All are stored: what is said of those ahead is no progress.
        for state in &history[1..] {
            receipt(&world, epoch(1), state.head.seq, state.head.sha256);
        }
        std::fs::remove_file(layout.mark(&at(1), Mark::Bad)).unwrap();
        assert_eq!(progress.look(&layout, &head, |_, _| false).unwrap(), None);
        assert_eq!(progress.waiting(&head), 0);
        assert_eq!(progress.stored(), Some(history[3].epoch_head()));
        let next = world.batch(&mut spool, &history[3], &[b"four"]).unwrap();
        let head = at(next.head.seq);
        progress.look(&layout, &head, |_, _| false).unwrap();
        assert_eq!(progress.waiting(&head), 1);
        for seq in 5..9 {
            std::fs::remove_file(layout.mark(&at(seq), Mark::Receipt)).unwrap();
        }
        for _ in 0..LOOKS_PER_LIST {
            progress.look_ahead(&layout, &head).unwrap();
        }
        assert_eq!(progress.ahead(), None);
    }
}
