//! Sources whose file is out of reach, or rests: whether they are over.

use super::candidates::Candidates;
use super::decide::{self, Absence, Absent, CUT_WAITS_MS, QUIET_MS, UNNAMED_KEPT_MS};
use super::scan::Scan;
use super::source_table::SourceTable;
use super::tracked_source::{Condition, SourceKey};
use crate::find::Watch;
use crate::sys;
use host::sabotage::{Switch, is_on};
use ledger::manifest::Reason;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Scans that must miss a file, or the copy of one that was cut, before it counts as gone: between a
/// scan's list of names and its look at them, a rotation may pass a file from one name to another.
const MISSED_SCANS: u64 = 3;

/// How long the rest of a log that was cut is waited for while a name beside it cannot be looked at, which may be the
/// copy.
const HIDDEN_MAX_MS: u64 = 600_000;

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
            Condition::Ended { .. } | Condition::Candidate => {}
            Condition::InSight => {
                table.place(key);
                judge_resting(table, key, candidates, scan);
            }
            Condition::AwaitingCopy {
                since_scan,
                since_ms,
            } => {
                let missed = scan.number() - since_scan >= MISSED_SCANS;
                let waited_ms = scan.now_ms().saturating_sub(since_ms);
                let waited = candidates.is_hurried() || waited_ms >= CUT_WAITS_MS;
                let hidden = waited_ms < HIDDEN_MAX_MS && !scan.sees_all_of(source.file().folder());
                let over = missed && waited && !hidden && !candidates.may_hold(key);
                if over || is_on(Switch::GapEarly) {
                    table.end(key, Some(Reason::Truncated));
                } else {
                    awaited += 1;
                }
            }
            Condition::Missing { since_ms: None } | Condition::Unmet { since_ms: None, .. } => {
                source.missing_since(scan.now_ms());
                let file = source.file();
                awaited += usize::from(scan.proves_absence(file.id().ino, file.folder()));
            }
            Condition::Missing { .. } | Condition::Unmet { .. } => {
                let claimed = candidates.may_hold(key);
                let waits = judge_missing(table, key, claimed, watches, scan);
                awaited += usize::from(waits);
            }
        }
    }
    awaited
}

/// A file that rests: without a name, it is let go; a copy shorter than the source is known to have
/// been leaves a gap.
fn judge_resting(
    table: &mut SourceTable,
    key: SourceKey,
    candidates: &Candidates,
    scan: &mut Scan,
) {
    let Some(source) = table.get(key) else {
        return;
    };
    let file = source.file();
    let quiet_ms = file.quiet_ms(scan.now_ms());
    let written_no_more = || {
        let unlinked = file.descriptor().filter(|_| file.links() == 0);
        quiet_ms >= UNNAMED_KEPT_MS || unlinked.is_some_and(|file| sys::has_no_writer(file))
    };
    if source.is_broken_off() {
        if candidates.is_hurried() || quiet_ms >= CUT_WAITS_MS {
            table.break_off(key);
        }
    } else if source.lacks_rest() {
        if quiet_ms >= QUIET_MS || written_no_more() {
            table.skip_rest(key);
        }
    } else if file.is_unnamed() && source.is_settled() && written_no_more() {
        let missed = file.unnamed_scans() >= MISSED_SCANS;
        let gone = file.links() == 0 || (missed && scan.has_listed(file.folder()));
        if gone && !candidates.may_hold(key) {
            table.end(key, None);
        }
    }
}

/// True if the next scans may judge what this one could not.
fn judge_missing(
    table: &mut SourceTable,
    key: SourceKey,
    claimed: bool,
    watches: &[Watch],
    scan: &mut Scan,
) -> bool {
    let Some(source) = table.get(key) else {
        return false;
    };
    let file = source.file();
    let proven = scan.proves_absence(file.id().ino, file.folder());
    if scan.number() - file.scan() < MISSED_SCANS {
        return proven;
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
        proven,
        size: source.known_len(),
        offset: source.offset(),
        unwatched: source.is_unwatched(),
    };
    if let Absent::Ended { gap } = decide::absent(absence) {
        table.end(key, gap);
    }
    false
}
