//! Which batches in the spool are void: what was sealed after the batch that the archiver refused, once another epoch
//! answers that. Their entries are sealed again in that epoch, so nothing is concluded from them.
//!
//! An epoch that answers says so in the `ext` of its genesis, `"answers": "<epoch>/<seq>"`, and each of its manifests
//! that holds what a void batch held says `"restates": "<epoch>/<seq>"`: so a start knows how far it had come.

use super::recover_error::RecoverError;
use super::sealed_batch::{Doubt, SealedBatches};
use ledger::json::Strict;
use ledger::manifest::{EpochHead, Manifest};
use ledger::name::{Epoch, Name};
use std::collections::BTreeMap;

/// The key in a genesis' `ext`.
pub(crate) const ANSWERS: &str = "answers";

/// The key in the `ext` of a manifest that holds what a void batch held.
pub(crate) const RESTATES: &str = "restates";

/// A batch of the stream.
pub(crate) type BatchAt = (Epoch, u64);

/// A batch as `ext` names it.
pub(crate) fn written((epoch, seq): BatchAt) -> Strict {
    Strict::Text(format!("{epoch}/{seq}"))
}

/// The batch that a manifest names under this key.
pub(crate) fn named(manifest: &Manifest, key: &str) -> Option<BatchAt> {
    let Some(Strict::Text(text)) = manifest.ext.get(key) else {
        return None;
    };
    let (epoch, seq) = text.split_once('/')?;
    Some((epoch.parse().ok()?, seq.parse().ok()?))
}

/// The void batches of a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Voids {
    /// By epoch, the first that is void.
    cuts: BTreeMap<Epoch, u64>,
    /// By epoch, the last that another one continues.
    ends: BTreeMap<Epoch, u64>,
    /// Epochs that are void because of what they continue, each with one of those.
    after: Vec<(Epoch, Epoch)>,
}

impl Voids {
    /// Finds them; `refused` is one that is yet to be answered. Only epochs whose genesis is in the spool are asked: one that was deleted had a receipt, and what it
    /// voids was deleted before it.
    pub(crate) fn read(
        batches: &SealedBatches<'_>,
        stream: &Name,
        sealed: &BTreeMap<Epoch, Vec<u64>>,
        refused: Option<BatchAt>,
    ) -> Result<Self, RecoverError> {
        let mut geneses = Vec::new();
        for (epoch, seqs) in sealed {
            if seqs.first() != Some(&0) {
                continue;
            }
            match batches.believe(&batches.slot(stream, *epoch, 0)) {
                Ok(batch) => geneses.push(batch.manifest),
                // What cannot be read names nothing; whether that matters is for whoever follows the epochs.
                Err(Doubt::Damage(_)) => {}
                Err(Doubt::Blind(error)) => return Err(error),
            }
        }
        Ok(Self::of(&geneses, refused))
    }

    fn of(geneses: &[Manifest], refused: Option<BatchAt>) -> Self {
        let mut voids = Self::default();
        for genesis in geneses {
            voids.end_at(genesis.prev_epoch.iter().flatten());
        }
        let answers: Vec<_> = geneses.iter().map(|it| named(it, ANSWERS)).collect();
        for (epoch, seq) in answers.iter().flatten().chain(&refused) {
            voids.cut(*epoch, *seq);
        }
        // What continues a void batch is void; each round finds one epoch more, or is the last.
        for _ in geneses {
            for (genesis, answers) in geneses.iter().zip(&answers) {
                let answered = answers.map(|(epoch, _)| epoch);
                let mut heads = genesis.prev_epoch.iter().flatten();
                let on_void = heads
                    .find(|head| Some(head.epoch) != answered && voids.holds(head.epoch, head.seq));
                if let Some(head) = on_void
                    && !voids.holds(genesis.epoch, 0)
                {
                    voids.cut(genesis.epoch, 0);
                    voids.after.push((genesis.epoch, head.epoch));
                }
            }
        }
        voids
    }

    fn cut(&mut self, epoch: Epoch, seq: u64) {
        let cut = self.cuts.entry(epoch).or_insert(seq);
        *cut = seq.min(*cut);
    }

