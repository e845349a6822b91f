//! From a batch in memory to a sealed one in the spool: the protocol whose one rename is the commit.
//!
//! 1. The last block goes into `tmp/<random>/body`.
//! 2. `manifest` and `cursors` are written beside it.
//! 3. The files are synced, then their folder.
//! 4. The folder is renamed to its place below `sealed/`.
//! 5. The place's parent is synced. The batch is sealed.
//! 6. The caller's positions advance.
//!
//! Nothing else in the agent makes a batch visible, and nothing here ever changes one that is.

use crate::sealing::batch_folder::{BatchFolder, failed};
use crate::sealing::open_batch::OpenBatch;
use crate::sealing::own_keys::OwnKeys;
use crate::sealing::seal_error::SealError;
use crate::sealing::stream_state::{Common, ManifestDraft, SealedAt, SealedState, StreamState};
use crate::spool::cursors_file::cursors_file;
use crate::spool::{FOLDER_MODE, Layout, Spool, pages};
use crate::track::checkpoint::Checkpoint;
use host::disk;
use ledger::Digest;
use ledger::codec::Compressor;
use ledger::signature::{self, Key};
use ledger::spool::{CURSORS, MANIFEST};
use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Seals batches, one after the other.
#[derive(Debug)]
pub(crate) struct Sealer {
    common: Common,
    keys: OwnKeys,
    compressor: Compressor,
    /// Parents that are known to be durable.
    parents: BTreeSet<PathBuf>,
}

impl Sealer {
    /// A sealer with this agent's keys.
    #[must_use]
    pub(crate) fn new(common: Common, keys: OwnKeys, compressor: Compressor) -> Self {
        Self {
            common,
            keys,
            compressor,
            parents: BTreeSet::new(),
        }
    }

    pub(crate) fn keys_mut(&mut self) -> &mut OwnKeys {
        &mut self.keys
    }

    /// All keys that ever signed for this agent.
    pub(crate) fn all_keys(&self) -> Vec<Key> {
        self.keys.all()
    }

    pub(crate) fn into_keys(self) -> OwnKeys {
        self.keys
    }

    /// Closes the open block of a batch, and discards the batch if that fails.
    ///
    /// # Errors
    /// [`SealError`]; the batch is gone.
    pub(crate) fn close_block(
        &mut self,
        batch: &mut OpenBatch,
        layout: &Layout,
    ) -> Result<(), SealError> {
        batch.close_block(&mut self.compressor, layout)
    }

    /// Seals a batch, or a manifest without entries, as what its stream seals `next`. On `Ok` it is durable
    /// and the caller continues from the state it gets; on an error the batch is gone.
    pub(crate) fn seal(
        &mut self,
        spool: &mut Spool,
        next: &StreamState,
        batch: Option<OpenBatch>,
        mut draft: ManifestDraft,
        checkpoints: &[Checkpoint],
        at: SealedAt,
    ) -> Result<SealedState, SealError> {
        let layout = spool.layout().clone();
        let mut folder = None;
        if let Some(mut batch) = batch {
            if let Err(error) = batch.close_block(&mut self.compressor, &layout) {
                batch.discard();
                return Err(error);
            }
            (draft.packed, folder) = batch.finish(self.compressor.codec());
        }
        let mut folder = match folder {
            Some(folder) => folder,
            None => BatchFolder::make(&layout)?,
        };
        let manifest = next.compose(&self.common, draft, at);
        let target = layout.batch(&manifest.slot());
        let prepared = manifest
            .to_line()
            .map_err(SealError::from)
            .and_then(|line| {
                let key = self.keys.signer(next.next_key())?;
                let signed = signature::sign(key, &line)?;
                let sha256 = Digest::of(&line);
                let file = [&line[..], signed.as_bytes()].concat();
                let weight = self.write(&mut folder, &file, &cursors_file(sha256, checkpoints)?)?;
                self.make_parent(&layout, &target)?;
                Ok((sha256, weight))
            });
        let (sha256, weight) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                folder.remove();
                return Err(error);
            }
        };
        self.commit(folder, &target)?;
        spool.add(&manifest.stream, weight);
        Ok(next.after(&manifest, sha256))
    }

    /// Steps 2 and 3: what is still missing, then syncs. What the batch weighs.
    fn write(
        &self,
        folder: &mut BatchFolder,
        manifest: &[u8],
        checkpoints: &[u8],
    ) -> Result<u64, SealError> {
        // A crash here leaves a folder in tmp/, swept at the next start; the logs still have it all.
        tracing::debug!(step = "seal.write", folder = %folder.path().display());
        let mut files = Vec::with_capacity(3);
        files.extend(folder.take_body());
        for (name, bytes) in [(MANIFEST, manifest), (CURSORS, checkpoints)] {
            let mut file = folder.create(name)?;
            let path = folder.path().join(name);
            file.write_all(bytes)
                .map_err(failed("writing a batch", &path))?;
            files.push(file);
        }
        // The same after a crash here, and the folder may lack bytes: nobody reads it.
        tracing::debug!(step = "seal.fsync", folder = %folder.path().display());
        let syncing = failed("making a batch durable", folder.path());
        let mut weight = pages(1);
        for file in &files {
            // A failed fsync is never tried again on the same file: the kernel may have dropped the
            // bytes and called the pages clean. The batch is discarded and read again from the log.
            file.sync_all().map_err(&syncing)?;
            weight += pages(file.metadata().map_err(&syncing)?.len());
        }
        disk::sync_dir(folder.path()).map_err(&syncing)?;
        Ok(weight)
    }

    fn make_parent(&mut self, layout: &Layout, target: &Path) -> Result<(), SealError> {
        let parent = target.parent().unwrap_or(target);
        if self.parents.contains(parent) {
            return Ok(());
        }
        let sealed = layout.sealed();
        let below = parent.strip_prefix(&sealed).unwrap_or(parent);
        // A crash here leaves folders without a batch, which recovery passes over.
        disk::make_dirs_durable(&sealed, below, FOLDER_MODE)
            .map_err(failed("making a stream's folder", parent))?;
        self.parents.insert(parent.to_path_buf());
        Ok(())
    }

    /// Steps 4 and 5.
    fn commit(&mut self, folder: BatchFolder, target: &Path) -> Result<(), SealError> {
        // A crash here leaves a whole batch in tmp/ that never happened.
        tracing::debug!(step = "seal.rename", to = %target.display());
        match disk::rename_new(folder.path(), target) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                folder.remove();
                return Err(SealError::Taken(target.into()));
            }
            Err(source) => {
                self.parents.clear();
                folder.remove();
                return Err(failed("sealing a batch", target)(source));
            }
        }
        let parent = target.parent().unwrap_or(target);
        // A crash here leaves the batch sealed or not there at all, whole in both cases: its files
        // are durable, its name may not be. Recovery syncs the name before it believes it.
        tracing::debug!(step = "seal.sync_parent", parent = %parent.display());
        disk::sync_dir(parent).map_err(|source| SealError::Undecided {
            path: parent.into(),
            source,
        })?;
        tracing::debug!(step = "seal.done");
        Ok(())
    }
}
