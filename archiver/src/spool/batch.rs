//! A sealed batch, read once, made durable and checked before anyone is told of it.
//!
//! Only [`Batch::read`] makes one, so whoever holds a `Batch` holds bytes that fit their manifest.

use super::seq_name;
use bytes::Bytes;
use host::folder::Folder;
use host::terminal::quoted;
use ledger::limits::{BATCH_RAW_MAX, MANIFEST_FILE_MAX};
use ledger::manifest::Manifest;
use ledger::name::Slot;
use ledger::signature::{self, Key, Signature};
use ledger::spool::{BODY, BatchId, CURSORS, MANIFEST};
use ledger::{Digest, block::Block};
use std::io;

/// Largest stored body that is read: a codec adds at most this little to what it cannot compress.
const BODY_MAX: u64 = BATCH_RAW_MAX + BATCH_RAW_MAX / 64;

/// A batch that fits its manifest, its signature and its place.
#[derive(Debug, Clone)]
pub struct Batch {
    /// What it states.
    pub manifest: Manifest,
    /// The manifest file, as it is stored.
    pub file: Bytes,
    /// SHA-256 of that file.
    pub file_sha256: Digest,
    /// SHA-256 of its first line: the manifest's identity.
    pub line_sha256: Digest,
    /// Who signed it.
    pub key: Key,
    /// The stored body, if the batch has entries; its digest is `manifest.stored.sha256`.
    pub body: Option<Bytes>,
}

/// Why a batch is not believed.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// There is no such batch.
    #[error("there is no such batch in the spool")]
    Absent,
    /// Its bytes were read and do not fit: it will not get better.
    #[error("{0}")]
    Rot(String),
    /// The system did not show what is there: nothing is known of it.
    #[error("cannot read it now: {0}")]
    Unreadable(#[from] io::Error),
}

impl Batch {
    /// Where it stands in the archive.
    #[must_use]
    pub fn slot(&self) -> Slot {
        self.manifest.slot()
    }

    /// Reads the batch at `place` in its epoch's folder, makes it durable and checks it.
    pub(super) fn read(epoch_folder: &Folder, id: &BatchId) -> Result<Self, BatchError> {
        let name = seq_name(id.seq);
        let folder = epoch_folder.enter(&name).map_err(absent)?;
        match Self::read_in(&folder, id) {
            // The agent moves a whole batch away before it takes it apart.
            Err(BatchError::Rot(_)) if !epoch_folder.has(&name)? => Err(BatchError::Absent),
            read => read,
        }
    }

    fn read_in(folder: &Folder, id: &BatchId) -> Result<Self, BatchError> {
        let manifest = folder
            .read_synced(MANIFEST, MANIFEST_FILE_MAX as u64)
            .map_err(|error| judge(error, "manifest"))?;
        let statement = Statement::check(&manifest, id)?;
        let body = match &statement.manifest.stored {
            None => None,
            Some(stored) if stored.size > BODY_MAX => {
                return Err(BatchError::Rot(format!(
                    "body: {} bytes, over {BODY_MAX}",
                    stored.size
                )));
            }
            Some(stored) => {
                let body = folder.read_synced(BODY, stored.size);
                Some(body.map_err(|error| judge(error, "body"))?)
            }
        };
        match folder.sync_file(CURSORS) {
            // They are the agent's own: without them there is nothing here to be lost.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            synced => synced.map_err(|error| judge(error, "cursors"))?,
        }
        folder.sync()?;
        if let Some(body) = &body {
            check_body(&statement.manifest, body)?;
        }
        Ok(Self {
            manifest: statement.manifest,
            file_sha256: Digest::of(&manifest),
            file: manifest.into(),
            line_sha256: statement.line_sha256,
            key: statement.key,
            body: body.map(Bytes::from),
        })
    }

    /// Reads only what the batch at `place` states.
    pub(super) fn read_statement(
        epoch_folder: &Folder,
        id: &BatchId,
    ) -> Result<Manifest, BatchError> {
        let folder = epoch_folder.enter(seq_name(id.seq)).map_err(absent)?;
        let manifest = folder.read(MANIFEST, MANIFEST_FILE_MAX as u64);
        let manifest = manifest.map_err(|error| judge(error, "manifest"))?;
        Ok(Statement::check(&manifest, id)?.manifest)
    }
}

