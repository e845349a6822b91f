//! What to conclude from what was seen of a file: facts in, decision out. No I/O, no clock; the whole
//! of "which bytes belong to which source" is decided here, and tested as one table.

use ledger::manifest::Reason;
use std::cmp::Reverse;

/// How long a file must not grow before its unfinished last line is taken, and before a file that
/// looks like an unfinished copy is taken for one of its own.
pub(crate) const QUIET_MS: u64 = 30_000;

/// How long a file without a name is kept open after its last growth, once all of it is sealed: its
/// writer may still have it open. Holding it longer would pin its room on the disk.
pub(crate) const UNNAMED_KEPT_MS: u64 = 600_000;

/// How long a log that was cut waits for its copy, and a copy that has caught up for the cut: logrotate syncs the
/// copy before it cuts, which alone can take ten seconds.
pub(crate) const CUT_WAITS_MS: u64 = 60_000;

/// How long a file that seems to be a copy in progress may wait in any case, besides the time to copy it.
const COPY_WAITS_MS: u64 = 120_000;

/// Slowest copy that is waited for, in bytes a millisecond: 4 MiB/s.
const COPY_RATE: u64 = 4 * 1024 * 1024 / 1000;

/// Content that is enough to recognise a log by, whatever its name.
pub(crate) const TELLING_BYTES: u64 = 4096;

/// What was seen of a file that is known by handle or inode.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KnownFile {
    /// The source's read position.
    pub(crate) offset: u64,
    /// Its size at the last look of this run.
    pub(crate) seen: Option<u64>,
    /// Its size now.
    pub(crate) size: u64,
    /// The bytes before the read position are those that were read.
    pub(crate) window_same: bool,
}

/// Whether a known file still holds its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// It does; what lies beyond the read position is new.
    Appended,
    /// It was cut or rewritten: what it holds now is another source, from 0.
    Truncated {
        /// It still begins with what was read, so that reading it again repeats that.
        ambiguous: bool,
    },
}

/// Growth, or truncation.
#[must_use]
pub(crate) fn known_file(file: KnownFile) -> Known {
    let KnownFile {
        offset,
        seen,
        size,
        window_same,
    } = file;
    if size < offset || !window_same {
        return Known::Truncated { ambiguous: false };
    }
    // Shorter than it was, yet not below the read position: bytes that nobody read are lost, and
    // continuing at the position would hide that.
    if seen.is_some_and(|seen| size < seen) {
        return Known::Truncated {
            ambiguous: offset > 0,
        };
    }
    Known::Appended
}

/// A source whose content a file seen for the first time holds, up to the source's read position.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ContentClaim {
    /// That source's own file has no link left, is shorter than the position or differs; and the new file is not the
    /// log of which that one is a rotation.
    pub(crate) original_gone: bool,
    /// No other new file holds that source's content.
    pub(crate) sole: bool,
    /// Of all that do, it was changed first, and not before the source was.
    pub(crate) earliest: bool,
    /// The read position; above 0.
    pub(crate) offset: u64,
    /// The file's name is the source's first path with a rotation's suffix.
    pub(crate) rotated_name: bool,
    /// The file is at the source's first path.
    pub(crate) own_path: bool,
    /// The source ends with a gap if nothing turns out to be its copy.
    pub(crate) needed: bool,
    /// The file is deleted and shorter than the source is known to be.
    pub(crate) lacks_rest: bool,
}

/// What a file seen for the first time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CandidateIs {
    /// The source of a claim continues in this file; `ambiguous` if another file might be it, or another source's.
    Continuation {
        /// Which of the claims.
        claim: usize,
        /// Whether to say so.
        ambiguous: bool,
    },
    /// A source of its own, from 0; `ambiguous` if what it repeats may be archived already.
    OwnSource {
        /// Whether to say so.
        ambiguous: bool,
    },
}

/// A copy, or a file of its own.
#[must_use]
pub(crate) fn candidate(claims: &[ContentClaim]) -> CandidateIs {
    let is_gone = |claim: &ContentClaim| claim.original_gone && !claim.lacks_rest;
    let may_be_rotation = |claim: &ContentClaim| {
        is_gone(claim) && claim.rotated_name && (claim.sole || claim.earliest)
    };
    let told = match claims {
        [claim] if is_gone(claim) && claim.sole => {
            // Written again and renamed into place, as rsync and editors do.
            let ambiguous = claim.own_path;
            let told = ambiguous || claim.offset >= TELLING_BYTES || claim.rotated_name;
            told.then_some((0, ambiguous))
        }
        [] => None,
        _ => {
            // Logs with equal lines: it is that of one that has lost its file; of several, of the newest, of one that
            // would end with a gap, and of the first: later ones may be copies of it.
            let rotations = (0..)
                .zip(claims)
                .filter(|(_, claim)| may_be_rotation(claim));
            let newest =
                rotations.max_by_key(|(at, claim)| (claim.offset, claim.needed, Reverse(*at)));
            newest.map(|(claim, _)| (claim, true))
        }
    };
    match told {
        Some((claim, ambiguous)) => CandidateIs::Continuation { claim, ambiguous },
        None => CandidateIs::OwnSource {
            ambiguous: !claims.is_empty(),
        },
    }
}

