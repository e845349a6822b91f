//! What the agent may believe after a start: the newest whole snapshot and the sealed batches after
//! it, each synced before it is believed. It changes nothing in the spool, so it can be cut at any
//! point and run again.
//!
//! An epoch continues only if snapshot, spool and chain agree. Otherwise the stream gets a new epoch that says so, and
//! names all that is still known of the old.
//!
//! A receipt is believed only of a manifest whose hash is known from the agent's own half: a sealed batch, or the
//! snapshot. Whoever writes to the archiver's half could else have it sign that a batch was there which never was. Where
//! the disk was set back, the archiver meets the stored manifest, and its mark with that signed file is answered.

pub(crate) mod snapshot;

mod recover_error;
pub(crate) mod sealed_batch;
pub(crate) mod voids;

mod lineage;

pub(crate) mod adoption;

use self::lineage::{Lineage, StreamListing};
pub(crate) use self::recover_error::RecoverError;
use self::sealed_batch::{Doubt, SealedBatches};
use self::voids::{BatchAt, Voids};
use crate::recovery::snapshot::Snapshot;
use crate::sealing::stream_state::{NewEpoch, SealedState, StreamState};
use crate::spool::Layout;
use crate::spool::receipts::{ReceiptProgress, receipted};
use crate::track::checkpoint::{Checkpoint, Memory};
use ledger::Digest;
use ledger::manifest::{EpochHead, EventKind, Reference, StreamHead};
use ledger::name::{Epoch, Name, Slot};
use std::io;

/// What holds after a start.
#[derive(Debug)]
pub(crate) struct Recovered {
    /// The configured streams, in the config's order.
    pub(crate) streams: Vec<StreamState>,
    /// Streams that the config no longer names and that are still open.
    pub(crate) leaving: Vec<StreamState>,
    /// Streams that are closed for good, as far as the config goes.
    pub(crate) closed: Vec<SealedState>,
    /// What is remembered of sources.
    pub(crate) memory: Memory,
    /// Heads of streams that the batches read here name: a snapshot may be older, and a head never goes back.
    pub(crate) named: Vec<StreamHead>,
    /// Streams of which sealed batches are gone that were not in the store: their logs are to be read again, so nothing
    /// is remembered of them but what those say that are left.
    pub(crate) forgotten: Vec<Name>,
}

/// What recovery needs to know beforehand.
#[derive(Debug)]
pub(crate) struct Recovery<'a> {
    pub(crate) layout: &'a Layout,
    pub(crate) spool_id: &'a str,
    pub(crate) agent: &'a Name,
    /// Its own keys: nothing in the spool is believed that none of them signed.
    pub(crate) keys: &'a [ledger::signature::Key],
}

/// How a stream stands.
enum StreamStanding {
    Fresh,
    Continues(SealedState),
    Lost {
        why: String,
        heads: Vec<EpochHead>,
        /// The newest state that is known, of whatever epoch.
        newest: Option<Box<SealedState>>,
    },
}

/// Batches that were sealed, are not in the store, and cannot be believed or found.
struct Loss {
    why: String,
    /// The newest that is in the store.
    stored: Option<EpochHead>,
    /// The first that is damaged; `None` if they are gone.
    from: Option<BatchAt>,
}

/// What is left of a stream before a loss.
struct StillKnown {
    heads: Vec<EpochHead>,
    checkpoints: Vec<Checkpoint>,
}

