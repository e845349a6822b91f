//! A source: a log for as long as its bytes are one sequence. How far it is read and sealed, through
//! which file, and what may become of it. It decides nothing about other sources.

use super::checkpoint::{Checkpoint, LastLook};
use super::decide::{UNNAMED_KEPT_MS, is_rotation};
use super::fingerprint::Fingerprint;
use super::identity::{FileId, Inode};
use super::positions::Positions;
use super::scan::Scan;
use super::sketch::Predecessor;
use super::tracked_file::{OpenFault, TrackedFile};
use super::unsealed::Unsealed;
use crate::find::MatchedPath;
use crate::now::Now;
use crate::read::buffer::ReadBuffer;
use crate::read::gzip::PackedEnd;
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
pub(crate) struct SourceKey(pub(crate) u64);

/// How a source stands.
///
/// | from | sees | becomes |
/// |---|---|---|
/// | `Candidate` | the file is told to be a log of its own | `InSight` |
/// | | it is another's copy, or known | `Ended` without a gap |
/// | | it is gone | `Ended` with a gap from 0 |
/// | `Unmet` | its file, and in it its content | `InSight` |
/// | | its file with other content | `AwaitingCopy` |
/// | | a copy of it | `InSight` |
/// | | proof that it is gone | `Ended` |
/// | `InSight` | neither a name nor a descriptor | `Missing` |
/// | | other content in its file | `AwaitingCopy` |
/// | | all of it read, no name left, its writer at rest | `Ended` |
/// | `Missing` | as `Unmet` | |
/// | `AwaitingCopy` | a copy of it | `InSight` |
/// | | no copy, after a while | `Ended` with a gap |
/// | `Ended` | it is sealed | forgotten, or remembered as finished |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// Not a source yet: a file that waits to be identified, registered so that its loss is noticed.
    Candidate,
    /// Known from an earlier run, and not seen in this one. `live`: it was at its first path then, so that it may
    /// have grown since.
    Unmet { live: bool, since_ms: Option<u64> },
    /// By a name or a descriptor.
    InSight,
    /// Neither name nor descriptor lead to it. `since_ms` is `None` until the end of the first scan that misses it.
    Missing { since_ms: Option<u64> },
    /// Its file holds other bytes now; a copy may hold the rest.
    AwaitingCopy { since_scan: u64, since_ms: u64 },
    /// Nothing more can come. With a gap, bytes from the read position on are lost, up to nobody knows where.
    Ended { gap: Option<Reason> },
}

/// What a source's file is to it. The extent is how long the source was known to be in the file before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holding {
    /// Nobody knows what it is yet: a candidate's.
    Unidentified,
    /// The log itself.
    All,
    /// A copy, which may be shorter than the extent.
    Copy { extent: u64 },
    /// A copy that has nothing beyond the read position, or a file of which the rest is given up: known, never read.
    Covered { extent: u64 },
}

/// What the last read says of the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Readiness {
    Ready,
    /// Nothing could be taken: the next scan makes it ready.
    Stalled,
    /// Its content no longer fits: the next scan looks closer.
    Suspect,
}

