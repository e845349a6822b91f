//! Descriptors are bounded: idle files that have a name are closed and opened again when they grow.

use super::tracked_source::{Reach, Source};
use super::{SourceKey, Sources};

/// Descriptors kept open between scans. The usual limit of a process is 1024.
pub(super) const OPEN_MAX: usize = 512;

/// How many may be opened before they are counted and surplus ones closed.
const OPEN_SLACK: usize = 64;

/// How dear a descriptor is; the cheapest are closed first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    /// All read and sealed.
    Idle,
    /// The file has a name, and can be opened again unless it loses that name first.
    Named,
}

impl Sources {
    /// Closes the descriptors longest unused, if there are too many. One that is the only way to
    /// bytes not yet sealed is never closed.
    pub(super) fn close_surplus(&mut self) {
        if self.opened < OPEN_SLACK {
            return;
        }
        self.opened = 0;
        let open = |source: &&Source| source.held.file.is_some();
        let count = self.sources.values().filter(open).count();
        let mut closable: Vec<(Worth, u64, SourceKey)> = self
            .sources
            .iter()
            .filter(|(_, source)| source.held.file.is_some())
            .filter_map(|(key, source)| Some((source.worth()?, source.turn, *key)))
            .collect();
        closable.sort_unstable();
        for (_, _, key) in closable.into_iter().take(count.saturating_sub(OPEN_MAX)) {
            if let Some(source) = self.sources.get_mut(&key) {
                source.held.file = None;
            }
        }
    }
}

impl Source {
    /// `None`: not to be closed.
    fn worth(&self) -> Option<Worth> {
        if self.held.is_unnamed() || self.reach != Reach::Here {
            return None;
        }
        Some(if self.is_settled() {
            Worth::Idle
        } else {
            Worth::Named
        })
    }
}
