//! Descriptors are bounded, and the kernel's limit is the budget; reaching it is pressure and no fault. Under pressure
//! go, in this order:
//!
//! 1. files that have a name, idle ones first: they are opened again when they grow;
//! 2. files without one that nobody has open for writing: all of them is archived, and they are over;
//! 3. those that were quiet longest: more may be written to them, which a gap `deleted` says;
//! 4. files of which nothing is read yet: they may lose their name before they are opened again.
//!
//! A file without a name of which bytes are not sealed stays. Where such files take half of the budget, their streams seal
//! at once, so that they can go.

use super::tracked_source::{SourceKey, TrackedSource};
use crate::sys;
use ledger::manifest::Reason;
use std::os::fd::RawFd;

/// Most descriptors that are kept open for logs, whatever the process may have.
const BUDGET_MAX: usize = 65_536;

/// Descriptors that spool, state and the process itself need: as many may be open already, and as many can be had on top
/// of all that logs take.
const RESERVE: usize = 2 * RESERVE_PART;
const RESERVE_PART: usize = 24;

/// The same for each stream: its open batch.
const STREAM_RESERVE: usize = 2;

/// The fewest that logs can be followed with.
const BUDGET_MIN: usize = 8;

/// Scans that must find no name for a file that has one somewhere: a rotation may pass it from one to another.
const UNNAMED_SCANS: u64 = 3;

/// How many descriptors logs may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    /// Of sources, between scans.
    pub(super) sources: usize,
    /// Of candidates, between scans.
    pub(super) candidates: usize,
    /// How many may be opened before they are counted and surplus ones closed.
    pub(super) slack: usize,
    /// The first descriptor that no log may have, so that spool and state get theirs.
    pub(crate) end: RawFd,
}

impl Budget {
    /// Of a process that may have `limit` descriptors and has so many streams.
    #[must_use]
    pub(crate) fn new(limit: u64, streams: usize) -> Self {
        let limit = usize::try_from(limit).unwrap_or(BUDGET_MAX);
        let reserve = RESERVE + STREAM_RESERVE * streams;
        let logs = limit.saturating_sub(reserve).clamp(BUDGET_MIN, BUDGET_MAX);
        let part = (logs / 8).clamp(1, 64);
        Self {
            sources: logs - 2 * part,
            candidates: part,
            slack: part,
            end: RawFd::try_from(logs + RESERVE_PART + streams).unwrap_or(RawFd::MAX),
        }
    }
}

/// How dear a descriptor is; the cheapest go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    /// The file has a name, and all of it is read and sealed.
    Idle,
    /// It can be opened again unless the file loses its name first.
    Named,
    /// The file has no name and no writer.
    Over,
    /// It has no name, and may have a writer.
    Unnamed,
    /// It has a name, and nothing of it is read.
    Unread,
}

/// The descriptors that are too many.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Surplus {
    /// Sources to be closed: they have a name.
    pub(super) closed: Vec<SourceKey>,
    /// Sources to be ended, with a gap where more may be written to them: they have none.
    pub(super) ended: Vec<(SourceKey, Option<Reason>)>,
}

/// How many descriptors lead to files that have no name.
pub(super) fn unnamed<'a>(sources: impl Iterator<Item = &'a TrackedSource>) -> usize {
    let unnamed = |source: &&TrackedSource| source.file().is_open() && source.file().is_unnamed();
    sources.filter(unnamed).count()
}

/// What is to go so that `kept` stay open. A source that is the only way to bytes not yet sealed is never among it.
pub(super) fn surplus<'a>(
    sources: impl Iterator<Item = (SourceKey, &'a TrackedSource)>,
    kept: usize,
) -> Surplus {
    let open: Vec<_> = sources
        .filter(|(_, source)| source.file().is_open())
        .collect();
    let over = open.len().saturating_sub(kept);
    if over == 0 {
        return Surplus::default();
    }
    let mut all: Vec<_> = open
        .iter()
        .filter_map(|(key, source)| {
            let worth = worth(source)?;
            let since = match worth {
                Worth::Unnamed => source.file().grown_ms(),
                _ => source.turn(),
            };
            Some((worth, since, *key))
        })
        .collect();
    all.sort_unstable();
    all.truncate(over);
    let mut surplus = Surplus::default();
    for (worth, _, key) in all {
        match worth {
            Worth::Idle | Worth::Named | Worth::Unread => surplus.closed.push(key),
            Worth::Over => surplus.ended.push((key, None)),
            Worth::Unnamed => surplus.ended.push((key, Some(Reason::Deleted))),
        }
    }
    surplus
}

/// `None`: not to be closed.
fn worth(source: &TrackedSource) -> Option<Worth> {
    if !source.is_in_sight() {
        return None;
    }
    if source.file().is_unnamed() {
        return may_be_released(source).then(|| match may_be_written(source) {
            true => Worth::Unnamed,
            false => Worth::Over,
        });
    }
    Some(match source.is_settled() {
        true => Worth::Idle,
        false if source.offset() > 0 => Worth::Named,
        false => Worth::Unread,
    })
}

/// Whether all that is known of a source without a name is sealed.
fn may_be_released(source: &TrackedSource) -> bool {
    let file = source.file();
    let is_gone = file.links() == 0 || file.unnamed_scans() >= UNNAMED_SCANS;
    let is_whole = !source.lacks_rest() && !source.is_broken_off();
    is_gone && is_whole && source.is_settled()
}

fn may_be_written(source: &TrackedSource) -> bool {
    let unlinked = source.file().descriptor();
    let unlinked = unlinked.filter(|_| source.file().links() == 0);
    !unlinked.is_some_and(|file| sys::has_no_writer(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_limit_leaves_room_for_the_rest() {
        for (limit, streams) in [(64, 1), (256, 3), (1024, 1), (1024, 256), (u64::MAX, 1)] {
            let Budget {
                sources,
                candidates,
                slack,
                end,
            } = Budget::new(limit, streams);
            assert!(
                sources >= 4 && candidates >= 1 && slack >= 1,
                "{limit} {streams}"
            );
            let used = (sources + candidates + slack) as u64;
            let least = (BUDGET_MIN + RESERVE + STREAM_RESERVE * streams) as u64;
            assert!(
                used + RESERVE as u64 <= limit.max(least),
                "{limit} {streams}: {used}"
            );
            let end = u64::try_from(end).unwrap();
            let room = (RESERVE_PART + streams) as u64;
            assert!(end >= used + room, "{limit} {streams}: own ones come first");
            assert!(end + room <= limit.max(least), "{limit} {streams}: {end}");
        }
    }
}
