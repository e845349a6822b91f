//! The agent's half of the spool: where things stand, who may read them, how much there may be.
//!
//! ```text
//! spool/id                                    random, made by `init`, copied into snapshots
//! spool/lock                                  held by the agent that runs here
//! spool/tmp/<random>/                         batches in the making, and in the unmaking
//! spool/sealed/<stream>/<epoch>/<seq:020>/    body (with entries), manifest, cursors
//! spool/receipts/                             the archiver's half: only read here
//! ```

pub(crate) mod receipts;

use crate::bounds::{FREE_MIN, NOTE_MAX, STREAM_RESERVE};
use host::lock::{Lock, LockError};
use ledger::name::{Epoch, Name, Slot, parse_seq};
use std::collections::BTreeMap;
use std::fs::DirEntry;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Mode of the folders that the archiver's group reads; setgid hands the group down.
pub(crate) const FOLDER_MODE: u32 = 0o2750;

/// Mode of the folder that the archiver's group writes.
pub(crate) const RECEIPTS_MODE: u32 = 0o2770;

/// What a file takes is counted in pages, so that many small batches count for what they cost.
const PAGE: u64 = 4096;

/// A spool that this process alone writes to.
#[derive(Debug)]
pub(crate) struct Spool {
    layout: Layout,
    id: String,
    cap: u64,
    streams: u64,
    used: BTreeMap<Name, u64>,
    #[expect(dead_code, reason = "held as long as the spool is open")]
    lock: Lock,
}

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
    /// Another agent runs here.
    #[error("{}: another holdfast-agent runs on this spool; stop it first", .0.display())]
    Locked(PathBuf),
    /// What the system said.
    #[error("{}: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What.
        source: io::Error,
    },
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
        self.root.join("tmp")
    }

    /// Where sealed batches stand.
    #[must_use]
    pub(crate) fn sealed(&self) -> PathBuf {
        self.root.join("sealed")
    }

    /// The archiver's half.
    #[must_use]
    pub(crate) fn receipts(&self) -> PathBuf {
        self.root.join("receipts")
    }

    /// One sealed batch.
    #[must_use]
    pub(crate) fn batch(&self, slot: &Slot) -> PathBuf {
        self.sealed().join(slot.spool_path())
    }

    /// What the archiver says of a batch: `extension` is `receipt`, `bad` or `conflict`.
    #[must_use]
    pub(crate) fn note(&self, slot: &Slot, extension: &str) -> PathBuf {
        self.receipts()
            .join(format!("{}.{extension}", slot.spool_path()))
    }

    /// The spool's id.
    ///
    /// # Errors
    /// It was not made, or cannot be read.
    pub(crate) fn id(&self) -> Result<String, SpoolError> {
        let path = self.root.join("id");
        match host::disk::read_bounded(&path, NOTE_MAX) {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).trim().to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(SpoolError::NotMade(self.root.clone()))
            }
            Err(source) => Err(SpoolError::Io { path, source }),
        }
    }

    /// Streams that have sealed batches.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn streams(&self) -> io::Result<Vec<Name>> {
        folders(&self.sealed())
    }

    /// Epochs of a stream that have sealed batches.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn epochs(&self, stream: &Name) -> io::Result<Vec<Epoch>> {
        folders(&self.sealed().join(stream.as_str()))
    }

    /// Sealed batches of an epoch, ascending.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn seqs(&self, stream: &Name, epoch: Epoch) -> io::Result<Vec<u64>> {
        let path = self.sealed().join(stream.as_str()).join(epoch.to_string());
        let mut seqs: Vec<u64> = folders::<Seq>(&path)?
            .into_iter()
            .map(|seq| seq.0)
            .collect();
        seqs.sort_unstable();
        Ok(seqs)
    }

    /// The newest batch of each epoch that the archiver has left a receipt for.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn receipted(&self, stream: &Name) -> io::Result<Vec<(Epoch, u64)>> {
        let top = self.receipts().join(stream.as_str());
        let mut newest = Vec::new();
        for epoch in folders::<Epoch>(&top)? {
            let names = entries(&top.join(epoch.to_string()))?.into_iter();
            let seqs = names.filter_map(|entry| {
                parse_seq(entry.file_name().to_str()?.strip_suffix(".receipt")?)
            });
            newest.extend(seqs.max().map(|seq| (epoch, seq)));
        }
        Ok(newest)
    }

    /// Removes what earlier runs left in the making. Call it only with the lock held.
    ///
    /// # Errors
    /// What the system says.
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

