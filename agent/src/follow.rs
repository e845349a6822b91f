//! What the agent knows about files: which life of which log it has read, how far, and what to say
//! of it. It finds, opens and reads files; it writes none, reads no clock and draws no random number.
//!
//! A *source* is one life of a log: bytes from 0 that are only ever appended to. It may move
//! (rename), be read on through its copy (copytruncate) and outlive its name (deletion while open).
//! Reading moves a source's *read* position; only [`Sources::sealed`] moves the *sealed* one, so a
//! batch that is thrown away costs nothing but a second read.

use crate::cursor::Cursor;
use crate::find::Watch;
use ledger::Moment;
use ledger::entry::{Flags, PathBytes};
use ledger::manifest;
use ledger::name::{Epoch, Name};
use std::ops::Range;
use std::path::PathBuf;

/// The time, as an argument: nothing below reads a clock.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Wall clock: only ever reported, and compared with folders' change times.
    pub wall: Moment,
    /// `CLOCK_BOOTTIME` in milliseconds: all waiting is measured by it.
    pub boot_ms: u64,
}

/// A source within this process. Never stored; [`SourceView::id`] is what manifests know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceKey(u64);

/// How the end of a file is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// An unfinished last line waits for its end, or for 30 s without growth.
    Follow,
    /// An unfinished last line is taken, flagged `open`.
    Drain,
}

/// One entry's worth of a source: a line, or a part of one over 1 MiB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Its first byte's offset in the source.
    pub offset: u64,
    /// Where its bytes lie in the [`ReadBuffer`], without the LF that ends it.
    pub range: Range<usize>,
    /// `cont` and `open`, as the entry carries them.
    pub flags: Flags,
}

/// What one [`Sources::peek`] read: bytes and the pieces they fall into. Made once, used for every
/// source: it holds 1 MiB and a little.
#[derive(Debug, Default)]
pub struct ReadBuffer {
    bytes: Vec<u8>,
    pieces: Vec<Piece>,
}

impl ReadBuffer {
    /// An empty buffer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The pieces of the last peek, in order of offset and without holes between them.
    #[must_use]
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// A piece's bytes, without its LF: the entry's message.
    #[must_use]
    pub fn bytes(&self, piece: &Piece) -> &[u8] {
        self.bytes.get(piece.range.clone()).unwrap_or_default()
    }
}

/// Why a source gave nothing just now. Its position stays; reading is tried again on later scans.
#[derive(Debug, thiserror::Error)]
pub enum ReadFault {
    /// The file cannot be opened or read.
    #[error("{path}: cannot be read, its place is kept: {cause}", path = path.display())]
    Unreadable {
        /// Where it was last seen.
        path: PathBytes,
        /// What the system said.
        cause: std::io::Error,
    },
}

/// What an entry says of its source.
#[derive(Debug, Clone, Copy)]
pub struct SourceView<'a> {
    /// `log.file.id`, unique in the stream's epoch.
    pub id: u64,
    /// `log.file.path`: where the source was first seen, for life.
    pub path: &'a PathBytes,
    /// The stream it belongs to.
    pub stream: &'a Name,
}

/// What the next manifest of a stream must say of everything taken, or happened, since the last.
#[derive(Debug, Default)]
pub struct Statement {
    /// `sources`: every source touched, once per file it was read through, in order.
    pub sources: Vec<manifest::Source>,
    /// `events`: gaps, `ambiguous`, `weak`, all about these sources.
    pub events: Vec<manifest::Event>,
    /// The batch's `cursors` file: where these sources stand once the batch is sealed.
    pub cursors: Vec<Cursor>,
}

/// What a scan could not do.
#[derive(Debug, Default)]
pub struct ScanReport {
    /// Files and folders that could not be read, each named once per scan, with what the system said.
    pub faults: Vec<(PathBytes, String)>,
    /// Include patterns that match no file now; they wait.
    pub unmatched: Vec<String>,
    /// Files that matched.
    pub files: usize,
}

/// How one source stands, for `status` and metrics.
#[derive(Debug, Clone)]
pub struct SourceStatus {
    /// The stream it belongs to.
    pub stream: Name,
    /// Where it was first seen.
    pub path: PathBytes,
    /// Sealed up to here.
    pub sealed: u64,
    /// Read up to here.
    pub read: u64,
    /// The file's size at the last look.
    pub size: u64,
    /// Why it cannot be read now.
    pub fault: Option<String>,
}

