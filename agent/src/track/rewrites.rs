//! Files that are written in place: not logs, for what was read of them changes again and again. Of such a file a version
//! is archived from time to time, so that one status file cannot fill the archive. Pure.

use std::collections::HashMap;

/// Files that are remembered; beyond it, none is held back.
const FILES_MAX: usize = 10_000;

/// So many changes of what was read, within [`WITHIN_MS`], make a file one that is written in place.
const CHANGES: u32 = 3;

/// See [`CHANGES`]; and how far apart its versions are archived then.
const WITHIN_MS: u64 = 600_000;

/// A file's changes.
#[derive(Debug, Clone, Copy)]
struct Rewrites {
    since_ms: u64,
    count: u32,
    /// When a version of it began to be read.
    version_ms: u64,
}

/// The files whose read bytes have changed, by device and inode number.
#[derive(Debug, Default)]
pub(super) struct RewrittenFiles(HashMap<(u64, u64), Rewrites>);

impl RewrittenFiles {
    /// Takes note that bytes that were read of a file are others now. Whether the version that it holds now is to wait.
    pub(super) fn changed(&mut self, file: (u64, u64), now_ms: u64) -> bool {
        self.0
            .retain(|_, known| now_ms.saturating_sub(known.since_ms) < 2 * WITHIN_MS);
        if self.0.len() >= FILES_MAX && !self.0.contains_key(&file) {
            return false;
        }
        let known = self.0.entry(file).or_insert(Rewrites {
            since_ms: now_ms,
            count: 0,
            version_ms: now_ms,
        });
        if now_ms.saturating_sub(known.since_ms) >= WITHIN_MS && known.count < CHANGES {
            (known.since_ms, known.count) = (now_ms, 0);
        }
        known.count += 1;
        let waits = known.count > CHANGES && now_ms.saturating_sub(known.version_ms) < WITHIN_MS;
        if !waits {
            known.version_ms = now_ms;
        }
        waits
    }

    /// Whether the version that a file holds now is still to wait; if not, it begins now.
    pub(super) fn waits(&mut self, file: (u64, u64), now_ms: u64) -> bool {
        let Some(known) = self.0.get_mut(&file).filter(|known| known.count > CHANGES) else {
            return false;
        };
        let waits = now_ms.saturating_sub(known.version_ms) < WITHIN_MS;
        if !waits {
            (known.version_ms, known.since_ms) = (now_ms, now_ms);
        }
        waits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changes_in_place_waits_from_its_fourth_version_on() {
        let mut files = RewrittenFiles::default();
        let (file, other) = ((1, 2), (1, 3));
        let waits: Vec<_> = (0..5).map(|n| files.changed(file, 1000 * n)).collect();
        assert_eq!(waits, [false, false, false, true, true]);
        assert!(!files.changed(other, 5000));
        assert!(files.waits(file, 500_000));
        assert!(!files.waits(file, 700_000), "a version in ten minutes");
        assert!(files.waits(file, 700_001));
        assert!(!files.waits(other, 5000));
    }

    #[test]
    fn rare_changes_are_no_writing_in_place() {
        let mut files = RewrittenFiles::default();
        for n in 0..20 {
            assert!(!files.changed((1, 2), n * 400_000), "{n}");
        }
    }
}
