//! Walks a stream's sealed batches in order, and believes a batch only once it is synced, signed by
//! this agent, and fits the one before it.

use super::{RecoverError, Recovery};
use crate::bounds::CURSORS_MAX;
use crate::sealing::stream_state::SealedState;
use crate::spool::Layout;
use crate::spool::cursors_file::parse_cursors;
use crate::track::checkpoint::Checkpoint;
use host::disk;
use ledger::Digest;
use ledger::limits::MANIFEST_FILE_MAX;
use ledger::manifest::Manifest;
use ledger::name::{Epoch, Name, Slot};
use ledger::signature::{self, Signature};
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as _};
use std::path::Path;

/// What stands in the spool for a stream.
#[derive(Debug)]
pub(super) struct Listing {
    sealed: BTreeMap<Epoch, Vec<u64>>,
    /// By epoch, the newest batch with a receipt.
    pub(super) receipted: BTreeMap<Epoch, u64>,
}

/// What a walk found.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Epochs that nothing continues, in the order found: one, if all is well.
    pub(super) ends: Vec<SealedState>,
    /// Epochs that another continues.
    pub(super) passed: BTreeSet<Epoch>,
    /// What the batches said of their sources, oldest first.
    pub(super) checkpoints: Vec<Checkpoint>,
    /// What does not fit, the first of it.
    pub(super) broken: Option<String>,
    /// There was no snapshot to start from and the spool does not go back to the beginning.
    pub(super) lost: bool,
}

/// A batch that was believed.
struct Sealed {
    manifest: Manifest,
    sha256: Digest,
    checkpoints: Vec<Checkpoint>,
}

/// Why a batch is not believed.
enum Doubt {
    /// What is there is not a batch of ours.
    Damage(String),
    /// The system would not let us look.
    Blind(RecoverError),
}

impl Listing {
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
        let receipted = layout
            .receipted(stream)
            .map_err(|source| RecoverError::Io {
                path: layout.receipts().join(stream.as_str()),
                source,
            })?;
        Ok(Self {
            sealed,
            receipted: receipted.into_iter().collect(),
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sealed.is_empty() && self.receipted.is_empty()
    }

    fn seqs(&self, epoch: Epoch) -> &[u64] {
        self.sealed.get(&epoch).map_or(&[], Vec::as_slice)
    }
}

impl Walk {
    fn doubt(&mut self, why: String) {
        self.broken.get_or_insert(why);
    }
}

impl Recovery<'_> {
    /// From a snapshot's state to the newest batch.
    pub(super) fn walk_after(
        &self,
        state: &SealedState,
        listing: &Listing,
    ) -> Result<Walk, RecoverError> {
        let mut walk = Walk::default();
        self.check_head(state, listing, &mut walk)?;
        self.follow(
            Some(state.clone()),
            state.epoch,
            &state.stream,
            listing,
            &mut walk,
        )?;
        Ok(walk)
    }

    /// Without a snapshot: nothing was ever deleted, so the spool must go back to the beginning.
    pub(super) fn walk_from_root(
        &self,
        stream: &Name,
        listing: &Listing,
    ) -> Result<Walk, RecoverError> {
        let mut walk = Walk::default();
        let mut roots = Vec::new();
        for epoch in listing.sealed.keys() {
            let genesis = self.genesis(stream, *epoch, listing)?;
            if genesis.is_some_and(|genesis| genesis.prev_epoch.is_some_and(|prev| prev.is_empty()))
            {
                roots.push(*epoch);
            }
        }
        if let [root] = roots[..] {
            self.follow(None, root, stream, listing, &mut walk)?;
        }
        let reached: BTreeSet<Epoch> = walk.ends.iter().map(|state| state.epoch).collect();
        let all = |epoch: &Epoch| reached.contains(epoch) || walk.passed.contains(epoch);
        let known = listing.sealed.keys().chain(listing.receipted.keys());
        if walk.broken.is_none() && known.into_iter().all(all) {
            return Ok(walk);
        }
        let mut walk = Walk {
            lost: true,
            broken: Some(
                "there is no snapshot, and the spool does not go back to the beginning".into(),
            ),
            ..Walk::default()
        };
        for (epoch, seqs) in &listing.sealed {
            self.salvage(stream, *epoch, seqs, &mut walk)?;
        }
        let passed = std::mem::take(&mut walk.passed);
        walk.ends.retain(|state| !passed.contains(&state.epoch));
        walk.passed = passed;
        Ok(walk)
    }

