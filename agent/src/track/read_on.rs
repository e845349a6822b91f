//! Reading on in a source: the bytes before the read position are proven to be still there, then holes
//! are passed over and bytes are cut into pieces. Nothing read is taken here; that is the caller's,
//! once an entry holds it.

use super::tracked_file::OpenFault;
use super::tracked_source::{SourceKey, TrackedSource};
use super::unpackers::Unpackers;
use crate::now::Now;
use crate::read::buffer::ReadBuffer;
use crate::read::gzip::AtHand;
use crate::read::pieces::{Piece, Rest};
use crate::read::plain::{self, Chunk, WINDOW};
use crate::sys::{self, Stat};
use ledger::entry::PathBytes;
use ledger::manifest::{Reason, Via};
use ledger::name::Epoch;
use std::fs::File;
use std::io;
use std::sync::Arc;

/// Holes that one read passes over.
const HOLES_PER_READ: usize = 64;

/// How the end of a file is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// An unfinished last line waits for its end, but not for ever.
    Follow,
    /// An unfinished last line is taken, flagged `open`.
    Drain,
}

/// Why a source gave nothing just now. Its place is kept; it is tried again after the next scan.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadFault {
    #[error("{path}: cannot be read, its place is kept: {cause}", path = path.display())]
    Unreadable { path: PathBytes, cause: io::Error },
}

/// Opens the source's file, if there is something to read.
pub(super) fn open(
    source: &mut TrackedSource,
    boot_id: Epoch,
) -> Result<Option<Arc<File>>, OpenFault> {
    if !source.has_unread() {
        return Ok(None);
    }
    // Until a read gives something, it is not asked again before the next scan.
    source.has_given(false);
    source.file_mut().open(boot_id).map(Some)
}

/// One source's turn to be read.
pub(super) struct Reading<'a> {
    pub(super) key: SourceKey,
    pub(super) file: &'a Arc<File>,
    pub(super) unpackers: &'a mut Unpackers,
    pub(super) mode: Mode,
    pub(super) now: Now,
    /// A line without an end is taken after so long.
    pub(super) open_after_ms: u64,
}

/// What filling the buffer came to.
enum Filled {
    /// As far as it could be.
    Once,
    /// It is on the way to the read position: ask again.
    Passing,
}

/// Fills `buffer` from the read position on. Whether holes were passed over, which the next manifest
/// must say.
pub(super) fn read_on(
    source: &mut TrackedSource,
    reading: Reading<'_>,
    buffer: &mut ReadBuffer,
) -> (bool, Result<(), ReadFault>) {
    let gaps = source.positions().unsealed().gap_count();
    let filled = match source.via() {
        Via::Plain => fill(source, &reading, buffer).map(|()| Filled::Once),
        Via::Gzip => fill_packed(source, reading, buffer),
    };
    let skipped = source.positions().unsealed().gap_count() > gaps;
    let passing = matches!(filled, Ok(Filled::Passing));
    source.has_given(passing || !buffer.pieces().is_empty());
    let outcome = match filled {
        Ok(_) => {
            source.is_readable();
            Ok(())
        }
        Err(cause) => Err(unreadable(source, cause)),
    };
    (skipped, outcome)
}

pub(super) fn unreadable(source: &mut TrackedSource, cause: io::Error) -> ReadFault {
    source.has_fault(&cause);
    source.has_given(false);
    // The next try opens it again: a descriptor can go stale.
    if !source.file().is_unnamed() {
        source.file_mut().close();
    }
    ReadFault::Unreadable {
        path: source.path().clone(),
        cause,
    }
}

fn fill(
    source: &mut TrackedSource,
    reading: &Reading<'_>,
    buffer: &mut ReadBuffer,
) -> io::Result<()> {
    let Reading { file, now, .. } = *reading;
    for _ in 0..HOLES_PER_READ {
        let stat = sys::stat_file(file)?;
        let from = plain::From {
            offset: source.offset(),
            window: source.positions().content().window_len(),
            at_end: at_end(source, reading, now),
        };
        let chunk = plain::read(file, &stat, from, buffer)?;
        if !is_proven(source, &stat, from, buffer) {
            source.suspect();
            return Ok(());
        }
        match chunk {
            Chunk::Bytes(rest) => {
                cut(source, buffer, from.window, rest, now);
                return Ok(());
            }
            Chunk::BlankAfter(written) => {
                // Nobody knows what will be written after an unfinished line: it waits as long as any.
                source.file_mut().is_blank_after(&stat, written);
                cut(source, buffer, from.window, from.at_end, now);
                return Ok(());
            }
            Chunk::Hole(to) => source.skip(buffer.window(from.window), to, Reason::Hole),
        }
    }
    Ok(())
}

/// The same from a packed file. Its unpacker may have far to go first.
fn fill_packed(
    source: &mut TrackedSource,
    reading: Reading<'_>,
    buffer: &mut ReadBuffer,
) -> io::Result<Filled> {
    let now = reading.now;
    let ended = at_end(source, &reading, now);
    let Reading {
        key,
        file,
        unpackers,
        ..
    } = reading;
    let stat = sys::stat_file(file)?;
    let (offset, window) = (source.offset(), source.positions().content().window_len());
    let from = offset - window as u64;
    let reader = unpackers.of(key, file)?;
    let AtHand::Ready(end) = reader.seek(from, window + plain::READ_MAX)? else {
        return Ok(Filled::Passing);
    };
    buffer.load(reader.at_hand(from));
    let unpacked = reader.unpacked();
    let before = buffer.window(window);
    let unlike = offset < WINDOW as u64 && !source.file().agrees(buffer.filled());
    if unlike || before.len() < window || !source.positions().content().ends_with(before) {
        source.suspect();
        unpackers.forget(key);
        return Ok(Filled::Once);
    }
    let rest = match end {
        None => Rest::Awaited,
        Some(end) => {
            source.file_mut().unpacked(stat.size, unpacked, end);
            ended
        }
    };
    cut(source, buffer, window, rest, now);
    Ok(Filled::Once)
}

/// Cuts what follows the window into pieces, and takes note since when a line waits for its end.
fn cut(source: &mut TrackedSource, buffer: &mut ReadBuffer, window: usize, rest: Rest, now: Now) {
    let offset = source.offset();
    buffer.cut(window, offset, source.positions().line_open(), rest);
    let taken = buffer.pieces().last().map_or(window, Piece::end);
    let left = buffer.filled().len() - taken;
    source.line_waits((left > 0).then(|| offset + (taken - window) as u64), now);
}

/// Whether an unfinished line at the read position may still be finished.
fn at_end(source: &TrackedSource, reading: &Reading<'_>, now: Now) -> Rest {
    let old = source.line_age_ms(now) >= reading.open_after_ms;
    if old || reading.mode == Mode::Drain {
        Rest::Ended
    } else {
        Rest::Awaited
    }
}

/// Whether what was just read begins with the bytes before the read position.
fn is_proven(source: &TrackedSource, stat: &Stat, from: plain::From, buffer: &ReadBuffer) -> bool {
    let file = source.file();
    // What is there before anything was read is known by its first bytes alone.
    let unlike = from.offset < WINDOW as u64 && !file.agrees(buffer.filled());
    let shrunk = stat.size < file.size() || buffer.filled().len() < from.window;
    let content = source.positions().content();
    !shrunk && !unlike && content.ends_with(buffer.window(from.window))
}
