//! Which key an epoch inherits from those that it continues. Pure: ends in, findings out.

use super::epoch_end::EpochEnd;
use crate::manifests::refusals;
use ledger::finding::Finding;
use ledger::name::Epoch;
use ledger::signature::Key;
use std::collections::{BTreeMap, BTreeSet};

/// The key that must sign `epoch` from its genesis on, as the epochs say that it continues.
fn inherited(epoch: Epoch, ends: &BTreeMap<Epoch, EpochEnd>) -> Option<Key> {
    let mut seen = BTreeSet::from([epoch]);
    let mut waiting = vec![epoch];
    // Each epoch is visited once.
    while let Some(epoch) = waiting.pop() {
        let genesis = ends.get(&epoch).and_then(|end| end.genesis.as_ref());
        for head in genesis.iter().flat_map(|genesis| &genesis.prev_epoch) {
            let before = ends.get(&head.epoch);
            if let Some(next) = before.and_then(|before| before.keys.next()) {
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
    let other = end.keys.other_than(next)?;
    Some(refusals::replaced_in_epoch(other, next))
}
