//! Tracking: which source a file is, how far each source is read and sealed, and what to say of it.
//! It finds, opens and reads files; it writes none, reads no clock and draws no random number.
//!
//! A *source* is a log for as long as its bytes are one sequence: from 0, and only ever appended to.
//! It may move (rename), continue in its copy (copytruncate) and outlive its name (deletion while
//! open). [`decide`] concludes from what was seen; what stands before it here gathers that, and what
//! stands after it carries it out.

// What a file is, and what is remembered of it.
pub(crate) mod checkpoint;
pub(crate) mod fingerprint;
pub(crate) mod finished;
mod form;
pub(crate) mod identity;
pub(crate) mod sketch;

// What a scan sees.
pub(crate) mod scan;
mod tracked_file;

// What follows from it.
mod decide;

// One source: read, and stated in a manifest.
mod unpackers;

mod positions;
mod read_on;
pub(crate) mod statement;
mod tracked_source;
mod unsealed;

// All of them.
mod descriptors;
mod first_bytes;
mod source_table;

// What a scan does with them, step by step.
mod sightings;

mod changes;

mod arrivals;
mod known_files;
mod rewrites;

mod candidate;
mod candidates;
mod originals;
mod pass;

mod absence;

#[cfg(test)]
mod tracking_tests;

pub(crate) use self::descriptors::Budget;
pub(crate) use self::read_on::Mode;
pub(crate) use self::tracked_source::SourceKey;

use self::candidates::{Candidates, WaitingFile};
use self::checkpoint::Memory;
use self::read_on::ReadFault;
use self::scan::{Scan, ScanReport};
use self::source_table::SourceTable;
use self::statement::StreamStatement;
use self::tracked_source::TrackedSource;
use crate::find::{Finder, FoundFiles, MatchedPath, OwnFiles, Watch};
use crate::now::{Now, millis};
use crate::read::buffer::ReadBuffer;
use crate::read::pieces::Piece;
use ledger::entry::PathBytes;
use ledger::manifest::Was;
use ledger::name::{Epoch, Name};
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What an entry says of its source.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SourceView<'a> {
    /// `log.file.id`, unique in the stream's epoch.
    pub(crate) id: u64,
    /// `log.file.path`: where the source was first seen; it never changes.
    pub(crate) path: &'a PathBytes,
}

/// How one source stands, for `status` and metrics.
#[derive(Debug, Clone)]
pub(crate) struct SourceStatus {
    /// `None` for a file that waits to be told apart.
    pub(crate) key: Option<SourceKey>,
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
    /// Since when, in milliseconds of the boot clock, nothing leads to its file, although nothing proves that it is gone.
    pub(crate) missing_ms: Option<u64>,
}

/// What a tracker is told at its start.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// In the config's order: a file belongs to the first stream that saw it.
    pub(crate) watches: Vec<Watch>,
    /// The same streams': what of their files is skipped.
    pub(crate) skips: Vec<SkipRule>,
    /// What is never read.
    pub(crate) own: OwnFiles,
    /// This boot's: device and inode numbers count only within it.
    pub(crate) boot_id: Epoch,
    pub(crate) budget: Budget,
    /// A line without an end is taken after so long, or after [`OPEN_LINES_KEPT`] if that is longer.
    pub(crate) open_after: Duration,
}

/// What is skipped of a stream's files that turn out to be logs of their own.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SkipRule {
    /// All that files hold in the first scan. Only of a stream that was never sealed: later, what is there was
    /// promised.
    pub(crate) first_scan: bool,
    /// All that a file holds which was last changed so long ago.
    pub(crate) older: Option<Duration>,
}

impl SkipRule {
    /// Whether what a file holds is skipped that was met in this scan of the run and last changed at that second.
    fn skips(self, met_scan: u64, modified_s: i64, now: Now) -> bool {
        let now_s = i64::try_from(now.wall.seconds()).unwrap_or(i64::MAX);
        let age_s = u64::try_from(now_s.saturating_sub(modified_s)).unwrap_or(0);
        let old = self.older.is_some_and(|older| age_s >= older.as_secs());
        old || (self.first_scan && met_scan == 1)
    }
}

/// The least that a line waits for its end.
pub(crate) const OPEN_LINES_KEPT: Duration = Duration::from_secs(30);

/// Everything the agent knows about files. Single-threaded; nothing here waits.
#[derive(Debug)]
pub(crate) struct Tracker {
    finder: Finder,
    boot_id: Epoch,
    table: SourceTable,
    candidates: Candidates,
    /// Number of the last scan.
    scan: u64,
    folders: Vec<PathBuf>,
}

