//! Descriptors are bounded: idle files that have a name are closed and opened again when they grow. The kernel's limit
//! is the budget; reaching it is pressure and no fault.

use super::tracked_source::{SourceKey, TrackedSource};

/// Most descriptors that are kept open for logs, whatever the process may have.
const BUDGET_MAX: usize = 65_536;

/// Descriptors that spool, state and the process itself need.
const RESERVE: usize = 48;

/// The same for each stream: its open batch.
const STREAM_RESERVE: usize = 2;

/// The fewest that logs can be followed with.
const BUDGET_MIN: usize = 8;

/// How many descriptors logs may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    /// Of sources, between scans.
    pub(super) sources: usize,
    /// Of candidates, between scans.
    pub(super) candidates: usize,
    /// How many may be opened before they are counted and surplus ones closed.
    pub(super) slack: usize,
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
        }
    }
}

/// How dear a descriptor is; the cheapest are closed first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    /// All read and sealed.
    Idle,
    /// The file has a name, and can be opened again unless it loses that name first.
    Named,
}

/// The sources whose descriptors are to be closed, those longest unused first, so that `kept` stay open. One that is
/// the only way to bytes not yet sealed is never among them.
pub(super) fn surplus<'a>(
    sources: impl Iterator<Item = (SourceKey, &'a TrackedSource)>,
    kept: usize,
) -> Vec<SourceKey> {
    let mut count = 0;
    let mut closable: Vec<(Worth, u64, SourceKey)> = Vec::new();
    for (key, source) in sources.filter(|(_, source)| source.file().is_open()) {
        count += 1;
        closable.extend(worth(source).map(|worth| (worth, source.turn(), key)));
    }
    closable.sort_unstable();
    closable.truncate(usize::saturating_sub(count, kept));
    closable.into_iter().map(|(_, _, key)| key).collect()
}

/// `None`: not to be closed.
fn worth(source: &TrackedSource) -> Option<Worth> {
    if source.file().is_unnamed() || !source.is_in_sight() {
        return None;
    }
    Some(if source.is_settled() {
        Worth::Idle
    } else {
        Worth::Named
    })
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
        }
    }
}
