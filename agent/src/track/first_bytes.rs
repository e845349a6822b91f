//! The index by which a newcomer finds the sources it may be a copy of.

use super::SourceKey;
use super::tracked_source::Source;
use std::collections::BTreeSet;

/// Sources by the first bytes of their files, to find those that a newcomer may be a copy of without
/// asking each: at a first start, every file is a newcomer.
#[derive(Debug, Default)]
pub(super) struct Heads(BTreeSet<(Vec<u8>, SourceKey)>);

impl Heads {
    pub(super) fn insert(&mut self, key: SourceKey, source: &Source) {
        self.0.insert((source.held.head.clone(), key));
    }

    pub(super) fn beginning_with(&self, head: &[u8]) -> impl Iterator<Item = SourceKey> {
        let from = (head.to_vec(), SourceKey(0));
        let near = self.0.range(from..).map(|(known, key)| (known, *key));
        near.take_while(move |(known, _)| known.starts_with(head))
            .map(|(_, key)| key)
    }
}