/// One source.
#[derive(Debug)]
pub(super) struct TrackedSource {
    /// Index of its stream; `None` while the config names none for it.
    stream: Option<usize>,
    /// Where it was first seen; it never changes.
    path: PathBytes,
    /// Its name in the archive, as last sealed.
    stated: Option<Was>,
    /// Its name in a checkpoint that is sealed, while the archive knows nothing of it.
    registered: Option<Was>,
    /// Its id in the stream's present epoch.
    id: Option<u64>,
    positions: Positions,
    file: TrackedFile,
    condition: Condition,
    holding: Holding,
    readiness: Readiness,
    /// It is in another file than its last sealed checkpoint says.
    refiled: bool,
    /// Its last sealed checkpoint says that it may have grown since.
    live_as_sealed: Option<bool>,
    /// It was so when it went missing.
    was_live: bool,
    /// Why it cannot be read now.
    fault: Option<String>,
    /// When it was last read, for fairness; larger is later.
    turn: u64,
    /// Where a line begins that has no end yet, and since when it is known.
    line_waits: Option<(u64, u64)>,
    /// The log that was in its place before, until it is noticed that this one repeats it.
    predecessor: Option<Box<Predecessor>>,
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
            positions: Positions::beginning(Unsealed::beginning(ambiguous, weak)),
            condition: Condition::InSight,
            holding: Holding::All,
            ..Self::candidate(stream, path, file)
        }
    }

    /// A file that waits to be identified. The candidate has the way to it.
    pub(super) fn candidate(stream: usize, path: PathBytes, file: TrackedFile) -> Self {
        Self {
            stream: Some(stream),
            path,
            stated: None,
            registered: None,
            id: None,
            positions: Positions::default(),
            file,
            condition: Condition::Candidate,
            holding: Holding::Unidentified,
            readiness: Readiness::Ready,
            refiled: false,
            live_as_sealed: None,
            was_live: false,
            fault: None,
            turn: 0,
            line_waits: None,
            predecessor: None,
        }
    }

    /// A source as its checkpoint has it; its file is yet to be found.
    pub(super) fn restore(checkpoint: Checkpoint, stream: Option<usize>) -> Self {
        let content = checkpoint.fingerprint();
        let lines = checkpoint.content.lines.clone();
        let positions = Positions::restore(content, checkpoint.content.line_open, lines);
        let seen = checkpoint.seen;
        let mut file = TrackedFile::unmet(
            checkpoint.file,
            checkpoint.via,
            seen.folder.clone(),
            seen.size,
        );
        file.was_modified(seen.modified);
        if seen.unpacked {
            file.unpacked(seen.size, checkpoint.content.offset, PackedEnd::Whole);
        }
        let name = Some(checkpoint.source);
        let extent = seen.extent;
        let holding = match (seen.covered, extent) {
            (true, _) => Holding::Covered { extent },
            (false, 0) => Holding::All,
            (false, _) => Holding::Copy { extent },
        };
        let (stated, registered, holding) = match checkpoint.candidate {
            true => (None, name, Holding::Unidentified),
            false => (name, None, holding),
        };
        Self {
            stream,
            stated,
            registered,
            positions,
            live_as_sealed: Some(seen.live),
            condition: Condition::Unmet {
                live: seen.live,
                since_ms: None,
            },
            holding,
            ..Self::candidate(0, checkpoint.path, file)
        }
    }

    /// The file that it was registered with is told to be a log of its own.
    pub(super) fn begin(&mut self, path: PathBytes, file: TrackedFile, ambiguous: bool) {
        let begun = Self::beginning(0, path, file, ambiguous);
        *self = Self {
            stream: self.stream,
            registered: self.registered.take(),
            id: self.id,
            ..begun
        };
    }

    /// It takes the place of this one, which it may repeat.
    pub(super) fn follows(&mut self, before: Predecessor) {
        self.predecessor = Some(Box::new(before));
    }

    /// What is to be known of it by one that takes its place.
    pub(super) fn as_predecessor(&self) -> Predecessor {
        let content = self.positions.content();
        Predecessor::new(self.positions.lines(), content, self.file.head())
    }

    /// The candidate of an earlier run is a candidate again.
    pub(super) fn is_met_again(&mut self) {
        self.condition = Condition::Candidate;
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
        self.file.via()
    }

    /// Its name in the archive, as last sealed.
    pub(super) fn stated(&self) -> Option<&Was> {
        self.stated.as_ref()
    }

    /// Its name in a checkpoint that is sealed, while the archive knows nothing of it.
    pub(super) fn registered(&self) -> Option<&Was> {
        self.registered.as_ref()
    }

    /// Whether its file waits to be identified, in sight or not.
    pub(super) fn is_unidentified(&self) -> bool {
        self.holding == Holding::Unidentified
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
        matches!(
            self.condition,
            Condition::Missing { .. } | Condition::Unmet { .. }
        )
    }

    pub(super) fn is_ended(&self) -> bool {
        matches!(self.condition, Condition::Ended { .. })
    }

    pub(super) fn is_covered(&self) -> bool {
        matches!(self.holding, Holding::Covered { .. })
    }

    pub(super) fn fault(&self) -> Option<&String> {
        self.fault.as_ref()
    }

    pub(super) fn turn(&self) -> u64 {
        self.turn
    }

    /// Whether the last look showed no bytes beyond the read position.
    pub(super) fn is_drained(&self) -> bool {
        self.file.source_len() <= self.offset()
    }

    /// Whether all that is known of it is sealed.
    pub(super) fn is_settled(&self) -> bool {
        self.offset() == self.sealed_offset() && self.is_drained()
    }

    /// Whether the last look showed bytes beyond the read position, which a read can trust.
    pub(super) fn has_unread(&self) -> bool {
        self.is_in_sight() && !self.is_covered() && !self.is_suspect() && !self.is_drained()
    }

    /// Whether it may have something to take before the next scan.
    pub(super) fn may_give(&self) -> bool {
        self.has_unread() && self.readiness == Readiness::Ready
    }

    /// Whether its copy, at its end, is shorter than the source is known to have been.
    pub(super) fn lacks_rest(&self) -> bool {
        self.extent() > self.offset() && self.is_drained()
    }

    /// Whether its packed file ends where nobody can read on, and all before that is taken.
    pub(super) fn is_broken_off(&self) -> bool {
        self.is_in_sight()
            && !self.is_covered()
            && self.is_drained()
            && self
                .file
                .packed_end()
                .is_some_and(|end| end != PackedEnd::Whole)
    }

    pub(super) fn is_suspect(&self) -> bool {
        self.readiness == Readiness::Suspect
    }

    fn extent(&self) -> u64 {
        match self.holding {
            Holding::All | Holding::Unidentified => 0,
            Holding::Copy { extent } | Holding::Covered { extent } => extent,
        }
    }

    /// How long it is, for people: a packed file not yet unpacked is longer than what is read of it.
    pub(super) fn told_len(&self) -> u64 {
        match self.file.source_len() {
            _ if self.is_covered() => self.offset(),
            u64::MAX => self.offset() + self.file.size(),
            len => len,
        }
    }

    /// How long it is known to be.
    pub(super) fn known_len(&self) -> u64 {
        let here = match self.file.source_len() {
            u64::MAX => 0,
            len => len,
        };
        self.extent().max(here).max(self.offset())
    }
}

