//! What manifests say of the agent's other streams, kept until it is looked up (`head_check`): when so
//! many heads are collected, or the agent's streams are done. Memory stays bounded however old the
//! archive is.

use crate::manifests::manifest_versions::SignedStatement;
use ledger::manifest::Reference;
use ledger::name::{Epoch, Name, Slot};
use std::collections::BTreeMap;

/// Heads that are collected before they are looked up: about 150 bytes each.
const HEADS_MAX: usize = 50_000;

/// Who named a head.
#[derive(Debug, Clone)]
pub(super) struct NamedHead {
    pub(super) reference: Reference,
    pub(super) by: Slot,
}

/// Heads waiting to be looked up.
#[derive(Debug, Default)]
pub(crate) struct NamedHeads {
    pub(super) waiting: BTreeMap<(Name, Epoch), BTreeMap<u64, Vec<NamedHead>>>,
    count: usize,
}

impl NamedHeads {
    /// Takes note of the heads that a manifest names.
    pub(crate) fn note(&mut self, statement: &SignedStatement) {
        let by = statement.manifest.slot();
        for head in statement.manifest.heads.as_deref().unwrap_or_default() {
            let place = (head.stream.clone(), head.epoch);
            let named = self
                .waiting
                .entry(place)
                .or_default()
                .entry(head.seq)
                .or_default();
            let reference = head.reference();
            // A stream at rest is named again and again.
            if named.iter().all(|one| one.reference != reference) {
                self.count += 1;
                named.push(NamedHead {
                    reference,
                    by: by.clone(),
                });
            }
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.count >= HEADS_MAX
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }
}
