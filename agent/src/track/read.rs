//! Reading on: the window before the read position is proven, holes are passed over, bytes are cut
//! into pieces, and what is taken goes into the fingerprint.

use super::decide::QUIET_MS;
use super::tracked_file::OpenFault;
use super::tracked_source::Source;
use super::{Now, SourceKey, Sources};
use crate::read::pieces::{self, Piece, Rest};
use crate::sys::{self, Stat};
use crate::track::fingerprint::WINDOW;
use ledger::entry::PathBytes;
use ledger::limits::MAX_LINE;
use ledger::manifest::Reason;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// New bytes that one peek reads: the longest line, its LF, and something to go on with.
const READ_MAX: usize = MAX_LINE + 64 * 1024;

/// Holes shorter than this are archived as the zeros they read as; longer ones become a gap, so
/// that a sparse file cannot fill the archive.
pub(super) const HOLE_MIN: u64 = 64 * 1024;

/// Holes that one peek passes over.
const HOLES_PER_PEEK: usize = 64;

/// How the end of a file is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// An unfinished last line waits for its end, or for 30 s without growth.
    Follow,
    /// An unfinished last line is taken, flagged `open`.
    Drain,
}

/// What one [`Sources::peek`] read: bytes and the pieces they fall into. Made once, used for every
/// source: it holds 1 MiB and a little.
#[derive(Debug, Default)]
pub(crate) struct ReadBuffer {
    /// The last window, then new bytes; what lies beyond `filled` is left over from earlier peeks.
    bytes: Vec<u8>,
    filled: usize,
    pieces: Vec<Piece>,
}

impl ReadBuffer {
    /// An empty buffer.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The pieces of the last peek, in order of offset and without holes between them.
    #[must_use]
    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// A piece's bytes, without its LF: the entry's message.
    #[must_use]
    pub(crate) fn bytes(&self, piece: &Piece) -> &[u8] {
        self.bytes.get(piece.range.clone()).unwrap_or_default()
    }