/// Whether `path` is a rotation's name of the log first seen at `first`, which may be a rotation's name itself: a
/// suffix like `\.gz|[.-][0-9][0-9._-]*(\.gz)?` after the log's own.
#[must_use]
pub(crate) fn is_rotated_name(first: &[u8], path: &[u8]) -> bool {
    let log = log_of(path);
    log.len() < path.len() && path != first && (log == first || log == log_of(first))
}

/// Whether a path is one that rotations give, of whatever log.
#[must_use]
pub(crate) fn is_rotation(path: &[u8]) -> bool {
    log_of(path).len() < path.len()
}

/// Whether a file at `path` is the log of which the one first seen at `first` is a rotation: it was made later, and is
/// no copy of it.
#[must_use]
pub(crate) fn is_successor(first: &[u8], path: &[u8]) -> bool {
    first != path && log_of(first) == path
}

/// A path without what rotations add to it.
fn log_of(path: &[u8]) -> &[u8] {
    let path = path.strip_suffix(b".gz").unwrap_or(path);
    let is_suffix = |at: &usize| match &path[*at..] {
        [b'.' | b'-', digit, rest @ ..] => {
            let continues = |byte: &u8| byte.is_ascii_digit() || b"._-".contains(byte);
            digit.is_ascii_digit() && rest.iter().all(continues)
        }
        _ => false,
    };
    let suffix = (0..path.len()).find(is_suffix);
    &path[..suffix.unwrap_or(path.len())]
}

/// The file of the source that a new file so far equals the beginning of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Original {
    /// Where it was, as it was.
    Intact,
    /// Out of sight, and nothing proves that it is gone: a look failed.
    Hidden,
    /// Without a link, but open, and not yet read to its end or not yet at rest: bytes may still
    /// come through the descriptor that no copy has.
    Draining,
    /// Gone, at rest, or changed.
    Gone,
}

/// A file that equals the beginning of a source's file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resemblance {
    pub(crate) original: Original,
    /// The source's file is so long now.
    pub(crate) original_size: u64,
    /// And this one so.
    pub(crate) size: u64,
    /// Since this one grew.
    pub(crate) quiet_ms: u64,
    /// It has a name.
    pub(crate) linked: bool,
}

/// How long a file that may be a copy in progress has waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CopyWait {
    since_ms: u64,
    /// The original's size when the copy was first seen.
    original_size: u64,
    caught_up_ms: Option<u64>,
}

impl CopyWait {
    pub(crate) fn begin(original_size: u64, now_ms: u64) -> Self {
        Self {
            since_ms: now_ms,
            original_size,
            caught_up_ms: None,
        }
    }

    /// Whether it waits on: as long as it grows below the original's size, then a while for the original to be
    /// cut, and never beyond what a slow copy takes.
    pub(crate) fn continues(&mut self, file: Resemblance, now_ms: u64) -> bool {
        match file.original {
            Original::Gone => return false,
            Original::Draining => return true,
            Original::Intact | Original::Hidden if !file.linked => return false,
            Original::Intact | Original::Hidden => {}
        }
        let longest = COPY_WAITS_MS + self.original_size / COPY_RATE;
        if now_ms.saturating_sub(self.since_ms) >= longest {
            return false;
        }
        if file.size < file.original_size {
            self.caught_up_ms = None;
            return file.quiet_ms < QUIET_MS;
        }
        let since = *self.caught_up_ms.get_or_insert(now_ms);
        file.size == file.original_size && now_ms.saturating_sub(since) < CUT_WAITS_MS
    }
}

/// Whether a file with the very content of `equals` archived logs is a copy of one of them: no more files claim to be
/// one than there are, and the content or the name tells.
#[must_use]
pub(crate) fn is_known_copy(equals: usize, claims: usize, len: u64, rotated_name: bool) -> bool {
    equals > 0 && claims <= equals && (len >= TELLING_BYTES || rotated_name)
}

/// A source whose file has neither a name nor a descriptor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Absence {
    /// The folder it was in was listed, and is the same folder.
    pub(crate) proven: bool,
    /// Its size when last seen.
    pub(crate) size: u64,
    /// The read position.
    pub(crate) offset: u64,
    /// It was last seen by an earlier run, where it is written or without a name: it may have grown since.
    pub(crate) unwatched: bool,
}