impl Tracker {
    /// Nothing known yet.
    #[must_use]
    pub(crate) fn new(setup: Setup) -> Self {
        let Setup {
            watches,
            skips,
            own,
            boot_id,
            budget,
            open_after,
        } = setup;
        let open_after_ms = millis(open_after.max(OPEN_LINES_KEPT));
        let streams = watches.iter().map(|watch| watch.stream().clone());
        Self {
            table: SourceTable::new(streams, budget, open_after_ms),
            finder: Finder::new(watches, own),
            boot_id,
            candidates: Candidates::new(skips),
            scan: 0,
            folders: Vec::new(),
        }
    }

    /// Takes over what recovery found, before the first scan.
    /// A checkpoint of a stream that the config no longer names waits for the first stream that
    /// matches its file, and continues there with `was`.
    pub(crate) fn restore(&mut self, memory: Memory) {
        self.table.restore(memory);
    }

    /// Says which epoch a stream seals into; until then none of its sources can be read. Source ids
    /// below `next_source_id` are taken. Sources last sealed in another epoch get a new id, and
    /// `was`, when they are next stated. Call it before anything of the stream is taken, or right
    /// after `sealed` or `discarded`.
    pub(crate) fn begin_epoch(&mut self, stream: &Name, epoch: Epoch, next_source_id: u64) {
        self.table.begin_epoch(stream, epoch, next_source_id);
    }

    /// The same for an epoch in which what the stream sealed into others is sealed again: `renamed` gives a source's id
    /// there by its name so far, if it has one.
    pub(crate) fn continue_in_epoch(
        &mut self,
        stream: &Name,
        epoch: Epoch,
        next_source_id: u64,
        renamed: impl Fn(&Was) -> Option<u64>,
    ) {
        self.table.rename(stream, epoch, renamed);
        self.table.begin_epoch(stream, epoch, next_source_id);
    }

    /// The file of the source that has this name in the archive, opened if it is not.
    pub(crate) fn file_of(&mut self, name: &Was) -> Option<Arc<File>> {
        let boot_id = self.boot_id;
        let mut sources = self.table.values_mut();
        let source = sources.find(|source| source.stated() == Some(name))?;
        source.file_mut().open(boot_id).ok()
    }

    /// What was known of the stream's sources is lost: files that are there and not known may have been archived.
    /// Until all of them are told apart, each that begins says `ambiguous`.
    pub(crate) fn doubt(&mut self, stream: &Name) {
        self.table.doubt(stream);
    }

    /// From now on nothing waits for time to pass: the next scans judge copies not finished as they
    /// are. For an agent that will not be there later (`drain`), and that scans until nothing is
    /// [undecided](ScanReport::undecided).
    pub(crate) fn wait_no_longer(&mut self) {
        self.candidates.wait_no_longer();
    }

    /// Looks for files, opens new ones, and tells growth from rotation, truncation and deletion.
    pub(crate) fn scan(&mut self, now: Now) -> ScanReport {
        let (mut found, scan) = self.list(now);
        let matches = std::mem::take(&mut found.matches);
        self.judge(matches.into_iter(), found.unmatched, scan)
    }

    /// The first part of a scan: all names. What they stand for is looked at after that, and may
    /// have changed by then.
    fn list(&mut self, now: Now) -> (FoundFiles, Scan) {
        self.scan += 1;
        for source in self.table.values_mut() {
            source.scan_begins();
        }
        let mut found = self.finder.find(now.wall);
        self.folders = found.folders.iter().cloned().collect();
        let scan = Scan::new(self.scan, self.boot_id, now, &mut found);
        (found, scan)
    }

    /// The rest of it: known files by name and descriptor, then new ones, then sources without a file.
    fn judge(
        &mut self,
        matches: impl ExactSizeIterator<Item = (MatchedPath, usize)>,
        unmatched: Vec<String>,
        mut scan: Scan,
    ) -> ScanReport {
        let files = matches.len();
        let (table, candidates) = (&mut self.table, &mut self.candidates);
        let arrivals = sightings::by_name(matches, self.finder.own(), table, candidates, &mut scan);
        sightings::through_descriptors(table, &mut scan);
        arrivals::meet(arrivals, table, candidates, &mut scan);
        candidates.judge(table, &mut scan);
        let awaited = absence::judge(table, candidates, self.finder.watches(), &mut scan);
        table.look_how_crowded();
        let faults = self.table.values().filter_map(|source| {
            let what = source.fault()?;
            Some((source.path().clone(), what.clone()))
        });
        let unopened = scan.unopened();
        let (faults, notes) = scan.into_faults_and_notes(faults);
        let undecided = awaited + unopened + self.candidates.undecided();
        if undecided == 0 {
            self.table.doubt_no_more();
        }
        ScanReport {
            faults,
            notes,
            unmatched,
            files,
            undecided,
            unopened,
            released: self.table.take_released(),
            passing: self.candidates.passing(),
        }
    }