    /// Reads `len` bytes at `at`, fewer if the file ends before.
    fn fill(&mut self, file: &File, at: u64, len: usize) -> io::Result<()> {
        if self.bytes.len() < len {
            self.bytes.resize(len, 0);
        }
        self.filled = 0;
        while self.filled < len {
            let (into, from) = (&mut self.bytes[self.filled..len], at + self.filled as u64);
            match file.read_at(into, from) {
                Ok(0) => break,
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Why a source gave nothing just now. Its place is kept; it is tried again after the next scan.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadFault {
    /// The file cannot be opened or read.
    #[error("{path}: cannot be read, its place is kept: {cause}", path = path.display())]
    Unreadable {
        /// Where the source was first seen.
        path: PathBytes,
        /// What the system said.
        cause: io::Error,
    },
}

/// How far a read may go, and what follows it.
enum Reading {
    /// Bytes up to here, then what `Rest` says.
    Bytes(u64, Rest),
    /// A hole up to here comes first.
    Hole(u64),
    /// A hole up to the file's end, in which data may yet be written.
    Nothing,
}

impl Sources {
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
        buffer.pieces.clear();
        if self.name(key).is_none() {
            return Ok(());
        }
        self.turn += 1;
        let (turn, boot_id) = (self.turn, self.boot_id);
        let Some(source) = self.sources.get_mut(&key) else {
            return Ok(());
        };
        source.turn = turn;
        if !source.has_unread() || source.suspect {
            return Ok(());
        }
        let was_open = source.held.file.is_some();
        let file = match source.held.open(boot_id) {
            Ok(file) => file,
            Err(OpenFault::Moved) => {
                source.suspect = true;
                return Ok(());
            }
            Err(OpenFault::Io(cause)) => return Err(source.unreadable(cause)),
        };
        let gaps = source.gaps.len();
        let filled = source.fill(&file, buffer, mode, now);
        source.stalled = buffer.pieces.is_empty();
        let touched = source.gaps.len() > gaps;
        let outcome = match filled {
            Ok(()) => {
                source.fault = None;
                Ok(())
            }
            Err(cause) => Err(source.unreadable(cause)),
        };
        if touched {
            self.touch(key);
        }
        self.opened += usize::from(!was_open);
        self.close_surplus();
        outcome
    }

    /// Moves the read position past `pieces`: a run of `buffer.pieces()` that begins where the last
    /// take ended. They are now part of the next statement. Cheapest with long runs.
    pub(crate) fn take(&mut self, key: SourceKey, buffer: &ReadBuffer, pieces: &[Piece]) {
        let (Some(first), Some(last)) = (pieces.first(), pieces.last()) else {
            return;
        };
        let Some(source) = self.sources.get_mut(&key) else {
            return;
        };
        let from = source.read.offset();
        debug_assert_eq!(from, first.offset, "pieces are taken in order");
        let window = source.read.content.window_len();
        let known = &buffer.bytes[first.range.start - window..last.end()];
        source.read.content.absorb(known, window);
        source.read.amid = last.flags.open;
        source.extend_span(from);
        self.touch(key);
    }
}

impl Source {
    fn unreadable(&mut self, cause: io::Error) -> ReadFault {
        self.fault = Some(cause.to_string());
        self.stalled = true;
        // The next try opens it anew: a descriptor can go stale.
        if !self.held.is_unnamed() {
            self.held.file = None;
        }
        ReadFault::Unreadable {
            path: self.path.clone(),
            cause,
        }
    }

    fn fill(
        &mut self,
        file: &File,
        buffer: &mut ReadBuffer,
        mode: Mode,
        now: Now,
    ) -> io::Result<()> {
        for _ in 0..HOLES_PER_PEEK {
            let stat = sys::stat_file(file)?;
            let offset = self.read.offset();
            let grown = stat.size > self.held.size;
            let quiet = !grown && self.held.quiet_ms(now.boot_ms) >= QUIET_MS;
            let at_end = if quiet || mode == Mode::Drain {
                Rest::Ended
            } else {
                Rest::Awaited
            };
            let window = self.read.content.window_len();
            let reading = plan(file, &stat, offset, at_end);
            let len = match reading {
                Reading::Bytes(to, _) => usize::try_from(to - offset).unwrap_or(READ_MAX),
                Reading::Hole(_) | Reading::Nothing => 0,
            };
            buffer.fill(file, offset - window as u64, window + len)?;
            let known = buffer.bytes.get(..window).unwrap_or_default();
            // What is there before anything was read is known by its first bytes alone.
            let unlike =
                offset < WINDOW as u64 && !self.held.agrees(&buffer.bytes[..buffer.filled]);
            let shrunk = stat.size < self.held.size || buffer.filled < window;
            if shrunk || unlike || !self.read.content.ends_with(known) {
                self.suspect = true;
                return Ok(());
            }
            match reading {
                Reading::Nothing => return Ok(()),
                Reading::Bytes(_, rest) => {
                    let bytes = &buffer.bytes[..buffer.filled];
                    // Cut short between the look and the read: the next scan judges.
                    let whole = buffer.filled == window + len;
                    let rest = if whole { rest } else { Rest::Awaited };
                    let amid = self.read.amid;
                    pieces::cut(bytes, window, offset, amid, rest, &mut buffer.pieces);
                    return Ok(());
                }
                Reading::Hole(to) => self.skip(known, to, Reason::Hole),
            }
        }
        Ok(())
    }
}

/// What to read next of a file.
fn plan(file: &File, stat: &Stat, offset: u64, at_end: Rest) -> Reading {
    let limit = stat.size.min(offset + READ_MAX as u64);
    let rest = if limit == stat.size {
        at_end
    } else {
        Rest::Awaited
    };
    let whole = Reading::Bytes(limit.max(offset), rest);
    // A file without holes takes at least as much room as it is long, packing file systems aside.
    if stat.stored >= stat.size || limit <= offset {
        return whole;
    }
    // Where holes cannot be asked for, zeros are read.
    let Ok(data) = sys::next_data(file, offset) else {
        return whole;
    };
    let hole_end = data.unwrap_or(stat.size).min(stat.size);
    if hole_end.saturating_sub(offset) >= HOLE_MIN {
        let settled = data.is_some() || at_end == Rest::Ended;
        return if settled {
            Reading::Hole(hole_end)
        } else {
            Reading::Nothing
        };
    }
    match first_hole(file, hole_end, limit, stat.size) {
        // The line before a hole has no end; what follows the hole is another.
        Some((hole, true)) => Reading::Bytes(hole, Rest::Ended),
        Some((hole, false)) => Reading::Bytes(hole, at_end),
        None => whole,
    }
}

/// The first hole of at least [`HOLE_MIN`] in `[from, limit)`, and whether data follows it.
fn first_hole(file: &File, from: u64, limit: u64, size: u64) -> Option<(u64, bool)> {
    let mut at = from;
    // Each round passes at least one block of data.
    for _ in 0..=READ_MAX / WINDOW {
        let hole = sys::next_hole(file, at).ok().filter(|at| *at < limit)?;
        let data = sys::next_data(file, hole).ok()?;
        let end = data.unwrap_or(size);
        if end.saturating_sub(hole) >= HOLE_MIN {
            return Some((hole, data.is_some()));
        }
        at = end;
    }
    None
}
