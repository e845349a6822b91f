//! A stream's sealed batches in order: each follows the one before it, from epoch to epoch, until
//! nothing follows or something does not fit. It reads and concludes; it changes nothing.

use super::recover_error::RecoverError;
use super::sealed_batch::{Doubt, SealedBatch, SealedBatches};
use super::voids::{self, Voids};
use crate::sealing::stream_state::SealedState;
use crate::spool::Layout;
use crate::track::checkpoint::Checkpoint;
use host::disk;
use ledger::manifest::{EpochHead, Manifest, StreamHead};
use ledger::name::{Epoch, Name};
use std::collections::{BTreeMap, BTreeSet};

/// What stands in the spool for a stream.
#[derive(Debug)]
pub(super) struct StreamListing {
    sealed: BTreeMap<Epoch, Vec<u64>>,
}

/// What following the batches found.
#[derive(Debug, Default)]
pub(super) struct Lineage {
    /// Epochs that nothing continues, in the order found: one, if all is well.
    pub(super) ends: Vec<SealedState>,
    /// Epochs that another continues.
    pub(super) passed: BTreeSet<Epoch>,
    /// What the batches said of their sources, oldest first.
    pub(super) checkpoints: Vec<Checkpoint>,
    /// By epoch of another stream, the newest head that the batches name: it had a receipt then.
    pub(super) named: BTreeMap<(Name, Epoch), StreamHead>,
    /// What does not fit, the first of it.
    pub(super) broken: Option<String>,
}

impl StreamListing {
    pub(super) fn read(layout: &Layout, stream: &Name) -> Result<Self, RecoverError> {
        let top = layout.sealed().join(stream.as_str());
        let failed = |source| RecoverError::Io {
            path: top.clone(),
            source,
        };
        let mut sealed = BTreeMap::new();
        for epoch in layout.epochs(stream).map_err(failed)? {
            // Names first: a batch that a power cut could still take away must not be built upon.
            disk::sync_dir(&top.join(epoch.to_string())).map_err(failed)?;
            sealed.insert(epoch, layout.seqs(stream, epoch).map_err(failed)?);
        }
        if !sealed.is_empty() {
            disk::sync_dir(&top).map_err(failed)?;
            disk::sync_dir(&layout.sealed()).map_err(failed)?;
        }
        sealed.retain(|_, seqs| !seqs.is_empty());
        Ok(Self { sealed })
    }

    /// By epoch, what is sealed.
    pub(super) fn sealed(&self) -> &BTreeMap<Epoch, Vec<u64>> {
        &self.sealed
    }

    /// Leaves void batches out.
    pub(super) fn pass_over(&mut self, voids: &Voids) {
        for (epoch, seqs) in &mut self.sealed {
            seqs.retain(|seq| !voids.holds(*epoch, *seq));
        }
        self.sealed.retain(|_, seqs| !seqs.is_empty());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sealed.is_empty()
    }

    fn seqs(&self, epoch: Epoch) -> &[u64] {
        self.sealed.get(&epoch).map_or(&[], Vec::as_slice)
    }
}

impl Lineage {
    /// The newest manifest of each epoch that nothing continues.
    pub(super) fn heads(&self) -> Vec<EpochHead> {
        self.ends.iter().map(SealedState::epoch_head).collect()
    }

    /// Takes what a batch says of sources and of other streams.
    fn take(&mut self, batch: SealedBatch) {
        self.checkpoints.extend(batch.checkpoints);
        for head in batch.manifest.heads.into_iter().flatten() {
            let place = (head.stream.clone(), head.epoch);
            let known = self.named.get(&place);
            if known.is_none_or(|known| known.seq < head.seq) {
                self.named.insert(place, head);
            }
        }
    }

    fn doubt(&mut self, why: String) {
        self.broken.get_or_insert(why);
    }
}

/// From a snapshot's state to the newest batch.
pub(super) fn after_snapshot(
    batches: &SealedBatches<'_>,
    state: &SealedState,
    listing: &StreamListing,
) -> Result<Lineage, RecoverError> {
    let mut lineage = Lineage::default();
    check_head(batches, state, listing, &mut lineage)?;
    follow(
        batches,
        Some(state.clone()),
        state.epoch,
        &state.stream,
        listing,
        &mut lineage,
    )?;
    Ok(lineage)
}

/// From a snapshot's state that is void now: from the epoch that answers.
pub(super) fn after_void(
    batches: &SealedBatches<'_>,
    state: &SealedState,
    listing: &StreamListing,
    voids: &Voids,
) -> Result<Lineage, RecoverError> {
    let mut lineage = Lineage::default();
    let mut answering = None;
    for epoch in listing.sealed.keys() {
        let genesis = genesis(batches, &state.stream, *epoch, listing)?;
        let answers = genesis.and_then(|genesis| voids::named(&genesis, voids::ANSWERS));
        let Some((refused, _)) = answers else {
            continue;
        };
        let is_direct = voids.because_of(refused).contains(&state.epoch);
        // Where the answer was refused in turn, only the last one is not void.
        if is_direct || answering.is_none() {
            answering = Some(*epoch);
        }
    }
    match answering {
        Some(epoch) => follow(
            batches,
            Some(state.clone()),
            epoch,
            &state.stream,
            listing,
            &mut lineage,
        )?,
        None => lineage.doubt("what answers a refused batch is not in the spool".to_owned()),
    }
    Ok(lineage)
}