// What scans make of it.
impl TrackedSource {
    pub(super) fn scan_begins(&mut self) {
        if self.readiness == Readiness::Stalled {
            self.readiness = Readiness::Ready;
        }
    }

    /// Whether a name that leads to a file of the same numbers may lead to its file.
    pub(super) fn may_be_at(&self, matched: &MatchedPath, inode: Inode) -> bool {
        self.file.may_be_at(&self.path, matched, inode)
    }

    /// A name of this scan leads to its file. Whether it is to be examined.
    pub(super) fn seen_under(
        &mut self,
        matched: MatchedPath,
        stat: &Stat,
        scan: &mut Scan,
    ) -> bool {
        let first = self.file.seen_under(matched, &self.path, scan);
        first && self.is_to_be_examined(stat)
    }

    /// No name of this scan leads to its file: the descriptor, if there is one.
    pub(super) fn unseen(&mut self, scan: &Scan) -> Option<Arc<File>> {
        let is_live = self.is_live();
        self.file.unnamed(scan);
        let descriptor = self.file.descriptor().cloned();
        if descriptor.is_none() {
            self.was_live = is_live;
            self.condition = Condition::Missing { since_ms: None };
        }
        descriptor
    }

    /// Whether a look through the descriptor is to be followed by a closer one.
    pub(super) fn is_to_be_examined(&self, stat: &Stat) -> bool {
        self.is_suspect() || self.file.is_changed(stat)
    }

