//! A source: a log for as long as its bytes are one sequence. How far it is read and sealed, through
//! which file, and what may become of it. It decides nothing about other sources.

use super::checkpoint::{Checkpoint, LastLook};
use super::identity::FileId;
use super::positions::Positions;
use super::scan::Scan;
use super::tracked_file::TrackedFile;
use super::unsealed::Unsealed;
use crate::find::MatchedPath;
use crate::read::buffer::ReadBuffer;
use crate::read::pieces::Piece;
use crate::read::plain;
use crate::sys::Stat;
use ledger::entry::PathBytes;
use ledger::manifest::{Reason, Via, Was};
use ledger::name::{Epoch, Name};
use std::fs::File;
use std::io;
use std::sync::Arc;

/// A source within this process. Never stored; its id in an epoch is what manifests know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SourceKey(pub(super) u64);

/// How the source's file can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// By a name or a descriptor.
    InSight,
    /// Neither name nor descriptor lead to it.
    Missing {
        /// Since when; `None` until the end of the first scan that misses it.
        since_ms: Option<u64>,
    },
    /// Its file holds other bytes now; a copy may hold the rest.
    AwaitingCopy {
        /// The scan that saw it.
        since_scan: u64,
    },
    /// Nothing more can come.
    Ended {
        /// Bytes from the read position on are lost, up to nobody knows where.
        gap: Option<Reason>,
    },
}

/// One source.
#[derive(Debug)]
pub(super) struct TrackedSource {
    /// Index of its stream; `None` while the config names none for it.
    stream: Option<usize>,
    /// Where it was first seen; it never changes.
    path: PathBytes,
    via: Via,
    /// Its name in the archive, as last sealed.
    stated: Option<Was>,
    /// Its id in the stream's present epoch.
    id: Option<u64>,
    positions: Positions,
    file: TrackedFile,
    condition: Condition,
    /// The file is a copy that ends at or before the read position: known, never read.
    covered: bool,
    /// How long the source was known to be when it lost the file before; its copy may be shorter.
    extent: u64,
    /// It is in another file than its last sealed checkpoint says.
    refiled: bool,
    /// Its content no longer fits, as a read found: the next scan looks closer.
    suspect: bool,
    /// Nothing could be taken since the last scan.
    stalled: bool,
    /// It is known from an earlier run and not seen since; it was at its first path then.
    unwatched: bool,
    /// Why it cannot be read now.
    fault: Option<String>,
    /// When it was last read, for fairness; larger is later.
    turn: u64,
}

// Where it comes from and what is known of it.
impl TrackedSource {
    /// A source that begins with its file.
    pub(super) fn beginning(
        stream: usize,
        path: PathBytes,
        file: TrackedFile,
        ambiguous: bool,
    ) -> Self {
        let weak = file.id().handle.is_none();
        Self {
            stream: Some(stream),
            path,
            via: Via::Plain,
            stated: None,
            id: None,
            positions: Positions::beginning(Unsealed::beginning(ambiguous, weak)),
            file,
            condition: Condition::InSight,
            covered: false,
            extent: 0,
            refiled: false,
            suspect: false,
            stalled: false,
            unwatched: false,
            fault: None,
            turn: 0,
        }
    }

    /// A source as its checkpoint has it; its file is yet to be found.
    pub(super) fn restore(checkpoint: Checkpoint, stream: Option<usize>) -> Self {
        let content = checkpoint.fingerprint();
        let positions = Positions::restore(content, checkpoint.content.line_open);
        let seen = checkpoint.seen;
        let file = TrackedFile::unmet(checkpoint.file, seen.folder, seen.size);
        Self {
            stream,
            via: checkpoint.via,
            stated: Some(checkpoint.source),
            positions,
            condition: Condition::Missing { since_ms: None },
            covered: seen.covered,
            extent: seen.extent,
            unwatched: seen.live,
            ..Self::beginning(0, checkpoint.path, file, false)
        }
    }

    pub(super) fn stream(&self) -> Option<usize> {
        self.stream
    }

    /// The first stream that wants a source that has none gets it.
    pub(super) fn claim_for(&mut self, stream: usize) {
        self.stream = self.stream.or(Some(stream));
    }

    pub(super) fn path(&self) -> &PathBytes {
        &self.path
    }

    pub(super) fn via(&self) -> Via {
        self.via
    }

    /// Its name in the archive, as last sealed.
    pub(super) fn stated(&self) -> Option<&Was> {
        self.stated.as_ref()
    }

    pub(super) fn id(&self) -> Option<u64> {
        self.id
    }

    pub(super) fn file(&self) -> &TrackedFile {
        &self.file
    }

    pub(super) fn file_mut(&mut self) -> &mut TrackedFile {
        &mut self.file
    }