/// Without a snapshot: nothing was ever deleted, so the spool must go back to the beginning.
pub(super) fn from_beginning(
    batches: &SealedBatches<'_>,
    stream: &Name,
    listing: &StreamListing,
) -> Result<Lineage, RecoverError> {
    let mut lineage = Lineage::default();
    let mut roots = Vec::new();
    for epoch in listing.sealed.keys() {
        let genesis = genesis(batches, stream, *epoch, listing)?;
        if genesis.is_some_and(|genesis| is_root(&genesis, listing)) {
            roots.push(*epoch);
        }
    }
    if let [root] = roots[..] {
        follow(batches, None, root, stream, listing, &mut lineage)?;
    }
    let reached: BTreeSet<Epoch> = lineage.ends.iter().map(|state| state.epoch).collect();
    let all = |epoch: &Epoch| reached.contains(epoch) || lineage.passed.contains(epoch);
    if lineage.broken.is_none() && listing.sealed.keys().all(all) {
        return Ok(lineage);
    }
    let mut lineage = Lineage {
        broken: Some(
            "there is no snapshot, and the spool does not go back to the beginning".into(),
        ),
        ..Lineage::default()
    };
    for (epoch, seqs) in &listing.sealed {
        salvage(batches, stream, *epoch, seqs, &mut lineage)?;
    }
    let passed = std::mem::take(&mut lineage.passed);
    lineage.ends.retain(|state| !passed.contains(&state.epoch));
    lineage.passed = passed;
    Ok(lineage)
}

/// The unbroken run of an epoch's batches from the one that is in the store on, or from the one that follows it, as far
/// as it can be believed; no end, if there is none.
pub(super) fn after_stored(
    batches: &SealedBatches<'_>,
    stream: &Name,
    stored: EpochHead,
    listing: &StreamListing,
) -> Result<Lineage, RecoverError> {
    let mut lineage = Lineage::default();
    let mut state: Option<SealedState> = None;
    let is_stored = |seq, sha256| (seq, sha256) == (stored.seq, stored.sha256);
    let seqs = listing.seqs(stored.epoch).iter();
    for seq in seqs.copied().filter(|seq| *seq >= stored.seq) {
        match batches.believe(&batches.slot(stream, stored.epoch, seq)) {
            Ok(batch) => {
                let follows = match &state {
                    Some(_) => fits(state.as_ref(), &batch.manifest),
                    None => {
                        let prev = batch.manifest.prev;
                        is_stored(seq, batch.sha256)
                            || prev.is_some_and(|prev| is_stored(prev.seq, prev.sha256))
                    }
                };
                if !follows {
                    break;
                }
                state = Some(SealedState::after(
                    state.as_ref(),
                    &batch.manifest,
                    batch.sha256,
                ));
                lineage.take(batch);
            }
            Err(Doubt::Damage(_)) => break,
            Err(Doubt::Blind(error)) => return Err(error),
        }
    }
    lineage.ends.extend(state);
    Ok(lineage)
}

/// The snapshot's own head must be there and be the same; a stream's newest is never deleted.
fn check_head(
    batches: &SealedBatches<'_>,
    state: &SealedState,
    listing: &StreamListing,
    lineage: &mut Lineage,
) -> Result<(), RecoverError> {
    let seqs = listing.seqs(state.epoch);
    if seqs.contains(&state.head.seq) {
        let slot = batches.slot(&state.stream, state.epoch, state.head.seq);
        match batches.believe(&slot) {
            Ok(batch) if batch.sha256 == state.head.sha256 => {}
            Ok(_) => lineage.doubt(format!("{slot} is not what the snapshot knows")),
            Err(Doubt::Damage(why)) => lineage.doubt(why),
            Err(Doubt::Blind(error)) => return Err(error),
        }
    } else if !seqs.contains(&(state.head.seq + 1)) {
        let seq = state.head.seq;
        lineage.doubt(format!(
            "the snapshot's newest batch, seq {seq}, is not in the spool"
        ));
    }
    Ok(())
}