    /// An epoch continues these.
    pub(crate) fn end_at<'a>(&mut self, heads: impl IntoIterator<Item = &'a EpochHead>) {
        for head in heads {
            let end = self.ends.entry(head.epoch).or_insert(head.seq);
            *end = head.seq.min(*end);
        }
    }

    /// Whether a batch is void, or another epoch has taken over before it: what is said of it matters no more.
    pub(crate) fn is_past(&self, epoch: Epoch, seq: u64) -> bool {
        self.holds(epoch, seq) || self.ends.get(&epoch).is_some_and(|end| seq > *end)
    }

    /// Whether a batch is void, and sealed again by what answers it.
    pub(crate) fn holds(&self, epoch: Epoch, seq: u64) -> bool {
        self.cuts.get(&epoch).is_some_and(|cut| seq >= *cut)
    }

    /// The epochs that are void because of this one, each after what it continues, itself first.
    pub(crate) fn because_of(&self, refused: Epoch) -> Vec<Epoch> {
        let mut epochs = vec![refused];
        // In the order in which they were found.
        for (epoch, before) in &self.after {
            if epochs.contains(before) && !epochs.contains(epoch) {
                epochs.push(*epoch);
            }
        }
        epochs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{World, epoch};
    use ledger::Digest;

    /// A genesis of epoch `at` that continues these and answers that.
    fn genesis(
        world: &mut World,
        at: u8,
        heads: &[(u8, u64)],
        answers: Option<(u8, u64)>,
    ) -> Manifest {
        let mut spool = world.spool();
        let begun = world.begin(at);
        let state = world.beat(&mut spool, &begun, Vec::new());
        let slot = crate::testing::slot(epoch(at), 0);
        assert_eq!(state.epoch, epoch(at));
        let mut manifest = crate::testing::manifest(&world.layout().batch(&slot));
        let head = |(at, seq): &(u8, u64)| EpochHead {
            epoch: epoch(*at),
            seq: *seq,
            sha256: Digest::of(b""),
            sealed_max: manifest.time.sealed_max,
            retention_max_s: 86_400,
        };
        manifest.prev_epoch = Some(heads.iter().map(head).collect());
        let answers = answers.map(|(at, seq)| written((epoch(at), seq)));
        manifest.ext = answers
            .into_iter()
            .map(|it| (ANSWERS.to_owned(), it))
            .collect();
        manifest
    }

    #[test]
    fn what_continues_a_void_batch_is_void_and_its_answer_is_not() {
        let mut world = World::new();
        let mut make = |at, heads: &[(u8, u64)], answers| genesis(&mut world, at, heads, answers);
        let geneses = [
            make(1, &[], None),
            // State was lost once: it continues what is refused later.
            make(2, &[(1, 7)], None),
            make(3, &[(2, 4)], None),
            make(4, &[(1, 2)], Some((1, 3))),
            // The answer was refused too, at its genesis.
            make(5, &[(4, 0)], Some((4, 0))),
        ];
        let voids = Voids::of(&geneses, None);
        for (at, seq, is_void) in [
            (1, 2, false),
            (1, 3, true),
            (1, 8, true),
            (2, 0, true),
            (3, 0, true),
            (4, 0, true),
            (5, 0, false),
            (5, 9, false),
        ] {
            assert_eq!(voids.holds(epoch(at), seq), is_void, "{at}/{seq}");
        }
        assert_eq!(voids.because_of(epoch(1)), [1, 2, 3].map(epoch));
        assert_eq!(voids.because_of(epoch(4)), [epoch(4)]);
        // Epochs that continue one another make nothing void, and end one another.
        let lost = Voids::of(&geneses[..3], None);
        assert!(lost.cuts.is_empty());
        assert!(lost.is_past(epoch(1), 8) && !lost.is_past(epoch(1), 7));
        // As soon as it is refused, and not only once it is answered.
        let refused = Voids::of(&geneses[..3], Some((epoch(2), 0)));
        assert_eq!(refused.because_of(epoch(2)), [2, 3].map(epoch));
    }
}
