//! Reading on in a source: the bytes before the read position are proven to be still there, then holes
//! are passed over and bytes are cut into pieces. Nothing read is taken here; that is the caller's,
//! once an entry holds it.

use super::decide::QUIET_MS;
use super::tracked_file::OpenFault;
use super::tracked_source::TrackedSource;
use crate::now::Now;
use crate::read::buffer::ReadBuffer;
use crate::read::pieces::Rest;
use crate::read::plain::{self, Chunk, WINDOW};
use crate::sys::{self, Stat};
use ledger::entry::PathBytes;
use ledger::manifest::Reason;
use ledger::name::Epoch;
use std::fs::File;
use std::io;
use std::sync::Arc;

/// Holes that one read passes over.
const HOLES_PER_READ: usize = 64;

/// How the end of a file is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// An unfinished last line waits for its end, or for 30 s without growth.
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
) -> Result<Option<Arc<File>>, ReadFault> {
    if !source.has_unread() {
        return Ok(None);
    }
    match source.file_mut().open(boot_id) {
        Ok(file) => Ok(Some(file)),
        Err(OpenFault::Moved) => {
            source.suspect();
            Ok(None)
        }
        Err(OpenFault::Io(cause)) => Err(unreadable(source, cause)),
    }
}

/// Fills `buffer` from the read position on. Whether holes were passed over, which the next manifest
/// must say.
pub(super) fn read_on(
    source: &mut TrackedSource,
    file: &File,
    buffer: &mut ReadBuffer,
    mode: Mode,
    now: Now,
) -> (bool, Result<(), ReadFault>) {
    let gaps = source.positions().unsealed().gap_count();
    let filled = fill(source, file, buffer, mode, now);
    let skipped = source.positions().unsealed().gap_count() > gaps;
    source.has_given(!buffer.pieces().is_empty());
    let outcome = match filled {
        Ok(()) => {
            source.is_readable();
            Ok(())
        }
        Err(cause) => Err(unreadable(source, cause)),
    };
    (skipped, outcome)
}

fn unreadable(source: &mut TrackedSource, cause: io::Error) -> ReadFault {
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
    file: &File,
    buffer: &mut ReadBuffer,
    mode: Mode,
    now: Now,
) -> io::Result<()> {
    for _ in 0..HOLES_PER_READ {
        let stat = sys::stat_file(file)?;
        let from = plain::From {
            offset: source.offset(),
            window: source.positions().content().window_len(),
            at_end: at_end(source, &stat, mode, now),
        };
        let chunk = plain::read(file, &stat, from, buffer)?;
        if !is_proven(source, &stat, from, buffer) {
            source.suspect();
            return Ok(());
        }
        match chunk {
            Chunk::Nothing => return Ok(()),
            Chunk::Bytes(rest) => {
                let line_open = source.positions().line_open();
                buffer.cut(from.window, from.offset, line_open, rest);
                return Ok(());
            }
            Chunk::Hole(to) => source.skip(buffer.window(from.window), to, Reason::Hole),
        }
    }
    Ok(())
}

/// Whether an unfinished line at the file's end may still be finished.
fn at_end(source: &TrackedSource, stat: &Stat, mode: Mode, now: Now) -> Rest {
    let grown = stat.size > source.file().size();
    let quiet = !grown && source.file().quiet_ms(now.boot_ms) >= QUIET_MS;
    if quiet || mode == Mode::Drain {
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