impl Recovery<'_> {
    /// Finds out where everything stands. `new_epoch` draws the epochs that are begun.
    pub(crate) fn recover(
        &self,
        streams: &[Name],
        snapshot: Option<Snapshot>,
        mut new_epoch: impl FnMut() -> io::Result<Epoch>,
    ) -> Result<Recovered, RecoverError> {
        let mut recovered = Recovered {
            streams: Vec::new(),
            leaving: Vec::new(),
            closed: Vec::new(),
            memory: Memory::default(),
            named: Vec::new(),
            forgotten: Vec::new(),
        };
        let snapshot = snapshot.unwrap_or_default();
        let made_ms = self.layout.made_ms().map_err(|source| RecoverError::Io {
            path: self.layout.root().to_path_buf(),
            source,
        })?;
        let foreign = !snapshot.spool_id.is_empty() && snapshot.spool_id != self.spool_id;
        let (mut checkpoints, mut kept) = (Vec::new(), Vec::new());
        for stream in self.all(streams, &snapshot)? {
            // A crash here changes nothing: what follows only reads, and syncs what is there.
            tracing::debug!(step = "recover.scan", %stream);
            let known = snapshot.sealed_state(&stream);
            let stored = snapshot.stored(&stream);
            let (mut standing, lineage) = self.stand(&stream, known, foreign)?;
            checkpoints.extend(lineage.checkpoints);
            recovered.named.extend(lineage.named.into_values());
            if let Some(known) = known
                && let Some(loss) = self.loss(known, stored, &standing)?
            {
                tracing::error!(%stream, why = loss.why, "batches are lost that were not archived: their logs are read again");
                let still = self.still_known(&stream, loss.stored, loss.from)?;
                standing = StreamStanding::Lost {
                    why: loss.why,
                    heads: still.heads,
                    newest: Some(Box::new(known.clone())),
                };
                kept.extend(still.checkpoints);
                recovered.forgotten.push(stream.clone());
            }
            let configured = streams.contains(&stream);
            let next = match standing {
                StreamStanding::Fresh if !configured => continue,
                StreamStanding::Continues(state) if state.closed && !configured => {
                    recovered.closed.push(state);
                    continue;
                }
                standing => begin(&stream, standing, (self.spool_id, made_ms), &mut new_epoch)
                    .map_err(RecoverError::Random)?,
            };
            if configured {
                recovered.streams.push(next);
            } else {
                recovered.leaving.push(next);
            }
        }
        let mut memory = snapshot.memory.then(checkpoints);
        let forgotten = |stream: &Name| recovered.forgotten.contains(stream);
        let known = &mut memory.checkpoints;
        known.retain(|checkpoint| !forgotten(&checkpoint.source.stream));
        recovered.memory = memory.then(kept);
        tracing::debug!(step = "recover.done");
        Ok(recovered)
    }

    /// What is lost of a stream before it was in the store, as far as anybody here knows: the newest batch that the
    /// snapshot knows is gone; or the statement of that one, or of one that the archiver refuses, is damaged, so that
    /// nobody can say what it held.
    fn loss(
        &self,
        known: &SealedState,
        stored: Option<EpochHead>,
        standing: &StreamStanding,
    ) -> Result<Option<Loss>, RecoverError> {
        let newest = self.slot(&known.stream, known.epoch, known.head.seq);
        let path = self.layout.batch(&newest);
        let is_there = path.try_exists();
        let is_there = is_there.map_err(|source| RecoverError::Io { path, source })?;
        let in_store =
            stored == Some(known.epoch_head()) || self.receipted(&newest) == Some(known.head);
        if !is_there {
            let is_lost = matches!(standing, StreamStanding::Lost { .. }) && !in_store;
            let why = || format!("{newest} is not in the spool");
            return is_lost
                .then(|| self.loss_of(&newest, stored, why(), None))
                .transpose();
        }
        let refused = self.refused(&newest)?;
        for slot in refused.into_iter().chain((!in_store).then_some(newest)) {
            match self.batches().believe_statement(&slot) {
                Ok(_) => {}
                Err(Doubt::Blind(error)) => return Err(error),
                Err(Doubt::Damage(why)) => {
                    let from = Some((slot.epoch, slot.seq));
                    return self.loss_of(&slot, stored, why, from).map(Some);
                }
            }
        }
        Ok(None)
    }

    fn loss_of(
        &self,
        slot: &Slot,
        stored: Option<EpochHead>,
        why: String,
        from: Option<BatchAt>,
    ) -> Result<Loss, RecoverError> {
        let stored = self.newest_stored(slot, stored)?;
        Ok(Loss { why, stored, from })
    }

    /// The batch that the archiver refuses, unless another epoch has taken over before it.
    fn refused(&self, newest: &Slot) -> Result<Option<Slot>, RecoverError> {
        let listing = StreamListing::read(self.layout, &newest.stream)?;
        let voids = Voids::read(&self.batches(), &newest.stream, listing.sealed(), None)?;
        let mut receipts = ReceiptProgress::default();
        let hold = receipts.look(self.layout, newest, |epoch, seq| voids.is_past(epoch, seq));
        // No reason not to start: the archiver's half is looked at again while the agent runs, and a status tells.
        let hold = hold.unwrap_or_else(|error| {
            tracing::error!(stream = %newest.stream, %error, "marks that cannot be read are not believed");
            None
        });
        Ok(hold.map(|hold| hold.slot))
    }

    /// The newest batch that is in the store: receipts may be newer than the snapshot, if they are for batches that are
    /// here.
    fn newest_stored(
        &self,
        slot: &Slot,
        stored: Option<EpochHead>,
    ) -> Result<Option<EpochHead>, RecoverError> {
        let seqs = self.layout.seqs(&slot.stream, slot.epoch);
        let seqs = seqs.map_err(|source| RecoverError::Io {
            path: self.layout.sealed(),
            source,
        })?;
        let known = stored.filter(|stored| stored.epoch == slot.epoch);
        let is_newer = |seq: &u64| known.is_none_or(|known| *seq > known.seq);
        for seq in seqs.into_iter().rev().take_while(is_newer) {
            let slot = Slot {
                seq,
                ..slot.clone()
            };
            let Some(receipt) = self.receipted(&slot) else {
                continue;
            };
            match self.batches().believe_statement(&slot) {
                Ok(batch) if batch.manifest.reference(batch.sha256) == receipt => {
                    return Ok(Some(receipt.in_epoch(slot.epoch)));
                }
                Ok(_) | Err(Doubt::Damage(_)) => {}
                Err(Doubt::Blind(error)) => return Err(error),
            }
        }
        Ok(stored)
    }

    /// Where a stream stands that is lost `from` a batch on, or of which newer batches are gone: at the end of what the
    /// spool still has, if that is whole from what is in the store on, for it is archived yet; else at what is in the
    /// store. And what is known of its sources there.
    fn still_known(
        &self,
        stream: &Name,
        stored: Option<EpochHead>,
        from: Option<BatchAt>,
    ) -> Result<StillKnown, RecoverError> {
        let batches = self.batches();
        let mut listing = StreamListing::read(self.layout, stream)?;
        if from.is_some() {
            let voids = Voids::read(&batches, stream, listing.sealed(), from)?;
            listing.pass_over(&voids);
        }
        let lineage = lineage::from_beginning(&batches, stream, &listing)?;
        let is_newer = |stored: EpochHead| {
            let mut ends = lineage.ends.iter();
            ends.any(|end| end.epoch == stored.epoch && end.head.seq >= stored.seq)
        };
        let lineage = match stored {
            Some(stored) if lineage.broken.is_some() || !is_newer(stored) => {
                let run = lineage::after_stored(&batches, stream, stored, &listing)?;
                if run.ends.is_empty() {
                    return Ok(StillKnown {
                        heads: vec![stored],
                        checkpoints: Vec::new(),
                    });
                }
                run
            }
            _ => lineage,
        };
        Ok(StillKnown {
            heads: lineage.heads(),
            checkpoints: lineage.checkpoints,
        })
    }

    fn batches(&self) -> SealedBatches<'_> {
        SealedBatches {
            layout: self.layout,
            agent: self.agent,
            keys: self.keys,
        }
    }

    fn slot(&self, stream: &Name, epoch: Epoch, seq: u64) -> Slot {
        self.batches().slot(stream, epoch, seq)
    }

    /// The configured streams first, in order, then all others that were ever heard of.
    fn all(&self, streams: &[Name], snapshot: &Snapshot) -> Result<Vec<Name>, RecoverError> {
        let mut all = streams.to_vec();
        let sealed = self.layout.streams().map_err(|source| RecoverError::Io {
            path: self.layout.sealed(),
            source,
        })?;
        let noted = snapshot.states.iter().map(|state| state.stream.clone());
        for stream in noted.chain(sealed) {
            if !all.contains(&stream) {
                all.push(stream);
            }
        }
        Ok(all)
    }

    fn stand(
        &self,
        stream: &Name,
        known: Option<&SealedState>,
        foreign: bool,
    ) -> Result<(StreamStanding, Lineage), RecoverError> {
        let mut listing = StreamListing::read(self.layout, stream)?;
        let batches = self.batches();
        // What is void is sealed again, or will be before anything is read: it says nothing of where the stream stands.
        let voids = Voids::read(&batches, stream, listing.sealed(), None)?;
        listing.pass_over(&voids);
        let lineage = match known {
            Some(state) if voids.holds(state.epoch, state.head.seq) => {
                lineage::after_void(&batches, state, &listing, &voids)?
            }
            Some(state) => lineage::after_snapshot(&batches, state, &listing)?,
            None if listing.is_empty() => return Ok((StreamStanding::Fresh, Lineage::default())),
            None => lineage::from_beginning(&batches, stream, &listing)?,
        };
        let mut why = lineage.broken.clone();
        if foreign {
            why = Some("the snapshot belongs to another spool".to_owned());
        }
        let newest = lineage.ends.last();
        let standing = match (why, newest) {
            (None, Some(state)) => StreamStanding::Continues(state.clone()),
            (why, _) => StreamStanding::Lost {
                why: why.unwrap_or_else(|| "nothing sealed is left".to_owned()),
                heads: lineage.heads(),
                newest: newest.cloned().map(Box::new),
            },
        };
        Ok((standing, lineage))
    }

    /// What the receipt of a batch says of its manifest. One that cannot be read is as none: whoever owns it could else
    /// keep the agent from starting.
    fn receipted(&self, slot: &Slot) -> Option<Reference> {
        receipted(self.layout, slot).unwrap_or_else(|error| {
            tracing::error!(%slot, %error, "a receipt that cannot be read is not believed");
            None
        })
    }
}