    /// A closer look shows that its file has moved out of sight.
    pub(super) fn goes_missing(&mut self) {
        self.was_live = self.is_live();
        self.condition = Condition::Missing { since_ms: None };
        self.readiness = Readiness::Ready;
    }

    /// A closer look shows that its content fits, or that it has lost its file.
    pub(super) fn suspect_no_more(&mut self) {
        if self.is_suspect() {
            self.readiness = Readiness::Ready;
        }
    }

    /// Whether a file that is out of sight no more is known by identity as this source's.
    pub(super) fn is_known_as(&self, id: &FileId, path: &PathBytes) -> bool {
        self.is_missing() && self.file.id().is(id, self.path == *path)
    }

    /// Its file is in sight again.
    pub(super) fn found_again(&mut self, mut file: TrackedFile, stat: Stat, scan: &Scan) {
        if self.file.id().is_reused_by(file.id()) {
            // Another file in its place has all that was read of it, and continues it.
            self.positions.note_ambiguous();
            self.refiled = true;
        }
        file.looked_since(self.file.size(), stat, scan.now_ms());
        file.unpacks_as(&self.file);
        file.read_head(scan.boot_id());
        self.file = file;
        self.condition = Condition::InSight;
        self.readiness = Readiness::Ready;
    }

    /// It continues in a copy; `ambiguous` if another file might be it.
    pub(super) fn continue_in(&mut self, copy: TrackedFile, stream: usize, ambiguous: bool) {
        let extent = self.known_len();
        self.holding = if copy.source_len() < self.offset() {
            Holding::Covered { extent }
        } else {
            Holding::Copy { extent }
        };
        self.file = copy;
        self.condition = Condition::InSight;
        self.claim_for(stream);
        self.readiness = Readiness::Ready;
        self.refiled = true;
        if ambiguous {
            self.positions.note_ambiguous();
        }
    }

    /// Whether more may have been written to its file than the last look showed: no descriptor led to it when it lost
    /// its name, and it had grown not long before. What a rotation named, or is packed whole, is taken to rest.
    pub(super) fn is_unwatched(&self) -> bool {
        match self.condition {
            Condition::Unmet { live, .. } => live,
            Condition::Missing {
                since_ms: Some(since_ms),
            } => self.was_live && self.file.quiet_ms(since_ms) < UNNAMED_KEPT_MS,
            _ => false,
        }
    }

    /// Whether it ends with a gap, once its file is gone, unless a copy of it is found.
    pub(super) fn needs_copy(&self) -> bool {
        let unwatched = self.is_unwatched();
        let cut = matches!(self.condition, Condition::AwaitingCopy { .. });
        unwatched || cut || self.known_len() > self.offset()
    }

    /// It has lost its file. Whether it waits for a copy; if not, it is to end.
    pub(super) fn lose_file(&mut self, scan: &Scan) -> bool {
        let extent = self.known_len();
        let awaits = !self.is_covered() && extent != 0;
        if !self.is_covered() {
            self.holding = Holding::Copy { extent };
        }
        self.file.let_go();
        if awaits {
            self.condition = Condition::AwaitingCopy {
                since_scan: scan.number(),
                since_ms: scan.now_ms(),
            };
        }
        awaits
    }

    /// The first scan that misses it is over.
    pub(super) fn missing_since(&mut self, now_ms: u64) {
        let since_ms = Some(now_ms);
        self.condition = match self.condition {
            Condition::Unmet { live, .. } => Condition::Unmet { live, since_ms },
            _ => Condition::Missing { since_ms },
        };
        self.file.close();
    }

