//! The index by which a candidate finds the sources it may be a copy of, without asking each: at a
//! first start, every file is a candidate.

use super::tracked_source::{SourceKey, TrackedSource};
use std::collections::BTreeSet;

/// Sources by the first bytes of their files.
#[derive(Debug, Default)]
pub(super) struct FirstBytes(BTreeSet<(Vec<u8>, SourceKey)>);

impl FirstBytes {
    pub(super) fn insert(&mut self, key: SourceKey, source: &TrackedSource) {
        self.0.insert((source.file().head().to_vec(), key));
    }

    /// Sources whose first bytes are a beginning of these: all that is known of a short one.
    pub(super) fn beginning(&self, head: &[u8]) -> impl Iterator<Item = SourceKey> {
        let beginnings = (1..=head.len()).map(|len| head[..len].to_vec());
        beginnings.flat_map(|known| {
            let from = (known.clone(), SourceKey(0));
            let equal = self
                .0
                .range(from..)
                .take_while(move |(head, _)| *head == known);
            equal.map(|(_, key)| *key)
        })
    }

    /// Whether a source begins so, or, as far as is known of it, this begins like the source.
    pub(super) fn has(&self, head: &[u8]) -> bool {
        let longer = !head.is_empty() && self.beginning_with(head).next().is_some();
        longer || self.beginning(head).next().is_some()
    }

    pub(super) fn beginning_with(&self, head: &[u8]) -> impl Iterator<Item = SourceKey> {
        let from = (head.to_vec(), SourceKey(0));
        let near = self.0.range(from..).map(|(known, key)| (known, *key));
        near.take_while(move |(known, _)| known.starts_with(head))
            .map(|(_, key)| key)
    }
}