/// The very first epoch of a stream follows from the spool it is sealed in, and when that was made: set back to before its first batch, an agent
/// that continues meets in the store what it sealed then, and not the beginning of a second history.
fn first_epoch(stream: &Name, (spool_id, made_ms): (&str, u64)) -> Epoch {
    let digest = Digest::of(format!("{spool_id}/{stream}").as_bytes());
    let mut roll = [0; 10];
    for (byte, from) in roll.iter_mut().zip(digest.0) {
        *byte = from;
    }
    Epoch::new(made_ms, &roll)
}

fn begin(
    stream: &Name,
    standing: StreamStanding,
    spool: (&str, u64),
    new_epoch: &mut impl FnMut() -> io::Result<Epoch>,
) -> io::Result<StreamState> {
    let beginning = |epoch, prev_epoch, newest: Option<SealedState>, event| NewEpoch {
        stream: stream.clone(),
        epoch,
        prev_epoch,
        next_key: newest.as_ref().and_then(|state| state.next_key),
        heads_after: newest.and_then(|state| state.heads_after),
        event,
    };
    Ok(match standing {
        StreamStanding::Fresh => {
            let epoch = first_epoch(stream, spool);
            StreamState::Begin(beginning(epoch, Vec::new(), None, None))
        }
        // Named by the config again after it was closed.
        StreamStanding::Continues(state) if state.closed => {
            let heads = vec![state.epoch_head()];
            StreamState::Begin(beginning(new_epoch()?, heads, Some(state), None))
        }
        StreamStanding::Continues(state) => StreamState::After(state),
        StreamStanding::Lost { why, heads, newest } => {
            let epoch = match heads[..] {
                [] => first_epoch(stream, spool),
                _ => new_epoch()?,
            };
            tracing::error!(%stream, %epoch, %why, "state lost: the stream continues in a new epoch");
            let event = Some(EventKind::StateLost);
            StreamState::Begin(beginning(epoch, heads, newest.map(|state| *state), event))
        }
    })
}

#[cfg(test)]
mod recovery_tests;
