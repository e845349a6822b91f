//! A file of a source has changed: it grew, or it holds another source now.

use super::scan::Scan;
use super::source_table::SourceTable;
use super::tracked_source::{Examined, SourceKey};
use crate::sys::{self, Stat};

/// Looks closer at a source's file.
pub(super) fn examine(table: &mut SourceTable, key: SourceKey, stat: Stat, scan: &mut Scan) {
    let Some(source) = table.get_mut(key) else {
        return;
    };
    match source.examine(stat, scan) {
        Examined::Holds | Examined::OutOfSight => {}
        Examined::Unreadable(error) => scan.fault(source.path(), &error),
        Examined::Replaced { ambiguous } => replace(table, key, stat, ambiguous, scan),
    }
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
    table.lose_file(key, scan);
    if let Some(stream) = stream {
        table.begin(stream, path, file, stat, ambiguous, scan);
    }
}