/// Takes batch after batch, from epoch to epoch, until nothing follows or something does not fit.
fn follow(
    batches: &SealedBatches<'_>,
    mut state: Option<SealedState>,
    mut epoch: Epoch,
    stream: &Name,
    listing: &StreamListing,
    lineage: &mut Lineage,
) -> Result<(), RecoverError> {
    loop {
        let next = match &state {
            Some(state) if state.epoch == epoch => state.head.seq + 1,
            _ => 0,
        };
        let after = listing.seqs(epoch).iter().filter(|seq| **seq >= next);
        for (expected, seq) in (next..).zip(after) {
            if *seq != expected {
                lineage.doubt(format!("{stream}/{epoch}: seq {expected} is missing"));
                break;
            }
            match batches.believe(&batches.slot(stream, epoch, *seq)) {
                Ok(batch) if fits(state.as_ref(), &batch.manifest) => {
                    state = Some(SealedState::after(
                        state.as_ref(),
                        &batch.manifest,
                        batch.sha256,
                    ));
                    lineage.take(batch);
                }
                Ok(_) => lineage.doubt(format!("{stream}/{epoch}/{seq} does not follow its prev")),
                Err(Doubt::Damage(why)) => lineage.doubt(why),
                Err(Doubt::Blind(error)) => return Err(error),
            }
            if lineage.broken.is_some() {
                break;
            }
        }
        let Some(end) = &state else { return Ok(()) };
        let successor = match &lineage.broken {
            None => successor(batches, end, listing)?,
            Some(_) => None,
        };
        match successor {
            // Each epoch is entered once: a genesis names epochs, never its own.
            Some(successor) if lineage.passed.insert(epoch) => epoch = successor,
            _ => break,
        }
    }
    lineage.ends.extend(state);
    Ok(())
}

/// The epoch whose genesis continues `end`, if one does.
fn successor(
    batches: &SealedBatches<'_>,
    end: &SealedState,
    listing: &StreamListing,
) -> Result<Option<Epoch>, RecoverError> {
    for epoch in listing.sealed.keys().filter(|epoch| **epoch != end.epoch) {
        let genesis = genesis(batches, &end.stream, *epoch, listing)?;
        let heads = genesis
            .and_then(|genesis| genesis.prev_epoch)
            .unwrap_or_default();
        if heads.iter().any(|head| head.epoch == end.epoch) {
            return Ok(Some(*epoch));
        }
    }
    Ok(None)
}

fn genesis(
    batches: &SealedBatches<'_>,
    stream: &Name,
    epoch: Epoch,
    listing: &StreamListing,
) -> Result<Option<Manifest>, RecoverError> {
    if listing.seqs(epoch).first() != Some(&0) {
        return Ok(None);
    }
    match batches.believe(&batches.slot(stream, epoch, 0)) {
        Ok(batch) => Ok(Some(batch.manifest)),
        Err(Doubt::Damage(_)) => Ok(None),
        Err(Doubt::Blind(error)) => Err(error),
    }
}

/// What can still be told of an epoch whose beginning is gone: its last unbroken run.
fn salvage(
    batches: &SealedBatches<'_>,
    stream: &Name,
    epoch: Epoch,
    seqs: &[u64],
    lineage: &mut Lineage,
) -> Result<(), RecoverError> {
    let mut state: Option<SealedState> = None;
    for seq in seqs {
        match batches.believe(&batches.slot(stream, epoch, *seq)) {
            Ok(batch) => {
                let heads = batch.manifest.prev_epoch.iter().flatten();
                lineage.passed.extend(heads.map(|head| head.epoch));
                state = Some(SealedState::after(
                    state.as_ref(),
                    &batch.manifest,
                    batch.sha256,
                ));
                lineage.take(batch);
            }
            Err(Doubt::Damage(why)) => tracing::warn!(%why, "passed over while salvaging"),
            Err(Doubt::Blind(error)) => return Err(error),
        }
    }
    lineage.ends.extend(state);
    Ok(())
}

/// Whether an epoch is the beginning of the stream, as far as the spool can know: it continues nothing, or answers a
/// refusal of the stream's very first manifest, of which another statement is in the store.
fn is_root(genesis: &Manifest, listing: &StreamListing) -> bool {
    let heads = genesis.prev_epoch.as_deref().unwrap_or_default();
    let answered = voids::named(genesis, voids::ANSWERS).map(|(epoch, _)| epoch);
    let beyond = |epoch: Epoch| Some(epoch) == answered && !listing.sealed.contains_key(&epoch);
    genesis.prev_epoch.is_some() && heads.iter().all(|head| beyond(head.epoch))
}

/// Whether `manifest` may stand right after `state`.
fn fits(state: Option<&SealedState>, manifest: &Manifest) -> bool {
    let answers = voids::named(manifest, voids::ANSWERS).is_some();
    match (state, &manifest.prev_epoch) {
        (None, Some(heads)) => heads.is_empty() || answers,
        (None, None) => false,
        (Some(_), Some(_)) if answers => true,
        (Some(state), Some(heads)) => heads.iter().any(|head| head.epoch == state.epoch),
        (Some(state), None) => state.epoch == manifest.epoch && manifest.prev == Some(state.head),
    }
}
