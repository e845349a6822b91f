//! How far a source is read, how far it is sealed, and what lies between. Reading moves the *read*
//! position; only a seal moves the *sealed* one, so a batch that is thrown away costs nothing but a
//! second read.

use super::checkpoint::SealedContent;
use super::fingerprint::Fingerprint;
use super::identity::FileId;
use super::sketch::Sketch;
use super::unsealed::Unsealed;
use crate::read::buffer::ReadBuffer;
use crate::read::pieces::Piece;
use ledger::manifest::Reason;

/// A position, and the proof of what was read up to it.
#[derive(Debug, Clone, Default)]
struct ReadPosition {
    content: Fingerprint,
    /// The byte before is archived and not LF.
    line_open: bool,
    lines: Sketch,
}

impl ReadPosition {
    fn state(&self) -> SealedContent {
        SealedContent {
            offset: self.content.offset(),
            line_open: self.line_open,
            windows: self.content.ladder().to_vec(),
            last: self.content.last(),
            whole: self.content.whole().cloned(),
            head: self.content.head().to_vec(),
            lines: self.lines.clone(),
        }
    }
}

/// Both positions of a source.
#[derive(Debug, Default)]
pub(super) struct Positions {
    sealed: ReadPosition,
    read: ReadPosition,
    unsealed: Unsealed,
}

impl Positions {
    /// Nothing is read yet.
    pub(super) fn beginning(unsealed: Unsealed) -> Self {
        Self {
            unsealed,
            ..Self::default()
        }
    }

    /// All that is read is sealed.
    pub(super) fn restore(content: Fingerprint, line_open: bool, lines: Sketch) -> Self {
        let position = ReadPosition {
            content,
            line_open,
            lines,
        };
        Self {
            sealed: position.clone(),
            read: position,
            unsealed: Unsealed::default(),
        }
    }

    /// Read up to here.
    pub(super) fn read_offset(&self) -> u64 {
        self.read.content.offset()
    }

    /// Sealed up to here.
    pub(super) fn sealed_offset(&self) -> u64 {
        self.sealed.content.offset()
    }

    /// What was read.
    pub(super) fn content(&self) -> &Fingerprint {
        &self.read.content
    }

    /// Some of the lines that were read.
    pub(super) fn lines(&self) -> &Sketch {
        &self.read.lines
    }

    /// Whether the last line read has no end yet.
    pub(super) fn line_open(&self) -> bool {
        self.read.line_open
    }

    /// What lies between the positions, and what else is to be said.
    pub(super) fn unsealed(&self) -> &Unsealed {
        &self.unsealed
    }

    /// The read position, as a checkpoint holds it once it is sealed.
    pub(super) fn once_sealed(&self) -> SealedContent {
        self.read.state()
    }

    /// The sealed position, as a checkpoint holds it.
    pub(super) fn as_sealed(&self) -> SealedContent {
        self.sealed.state()
    }

    /// Moves the read position past a run of pieces that begins at it.
    pub(super) fn take(&mut self, buffer: &ReadBuffer, run: &[Piece], file: &FileId) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else {
            return;
        };
        let from = self.read_offset();
        debug_assert_eq!(from, first.offset, "pieces are taken in order");
        let window = self.read.content.window_len();
        let known = buffer.run(window, first, last);
        self.read.content.absorb(known, window);
        self.read.lines.note(buffer, run);
        self.read.line_open = last.flags.open;
        self.unsealed.extend(file, from, self.read_offset());
    }

    /// Moves over bytes that cannot be read. `window` is the last window, as verified; what is not
    /// read counts as zeros in the fingerprint.
    pub(super) fn skip(&mut self, window: &[u8], to: u64, reason: Reason, file: &FileId) {
        let from = self.read_offset();
        self.read.content.absorb_hole(window, to - from);
        self.read.line_open = false;
        self.unsealed.add_gap(from, Some(to), reason);
        self.unsealed.extend(file, from, self.read_offset());
    }

    /// Gives up what follows the read position, up to nobody knows where.
    pub(super) fn break_off(&mut self, reason: Reason) {
        let from = self.read_offset();
        self.read.content.spoil();
        self.unsealed.add_gap(from, None, reason);
    }

    /// Skips a content that is there at the beginning: it is neither read nor read again.
    pub(super) fn skip_present(&mut self, content: Fingerprint, file: &FileId) {
        let to = content.offset();
        self.read.content = content;
        self.sealed = self.read.clone();
        self.unsealed.skip_first(file, to);
    }

    /// The same of a content of which nobody knows how long it is.
    pub(super) fn skip_all(&mut self) {
        self.read.content.spoil();
        self.sealed = self.read.clone();
        self.unsealed.skip_all();
    }

    /// Takes note that it may be another's copy that is read.
    pub(super) fn note_ambiguous(&mut self) {
        self.unsealed.note_ambiguous();
    }

    /// What was stated is durable: the read position becomes the sealed one. `drained`: nothing is to
    /// be read soon.
    pub(super) fn commit(&mut self, drained: bool) {
        self.unsealed.clear();
        if drained {
            self.read.content.cool();
        }
        self.sealed = self.read.clone();
    }

    /// What was taken is thrown away: the read position returns to the sealed one.
    pub(super) fn roll_back(&mut self) {
        self.unsealed.roll_back();
        self.read = self.sealed.clone();
    }
}
