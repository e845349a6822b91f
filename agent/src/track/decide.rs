//! What to conclude from what was seen of a file: facts in, decision out. No I/O, no clock; the whole
//! of "which bytes belong to which source" is decided here, and tested as one table.

use ledger::manifest::Reason;

/// How long a file must not grow before its unfinished last line is taken, and before a file that
/// looks like an unfinished copy is taken for one of its own.
pub(crate) const QUIET_MS: u64 = 30_000;

/// How long a file without a name is kept open after its last growth, once all of it is sealed: its
/// writer may still have it open. Holding it longer would pin its room on the disk.
pub(crate) const UNNAMED_KEPT_MS: u64 = 60_000;

/// How long a source is kept whose file is missing without proof that it is gone (a volume not
/// mounted, a folder not readable).
pub(crate) const MISSING_KEPT_MS: u64 = 24 * 60 * 60 * 1000;

/// Content that is enough to recognise a log by, whatever its name.
const TELLING_BYTES: u64 = 4096;

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
    /// That source's own file has no link left, is shorter than the position or differs.
    pub(crate) original_gone: bool,
    /// No other new file holds that source's content.
    pub(crate) sole: bool,
    /// The read position; above 0.
    pub(crate) offset: u64,
    /// The file's name is the source's first path with a rotation's suffix.
    pub(crate) rotated_name: bool,
}

/// What a file seen for the first time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CandidateIs {
    /// The known source of the one claim, which continues in this file.
    Continuation,
    /// A source of its own, from 0; `ambiguous` if what it repeats may be archived already.
    OwnSource {
        /// Whether to say so.
        ambiguous: bool,
    },
}

/// A copy, or a file of its own.
#[must_use]
pub(crate) fn candidate(claims: &[ContentClaim]) -> CandidateIs {
    match claims {
        [claim]
            if claim.original_gone
                && claim.sole
                && (claim.offset >= TELLING_BYTES || claim.rotated_name) =>
        {
            CandidateIs::Continuation
        }
        _ => CandidateIs::OwnSource {
            ambiguous: !claims.is_empty(),
        },
    }
}

/// Whether `path` is `first` with a suffix that rotation gives: `\.gz|[.-][0-9][0-9._-]*(\.gz)?`.
#[must_use]
pub(crate) fn is_rotated_name(first: &[u8], path: &[u8]) -> bool {
    let Some(suffix) = path.strip_prefix(first) else {
        return false;
    };
    let numbered = suffix.strip_suffix(b".gz").unwrap_or(suffix);
    let continues = |byte: &u8| byte.is_ascii_digit() || b"._-".contains(byte);
    match numbered {
        [] => suffix == b".gz",
        [b'.' | b'-', digit, rest @ ..] => digit.is_ascii_digit() && rest.iter().all(continues),
        _ => false,
    }
}

/// The file of the source that a new file so far equals the beginning of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Original {
    /// Where it was, as it was.
    Intact,
    /// Without a link, but open, and not yet read to its end or not yet at rest: bytes may still
    /// come through the descriptor that no copy has.
    Draining,
    /// Gone, at rest, or changed.
    Gone,
}

/// Whether a file that looks like an unfinished copy may be judged now.
#[must_use]
pub(crate) fn copy_waits(original: Original, quiet_ms: u64, linked: bool) -> bool {
    match original {
        Original::Intact => linked && quiet_ms < QUIET_MS,
        Original::Draining => true,
        Original::Gone => false,
    }
}

/// A source whose file has neither a name nor a descriptor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Absence {
    /// The folder it was in was listed, and is the same folder.
    pub(crate) proven: bool,
    /// Since when.
    pub(crate) missing_ms: u64,
    /// Its size when last seen.
    pub(crate) size: u64,
    /// The read position.
    pub(crate) offset: u64,
    /// It was last seen by an earlier run, at its first path: it may have grown since.
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
    if !absence.proven && absence.missing_ms < MISSING_KEPT_MS {
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

    #[test]
    fn a_new_file_continues_a_source_only_under_all_conditions() {
        let good = ContentClaim {
            original_gone: true,
            sole: true,
            offset: 5000,
            rotated_name: false,
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
        let fresh = |ambiguous| CandidateIs::OwnSource { ambiguous };
        for (why, claims, expected) in [
            ("other content", &[][..], fresh(false)),
            (
                "the copy or the rest of one",
                &[good],
                CandidateIs::Continuation,
            ),
            ("little content, any name", &[small], fresh(true)),
            (
                "little content, rotated name",
                &[named],
                CandidateIs::Continuation,
            ),
            ("a copy beside the original", &[intact], fresh(true)),
            ("two copies of one source", &[doubled], fresh(true)),
            ("content of two sources", &[good, good], fresh(true)),
            ("one gone, one intact", &[good, intact], fresh(true)),
        ] {
            assert_eq!(candidate(claims), expected, "{why}");
        }
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
            assert_eq!(
                is_rotated_name(b"/l/app.log", path.as_bytes()),
                expected,
                "{path}"
            );
        }
    }

    #[test]
    fn an_unfinished_copy_waits() {
        use Original::{Draining, Gone, Intact};
        for (why, original, quiet_ms, linked, expected) in [
            ("being written", Intact, 0, true, true),
            ("at rest just short of it", Intact, QUIET_MS - 1, true, true),
            ("a file that stays equal", Intact, QUIET_MS, true, false),
            ("deleted since", Intact, 0, false, false),
            ("the original was cut", Gone, 0, true, false),
            (
                "the original is still being read",
                Draining,
                QUIET_MS,
                true,
                true,
            ),
        ] {
            assert_eq!(copy_waits(original, quiet_ms, linked), expected, "{why}");
        }
    }

    #[test]
    fn what_is_out_of_sight_is_not_yet_gone() {
        let read = Absence {
            proven: true,
            missing_ms: 0,
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
            (
                "never mounted again",
                Absence {
                    proven: false,
                    missing_ms: MISSING_KEPT_MS,
                    ..read
                },
                over(None),
            ),
        ] {
            assert_eq!(absent(absence), expected, "{why}");
        }
    }
}