    /// Since when no scan has found its file; one that is proven to be gone has ended instead.
    pub(super) fn missing_ms(&self) -> Option<u64> {
        match self.condition {
            Condition::Missing { since_ms } | Condition::Unmet { since_ms, .. } => since_ms,
            _ => None,
        }
    }

    /// Whether neither a manifest nor the open batch speaks of it.
    pub(super) fn is_unheard_of(&self) -> bool {
        self.stated.is_none() && self.registered.is_none() && !self.positions.unsealed().has_bytes()
    }

    /// Nothing more will come of it.
    pub(super) fn end(&mut self, gap: Option<Reason>) {
        // What is covered is archived, or was given up by a gap; that of unknown end is stated once.
        let gap = gap.filter(|_| !self.is_covered());
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
        self.readiness = Readiness::Suspect;
    }

    /// Whether the last read gave something, or may do so when asked again; if not, the next one waits for a scan.
    pub(super) fn has_given(&mut self, something: bool) {
        if !self.is_suspect() {
            self.readiness = match something {
                true => Readiness::Ready,
                false => Readiness::Stalled,
            };
        }
    }

    pub(super) fn has_fault(&mut self, error: &io::Error) {
        self.fault = Some(error.to_string());
    }

    pub(super) fn is_readable(&mut self) {
        self.fault = None;
    }

    /// A line that begins here has no end yet; or none has.
    pub(super) fn line_waits(&mut self, from: Option<u64>, now: Now) {
        let known = self.line_waits.filter(|(at, _)| Some(*at) == from);
        self.line_waits = known.or_else(|| from.map(|from| (from, now.boot_ms)));
    }

    /// How long the line at the read position has waited for its end.
    pub(super) fn line_age_ms(&self, now: Now) -> u64 {
        let here = self.line_waits.filter(|(at, _)| *at == self.offset());
        here.map_or(0, |(_, since_ms)| now.boot_ms.saturating_sub(since_ms))
    }

    /// Moves the read position past a run of pieces that begins at it.
    pub(super) fn take(&mut self, buffer: &ReadBuffer, run: &[Piece]) {
        let begins = self.offset() == 0;
        let before = self.predecessor.take();
        match before {
            Some(before) if before.is_repeated(begins, buffer, run) => {
                self.positions.note_ambiguous();
            }
            before => self.predecessor = before,
        }
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
        let extent = self.extent();
        self.skip(&window, extent, Reason::Truncated);
        self.holding = Holding::Covered { extent };
    }

    /// Skips what its file holds, up to the end of the last whole line; a packed file's all.
    ///
    /// # Errors
    /// The file cannot be read; nothing is skipped.
    pub(super) fn skip_present(&mut self, boot_id: Epoch) -> io::Result<()> {
        if self.via() == Via::Gzip {
            self.positions.skip_all();
            self.holding = Holding::Covered { extent: 0 };
            return Ok(());
        }
        let file = self.file.open(boot_id).map_err(|fault| match fault {
            OpenFault::Io(error) => error,
            OpenFault::Moved => io::ErrorKind::NotFound.into(),
        })?;
        let to = plain::last_line_end(&file, self.file.size())?;
        let content = Fingerprint::of_file(&file, to)?;
        if let Some(content) = content.filter(|_| to > 0) {
            self.positions.skip_present(content, self.file.id());
        }
        Ok(())
    }

    /// It is over, and so is what was never written at its end.
    pub(super) fn skip_blank(&mut self) {
        let size = self.file.size();
        if self.file.blank_from() == Some(self.offset()) && size > self.offset() {
            let window = vec![0; self.positions.content().window_len()];
            self.skip(&window, size, Reason::Hole);
        }
    }

    /// Gives up what its packed file does not give: up to where, nobody knows.
    pub(super) fn break_off(&mut self) {
        let extent = self.known_len();
        self.positions.break_off(Reason::Unreadable);
        self.holding = Holding::Covered { extent };
    }
}

