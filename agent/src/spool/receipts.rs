//! What the archiver says of sealed batches: how far it has come with a stream, and whether it holds
//! it. Deletion is [`super::prune`]'s.

use crate::bounds::{NOTE_MAX, RECEIPTS_MAX};
use crate::spool::Layout;
use host::disk;
use ledger::name::{Epoch, Slot};
use ledger::receipt::Bad;
use std::collections::BTreeMap;
use std::io;

/// Why the archiver holds a stream. Answering with a new epoch is not built yet; until then the
/// agent stops reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) slot: Slot,
    /// For people.
    pub(crate) why: String,
}

/// How far the archiver has come with one stream.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReceiptProgress {
    /// By epoch, the first batch without a receipt, as far as we looked.
    next: BTreeMap<Epoch, u64>,
}

impl ReceiptProgress {
    /// Looks on from where the last look ended. `head` is the stream's newest batch.
    ///
    /// # Errors
    /// What the system says of the archiver's half of the spool.
    pub(crate) fn look(&mut self, layout: &Layout, head: &Slot) -> io::Result<Option<Hold>> {
        let mut epochs = layout.epochs(&head.stream)?;
        if !epochs.contains(&head.epoch) {
            epochs.push(head.epoch);
        }
        self.next.retain(|epoch, _| epochs.contains(epoch));
        for epoch in epochs {
            if let Some(hold) = self.look_at(
                layout,
                &Slot {
                    epoch,
                    ..head.clone()
                },
            )? {
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

    fn look_at(&mut self, layout: &Layout, head: &Slot) -> io::Result<Option<Hold>> {
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
        if layout.note(&slot, "conflict").try_exists()? {
            let why =
                "the store holds another batch that this agent signed for this seq".to_owned();
            return Ok(Some(Hold { slot, why }));
        }
        let bad = layout.note(&slot, "bad");
        if !bad.try_exists()? {
            return Ok(None);
        }
        let note = disk::read_bounded(&bad, NOTE_MAX)?;
        let why = match serde_json::from_slice::<Bad>(&note) {
            Ok(bad) => format!("the archiver refuses it: {}", bad.detail),
            Err(_) => "the archiver refuses it".to_owned(),
        };
        Ok(Some(Hold { slot, why }))
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
        assert_eq!(progress.look(&world.layout(), &head).unwrap(), None);
        assert_eq!(progress.waiting(&head), 4);
        receipt(&world, epoch(1), 0, history[0].head.sha256);
        assert_eq!(progress.look(&world.layout(), &head).unwrap(), None);
        assert_eq!(progress.waiting(&head), 3);
        let bad = world.layout().note(
            &Slot {
                seq: 1,
                ..head.clone()
            },
            "bad",
        );
        std::fs::write(&bad, b"not json").unwrap();
        let hold = progress.look(&world.layout(), &head).unwrap().unwrap();
        assert_eq!(
            (hold.slot.seq, hold.why.as_str()),
            (1, "the archiver refuses it")
        );
        std::fs::remove_file(bad).unwrap();
        assert_eq!(progress.look(&world.layout(), &head).unwrap(), None);
    }
}
