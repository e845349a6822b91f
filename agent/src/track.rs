//! What the agent knows about files: which life of which log it has read, how far, and what to say
//! of it. It finds, opens and reads files; it writes none, reads no clock and draws no random number.
//!
//! A *source* is one life of a log: bytes from 0 that are only ever appended to. It may move
//! (rename), be read on through its copy (copytruncate) and outlive its name (deletion while open).
//! Reading moves a source's *read* position; only [`Sources::sealed`] moves the *sealed* one, so a
//! batch that is thrown away costs nothing but a second read.

mod absence;
mod arrivals;
mod candidates;
pub(crate) mod checkpoint;
pub(crate) mod decide;
mod descriptors;
pub(crate) mod fingerprint;
mod first_bytes;
pub(crate) mod identity;
mod lives;
mod originals;
mod read;
mod scan;
mod statement;
#[cfg(test)]
mod tests;
mod tracked_file;
mod tracked_source;

pub(crate) use self::read::{Mode, ReadBuffer};
pub(crate) use self::statement::Statement;
pub(crate) use crate::read::pieces::Piece;

use self::candidates::Newcomer;
use self::tracked_source::{Reach, Source};
use crate::find::{Finder, Watch};
use crate::track::checkpoint::Checkpoint;
use ledger::Moment;
use ledger::entry::PathBytes;
use ledger::limits::MANIFEST_TARGET;
use ledger::manifest::Was;
use ledger::name::{Epoch, Name};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Manifest bytes that sources and events may take; the other half is for blocks and all else. One
/// source may exceed it, by its path.
const STATED_BYTES_MAX: usize = MANIFEST_TARGET / 2;

/// The time, as an argument: nothing below reads a clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    /// Wall clock.
    pub(crate) wall: Moment,
    /// `CLOCK_BOOTTIME` in milliseconds: all waiting is measured by it.
    pub(crate) boot_ms: u64,
}

/// A source within this process. Never stored; [`SourceView::id`] is what manifests know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SourceKey(u64);

/// What an entry says of its source.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SourceView<'a> {
    /// `log.file.id`, unique in the stream's epoch.
    pub(crate) id: u64,
    /// `log.file.path`: where the source was first seen, for life.
    pub(crate) path: &'a PathBytes,
}

/// How one source stands, for `status` and metrics.
#[derive(Debug, Clone)]
pub(crate) struct SourceStatus {
    /// The stream it belongs to; `None` while the config names none for it.
    pub(crate) stream: Option<Name>,
    /// Where it was first seen.
    pub(crate) path: PathBytes,
    /// Sealed up to here.
    pub(crate) sealed: u64,
    /// Read up to here.
    pub(crate) read: u64,
    /// The file's size at the last look.
    pub(crate) size: u64,
    /// Why it cannot be read now.
    pub(crate) fault: Option<String>,
}

/// A stream's part: the epoch it seals into and what its next manifest must speak of.
#[derive(Debug)]
struct Chapter {
    epoch: Option<Epoch>,
    next_id: u64,
    touched: BTreeSet<SourceKey>,
}

/// Everything the agent knows about files. Single-threaded; nothing here waits.
#[derive(Debug)]
pub(crate) struct Sources {
    finder: Finder,
    boot_id: Epoch,
    /// One for each watch.
    chapters: Vec<Chapter>,
    sources: BTreeMap<SourceKey, Source>,
    newcomers: Vec<Newcomer>,
    next_key: u64,
    /// Number of the last scan.
    scan: u64,
    /// Number of the last read, for fairness.
    turn: u64,
    folders: Vec<PathBuf>,
    /// Descriptors opened since they were last counted.
    opened: usize,
    /// Nothing waits for time to pass.
    hurried: bool,
}

impl Sources {
    /// Nothing known yet. `watches` stand in the config's order: a file belongs to the first stream
    /// that saw it. `boot_id` is this boot's: device and inode numbers count only within it.
    #[must_use]
    pub(crate) fn new(watches: Vec<Watch>, boot_id: Epoch) -> Self {
        let chapter = |_: &Watch| Chapter {
            epoch: None,
            next_id: 0,
            touched: BTreeSet::new(),
        };
        Self {
            chapters: watches.iter().map(chapter).collect(),
            finder: Finder::new(watches),
            boot_id,
            sources: BTreeMap::new(),
            newcomers: Vec::new(),
            next_key: 0,
            scan: 0,
            turn: 0,
            folders: Vec::new(),
            opened: 0,
            hurried: false,
        }
    }

    /// Takes over what recovery found ([`crate::track::checkpoint::settle`]), before the first scan.
    /// A checkpoint of a stream that the config no longer names waits for the first stream that
    /// matches its file, and goes on there with `was`.
    pub(crate) fn restore(&mut self, checkpoints: Vec<Checkpoint>) {
        for checkpoint in checkpoints {
            let stream = self.index_of(&checkpoint.source().stream);
            self.add(Source::restore(checkpoint, stream));
        }
    }

