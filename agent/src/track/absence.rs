//! Sources whose file is out of reach, or rests: whether they are over.

use super::decide::{self, Absence, Absent, QUIET_MS, UNNAMED_HELD_MS};
use super::scan::Round;
use super::tracked_source::{Reach, Source};
use super::{SourceKey, Sources};
use ledger::manifest::Reason;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Scans that must miss a file, or the copy of one that was cut, before it counts as gone: between a
/// scan's list of names and its look at them, a rotation may pass a file from one name to another.
const MISSED_SCANS: u64 = 3;

impl Sources {
    /// Sources without a file: whether they are over. Returns how many the next scan may judge.
    pub(super) fn judge_lost(&mut self, round: &mut Round) -> usize {
        let keys: Vec<_> = self.sources.keys().copied().collect();
        let mut awaited = 0;
        for key in keys {
            let robbed = |source: &Source| matches!(source.reach, Reach::Robbed { .. });
            let claimed = self.sources.get(&key).is_some_and(robbed) && self.is_claimed(key);
            let Some(source) = self.sources.get_mut(&key) else {
                continue;
            };
            match source.reach {
                Reach::Over { .. } => {}
                Reach::Here => self.judge_resting(key, round),
                Reach::Robbed { scan } if self.scan - scan >= MISSED_SCANS && !claimed => {
                    self.end(key, Some(Reason::Truncated));
                }
                Reach::Robbed { .. } => awaited += 1,
                Reach::Absent { since_ms: None } => {
                    let since_ms = Some(round.now_ms);
                    source.reach = Reach::Absent { since_ms };
                    source.held.file = None;
                    awaited += usize::from(round.has_listed(source.held.folder));
                }
                Reach::Absent {
                    since_ms: Some(since_ms),
                } => awaited += usize::from(self.judge_absent(key, since_ms, round)),
            }
        }
        awaited
    }

    /// A file that rests: without a name, it is let go; a copy shorter than the source is known to
    /// have been leaves a gap.
    fn judge_resting(&mut self, key: SourceKey, round: &mut Round) {
        let Some(source) = self.sources.get_mut(&key) else {
            return;
        };
        let quiet_ms = source.held.quiet_ms(round.now_ms);
        let offset = source.read.offset();
        let drained = source.held.size <= offset;
        if source.extent > offset && drained && quiet_ms >= QUIET_MS {
            // What is skipped was never read: the fingerprint counts it as zeros, and the copy,
            // being spent, is never held against it.
            let window = vec![0; source.read.content.window_len()];
            source.skip(&window, source.extent, Reason::Truncated);
            source.spent = true;
            self.touch(key);
            return;
        }
        let links = source.held.stat.map_or(0, |stat| stat.links);
        if source.held.is_unnamed() && source.is_settled() && quiet_ms >= UNNAMED_HELD_MS {
            let missed = source.held.unnamed_scans >= MISSED_SCANS;
            let gone = links == 0 || (missed && round.has_listed(source.held.folder));
            if gone {
                self.end(key, None);
            }
        }
    }

    /// True if the next scans may judge what this one could not.
    fn judge_absent(&mut self, key: SourceKey, since_ms: u64, round: &mut Round) -> bool {
        let Some(source) = self.sources.get(&key) else {
            return false;
        };
        if self.scan - source.held.scan < MISSED_SCANS {
            return round.has_listed(source.held.folder);
        }
        // Bytes in the batch at hand may have to be read again if it is thrown away; and a path that
        // no pattern wants any more was never looked for.
        let unsealed = source.read.offset() != source.sealed.offset();
        let path = Path::new(OsStr::from_bytes(&source.path.0));
        let unwanted = !self.finder.watches().iter().any(|watch| watch.wants(path));
        if unsealed || unwanted || self.is_claimed(key) {
            return false;
        }
        let absence = Absence {
            proven: round.has_listed(source.held.folder),
            missing_ms: round.now_ms.saturating_sub(since_ms),
            size: source.held.size,
            offset: source.read.offset(),
            unwatched: source.unwatched,
        };
        if let Absent::Over { gap } = decide::absent(absence) {
            self.end(key, gap);
        }
        false
    }
}