impl Spool {
    /// Takes the spool for this process and counts what is in it.
    ///
    /// # Errors
    /// [`SpoolError`]
    pub(crate) fn open(root: &Path, cap: u64, streams: usize) -> Result<Self, SpoolError> {
        let layout = Layout::new(root);
        let id = layout.id()?;
        let lock = Lock::take(&root.join("lock")).map_err(|error| match error {
            LockError::Held(path) => SpoolError::Locked(path),
            LockError::Io { path, source } => SpoolError::Io { path, source },
        })?;
        let mut spool = Self {
            layout,
            id,
            cap,
            streams: streams as u64,
            used: BTreeMap::new(),
            lock,
        };
        spool.measure().map_err(|source| SpoolError::Io {
            path: spool.layout.sealed(),
            source,
        })?;
        Ok(spool)
    }

    /// Its paths.
    #[must_use]
    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Its id.
    #[must_use]
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Its size bound.
    #[must_use]
    pub(crate) fn cap(&self) -> u64 {
        self.cap
    }

    /// Bytes in sealed batches.
    #[must_use]
    pub(crate) fn used(&self) -> u64 {
        self.used.values().sum()
    }

    /// Counts a batch in.
    pub(crate) fn add(&mut self, stream: &Name, bytes: u64) {
        *self.used.entry(stream.clone()).or_default() += bytes;
    }

    /// Counts a batch out.
    pub(crate) fn subtract(&mut self, stream: &Name, bytes: u64) {
        let used = self.used.entry(stream.clone()).or_default();
        *used = used.saturating_sub(bytes);
    }

    /// Bytes that a stream may still add, given what batches in the making already take (of all
    /// streams, and of this one) and what is free on the file system.
    #[must_use]
    pub(crate) fn room(&self, stream: &Name, making: u64, making_here: u64, free: u64) -> u64 {
        let reserve = self.streams * STREAM_RESERVE;
        let of_cap = self
            .cap
            .saturating_sub(reserve)
            .saturating_sub(self.used() + making);
        // One busy stream must not silence the others.
        let share = if self.streams > 1 {
            self.cap / 2
        } else {
            self.cap
        };
        let here = self.used.get(stream).copied().unwrap_or_default() + making_here;
        of_cap
            .min(share.saturating_sub(here))
            .min(free.saturating_sub(FREE_MIN))
    }

    /// Bytes free on its file system; none if that cannot be told.
    #[must_use]
    pub(crate) fn free(&self) -> u64 {
        host::disk::free_bytes(self.layout.root()).unwrap_or(0)
    }

    fn measure(&mut self) -> io::Result<()> {
        for stream in self.layout.streams()? {
            let mut bytes = 0;
            for epoch in self.layout.epochs(&stream)? {
                let parent = self.layout.sealed().join(format!("{stream}/{epoch}"));
                for seq in self.layout.seqs(&stream, epoch)? {
                    bytes += weigh(&parent.join(format!("{seq:020}")))?;
                }
            }
            self.used.insert(stream, bytes);
        }
        Ok(())
    }
}

/// What a batch's folder takes.
///
/// # Errors
/// What the system says.
pub(crate) fn weigh(batch: &Path) -> io::Result<u64> {
    entries(batch)?
        .iter()
        .try_fold(PAGE, |sum, entry| Ok(sum + pages(entry.metadata()?.len())))
}

/// What a file of so many bytes takes.
#[must_use]
pub(crate) fn pages(bytes: u64) -> u64 {
    bytes.div_ceil(PAGE) * PAGE
}

/// A folder's entries; none if it is not there.
fn entries(path: &Path) -> io::Result<Vec<DirEntry>> {
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
    use super::*;
    use crate::testing::{World, stream};

    #[test]
    fn room_is_the_least_of_cap_share_and_disk() {
        const MIB: u64 = 1 << 20;
        const AMPLE: u64 = 1 << 40;
        let world = World::new();
        // Cap, streams, used here, in the making (all, here), free: room.
        for (cap, streams, used, making, here, free, room) in [
            (64, 1, 0, 0, 0, AMPLE, 64 * MIB - STREAM_RESERVE),
            (64, 2, 0, 0, 0, AMPLE, 32 * MIB),
            (64, 2, 20, 0, 0, AMPLE, 12 * MIB),
            (64, 2, 20, 8, 8, AMPLE, 4 * MIB),
            (64, 2, 0, 60, 1, AMPLE, 4 * MIB - 2 * STREAM_RESERVE),
            (64, 1, 70, 0, 0, AMPLE, 0),
            (64, 1, 0, 0, 0, FREE_MIN, 0),
            (64, 1, 0, 0, 0, FREE_MIN + 5, 5),
            (64, 1, 0, 0, 0, 0, 0),
        ] {
            let mut spool = Spool::open(&world.root(), cap * MIB, streams).unwrap();
            spool.add(&stream(), used * MIB);
            let got = spool.room(&stream(), making * MIB, here * MIB, free);
            assert_eq!(got, room, "{cap} {streams} {used} {making} {here} {free}");
        }
    }

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
