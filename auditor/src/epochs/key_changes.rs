//! Which key signs a stream: after a `key` event only the next one, in the epoch and in those that continue it
//! (`key_inheritance`).
//! What the old key signs then is no statement of the agent, whoever has it. Pure: statements in, findings out.

use crate::findings::by_hand::ByHand;
use crate::manifests::manifest_versions::SignedStatement;
use crate::manifests::refusals;
use ledger::finding::Finding;
use ledger::signature::Key;
use std::collections::BTreeSet;

/// The keys of an epoch while it is followed.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyChanges {
    /// The key that signs from now on, once a `key` event said so.
    next: Option<Key>,
    /// Those that signed before the epoch's first `key` event: at most as many as are pinned.
    before: BTreeSet<Key>,
}

impl KeyChanges {
    /// The key that signs what continues the epoch, if a `key` event named one.
    pub(super) fn next(&self) -> Option<Key> {
        self.next
    }

    /// A key other than `expected` that signed before the epoch's first `key` event.
    pub(super) fn other_than(&self, expected: Key) -> Option<Key> {
        self.before.iter().copied().find(|key| *key != expected)
    }

    /// Takes the next statement; a finding if the key that signed it had been replaced.
    pub(crate) fn take(
        &mut self,
        by_hand: &ByHand,
        statement: &SignedStatement,
    ) -> Option<Finding> {
        let broken = match self.next {
            None => {
                self.before.insert(statement.key);
                None
            }
            Some(next) if next == statement.key => None,
            Some(next) => Some(refusals::replaced_key(by_hand, statement, next)),
        };
        self.next = statement.manifest.next_key().or(self.next);
        broken
    }
}
