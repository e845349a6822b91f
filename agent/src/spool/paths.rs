//! Where things stand in a spool, who may read them, and what is there. It judges nothing of it.

use super::marks::EpochMarks;
use crate::bounds::NOTE_MAX;
use ledger::name::{Epoch, Name, Slot, parse_seq};
#[cfg(test)]
use ledger::spool::Mark;
use ledger::spool::{self as names, BatchId, OtherVersion};
use std::fs::DirEntry;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Mode of the folders that the archiver's group reads; setgid hands the group down.
pub(crate) const FOLDER_MODE: u32 = 0o2750;

/// The paths of a spool.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

/// Why a spool cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// `init` has not made it.
    #[error("{}: not a spool yet; make it with: holdfast-agent init --config <file>", .0.display())]
    NotMade(PathBuf),
    /// Another version's.
    #[error("{}: {other}", path.display())]
    Other { path: PathBuf, other: OtherVersion },
    /// Another agent runs here.
    #[error("{}: another holdfast-agent runs on this spool; stop it first", .0.display())]
    Locked(PathBuf),
    /// What the system said.
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl Layout {
    /// The layout below `root`.
    #[must_use]
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.into() }
    }

    /// The spool itself.
    #[must_use]
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where batches are made.
    #[must_use]
    pub(crate) fn tmp(&self) -> PathBuf {
        self.root.join(names::TMP)
    }

    /// Where sealed batches stand.
    #[must_use]
    pub(crate) fn sealed(&self) -> PathBuf {
        self.root.join(names::SEALED)
    }

    /// The archiver's half.
    #[must_use]
    pub(crate) fn receipts(&self) -> PathBuf {
        self.root.join(names::RECEIPTS)
    }

    /// One sealed batch.
    #[must_use]
    pub(crate) fn batch(&self, slot: &Slot) -> PathBuf {
        self.sealed().join(BatchId::from(slot).to_string())
    }

    /// Where a mark of a batch stands.
    #[cfg(test)]
    pub(crate) fn mark(&self, slot: &Slot, mark: Mark) -> PathBuf {
        self.receipts().join(BatchId::from(slot).mark_path(mark))
    }

    /// The spool's id.
    ///
    /// # Errors
    /// It was not made, by this version, or cannot be read.
    pub(crate) fn id(&self) -> Result<String, SpoolError> {
        let path = self.root.join(names::ID);
        match host::disk::read_bounded(&path, NOTE_MAX) {
            Ok(bytes) => match names::parse_id_file(&String::from_utf8_lossy(&bytes)) {
                Ok(id) => Ok(id.to_owned()),
                Err(other) => Err(SpoolError::Other {
                    path: self.root.clone(),
                    other,
                }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(SpoolError::NotMade(self.root.clone()))
            }
            Err(source) => Err(SpoolError::Io { path, source }),
        }
    }

    /// When the spool was made, in milliseconds since 1970, as its `id` file says.
    pub(crate) fn made_ms(&self) -> io::Result<u64> {
        let made = self.root.join(names::ID).metadata()?.modified()?;
        let since = made
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Ok(u64::try_from(since.as_millis()).unwrap_or_default())
    }

    /// Streams that have sealed batches.
    pub(crate) fn streams(&self) -> io::Result<Vec<Name>> {
        folders(&self.sealed())
    }

    /// Epochs of a stream that have sealed batches.
    pub(crate) fn epochs(&self, stream: &Name) -> io::Result<Vec<Epoch>> {
        folders(&self.sealed().join(stream.as_str()))
    }

    /// Sealed batches of an epoch, ascending.
    pub(crate) fn seqs(&self, stream: &Name, epoch: Epoch) -> io::Result<Vec<u64>> {
        let path = self.sealed().join(stream.as_str()).join(epoch.to_string());
        let mut seqs: Vec<u64> = folders::<Seq>(&path)?
            .into_iter()
            .map(|seq| seq.0)
            .collect();
        seqs.sort_unstable();
        Ok(seqs)
    }

    /// What the archiver says of an epoch's batches.
    pub(crate) fn marks(&self, stream: &Name, epoch: Epoch) -> io::Result<EpochMarks> {
        EpochMarks::open(&self.root, stream, epoch)
    }

    /// Removes the open batches of earlier runs. Call it only with the lock held.
    pub(crate) fn clear_tmp(&self) -> io::Result<()> {
        for entry in entries(&self.tmp())? {
            if entry.file_type()?.is_dir() {
                std::fs::remove_dir_all(entry.path())?;
            } else {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

/// A sequence number as a folder's name.
struct Seq(u64);

impl FromStr for Seq {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        parse_seq(text).map(Self).ok_or(())
    }
}

/// A folder's entries; none if it is not there.
pub(super) fn entries(path: &Path) -> io::Result<Vec<DirEntry>> {
    match std::fs::read_dir(path) {
        Ok(entries) => entries.collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Folders (no symlinks) in `path` whose names are of a form; others are not ours.
fn folders<T: FromStr>(path: &Path) -> io::Result<Vec<T>> {
    let mut found = Vec::new();
    for entry in entries(path)? {
        if entry.file_type()?.is_dir() {
            found.extend(
                entry
                    .file_name()
                    .to_str()
                    .and_then(|name| name.parse().ok()),
            );
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use crate::testing::{World, stream};

    #[test]
    fn names_that_are_not_ours_are_passed_over() {
        let world = World::new();
        let sealed = world.layout().sealed();
        let not_ours = [
            "..x",
            "auth/not-an-epoch",
            "auth/01a205d2-0847-7fab-a8b5-f4b6e38621b4/1",
        ];
        for name in not_ours {
            std::fs::create_dir_all(sealed.join(name)).unwrap();
        }
        std::os::unix::fs::symlink("/", sealed.join("link")).unwrap();
        assert_eq!(world.layout().streams().unwrap(), [stream()]);
        let epochs = world.layout().epochs(&stream()).unwrap();
        assert_eq!(epochs.len(), 1);
        assert!(
            world
                .layout()
                .seqs(&stream(), epochs[0])
                .unwrap()
                .is_empty()
        );
        assert_eq!(world.spool().used(), 0);
    }
}