    /// Folders in which the last scan looked: what to ask the kernel to wake for.
    #[must_use]
    pub(crate) fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// Sources of a stream that may have something to take, in fair order: the one read longest ago
    /// first. Empty while [`Tracker::is_full`]. A source that gave nothing is not named again
    /// before the next scan.
    #[must_use]
    pub(crate) fn unread(&self, stream: &Name) -> Vec<SourceKey> {
        self.table.unread(stream)
    }

    /// Reads on from the source's read position, after the file is proven to still hold the bytes
    /// before it. Fills `buffer` with whole lines; a part of a line only where it is over 1 MiB, or
    /// nothing more can come, or `mode` says so. No pieces: nothing to take now. Each source is
    /// given its turn by being peeked at.
    ///
    /// # Errors
    /// The file cannot be read; the source keeps its place.
    pub(crate) fn peek(
        &mut self,
        key: SourceKey,
        buffer: &mut ReadBuffer,
        mode: Mode,
        now: Now,
    ) -> Result<(), ReadFault> {
        self.table.read_on(key, buffer, mode, now, self.boot_id)
    }

    /// Moves the read position past `pieces`: a run of `buffer.pieces()` that begins where the last
    /// take ended. They are now part of the next statement. Cheapest with long runs.
    pub(crate) fn take(&mut self, key: SourceKey, buffer: &ReadBuffer, pieces: &[Piece]) {
        self.table.take(key, buffer, pieces);
    }

    /// What the entries of the last peek's pieces say of their source; `None` only for a key that
    /// no peek has yielded pieces for in this epoch.
    #[must_use]
    pub(crate) fn source(&self, key: SourceKey) -> Option<SourceView<'_>> {
        let source = self.table.get(key)?;
        Some(SourceView {
            id: source.id()?,
            path: source.path(),
        })
    }

    /// Whether events wait to be sealed, with or without entries.
    #[must_use]
    pub(crate) fn has_events(&self, stream: &Name) -> bool {
        self.table.has_events(stream)
    }

    /// Whether the stream must seal now so that descriptors can be closed.
    #[must_use]
    pub(crate) fn is_pressed(&self, stream: &Name) -> bool {
        self.table.is_pressed(stream)
    }

    /// The kernel gives no more descriptors: some of those that logs have are closed. Whether any could be.
    pub(crate) fn relieve(&mut self) -> bool {
        self.table.relieve()
    }

    /// Whether the next manifest has no room for a further source: seal now.
    #[must_use]
    pub(crate) fn is_full(&self, stream: &Name) -> bool {
        self.table.is_full(stream)
    }

    /// What the stream's next manifest must say. The answer stays the same until something is
    /// taken, scanned, sealed or discarded.
    #[must_use]
    pub(crate) fn statement(&mut self, stream: &Name) -> StreamStatement {
        self.table.statement(stream)
    }

    /// The last statement is durable: read positions become sealed ones, sources that ended are
    /// forgotten. Nothing may be taken or scanned between [`Tracker::statement`] and this.
    pub(crate) fn sealed(&mut self, stream: &Name) {
        self.table.sealed(stream);
    }

    /// The batch was thrown away: read positions return to the sealed ones. Bytes that no file holds
    /// any more become a gap.
    pub(crate) fn discarded(&mut self, stream: &Name) {
        self.table.discarded(stream);
    }

    /// What is to be remembered of all sources as sealed, for the snapshot.
    #[must_use]
    pub(crate) fn memory(&self) -> Memory {
        self.table.memory()
    }

    /// How each source stands, and each file that waits to be told apart.
    #[must_use]
    pub(crate) fn status(&self) -> Vec<SourceStatus> {
        let name = |index: usize| self.table.stream_name(index).cloned();
        let known = |(key, source): (SourceKey, &TrackedSource)| SourceStatus {
            key: Some(key),
            stream: source.stream().and_then(name),
            path: source.path().clone(),
            sealed: source.sealed_offset(),
            read: source.offset(),
            size: source.told_len(),
            fault: source.fault().cloned(),
            missing_ms: source.missing_ms(),
        };
        let waiting = |new: WaitingFile<'_>| SourceStatus {
            key: None,
            stream: name(new.watch),
            path: new.path.clone(),
            sealed: 0,
            read: 0,
            size: new.size,
            fault: None,
            missing_ms: None,
        };
        let identified = |(_, source): &(SourceKey, &TrackedSource)| !source.is_unidentified();
        let sources = self.table.iter().filter(identified).map(known);
        sources
            .chain(self.candidates.waiting().map(waiting))
            .collect()
    }
}
