//! Sources whose file is out of reach, or rests: whether they are over.

use super::candidates::Candidates;
use super::decide::{self, Absence, Absent, QUIET_MS, UNNAMED_KEPT_MS};
use super::scan::Scan;
use super::source_table::SourceTable;
use super::tracked_source::{Condition, SourceKey};
use crate::find::Watch;
use ledger::manifest::Reason;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Scans that must miss a file, or the copy of one that was cut, before it counts as gone: between a
/// scan's list of names and its look at them, a rotation may pass a file from one name to another.
const MISSED_SCANS: u64 = 3;

/// Sources without a file: whether they are over. Returns how many the next scan may judge.
pub(super) fn judge(
    table: &mut SourceTable,
    candidates: &Candidates,
    watches: &[Watch],
    scan: &mut Scan,
) -> usize {
    let mut awaited = 0;
    for key in table.keys_where(|_| true) {
        let Some(source) = table.get_mut(key) else {
            continue;
        };
        match source.condition() {
            Condition::Ended { .. } => {}
            Condition::InSight => judge_resting(table, key, scan),
            Condition::AwaitingCopy { since_scan } => {
                let missed = scan.number() - since_scan >= MISSED_SCANS;
                if missed && !candidates.may_hold(key) {
                    table.end(key, Some(Reason::Truncated));
                } else {
                    awaited += 1;
                }
            }
            Condition::Missing { since_ms: None } => {
                source.missing_since(scan.now_ms());
                awaited += usize::from(scan.has_listed(source.file().folder()));
            }
            Condition::Missing {
                since_ms: Some(since_ms),
            } => {
                let claimed = candidates.may_hold(key);
                let waits = judge_missing(table, key, since_ms, claimed, watches, scan);
                awaited += usize::from(waits);
            }
        }
    }
    awaited
}

/// A file that rests: without a name, it is let go; a copy shorter than the source is known to have
/// been leaves a gap.
fn judge_resting(table: &mut SourceTable, key: SourceKey, scan: &mut Scan) {
    let Some(source) = table.get(key) else {
        return;
    };
    let file = source.file();
    let quiet_ms = file.quiet_ms(scan.now_ms());
    if source.lacks_rest() && quiet_ms >= QUIET_MS {
        table.skip_rest(key);
        return;
    }
    if file.is_unnamed() && source.is_settled() && quiet_ms >= UNNAMED_KEPT_MS {
        let missed = file.unnamed_scans() >= MISSED_SCANS;
        let gone = file.links() == 0 || (missed && scan.has_listed(file.folder()));
        if gone {
            table.end(key, None);
        }
    }
}

/// True if the next scans may judge what this one could not.
fn judge_missing(
    table: &mut SourceTable,
    key: SourceKey,
    since_ms: u64,
    claimed: bool,
    watches: &[Watch],
    scan: &mut Scan,
) -> bool {
    let Some(source) = table.get(key) else {
        return false;
    };
    let file = source.file();
    if scan.number() - file.scan() < MISSED_SCANS {
        return scan.has_listed(file.folder());
    }
    // Bytes in the open batch may have to be read again if it is thrown away; and a path that no
    // pattern wants any more was never looked for.
    let unsealed = source.offset() != source.sealed_offset();
    let path = Path::new(OsStr::from_bytes(&source.path().0));
    let unwanted = !watches.iter().any(|watch| watch.wants(path));
    if unsealed || unwanted || claimed {
        return false;
    }
    let absence = Absence {
        proven: scan.has_listed(file.folder()),
        missing_ms: scan.now_ms().saturating_sub(since_ms),
        size: file.size(),
        offset: source.offset(),
        unwatched: source.is_unwatched(),
    };
    if let Absent::Ended { gap } = decide::absent(absence) {
        table.end(key, gap);
    }
    false
}