/// What becomes of such a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absent {
    /// Its checkpoint is kept: nothing proves that the file is gone.
    Kept,
    /// It is over.
    Ended {
        /// Bytes are known, or must be feared, to be lost.
        gap: Option<Reason>,
    },
}

/// Gone, or only out of sight.
#[must_use]
pub(crate) fn absent(absence: Absence) -> Absent {
    if !absence.proven {
        return Absent::Kept;
    }
    let lost = absence.size > absence.offset || absence.unwatched;
    Absent::Ended {
        gap: lost.then_some(Reason::Deleted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_file_grew_or_was_truncated() {
        let truncated = |ambiguous| Known::Truncated { ambiguous };
        for (why, offset, seen, size, window_same, expected) in [
            ("nothing new", 10, Some(10), 10, true, Known::Appended),
            ("append", 10, Some(10), 20, true, Known::Appended),
            (
                "first look after a start",
                10,
                None,
                20,
                true,
                Known::Appended,
            ),
            ("never read", 0, Some(5), 9, true, Known::Appended),
            ("emptied", 10, Some(10), 0, false, truncated(false)),
            ("shorter", 10, Some(10), 9, false, truncated(false)),
            (
                "rewritten to the same size",
                10,
                Some(10),
                10,
                false,
                truncated(false),
            ),
            (
                "truncated and regrown beyond",
                10,
                Some(10),
                99,
                false,
                truncated(false),
            ),
            (
                "emptied before it was read",
                0,
                Some(5),
                0,
                true,
                truncated(false),
            ),
            (
                "unread bytes cut off",
                10,
                Some(20),
                15,
                true,
                truncated(true),
            ),
        ] {
            let file = KnownFile {
                offset,
                seen,
                size,
                window_same,
            };
            assert_eq!(known_file(file), expected, "{why}");
        }
    }

    /// Of a copy of much content, which nothing else claims.
    const GOOD: ContentClaim = ContentClaim {
        original_gone: true,
        sole: true,
        earliest: false,
        offset: 5000,
        rotated_name: false,
        own_path: false,
        needed: false,
        lacks_rest: false,
    };

    #[test]
    fn a_new_file_continues_a_source_only_under_all_conditions() {
        let good = GOOD;
        let in_place = ContentClaim {
            own_path: true,
            offset: 100,
            ..good
        };
        let small = ContentClaim {
            offset: 100,
            ..good
        };
        let named = ContentClaim {
            rotated_name: true,
            ..small
        };
        let intact = ContentClaim {
            original_gone: false,
            ..good
        };
        let doubled = ContentClaim {
            sole: false,
            ..good
        };
        let eldest = ContentClaim {
            earliest: true,
            rotated_name: true,
            ..doubled
        };
        let fresh = |ambiguous| CandidateIs::OwnSource { ambiguous };
        let continues = |ambiguous| CandidateIs::Continuation {
            claim: 0,
            ambiguous,
        };
        for (why, claims, expected) in [
            ("other content", &[][..], fresh(false)),
            ("the copy or the rest of one", &[good], continues(false)),
            ("little content, any name", &[small], fresh(true)),
            ("little content, rotated name", &[named], continues(false)),
            ("a copy beside the original", &[intact], fresh(true)),
            ("two copies of one source", &[doubled], fresh(true)),
            ("renamed into its place", &[in_place], continues(true)),
            (
                "the eldest of several rotations",
                &[eldest],
                continues(true),
            ),
            ("content of two sources", &[good, good], fresh(true)),
            ("one gone, one intact", &[good, intact], fresh(true)),
            (
                "a rotation of one of two logs with equal lines",
                &[named, intact],
                continues(true),
            ),
            ("a rotation of either", &[named, named], continues(true)),
        ] {
            assert_eq!(candidate(claims), expected, "{why}");
        }
    }

    #[test]
    fn a_copy_goes_where_it_is_needed_and_brings_the_rest() {
        let named = ContentClaim {
            rotated_name: true,
            ..GOOD
        };
        let needed = ContentClaim {
            needed: true,
            ..named
        };
        let deleted = ContentClaim {
            lacks_rest: true,
            ..named
        };
        let to = |claim| CandidateIs::Continuation {
            claim,
            ambiguous: true,
        };
        assert_eq!(candidate(&[needed, named]), to(0));
        assert_eq!(candidate(&[named, needed]), to(1));
        let fresh = CandidateIs::OwnSource { ambiguous: true };
        assert_eq!(candidate(&[deleted]), fresh);
        assert_eq!(candidate(&[deleted, deleted]), fresh);
    }

    #[test]
    fn rotation_suffixes() {
        for (path, expected) in [
            ("/l/app.log.1", true),
            ("/l/app.log-20261122", true),
            ("/l/app.log.2026-11-22_10.20", true),
            ("/l/app.log.12.gz", true),
            ("/l/app.log.gz", true),
            ("/l/app.log", false),
            ("/l/app.log.", false),
            ("/l/app.log.gz.1", false),
            ("/l/app.log.old", false),
            ("/l/app.log..1", false),
            ("/l/app.log1", false),
            ("/l/app.log.1x", false),
            ("/k/app.log.1", false),
        ] {
            let sibling = is_rotated_name(b"/l/app.log-9", path.as_bytes());
            assert_eq!(sibling, expected, "{path}, of a log first seen rotated");
            assert_eq!(
                is_rotated_name(b"/l/app.log", path.as_bytes()),
                expected,
                "{path}"
            );
        }
    }

    #[test]
    fn a_log_is_no_copy_of_its_rotations() {
        assert!(is_successor(b"/l/app.log.1", b"/l/app.log"));
        assert!(is_successor(b"/l/app.log-20261122.gz", b"/l/app.log"));
        assert!(!is_successor(b"/l/app.log", b"/l/app.log"));
        assert!(!is_successor(b"/l/app.log.1", b"/l/app.log.2"));
        assert!(!is_successor(b"/l/app.log.1", b"/l/other.log"));
        assert!(is_rotation(b"/l/app.log-20261122.gz") && !is_rotation(b"/l/app.20261122.log"));
    }

    #[test]
    fn a_copy_in_progress_waits() {
        use Original::{Draining, Gone, Intact};
        let growing = Resemblance {
            original: Intact,
            original_size: 100,
            size: 50,
            quiet_ms: 0,
            linked: true,
        };
        let resting = Resemblance {
            quiet_ms: QUIET_MS,
            ..growing
        };
        let equal = Resemblance {
            size: 100,
            ..resting
        };
        let beyond = Resemblance {
            size: 101,
            ..growing
        };
        let gone = Resemblance {
            original: Gone,
            ..growing
        };
        let draining = Resemblance {
            original: Draining,
            ..resting
        };
        let unlinked = Resemblance {
            linked: false,
            ..growing
        };
        for (why, file, waited_ms, expected) in [
            ("being written", growing, 0, true),
            ("at rest short of it", resting, 0, false),
            ("caught up", equal, 0, true),
            ("longer than the original", beyond, 0, false),
            ("deleted since", unlinked, 0, false),
            ("the original was cut", gone, 0, false),
            (
                "the original is still being read",
                draining,
                COPY_WAITS_MS,
                true,
            ),
            ("slow for so little", growing, COPY_WAITS_MS, false),
        ] {
            let mut wait = CopyWait::begin(100, 1000);
            assert_eq!(wait.continues(file, 1000 + waited_ms), expected, "{why}");
        }
        let mut wait = CopyWait::begin(100, 0);
        assert!(wait.continues(equal, 10));
        assert!(wait.continues(equal, 9 + CUT_WAITS_MS));
        assert!(!wait.continues(equal, 10 + CUT_WAITS_MS), "it was not cut");
        let mut large = CopyWait::begin(1 << 30, 0);
        assert!(
            large.continues(growing, 2 * COPY_WAITS_MS),
            "a gigabyte takes minutes"
        );
    }

    #[test]
    fn copies_of_archived_logs_are_known() {
        for (why, equals, claims, len, rotated, expected) in [
            ("one of one", 1, 1, 5000, false, true),
            ("none", 0, 1, 5000, true, false),
            ("two of one", 1, 2, 5000, true, false),
            ("two of two", 2, 2, 5000, false, true),
            ("little, any name", 1, 1, 100, false, false),
            ("little, a rotation's name", 1, 1, 100, true, true),
        ] {
            assert_eq!(
                is_known_copy(equals, claims, len, rotated),
                expected,
                "{why}"
            );
        }
    }

    #[test]
    fn what_is_out_of_sight_is_not_yet_gone() {
        let read = Absence {
            proven: true,
            size: 10,
            offset: 10,
            unwatched: false,
        };
        let over = |gap| Absent::Ended { gap };
        let lost = Some(Reason::Deleted);
        for (why, absence, expected) in [
            ("read to its end, then deleted", read, over(None)),
            (
                "deleted with unread bytes",
                Absence { size: 11, ..read },
                over(lost),
            ),
            (
                "deleted while the agent was down",
                Absence {
                    unwatched: true,
                    ..read
                },
                over(lost),
            ),
            (
                "volume not mounted",
                Absence {
                    proven: false,
                    ..read
                },
                Absent::Kept,
            ),
        ] {
            assert_eq!(absent(absence), expected, "{why}");
        }
    }
}