    /// The snapshot's own head must be there and be the same; a stream's newest is never deleted.
    fn check_head(
        &self,
        state: &SealedState,
        listing: &Listing,
        walk: &mut Walk,
    ) -> Result<(), RecoverError> {
        let seqs = listing.seqs(state.epoch);
        if seqs.contains(&state.head.seq) {
            let slot = self.slot(&state.stream, state.epoch, state.head.seq);
            match self.believe(&slot) {
                Ok(batch) if batch.sha256 == state.head.sha256 => {}
                Ok(_) => walk.doubt(format!("{slot} is not what the snapshot knows")),
                Err(Doubt::Damage(why)) => walk.doubt(why),
                Err(Doubt::Blind(error)) => return Err(error),
            }
        } else if !seqs.contains(&(state.head.seq + 1)) {
            let seq = state.head.seq;
            walk.doubt(format!(
                "the snapshot's newest batch, seq {seq}, is not in the spool"
            ));
        }
        Ok(())
    }

    /// Takes batch after batch, from epoch to epoch, until nothing follows or something does not fit.
    fn follow(
        &self,
        mut state: Option<SealedState>,
        mut epoch: Epoch,
        stream: &Name,
        listing: &Listing,
        walk: &mut Walk,
    ) -> Result<(), RecoverError> {
        loop {
            let next = match &state {
                Some(state) if state.epoch == epoch => state.head.seq + 1,
                _ => 0,
            };
            let after = listing.seqs(epoch).iter().filter(|seq| **seq >= next);
            for (expected, seq) in (next..).zip(after) {
                if *seq != expected {
                    walk.doubt(format!("{stream}/{epoch}: seq {expected} is missing"));
                    break;
                }
                match self.believe(&self.slot(stream, epoch, *seq)) {
                    Ok(batch) if fits(state.as_ref(), &batch.manifest) => {
                        state = Some(SealedState::after(
                            state.as_ref(),
                            &batch.manifest,
                            batch.sha256,
                        ));
                        walk.checkpoints.extend(batch.checkpoints);
                    }
                    Ok(_) => walk.doubt(format!("{stream}/{epoch}/{seq} does not follow its prev")),
                    Err(Doubt::Damage(why)) => walk.doubt(why),
                    Err(Doubt::Blind(error)) => return Err(error),
                }
                if walk.broken.is_some() {
                    break;
                }
            }
            let Some(end) = &state else { return Ok(()) };
            let successor = match &walk.broken {
                None => self.successor(end, listing)?,
                Some(_) => None,
            };
            match successor {
                // Each epoch is entered once: a genesis names epochs, never its own.
                Some(successor) if walk.passed.insert(epoch) => epoch = successor,
                _ => break,
            }
        }
        walk.ends.extend(state);
        Ok(())
    }

