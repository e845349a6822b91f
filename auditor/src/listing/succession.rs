//! A first pass over the manifests' names: which epoch continues which.
//!
//! An epoch's end is decided by its successor's genesis, which may be listed after it; so all trusted
//! geneses are read before any chain is followed. Memory is one entry for each trusted epoch.

use crate::listing::lister::{ListError, Lister};
use crate::listing::scope::AuditScope;
use crate::manifests::manifest_versions;
use crate::objects::inspector::Inspector;
use ledger::Digest;
use ledger::manifest::{EventKind, Manifest};
use ledger::name::{Epoch, Name, ObjectName};
use std::collections::BTreeMap;
use store::Store;

/// An epoch that continues another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Successor {
    pub(crate) epoch: Epoch,
    /// The seq it continues after.
    pub(crate) seq: u64,
    /// That manifest's hash.
    pub(crate) sha256: Digest,
    /// Whether it says why manifests after that seq are void.
    pub(crate) explains_void: bool,
}

/// Which epochs continue which.
#[derive(Debug, Default)]
pub(crate) struct Succession {
    successors: BTreeMap<(Name, Name, Epoch), Vec<Successor>>,
}

impl Succession {
    /// Notes what a genesis continues.
    pub(crate) fn add(&mut self, genesis: &Manifest) {
        let why = [
            EventKind::Rollback,
            EventKind::Rot,
            EventKind::Retention,
            EventKind::StateLost,
        ];
        let explains_void = why.iter().any(|kind| genesis.has(*kind));
        for head in genesis.prev_epoch.as_deref().unwrap_or_default() {
            let place = (genesis.agent.clone(), genesis.stream.clone(), head.epoch);
            let successors = self.successors.entry(place).or_default();
            if successors.iter().all(|one| one.epoch != genesis.epoch) {
                successors.push(Successor {
                    epoch: genesis.epoch,
                    seq: head.seq,
                    sha256: head.sha256,
                    explains_void,
                });
            }
        }
    }

    /// The epochs that continue this one; more than one is a fork.
    pub(crate) fn of(&self, agent: &Name, stream: &Name, epoch: Epoch) -> &[Successor] {
        let place = (agent.clone(), stream.clone(), epoch);
        self.successors.get(&place).map_or(&[], Vec::as_slice)
    }
}

/// Reads every trusted genesis in scope. Returns the links and how many manifest keys there are.
pub(crate) async fn read<S: Store>(
    inspector: &Inspector<S>,
    scope: &AuditScope,
) -> Result<(Succession, u64), ListError> {
    let mut succession = Succession::default();
    let mut keys = 0;
    let mut lister = Lister::new(&inspector.reader, scope.manifests());
    while let Some(group) = lister.next().await? {
        let ObjectName::Manifest(slot) = ObjectName::parse(&group.key) else {
            continue;
        };
        if !scope.holds(&slot.agent, &slot.stream) {
            continue;
        }
        keys += 1;
        if slot.seq > 0 || !inspector.signers.names(&slot.agent) {
            continue;
        }
        // Locks and refusals are for the walk that follows.
        let unlocked = inspector.without_locks();
        let found = manifest_versions::read(&unlocked, slot, group.versions).await;
        for statement in &found.statements {
            succession.add(&statement.manifest);
        }
    }
    Ok((succession, keys))
}