// Sealing.
impl TrackedSource {
    /// Its stream seals into this epoch now: a source last sealed in another has no id there yet. Returns the id that
    /// only a checkpoint knows.
    pub(super) fn begin_epoch(&mut self, stream: &Name, epoch: Epoch) -> Option<u64> {
        let here = |was: &&Was| was.epoch == epoch && was.stream == *stream;
        let registered = self.registered.as_ref().filter(here).map(|was| was.id);
        let stated = self.stated.as_ref().filter(here).map(|was| was.id);
        self.id = stated.or(registered);
        registered
    }

    /// What was stated of it is stated again, under this name.
    pub(super) fn is_stated_as(&mut self, name: Was) {
        self.stated = Some(name);
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

    /// Whether a manifest is due for it: something to say, or a candidate that recovery does not know of.
    pub(super) fn is_due(&self) -> bool {
        self.has_events()
            || (self.is_unidentified() && !self.is_ended() && self.registered.is_none())
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

    /// Whether it may grow while nobody looks: at its first path, where its writer is, unless a rotation gave it that; or
    /// without a name, for then it is over as soon as it has no writer. What is packed whole is not written to.
    fn is_live(&self) -> bool {
        match self.condition {
            Condition::Unmet { live, .. } => live,
            Condition::Missing { .. } => self.was_live,
            Condition::Candidate => true,
            _ if self.file.packed_end() == Some(PackedEnd::Whole) => false,
            condition => {
                let is_open_only = condition == Condition::InSight && self.file.is_unnamed();
                let is_written = self.file.is_at(&self.path) && !is_rotation(&self.path.0);
                is_written || is_open_only
            }
        }
    }

    /// Whether recovery would judge its absence otherwise than by what was last seen.
    pub(super) fn is_to_be_placed(&self) -> bool {
        self.stated.is_some() && self.live_as_sealed != Some(self.is_live())
    }

    /// What was stated is durable: the read position becomes the sealed one.
    pub(super) fn sealed(&mut self, name: Was) {
        self.refiled = false;
        self.live_as_sealed = Some(self.is_live());
        if self.is_unidentified() && !self.is_ended() {
            self.registered = Some(name);
            return;
        }
        if !self.has_news() {
            return;
        }
        self.stated = Some(name);
        self.registered = None;
        self.positions.commit(self.is_drained());
    }

    /// What was taken is thrown away: the read position returns to the sealed one. Whether there is
    /// still something to say of it.
    pub(super) fn discarded(&mut self) -> bool {
        let gave_up = self.positions.unsealed().gap_count() > 0;
        self.positions.roll_back();
        self.readiness = Readiness::Ready;
        let skipped = self.positions.unsealed().skips_all();
        if let Holding::Covered { extent } = self.holding
            && (gave_up || !self.is_drained())
            && !skipped
        {
            self.holding = Holding::Copy { extent };
        }
        self.refiled || self.is_ended() || self.has_news() || self.is_due()
    }

    /// What was last seen of its file, as a checkpoint at `offset` holds it: one that is `sealed`, or one that is being
    /// sealed.
    pub(super) fn last_look(&self, offset: u64, sealed: bool) -> LastLook {
        let covers = match self.via() {
            // A copy is covered only for a position beyond it: an earlier one must still read it.
            Via::Plain => self.file.source_len() <= offset,
            // What is given up of a packed file is said by a gap.
            Via::Gzip => !sealed || !self.positions.unsealed().has_gaps(),
        };
        LastLook {
            size: self.file.size(),
            modified: self.file.modified(),
            extent: self.extent(),
            live: self.is_live(),
            covered: self.is_covered() && covers,
            unpacked: self.via() == Via::Gzip
                && self.file.packed_end() == Some(PackedEnd::Whole)
                && self.file.source_len() == offset,
            folder: self.file.folder().clone(),
        }
    }
}