    /// The epoch whose genesis continues `end`, if one does.
    fn successor(
        &self,
        end: &SealedState,
        listing: &Listing,
    ) -> Result<Option<Epoch>, RecoverError> {
        for epoch in listing.sealed.keys().filter(|epoch| **epoch != end.epoch) {
            let genesis = self.genesis(&end.stream, *epoch, listing)?;
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
        &self,
        stream: &Name,
        epoch: Epoch,
        listing: &Listing,
    ) -> Result<Option<Manifest>, RecoverError> {
        if listing.seqs(epoch).first() != Some(&0) {
            return Ok(None);
        }
        match self.believe(&self.slot(stream, epoch, 0)) {
            Ok(batch) => Ok(Some(batch.manifest)),
            Err(Doubt::Damage(_)) => Ok(None),
            Err(Doubt::Blind(error)) => Err(error),
        }
    }

    /// What can still be told of an epoch whose beginning is gone: its last unbroken run.
    fn salvage(
        &self,
        stream: &Name,
        epoch: Epoch,
        seqs: &[u64],
        walk: &mut Walk,
    ) -> Result<(), RecoverError> {
        let mut state: Option<SealedState> = None;
        for seq in seqs {
            match self.believe(&self.slot(stream, epoch, *seq)) {
                Ok(batch) => {
                    let heads = batch.manifest.prev_epoch.iter().flatten();
                    walk.passed.extend(heads.map(|head| head.epoch));
                    state = Some(SealedState::after(
                        state.as_ref(),
                        &batch.manifest,
                        batch.sha256,
                    ));
                    walk.checkpoints.extend(batch.checkpoints);
                }
                Err(Doubt::Damage(why)) => tracing::warn!(%why, "passed over while salvaging"),
                Err(Doubt::Blind(error)) => return Err(error),
            }
        }
        walk.ends.extend(state);
        Ok(())
    }

    fn slot(&self, stream: &Name, epoch: Epoch, seq: u64) -> Slot {
        Slot {
            agent: self.agent.clone(),
            stream: stream.clone(),
            epoch,
            seq,
        }
    }

    /// Syncs a batch and reads it. Its body is only weighed: hashing it is the archiver's.
    fn believe(&self, slot: &Slot) -> Result<Sealed, Doubt> {
        let folder = self.layout.batch(slot);
        let file = synced(&folder.join("manifest"), MANIFEST_FILE_MAX as u64)?;
        let damage = |why: &dyn std::fmt::Display| Doubt::Damage(format!("{slot}: {why}"));
        let (line, signed) = signature::split(&file).map_err(|error| damage(&error))?;
        let signed = Signature::parse(signed).map_err(|error| damage(&error))?;
        signed.verify(line).map_err(|error| damage(&error))?;
        if signed.key() != self.key {
            return Err(damage(&"signed by another key"));
        }
        let manifest = Manifest::parse(line).map_err(|error| damage(&error))?;
        if manifest.slot() != *slot {
            return Err(damage(&format_args!("it states {}", manifest.slot())));
        }
        let sha256 = Digest::of(line);
        let checkpoints = synced(&folder.join("cursors"), CURSORS_MAX)?;
        let checkpoints = parse_cursors(&checkpoints, sha256)
            .ok_or_else(|| damage(&"`cursors` is not whole, or another batch's"))?;
        if let Some(stored) = &manifest.stored {
            let size = synced_size(&folder.join("body"))?;
            if size != stored.size {
                return Err(damage(&"the body's size is not the stated one"));
            }
        }
        disk::sync_dir(&folder).map_err(|source| blind(&folder, source))?;
        Ok(Sealed {
            manifest,
            sha256,
            checkpoints,
        })
    }
}

/// Whether `manifest` may stand right after `state`.
fn fits(state: Option<&SealedState>, manifest: &Manifest) -> bool {
    match (state, &manifest.prev_epoch) {
        (None, Some(heads)) => heads.is_empty(),
        (None, None) => false,
        (Some(state), Some(heads)) => heads.iter().any(|head| head.epoch == state.epoch),
        (Some(state), None) => state.epoch == manifest.epoch && manifest.prev == Some(state.head),
    }
}

fn synced(path: &Path, max_bytes: u64) -> Result<Vec<u8>, Doubt> {
    let read = || {
        let file = disk::open_regular(path)?;
        file.sync_all()?;
        let mut bytes = Vec::new();
        file.take(max_bytes + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > max_bytes {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes)
    };
    read().map_err(|error| blind(path, error))
}

fn synced_size(path: &Path) -> Result<u64, Doubt> {
    let read = || {
        let file = disk::open_regular(path)?;
        file.sync_all()?;
        Ok(file.metadata()?.len())
    };
    read().map_err(|error| blind(path, error))
}

fn blind(path: &Path, source: io::Error) -> Doubt {
    if is_damage(&source) {
        return Doubt::Damage(format!("{}: {source}", path.display()));
    }
    Doubt::Blind(RecoverError::Io {
        path: path.into(),
        source,
    })
}

/// Whether an error says that the bytes are gone or bad, rather than that we may not look now.
pub(super) fn is_damage(error: &io::Error) -> bool {
    let kind = matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::InvalidData | io::ErrorKind::FileTooLarge
    );
    // ELOOP: a symlink planted where a file of ours should be. EIO: the disk lost it.
    let raw = [Errno::LOOP, Errno::IO].map(Errno::raw_os_error);
    kind || error.raw_os_error().is_some_and(|code| raw.contains(&code))
}
