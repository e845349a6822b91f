//! Which key signs a stream: after a `key` event only the next one, in the epoch and in those that continue it. What
//! the old key signs then is no statement of the agent, whoever has it. Pure: statements in, findings out.

use super::epoch_end::EpochEnd;
use crate::findings::by_hand::ByHand;
use crate::manifests::manifest_versions::SignedStatement;
use crate::manifests::refusals;
use ledger::finding::Finding;
use ledger::name::Epoch;
use ledger::signature::Key;
use std::collections::{BTreeMap, BTreeSet};

/// The keys of an epoch while it is followed.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyChanges {
    /// The key that signs from now on, once a `key` event said so.
    next: Option<Key>,
    /// Those that signed before the epoch's first `key` event: at most as many as are pinned.
    before: BTreeSet<Key>,
}

impl KeyChanges {
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

/// The key that must sign `epoch` from its genesis on, as the epochs say that it continues.
fn inherited(epoch: Epoch, ends: &BTreeMap<Epoch, EpochEnd>) -> Option<Key> {
    let mut seen = BTreeSet::from([epoch]);
    let mut waiting = vec![epoch];
    // Each epoch is visited once.
    while let Some(epoch) = waiting.pop() {
        let genesis = ends.get(&epoch).and_then(|end| end.genesis.as_ref());
        for head in genesis.iter().flat_map(|genesis| &genesis.prev_epoch) {
            let before = ends.get(&head.epoch);
            if let Some(next) = before.and_then(|before| before.keys.next) {
                return Some(next);
            }
            if seen.insert(head.epoch) {
                waiting.push(head.epoch);
            }
        }
    }
    None
}

/// An epoch that continues one with a `key` event and was signed by another key than that names.
pub(crate) fn judge_inherited(end: &EpochEnd, ends: &BTreeMap<Epoch, EpochEnd>) -> Option<Finding> {
    let next = inherited(end.epoch, ends)?;
    let other = end.keys.before.iter().find(|key| **key != next)?;
    Some(refusals::replaced_in_epoch(*other, next))
}
