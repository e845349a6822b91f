//! A file of a source has changed: it grew, or it holds another source now.

use super::decide::{self, Known, KnownFile};
use super::form::{self, Form, TELLING};
use super::scan::Scan;
use super::source_table::SourceTable;
use super::tracked_file::OpenFault;
use super::tracked_source::{SourceKey, TrackedSource};
use crate::read::plain;
use crate::sys::{self, Stat};
use ledger::manifest::Via;
use ledger::name::Epoch;
use std::io;

/// What a closer look at a changed file shows.
enum Examined {
    /// It still holds the source, or has moved out of sight between two looks.
    Settled,
    /// It holds other bytes now; `ambiguous` if they repeat what was read.
    Replaced {
        ambiguous: bool,
    },
    Unreadable(io::Error),
}

/// Looks closer at a source's file.
pub(super) fn examine(table: &mut SourceTable, key: SourceKey, stat: Stat, scan: &mut Scan) {
    let Some(source) = table.get_mut(key) else {
        return;
    };
    match look_closer(source, stat, scan) {
        Examined::Settled => {}
        Examined::Unreadable(error) if sys::is_pressure(&error) => {
            let path = source.path().clone();
            scan.unlooked(&path, &error, table);
        }
        Examined::Unreadable(error) => {
            source.has_fault(&error);
            scan.fault(source.path(), &error);
        }
        Examined::Replaced { ambiguous } => replace(table, key, stat, ambiguous, scan),
    }
}

fn look_closer(source: &mut TrackedSource, stat: Stat, scan: &Scan) -> Examined {
    if source.is_covered() {
        if stat.size == source.file().size() {
            source.file_mut().looked(stat, scan.now_ms());
            return Examined::Settled;
        }
        return Examined::Replaced { ambiguous: false };
    }
    // Proven here and again by each read: whose a new file's content is cannot be told while it
    // is open whether this one still has its own.
    let window_same = match still_holds(source, &stat, scan.boot_id()) {
        Ok(same) => same,
        Err(OpenFault::Moved) => {
            source.goes_missing();
            return Examined::Settled;
        }
        Err(OpenFault::Io(error)) => return Examined::Unreadable(error),
    };
    let file = KnownFile {
        // What a packed file unpacks to has no known place in it.
        offset: match source.via() {
            Via::Plain => source.offset(),
            Via::Gzip => 0,
        },
        seen: source.file().stat().map(|known| known.size),
        size: stat.size,
        window_same,
    };
    source.suspect_no_more();
    match decide::known_file(file) {
        Known::Appended => {
            source.file_mut().looked(stat, scan.now_ms());
            source.is_readable();
            source.file_mut().read_head(scan.boot_id());
            Examined::Settled
        }
        Known::Truncated { ambiguous } => Examined::Replaced { ambiguous },
    }
}

/// Whether the file, as just looked at, still has what was read or, before that, seen of the source.
fn still_holds(source: &mut TrackedSource, stat: &Stat, boot_id: Epoch) -> Result<bool, OpenFault> {
    if source.via() == Via::Gzip {
        // Reading on proves it, unless a read has found that it does not.
        return Ok(!source.is_suspect());
    }
    let offset = source.offset();
    if !plain::reaches(stat.size, offset) {
        return Ok(false);
    }
    let unread = source.file().head().len() as u64 > offset;
    if offset == 0 && !unread {
        return Ok(true);
    }
    let file = source.file_mut().open(boot_id)?;
    let head_same = !unread || source.file().has_head(&file).map_err(OpenFault::Io)?;
    let content = source.positions().content();
    Ok(head_same && content.ends_in(&file).map_err(OpenFault::Io)?)
}

/// The source's file holds other bytes now. They are a source of their own; the old one waits some
/// scans for a copy of the rest.
fn replace(table: &mut SourceTable, key: SourceKey, stat: Stat, ambiguous: bool, scan: &Scan) {
    let Some(source) = table.get_mut(key) else {
        return;
    };
    let file = source.file_mut().hand_over(scan);
    // It may have been cut only after that look, and be shorter by now.
    let fresh = file.descriptor().map(|file| sys::stat_file(file));
    let stat = fresh.and_then(Result::ok).unwrap_or(stat);
    let path = file.path().unwrap_or_else(|| source.path().clone());
    let stream = source.stream();
    let head = file
        .descriptor()
        .map(|file| plain::first_bytes(file, TELLING));
    let form = form::form_of(&head.and_then(Result::ok).unwrap_or_default());
    let in_place = stat.size >= source.offset() && source.offset() > 0;
    let numbers = file.id().numbers();
    table.lose_file(key, scan);
    let waits = in_place && table.rewritten_mut().changed(numbers, scan.now_ms());
    // What is not lines, or is to wait, is met as a candidate by the next scan.
    if let Some(stream) = stream.filter(|_| form == Form::Plain && !waits) {
        table.begin(stream, path, file, stat, ambiguous, scan);
    }
}
