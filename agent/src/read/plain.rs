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

/// Zeros of at least so many bytes that reach the file's end are not written yet: an appender took the room before
/// it had the lines.
const BLANK_MIN: usize = 4096;

/// How far beyond what it read a read looks whether all is zeros.
const BLANK_LOOK_MAX: u64 = 16 * 1024 * 1024;

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
    /// The buffer holds bytes after the window, up to where nothing is written yet: from there to the file's end all
    /// is zeros or a hole.
    BlankAfter(u64),
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

/// Where the last whole line in the first `size` bytes ends: after its LF. All of it, if the last [`READ_MAX`] bytes have
/// none.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn last_line_end(file: &File, size: u64) -> io::Result<u64> {
    let mut end = size;
    let mut chunk = vec![0; 64 * 1024];
    while end > size.saturating_sub(READ_MAX as u64) {
        let from = end.saturating_sub(chunk.len() as u64);
        let len = usize::try_from(end - from).unwrap_or(chunk.len());
        file.read_exact_at(&mut chunk[..len], from)?;
        if let Some(at) = memchr::memrchr(b'\n', &chunk[..len]) {
            return Ok(from + at as u64 + 1);
        }
        end = from;
    }
    Ok(size)
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
        ReadPlan::BlankAfter(to) => (Chunk::BlankAfter(to), to),
    };
    let len = usize::try_from(to - offset).unwrap_or(READ_MAX);
    let whole = buffer.fill(file, offset - window as u64, window + len)?;
    match chunk {
        // Cut short between the look and the read: the next scan judges.
        Chunk::Bytes(_) | Chunk::BlankAfter(_) if !whole => Ok(Chunk::Bytes(Rest::Awaited)),
        Chunk::Bytes(_) | Chunk::BlankAfter(_) => {
            let zeros = trailing_zeros(&buffer.filled()[window..]);
            if zeros < BLANK_MIN && matches!(chunk, Chunk::Bytes(_)) {
                return Ok(chunk);
            }
            let written = to - zeros as u64;
            if matches!(chunk, Chunk::Bytes(_)) && !is_blank(file, to, stat.size)? {
                return Ok(chunk);
            }
            buffer.shorten(zeros);
            Ok(Chunk::BlankAfter(written))
        }
        Chunk::Hole(_) => Ok(chunk),
    }
}

/// Zeros at the end of these bytes.
fn trailing_zeros(bytes: &[u8]) -> usize {
    bytes.len()
        - bytes
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |at| at + 1)
}

/// Whether all from here to there is zeros, as far as one read looks.
fn is_blank(file: &File, from: u64, to: u64) -> io::Result<bool> {
    let mut at = from;
    let mut chunk = vec![0; 64 * 1024];
    while at < to.min(from + BLANK_LOOK_MAX) {
        // Where holes cannot be asked for, they are read.
        match sys::next_data(file, at) {
            Ok(None) => return Ok(true),
            Ok(Some(data)) => at = data.max(at),
            Err(_) => {}
        }
        let read = file.read_at(&mut chunk, at)?;
        if chunk[..read].iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        if read == 0 {
            return Ok(true);
        }
        at += read as u64;
    }
    // What is beyond is looked at once this is read: it counts as content.
    Ok(at >= to)
}

/// How far a read may go.
enum ReadPlan {
    /// Bytes up to here, then what `Rest` says.
    Bytes(u64, Rest),
    Hole(u64),
    /// Bytes up to here, then a hole to the file's end.
    BlankAfter(u64),
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
        return match data {
            Some(_) => ReadPlan::Hole(hole_end),
            None => ReadPlan::BlankAfter(offset),
        };
    }
    match first_hole(file, hole_end, limit, stat.size) {
        // The line before a hole has no end; what follows the hole is another.
        Some((hole, true)) => ReadPlan::Bytes(hole, Rest::Ended),
        Some((hole, false)) => ReadPlan::BlankAfter(hole),
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