    pub(super) fn positions(&self) -> &Positions {
        &self.positions
    }

    /// Read up to here.
    pub(super) fn offset(&self) -> u64 {
        self.positions.read_offset()
    }

    pub(super) fn sealed_offset(&self) -> u64 {
        self.positions.sealed_offset()
    }

    pub(super) fn condition(&self) -> Condition {
        self.condition
    }

    pub(super) fn is_in_sight(&self) -> bool {
        self.condition == Condition::InSight
    }

    pub(super) fn is_missing(&self) -> bool {
        matches!(self.condition, Condition::Missing { .. })
    }

    pub(super) fn is_ended(&self) -> bool {
        matches!(self.condition, Condition::Ended { .. })
    }

    pub(super) fn is_covered(&self) -> bool {
        self.covered
    }

    pub(super) fn is_unwatched(&self) -> bool {
        self.unwatched
    }

    pub(super) fn fault(&self) -> Option<&String> {
        self.fault.as_ref()
    }

    pub(super) fn turn(&self) -> u64 {
        self.turn
    }

    /// Whether the last look showed no bytes beyond the read position.
    pub(super) fn is_drained(&self) -> bool {
        !plain::has_unread(self.file.size(), self.offset())
    }

    /// Whether all that is known of it is sealed.
    pub(super) fn is_settled(&self) -> bool {
        self.offset() == self.sealed_offset() && self.is_drained()
    }

    /// Whether the last look showed bytes beyond the read position, which a read can trust.
    pub(super) fn has_unread(&self) -> bool {
        self.is_in_sight() && !self.covered && !self.suspect && !self.is_drained()
    }

    /// Whether it may have something to take before the next scan.
    pub(super) fn may_give(&self) -> bool {
        self.has_unread() && !self.stalled
    }

    /// Whether its copy, at its end, is shorter than the source is known to have been.
    pub(super) fn lacks_rest(&self) -> bool {
        self.extent > self.offset() && self.is_drained()
    }
}

// What scans make of it.
impl TrackedSource {
    pub(super) fn scan_begins(&mut self) {
        self.stalled = false;
    }

    /// A name of this scan leads to its file. Whether it is to be examined.
    pub(super) fn seen_under(
        &mut self,
        matched: MatchedPath,
        stat: &Stat,
        scan: &mut Scan,
    ) -> bool {
        let first = self.file.seen_under(matched, &self.path, scan);
        first && (self.suspect || self.file.is_changed(stat))
    }

    /// No name of this scan leads to its file: the descriptor, if there is one.
    pub(super) fn unseen(&mut self, scan: &Scan) -> Option<Arc<File>> {
        self.file.unnamed(scan);
        let descriptor = self.file.descriptor().cloned();
        if descriptor.is_none() {
            self.condition = Condition::Missing { since_ms: None };
        }
        descriptor
    }

    /// Whether a look through the descriptor is to be followed by a closer one.
    pub(super) fn is_to_be_examined(&self, stat: &Stat) -> bool {
        self.suspect || self.file.is_changed(stat)
    }

    /// A closer look shows that its file has moved out of sight.
    pub(super) fn goes_missing(&mut self) {
        self.condition = Condition::Missing { since_ms: None };
        self.suspect = false;
    }

    /// A closer look shows that its content fits, or that it has lost its file.
    pub(super) fn suspect_no_more(&mut self) {
        self.suspect = false;
    }

    /// Whether a file that is out of sight no more is known by identity as this source's.
    pub(super) fn is_known_as(&self, id: &FileId, path: &PathBytes) -> bool {
        self.is_missing() && self.file.id().is(id, self.path == *path)
    }

    /// Its file is in sight again.
    pub(super) fn found_again(&mut self, mut file: TrackedFile, stat: Stat, scan: &Scan) {
        file.looked_since(self.file.size(), stat, scan.now_ms());
        file.read_head(scan.boot_id());
        self.file = file;
        self.condition = Condition::InSight;
        self.unwatched = false;
        self.suspect = false;
    }

    /// It continues in a copy.
    pub(super) fn continue_in(&mut self, copy: TrackedFile, stream: usize) {
        let offset = self.offset();
        self.extent = self.extent.max(self.file.size()).max(offset);
        self.covered = !plain::reaches(copy.size(), offset);
        self.file = copy;
        self.condition = Condition::InSight;
        self.claim_for(stream);
        self.suspect = false;
        self.unwatched = false;
        self.refiled = true;
    }

    /// It has lost its file. Whether it waits for a copy; if not, it is to end.
    pub(super) fn lose_file(&mut self, scan: &Scan) -> bool {
        self.extent = self.extent.max(self.file.size()).max(self.offset());
        self.file.let_go();
        let awaits = !self.covered && self.extent != 0;
        if awaits {
            let since_scan = scan.number();
            self.condition = Condition::AwaitingCopy { since_scan };
        }
        awaits
    }

