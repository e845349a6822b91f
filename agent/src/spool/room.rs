//! A spool that is taken by this process: who holds it, how much is in it, how much more there may be.

use super::paths::{Layout, SpoolError, entries};
use crate::bounds::{FREE_MIN, STREAM_RESERVE};
use host::lock::{Lock, LockError};
use ledger::name::Name;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// What a file takes is counted in pages, so that many small batches count for what they cost.
const PAGE: u64 = 4096;

/// The file by which [`Spool::try_write`] tries.
const PROBE: &str = "probe";

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

impl Spool {
    /// Takes the spool for this process and counts what is in it.
    pub(crate) fn open(root: &Path, cap: u64, streams: usize) -> Result<Self, SpoolError> {
        let layout = Layout::new(root);
        let id = layout.id()?;
        let lock = Lock::take(&root.join(ledger::spool::LOCK)).map_err(|error| match error {
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
    #[must_use]
    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }
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

    /// Bytes that a stream may still add, given what open batches already take (of all
    /// streams, and of this one) and what is free on the file system.
    #[must_use]
    pub(crate) fn room(&self, stream: &Name, open: u64, open_here: u64, free: u64) -> u64 {
        let reserve = self.streams * STREAM_RESERVE;
        let of_cap = self
            .cap
            .saturating_sub(reserve)
            .saturating_sub(self.used() + open);
        // One busy stream must not silence the others.
        let share = if self.streams > 1 {
            self.cap / 2
        } else {
            self.cap
        };
        let here = self.used.get(stream).copied().unwrap_or_default() + open_here;
        of_cap
            .min(share.saturating_sub(here))
            .min(free.saturating_sub(FREE_MIN))
    }

    /// Bytes free on its file system; `None` if that cannot be told: then a write says why.
    #[must_use]
    pub(crate) fn free(&self) -> Option<u64> {
        host::disk::free_bytes(self.layout.root()).ok()
    }

    /// Whether it can be written now: a file is made in `tmp/`, and removed. That there is room for it shows that
    /// there is room for it alone.
    ///
    /// # Errors
    /// What the system says: it is read-only, not ours, gone.
    pub(crate) fn try_write(&self) -> io::Result<()> {
        let probe = self.layout.tmp().join(PROBE);
        match host::disk::create_new(&probe, host::disk::FILE_MODE) {
            // A crash, or a removal that failed, leaves an empty file: the next try, or the next start, removes it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => drop(made?),
        }
        std::fs::remove_file(&probe)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{World, stream};

    #[test]
    fn a_spool_that_cannot_be_written_says_so() {
        let world = World::new();
        let spool = world.spool();
        spool.try_write().unwrap();
        // What a crash between the two left.
        std::fs::write(world.layout().tmp().join(PROBE), "").unwrap();
        spool.try_write().unwrap();
        assert_eq!(std::fs::read_dir(world.layout().tmp()).unwrap().count(), 0);
        std::fs::remove_dir(world.layout().tmp()).unwrap();
        spool.try_write().unwrap_err();
    }

    #[test]
    fn room_is_the_least_of_cap_share_and_disk() {
        const MIB: u64 = 1 << 20;
        const AMPLE: u64 = 1 << 40;
        let world = World::new();
        // Cap, streams, used here, open (all, here), free: room.
        for (cap, streams, used, open, here, free, room) in [
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
            let got = spool.room(&stream(), open * MIB, here * MIB, free);
            assert_eq!(got, room, "{cap} {streams} {used} {open} {here} {free}");
        }
    }
}