/// Everything the agent knows about files. Single-threaded; nothing here waits.
#[derive(Debug)]
pub struct Sources {}

impl Sources {
    /// Nothing known yet. `watches` stand in the config's order: a file belongs to the first stream
    /// that saw it. `boot_id` is this boot's: device and inode numbers count only within it.
    #[must_use]
    pub fn new(_watches: Vec<Watch>, _boot_id: Epoch) -> Self {
        Self {}
    }

    /// Takes over what recovery found ([`crate::cursor::settle`]), before the first scan.
    /// A cursor of a stream that the config no longer names waits for the first stream that
    /// matches its file, and goes on there with `was`.
    pub fn restore(&mut self, _cursors: Vec<Cursor>) {}

    /// Says which epoch a stream seals into; until then none of its sources can be read. Source ids
    /// below `next_source_id` are taken. Sources last sealed in another epoch get a new id, and
    /// `was`, when they are next stated. Call it before anything of the stream is taken, or right
    /// after `sealed` or `discarded`.
    pub fn begin_epoch(&mut self, _stream: &Name, _epoch: Epoch, _next_source_id: u64) {}

    /// The first id not yet given away in the stream's epoch, for the snapshot.
    #[must_use]
    pub fn next_source_id(&self, _stream: &Name) -> u64 {
        0
    }

    /// Looks for files, opens new ones, and tells growth from rotation, truncation and deletion.
    pub fn scan(&mut self, _now: Now) -> ScanReport {
        ScanReport::default()
    }

    /// Folders in which the last scan looked: what to ask the kernel to wake for.
    #[must_use]
    pub fn folders(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// Sources of a stream that may have something to take, in fair order: the one read longest ago
    /// first. Empty while [`Sources::is_full`].
    #[must_use]
    pub fn unread(&self, _stream: &Name) -> Vec<SourceKey> {
        Vec::new()
    }

    /// Reads on from the source's read position, after the file is proven to still hold the bytes
    /// before it. Fills `buffer` with whole lines; a part of a line only where it is over 1 MiB, or
    /// nothing more can come, or `mode` says so. No pieces: nothing to take now.
    ///
    /// # Errors
    /// The file cannot be read; the source keeps its place.
    pub fn peek(
        &mut self,
        _key: SourceKey,
        buffer: &mut ReadBuffer,
        _mode: Mode,
        _now: Now,
    ) -> Result<(), ReadFault> {
        buffer.pieces.clear();
        Ok(())
    }

    /// What the entries of the last peek's pieces say of their source; `None` only for a key that
    /// no peek has yielded pieces for in this epoch.
    #[must_use]
    pub fn source(&self, _key: SourceKey) -> Option<SourceView<'_>> {
        None
    }

    /// Moves the read position past `pieces`: a run of `buffer.pieces()` that begins where the last
    /// take ended. They are now part of the next statement.
    pub fn take(&mut self, _key: SourceKey, _buffer: &ReadBuffer, _pieces: &[Piece]) {}

    /// Whether gaps or other events wait to be sealed, with or without entries.
    #[must_use]
    pub fn has_events(&self, _stream: &Name) -> bool {
        false
    }

    /// Whether the next manifest has no room for a further source: seal now.
    #[must_use]
    pub fn is_full(&self, _stream: &Name) -> bool {
        false
    }

    /// What the stream's next manifest must say. The answer stays the same until something is taken,
    /// scanned, sealed or discarded.
    #[must_use]
    pub fn statement(&mut self, _stream: &Name) -> Statement {
        Statement::default()
    }

    /// The last statement is durable: read positions become sealed ones, sources that ended are
    /// forgotten. Nothing may be taken or scanned between [`Sources::statement`] and this.
    pub fn sealed(&mut self, _stream: &Name) {}

    /// The batch was thrown away: read positions return to the sealed ones. Bytes that no file holds
    /// any more become a gap.
    pub fn discarded(&mut self, _stream: &Name) {}

    /// Where every source stands as sealed, for the snapshot.
    #[must_use]
    pub fn all_cursors(&self) -> Vec<Cursor> {
        Vec::new()
    }

    /// How each source stands.
    #[must_use]
    pub fn health(&self) -> Vec<SourceStatus> {
        Vec::new()
    }
}
