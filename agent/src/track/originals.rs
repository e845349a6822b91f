//! The source that a candidate may be a copy of: how its file stands, whether it is like the
//! candidate, and whether it has changed since it was looked at.

use super::decide::{Original, QUIET_MS, is_successor};
use super::fingerprint;
use super::first_bytes::FirstBytes;
use super::scan::Scan;
use super::source_table::SourceTable;
use super::tracked_file::{OpenFault, TrackedFile};
use super::tracked_source::{Condition, SourceKey, TrackedSource};
use crate::read::plain::{self, WINDOW};
use crate::sys;
use ledger::entry::PathBytes;
use std::io;

/// Sources that one candidate is compared with window by window in a scan.
const COMPARED_MAX: usize = 16;

/// How the file of a source stands that a candidate may be a copy of.
pub(super) fn state(key: SourceKey, table: &SourceTable, scan: &mut Scan) -> Original {
    let Some(source) = table.get(key) else {
        return Original::Gone;
    };
    let file = source.file();
    match source.condition() {
        Condition::Ended { .. } | Condition::AwaitingCopy { .. } => Original::Gone,
        // Its identity is a candidate's own.
        Condition::Candidate => Original::Intact,
        Condition::Missing { .. } | Condition::Unmet { .. } => {
            match scan.proves_departure(file.id(), file.folder()) {
                true => Original::Gone,
                false => Original::Hidden,
            }
        }
        Condition::InSight if file.stat().is_none_or(|stat| stat.links > 0) => Original::Intact,
        Condition::InSight => {
            let quiet = file.quiet_ms(scan.now_ms()) >= QUIET_MS;
            let over = || {
                file.descriptor()
                    .is_some_and(|file| sys::has_no_writer(file))
            };
            if source.is_settled() && (quiet || over()) {
                Original::Gone
            } else {
                Original::Draining
            }
        }
    }
}

/// Whether a source that the candidate may be a copy of has changed since this scan looked at it:
/// a log may grow, be copied and be cut between that look and the one at its copy, and would
/// seem to stand, whole and shorter, beside it.
pub(super) fn has_changed(
    matches: &[SourceKey],
    candidate: &TrackedFile,
    first_bytes: &FirstBytes,
    table: &mut SourceTable,
    scan: &Scan,
) -> bool {
    let near = first_bytes.beginning_with(candidate.head());
    let keys = matches.iter().copied().chain(near);
    keys.take(COMPARED_MAX).any(|key| {
        let source = table.get_mut(key);
        let Some(source) = source.filter(|source| source.is_in_sight()) else {
            return false;
        };
        let file = source.file_mut();
        match file.open(scan.boot_id()).map(|open| sys::stat_file(&open)) {
            Ok(Ok(stat)) => file.is_changed(&stat),
            Err(OpenFault::Moved) => true,
            // What cannot be looked at for want of descriptors may have changed.
            Err(OpenFault::Io(error)) => sys::is_pressure(&error),
            Ok(Err(_)) => false,
        }
    })
}

/// The source in sight whose file the candidate so far equals the beginning of. A file at a source's own first path
/// replaces that source's file, and a log is made after its rotations: neither is a copy.
pub(super) fn alike(
    candidate: &mut TrackedFile,
    path: &PathBytes,
    before: Option<SourceKey>,
    first_bytes: &FirstBytes,
    table: &mut SourceTable,
    scan: &Scan,
) -> io::Result<Option<SourceKey>> {
    let size = candidate.size();
    let file = match candidate.open(scan.boot_id()) {
        Ok(file) => file,
        Err(OpenFault::Moved) => return Ok(None),
        Err(OpenFault::Io(error)) => return Err(error),
    };
    let is_near = |key: &SourceKey| {
        table.get(*key).is_some_and(|source| {
            let live = source.is_in_sight() && !source.is_covered();
            let (first, path) = (&source.path().0, &path.0);
            let later = first == path || is_successor(first, path);
            live && source.file().size() >= size && !later
        })
    };
    // The one it was like before comes first.
    let before = before.filter(is_near);
    let others = first_bytes.beginning_with(candidate.head()).filter(is_near);
    let others = others.filter(|key| Some(*key) != before);
    let keys: Vec<_> = before
        .into_iter()
        .chain(others)
        .take(COMPARED_MAX)
        .collect();
    for key in keys {
        let Some(source) = table.get_mut(key) else {
            continue;
        };
        let Ok(original) = source.file_mut().open(scan.boot_id()) else {
            continue;
        };
        if fingerprint::agree(&file, &original, size)? {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

/// Whether the candidate begins with all that the file of a source has of which nothing is read yet.
pub(super) fn has_unread_of_another(
    candidate: &TrackedFile,
    first_bytes: &FirstBytes,
    table: &mut SourceTable,
    scan: &Scan,
) -> bool {
    let Some(file) = candidate.descriptor() else {
        return false;
    };
    let near = first_bytes.beginning(candidate.head()).take(COMPARED_MAX);
    near.into_iter().any(|key| {
        let Some(source) = table.get_mut(key).filter(|source| source.offset() == 0) else {
            return false;
        };
        let size = source.file().size();
        if !source.is_in_sight() || size == 0 || size > candidate.size() {
            return false;
        }
        let opened = source.file_mut().open(scan.boot_id());
        opened.is_ok_and(|other| fingerprint::agree(file, &other, size).unwrap_or(true))
    })
}

/// Whether the candidate equals the beginning of another file in sight, and holds all that is read of
/// it: what is read from both is there twice.
pub(super) fn is_twin(
    candidate: &TrackedFile,
    like: Option<SourceKey>,
    table: &SourceTable,
) -> bool {
    let like = like.and_then(|key| table.get(key));
    like.is_some_and(|source| plain::reaches(candidate.size(), source.offset()))
}

/// Whether the candidate repeats a log that is over, or the beginning of one or of a source that is read beyond its size;
/// of a candidate too short for a window, its first bytes tell.
pub(super) fn is_repeated_by(candidate: &TrackedFile, table: &SourceTable) -> bool {
    let Some(file) = candidate.descriptor() else {
        return false;
    };
    let size = candidate.size();
    let finished = table.finished();
    let window = plain::first_bytes(file, WINDOW);
    if window.is_ok_and(|window| finished.any_is_repeated_by(&window, size)) {
        return true;
    }
    // That one is over may not be sealed yet; and of one that lost bytes, no window after them is known.
    let is_read =
        |source: &&TrackedSource| source.offset() > 0 && plain::reaches(size, source.offset());
    let begun = |source: &TrackedSource| {
        let content = source.positions().content();
        match content.whole() {
            Some(_) => source.is_ended() && content.begins(file).unwrap_or(true),
            None => fingerprint::may_repeat_lossy(content.head(), candidate.head()),
        }
    };
    if table.values().filter(is_read).any(begun) {
        return true;
    }
    let beyond = |source: &&TrackedSource| !plain::reaches(size, source.offset());
    table.values().filter(beyond).any(|source| {
        let telling = size >= WINDOW as u64;
        if source.is_covered() && telling {
            return source.file().is_begun_by(candidate.head());
        }
        let content = source.positions().content();
        let covered = || content.covers(file, size).unwrap_or(true);
        let begun = || {
            let (head, known) = (candidate.head(), content.head());
            known.get(..head.len()) == Some(head)
        };
        if telling { covered() } else { begun() }
    })
}