/// A manifest whose signature is valid in itself. Whose it should be is not known here.
struct Statement {
    manifest: Manifest,
    line_sha256: Digest,
    key: Key,
}

impl Statement {
    fn check(file: &[u8], id: &BatchId) -> Result<Self, BatchError> {
        // A parser quotes what it met.
        let fault = |error: &dyn std::fmt::Display| {
            BatchError::Rot(format!("manifest: {}", quoted(&error.to_string())))
        };
        let (line, block) = signature::split(file).map_err(|error| fault(&error))?;
        let signature = Signature::parse(block).map_err(|error| fault(&error))?;
        signature.verify(line).map_err(|error| fault(&error))?;
        let manifest = Manifest::parse(line).map_err(|error| fault(&error))?;
        let slot = manifest.slot();
        if BatchId::from(&slot) != *id {
            return Err(fault(&format_args!("it states {slot}, another place")));
        }
        Ok(Self {
            manifest,
            line_sha256: Digest::of(line),
            key: signature.key(),
        })
    }
}

fn check_body(manifest: &Manifest, body: &[u8]) -> Result<(), BatchError> {
    let stored = manifest.stored.as_ref();
    let expected = stored.map(|stored| (stored.size, stored.sha256));
    let found = (body.len() as u64, Digest::of(body));
    if expected != Some(found) {
        let (size, sha256) = found;
        return Err(BatchError::Rot(format!(
            "body: {size} bytes with SHA-256 {sha256}, not what its manifest states"
        )));
    }
    let blocks = manifest.blocks.as_deref().unwrap_or_default();
    match blocks.iter().position(|block| !fits(block, body)) {
        None => Ok(()),
        Some(number) => Err(BatchError::Rot(format!(
            "body: block {number} is not what its manifest states"
        ))),
    }
}

fn fits(block: &Block, body: &[u8]) -> bool {
    let from = usize::try_from(block.offset).unwrap_or(usize::MAX);
    let size = usize::try_from(block.size).unwrap_or(usize::MAX);
    let bytes = from.checked_add(size).and_then(|to| body.get(from..to));
    bytes.is_some_and(|bytes| Digest::of(bytes) == block.sha256)
}

fn absent(error: io::Error) -> BatchError {
    match error.kind() {
        io::ErrorKind::NotFound => BatchError::Absent,
        _ => judge(error, "its folder"),
    }
}

/// Tells what is proven wrong (missing from a sealed batch, no regular file, longer than its manifest says) from what
/// the system did not show: EIO, no descriptor, no memory, a full disk, a server that does not answer may all pass.
fn judge(error: io::Error, what: &str) -> BatchError {
    use io::ErrorKind::{FileTooLarge, InvalidData, IsADirectory, NotADirectory, NotFound};
    let proven = [
        NotFound,
        InvalidData,
        FileTooLarge,
        NotADirectory,
        IsADirectory,
    ];
    // A symlink, a socket.
    let odd = [rustix::io::Errno::LOOP, rustix::io::Errno::NXIO];
    let is_odd = odd
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()));
    if is_odd || proven.contains(&error.kind()) {
        return BatchError::Rot(format!("{what}: {error}"));
    }
    BatchError::Unreadable(io::Error::new(error.kind(), format!("{what}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn only_what_is_proven_wrong_is_rot() {
        let of = |errno: Errno| judge(errno.into(), "body");
        for errno in [
            Errno::IO,
            Errno::NOSPC,
            Errno::TIMEDOUT,
            Errno::MFILE,
            Errno::NFILE,
            Errno::NOMEM,
            Errno::ACCESS,
            Errno::STALE,
            Errno::INTR,
            Errno::ROFS,
            Errno::DQUOT,
        ] {
            assert!(matches!(of(errno), BatchError::Unreadable(_)), "{errno}");
        }
        for errno in [
            Errno::NOENT,
            Errno::NOTDIR,
            Errno::ISDIR,
            Errno::LOOP,
            Errno::NXIO,
        ] {
            assert!(matches!(of(errno), BatchError::Rot(_)), "{errno}");
        }
    }
}
