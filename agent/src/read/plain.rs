//! The plain reader: a source is its file's bytes as they are. Its length is the file's size, and its
//! end is the file's. It reads and plans; it never judges whose bytes they are.
//!
//! A reader of another form, such as a packed log, is a file beside this one.

use crate::read::buffer::ReadBuffer;
use crate::read::pieces::Rest;
use crate::sys::{self, Stat};
use ledger::limits::MAX_LINE;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// Bytes that are compared, or hashed, at once.
pub(crate) const WINDOW: usize = 4096;

/// New bytes of one read: the longest line, its LF, and something to continue with.
pub(crate) const READ_MAX: usize = MAX_LINE + 64 * 1024;

/// Holes shorter than this are archived as the zeros they read as; longer ones become a gap, so
/// that a sparse file cannot fill the archive.
const HOLE_MIN: u64 = 64 * 1024;

/// Where to read on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct From {
    pub(crate) offset: u64,
    /// Bytes before the offset that are read as well, to be proven.
    pub(crate) window: usize,
    /// What follows the file's last byte, as far as its writer is known.
    pub(crate) at_end: Rest,
}

/// What a read gave.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Chunk {
    /// The buffer holds bytes after the window, and this follows them.
    Bytes(Rest),
    /// A hole up to here comes first.
    Hole(u64),
    /// A hole up to the file's end, in which data may yet be written.
    Nothing,
}

/// Whether a file of this size still has all of its source that was read.
pub(crate) fn reaches(size: u64, offset: u64) -> bool {
    size >= offset
}

/// `len` bytes of the source at `at`; `None` if the file ends before.
pub(crate) fn window(file: &File, at: u64, len: usize) -> io::Result<Option<Vec<u8>>> {
    let mut window = vec![0; len];
    match file.read_exact_at(&mut window, at) {
        Ok(()) => Ok(Some(window)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// The source's first bytes, at most `max` of them.
pub(crate) fn first_bytes(file: &File, max: usize) -> io::Result<Vec<u8>> {
    let mut head = vec![0; max];
    let len = file.read_at(&mut head, 0)?;
    head.truncate(len);
    Ok(head)
}

/// Reads the window, and what follows it as far as `stat` showed the file to go. The caller proves the
/// window before it believes the rest.
pub(crate) fn read(
    file: &File,
    stat: &Stat,
    from: From,
    buffer: &mut ReadBuffer,
) -> io::Result<Chunk> {
    let From { offset, window, .. } = from;
    let (chunk, to) = match plan(file, stat, offset, from.at_end) {
        ReadPlan::Bytes(to, rest) => (Chunk::Bytes(rest), to),
        ReadPlan::Hole(to) => (Chunk::Hole(to), offset),
        ReadPlan::Nothing => (Chunk::Nothing, offset),
    };
    let len = usize::try_from(to - offset).unwrap_or(READ_MAX);
    let whole = buffer.fill(file, offset - window as u64, window + len)?;
    Ok(match chunk {
        // Cut short between the look and the read: the next scan judges.
        Chunk::Bytes(_) if !whole => Chunk::Bytes(Rest::Awaited),
        chunk => chunk,
    })
}

/// How far a read may go.
enum ReadPlan {
    /// Bytes up to here, then what `Rest` says.
    Bytes(u64, Rest),
    Hole(u64),
    Nothing,
}

/// What to read next of a file.
fn plan(file: &File, stat: &Stat, offset: u64, at_end: Rest) -> ReadPlan {
    let limit = stat.size.min(offset + READ_MAX as u64);
    let rest = if limit == stat.size {
        at_end
    } else {
        Rest::Awaited
    };
    let whole = ReadPlan::Bytes(limit.max(offset), rest);
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
            ReadPlan::Hole(hole_end)
        } else {
            ReadPlan::Nothing
        };
    }
    match first_hole(file, hole_end, limit, stat.size) {
        // The line before a hole has no end; what follows the hole is another.
        Some((hole, true)) => ReadPlan::Bytes(hole, Rest::Ended),
        Some((hole, false)) => ReadPlan::Bytes(hole, at_end),
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