    /// Says which epoch a stream seals into; until then none of its sources can be read. Source ids
    /// below `next_source_id` are taken. Sources last sealed in another epoch get a new id, and
    /// `was`, when they are next stated. Call it before anything of the stream is taken, or right
    /// after `sealed` or `discarded`.
    pub(crate) fn begin_epoch(&mut self, stream: &Name, epoch: Epoch, next_source_id: u64) {
        let Some(index) = self.index_of(stream) else {
            return;
        };
        self.chapters[index].epoch = Some(epoch);
        self.chapters[index].next_id = next_source_id;
        let own = |source: &&mut Source| source.stream == Some(index);
        for source in self.sources.values_mut().filter(own) {
            let stated = source.stated.as_ref();
            let here = stated.filter(|was| was.epoch == epoch && was.stream == *stream);
            source.id = here.map(|was| was.id);
        }
    }

    /// Folders in which the last scan looked: what to ask the kernel to wake for.
    #[must_use]
    pub(crate) fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// Sources of a stream that may have something to take, in fair order: the one read longest ago
    /// first. Empty while [`Sources::is_full`]. A source that gave nothing is not named again
    /// before the next scan.
    #[must_use]
    pub(crate) fn unread(&self, stream: &Name) -> Vec<SourceKey> {
        let Some(index) = self.index_of(stream) else {
            return Vec::new();
        };
        if self.chapters[index].epoch.is_none() || self.is_full(stream) {
            return Vec::new();
        }
        let mut keys: Vec<_> = self
            .sources
            .iter()
            .filter(|(_, source)| source.stream == Some(index) && source.has_unread())
            .filter(|(_, source)| !source.suspect && !source.stalled)
            .map(|(key, source)| (source.turn, *key))
            .collect();
        keys.sort_unstable();
        keys.into_iter().map(|(_, key)| key).collect()
    }

    /// What the entries of the last peek's pieces say of their source; `None` only for a key that
    /// no peek has yielded pieces for in this epoch.
    #[must_use]
    pub(crate) fn source(&self, key: SourceKey) -> Option<SourceView<'_>> {
        let source = self.sources.get(&key)?;
        Some(SourceView {
            id: source.id?,
            path: &source.path,
        })
    }

    /// Where every source stands as sealed, for the snapshot.
    #[must_use]
    pub(crate) fn all_checkpoints(&self) -> Vec<Checkpoint> {
        let live = |source: &&Source| !matches!(source.reach, Reach::Over { gap: None });
        let checkpoint = |source: &Source| {
            let name = source.stated.clone()?;
            Some(source.checkpoint(name, &source.sealed, None))
        };
        let all = self.sources.values().filter(live);
        all.filter_map(checkpoint).collect()
    }

    /// From now on nothing waits for time to pass: the next scans judge copies in the making as they
    /// are. For an agent that will not be there later (`drain`), and that scans until nothing is
    /// [undecided](ScanReport::undecided).
    pub(crate) fn wait_no_longer(&mut self) {
        self.hurried = true;
    }

    /// How each source stands, and each file that waits to be told apart.
    #[must_use]
    pub(crate) fn health(&self) -> Vec<SourceStatus> {
        let name = |index: usize| self.finder.watches()[index].stream().clone();
        let status = |source: &Source| SourceStatus {
            stream: source.stream.map(name),
            path: source.path.clone(),
            sealed: source.sealed.offset(),
            read: source.read.offset(),
            size: source.held.size,
            fault: source.fault.clone(),
        };
        let waiting = |new: &Newcomer| SourceStatus {
            stream: Some(name(new.watch)),
            path: new.path.clone(),
            sealed: 0,
            read: 0,
            size: new.held.size,
            fault: None,
        };
        let known = self.sources.values().map(status);
        known.chain(self.newcomers.iter().map(waiting)).collect()
    }

    fn index_of(&self, stream: &Name) -> Option<usize> {
        self.finder
            .watches()
            .iter()
            .position(|watch| watch.stream() == stream)
    }

    fn add(&mut self, source: Source) -> SourceKey {
        let key = SourceKey(self.next_key);
        self.next_key += 1;
        self.sources.insert(key, source);
        key
    }

    /// The stream's next manifest must speak of the source.
    fn touch(&mut self, key: SourceKey) {
        let Some(index) = self.sources.get(&key).and_then(|source| source.stream) else {
            return;
        };
        self.chapters[index].touched.insert(key);
    }

    /// Gives the source an id in its stream's epoch.
    fn name(&mut self, key: SourceKey) -> Option<Was> {
        let source = self.sources.get_mut(&key)?;
        let index = source.stream?;
        let chapter = &mut self.chapters[index];
        let epoch = chapter.epoch?;
        let id = *source.id.get_or_insert_with(|| {
            chapter.next_id += 1;
            chapter.next_id - 1
        });
        Some(Was {
            stream: self.finder.watches()[index].stream().clone(),
            epoch,
            id,
        })
    }
}