    /// The first scan that misses it is over.
    pub(super) fn missing_since(&mut self, now_ms: u64) {
        let since_ms = Some(now_ms);
        self.condition = Condition::Missing { since_ms };
        self.file.close();
    }

    /// Whether neither a manifest nor the open batch speaks of it.
    pub(super) fn is_unheard_of(&self) -> bool {
        self.stated.is_none() && !self.positions.unsealed().has_bytes()
    }

    /// Nothing more will come of it.
    pub(super) fn end(&mut self, gap: Option<Reason>) {
        self.condition = Condition::Ended { gap };
        self.file.close();
        // A stream that is no more cannot speak of it; the first one does.
        self.claim_for(0);
    }
}

// Reading.
impl TrackedSource {
    /// Its turn has come to be read.
    pub(super) fn take_turn(&mut self, turn: u64) {
        self.turn = turn;
    }

    /// Its content does not fit, as a read found: the next scan looks closer.
    pub(super) fn suspect(&mut self) {
        self.suspect = true;
    }

    /// Whether the last read gave something; if not, the next one waits for a scan.
    pub(super) fn has_given(&mut self, something: bool) {
        self.stalled = !something;
    }

    pub(super) fn has_fault(&mut self, error: &io::Error) {
        self.fault = Some(error.to_string());
    }

    pub(super) fn is_readable(&mut self) {
        self.fault = None;
    }

    /// Moves the read position past a run of pieces that begins at it.
    pub(super) fn take(&mut self, buffer: &ReadBuffer, run: &[Piece]) {
        self.positions.take(buffer, run, self.file.id());
    }

    /// Moves it over bytes that cannot be read; `window` is the last window, as verified.
    pub(super) fn skip(&mut self, window: &[u8], to: u64, reason: Reason) {
        self.positions.skip(window, to, reason, self.file.id());
    }

    /// Gives up what its copy lacks.
    pub(super) fn skip_rest(&mut self) {
        // What is skipped was never read: the fingerprint counts it as zeros, and the copy, being
        // covered, is never held against it.
        let window = vec![0; self.positions.content().window_len()];
        self.skip(&window, self.extent, Reason::Truncated);
        self.covered = true;
    }
}

// Sealing.
impl TrackedSource {
    /// Its stream seals into this epoch now: a source last sealed in another has no id there yet.
    pub(super) fn begin_epoch(&mut self, stream: &Name, epoch: Epoch) {
        let stated = self.stated.as_ref();
        let here = stated.filter(|was| was.epoch == epoch && was.stream == *stream);
        self.id = here.map(|was| was.id);
    }

    /// Its id in the epoch; the `next` one if it has none.
    pub(super) fn id_or_next(&mut self, next: &mut u64) -> u64 {
        *self.id.get_or_insert_with(|| {
            *next += 1;
            *next - 1
        })
    }

    /// Whether something happened to it that an auditor must know, bytes aside.
    pub(super) fn has_events(&self) -> bool {
        self.positions.unsealed().has_events() || self.ending().is_some()
    }

    /// Whether bytes of it are in the open batch.
    pub(super) fn has_bytes(&self) -> bool {
        self.positions.unsealed().has_bytes()
    }

    /// Whether the next manifest must speak of it.
    pub(super) fn has_news(&self) -> bool {
        self.positions.unsealed().has_bytes() || self.has_events()
    }

    /// The gap of unknown end that ends it, if one does.
    pub(super) fn ending(&self) -> Option<Reason> {
        match self.condition {
            Condition::Ended { gap } => gap,
            _ => None,
        }
    }

    /// What was stated is durable: the read position becomes the sealed one.
    pub(super) fn sealed(&mut self, name: Was) {
        self.refiled = false;
        if !self.has_news() {
            return;
        }
        self.stated = Some(name);
        self.positions.commit(self.is_drained());
    }

    /// What was taken is thrown away: the read position returns to the sealed one. Whether there is
    /// still something to say of it.
    pub(super) fn discarded(&mut self) -> bool {
        self.positions.roll_back();
        self.stalled = false;
        self.covered &= self.is_drained();
        self.refiled || self.is_ended() || self.has_news()
    }

    /// What was last seen of its file, as a checkpoint at `offset` holds it.
    pub(super) fn last_look(&self, offset: u64) -> LastLook {
        let size = self.file.size();
        LastLook {
            size,
            extent: self.extent,
            live: self.unwatched || self.file.is_at(&self.path),
            // A copy is covered only for a position beyond it: an earlier one must still read it.
            covered: self.covered && !plain::has_unread(size, offset),
            folder: self.file.folder(),
        }
    }
}
