//! Descriptors are bounded: idle files that have a name are closed and opened again when they grow.

use super::tracked_source::{SourceKey, TrackedSource};

/// Descriptors kept open between scans. The usual limit of a process is 1024.
pub(super) const OPEN_MAX: usize = 512;

/// How many may be opened before they are counted and surplus ones closed.
pub(super) const OPEN_SLACK: usize = 64;

/// How dear a descriptor is; the cheapest are closed first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    /// All read and sealed.
    Idle,
    /// The file has a name, and can be opened again unless it loses that name first.
    Named,
}

/// The sources whose descriptors are to be closed, those longest unused first. One that is the only
/// way to bytes not yet sealed is never among them.
pub(super) fn surplus<'a>(
    sources: impl Iterator<Item = (SourceKey, &'a TrackedSource)>,
) -> Vec<SourceKey> {
    let mut count = 0;
    let mut closable: Vec<(Worth, u64, SourceKey)> = Vec::new();
    for (key, source) in sources.filter(|(_, source)| source.file().is_open()) {
        count += 1;
        closable.extend(worth(source).map(|worth| (worth, source.turn(), key)));
    }
    closable.sort_unstable();
    closable.truncate(usize::saturating_sub(count, OPEN_MAX));
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
