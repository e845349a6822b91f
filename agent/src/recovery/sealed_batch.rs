//! Sealed batches as recovery reads them: one is believed only once it is synced, signed by this agent,
//! whole, and where it says it is. Whether it fits those before it is [`super::lineage`]'s.

use super::recover_error::RecoverError;
use crate::bounds::CURSORS_MAX;
use crate::spool::Layout;
use crate::spool::cursors_file::parse_cursors;
use crate::track::checkpoint::Checkpoint;
use host::disk;
use ledger::Digest;
use ledger::limits::MANIFEST_FILE_MAX;
use ledger::manifest::Manifest;
use ledger::name::{Epoch, Name, Slot};
use ledger::signature::{self, Key, Signature};
use ledger::spool::{BODY, CURSORS, MANIFEST};
use rustix::io::Errno;
use std::io::{self, Read as _};
use std::path::Path;

/// Reads the batches of one agent.
pub(crate) struct SealedBatches<'a> {
    pub(crate) layout: &'a Layout,
    pub(crate) agent: &'a Name,
    /// Its own keys: nothing is believed that none of them signed.
    pub(crate) keys: &'a [Key],
}

/// A batch that was believed.
pub(crate) struct SealedBatch {
    pub(crate) manifest: Manifest,
    pub(crate) sha256: Digest,
    pub(crate) checkpoints: Vec<Checkpoint>,
}

/// Why a batch is not believed.
pub(crate) enum Doubt {
    /// What is there is not a batch of ours.
    Damage(String),
    /// The system would not let us look.
    Blind(RecoverError),
}

impl SealedBatches<'_> {
    pub(crate) fn slot(&self, stream: &Name, epoch: Epoch, seq: u64) -> Slot {
        Slot {
            agent: self.agent.clone(),
            stream: stream.clone(),
            epoch,
            seq,
        }
    }

    /// Syncs a batch and reads it. Its body is only weighed: hashing it is the archiver's.
    pub(crate) fn believe(&self, slot: &Slot) -> Result<SealedBatch, Doubt> {
        let folder = self.layout.batch(slot);
        let batch = self.believe_statement(slot)?;
        if let Some(stored) = &batch.manifest.stored {
            let size = synced_size(&folder.join(BODY))?;
            if size != stored.size {
                return Err(Doubt::Damage(format!(
                    "{slot}: the body's size is not the stated one"
                )));
            }
        }
        disk::sync_dir(&folder).map_err(|source| blind(&folder, source))?;
        Ok(batch)
    }

    /// The same of what a batch states, whatever became of its body.
    pub(crate) fn believe_statement(&self, slot: &Slot) -> Result<SealedBatch, Doubt> {
        let folder = self.layout.batch(slot);
        let file = synced(&folder.join(MANIFEST), MANIFEST_FILE_MAX as u64)?;
        let damage = |why: &dyn std::fmt::Display| Doubt::Damage(format!("{slot}: {why}"));
        let (line, signed) = signature::split(&file).map_err(|error| damage(&error))?;
        let signed = Signature::parse(signed).map_err(|error| damage(&error))?;
        signed.verify(line).map_err(|error| damage(&error))?;
        if !self.keys.contains(&signed.key()) {
            return Err(damage(&"signed by another key"));
        }
        let manifest = Manifest::parse(line).map_err(|error| damage(&error))?;
        if manifest.slot() != *slot {
            return Err(damage(&format_args!("it states {}", manifest.slot())));
        }
        let sha256 = Digest::of(line);
        let checkpoints = synced(&folder.join(CURSORS), CURSORS_MAX)?;
        let checkpoints = parse_cursors(&checkpoints, sha256)
            .ok_or_else(|| damage(&"`cursors` is not whole, or another batch's"))?;
        Ok(SealedBatch {
            manifest,
            sha256,
            checkpoints,
        })
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

/// Whether an error says that the bytes are gone or bad, rather than that they cannot be read now. A disk that does
/// not give them (EIO) may do so the next time, or on another controller: nothing is concluded from it.
pub(crate) fn is_damage(error: &io::Error) -> bool {
    let kind = matches!(
        error.kind(),
        io::ErrorKind::NotFound
            | io::ErrorKind::InvalidData
            | io::ErrorKind::FileTooLarge
            | io::ErrorKind::UnexpectedEof
    );
    // ELOOP: a symlink planted where a file of ours should be.
    kind || error.raw_os_error() == Some(Errno::LOOP.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_does_not_answer_is_no_damage() {
        for (errno, damage) in [
            (Errno::NOENT, true),
            (Errno::LOOP, true),
            (Errno::IO, false),
            (Errno::ACCESS, false),
            (Errno::MFILE, false),
            (Errno::TIMEDOUT, false),
            (Errno::STALE, false),
        ] {
            assert_eq!(is_damage(&errno.into()), damage, "{errno}");
        }
        for kind in [io::ErrorKind::InvalidData, io::ErrorKind::UnexpectedEof] {
            assert!(is_damage(&kind.into()));
        }
    }
}
