//! The reverse check: everything in the store that no manifest names is itself evidence.
//!
//! The whole list is read once more; days of epochs whose bodies were listed are known by a 16-byte hash
//! each, so memory grows with days, not with objects.

use super::lister::{ListError, Lister};
use crate::audit_state::Audit;
use crate::bodies::body_list::day_prefix;
use crate::objects::unnamed;
use ledger::name::{ObjectName, Slot};
use store::{Store, VersionKind};

/// Lists everything in scope and reports what is no part of the archive.
pub(crate) async fn check<S: Store + 'static>(audit: &mut Audit<S>) -> Result<(), ListError> {
    let mut lister = Lister::new(&audit.inspector.reader, audit.scope.everything());
    let mut canaries = 0_u64;
    while let Some(group) = lister.next().await? {
        audit.coverage.versions += group.versions.len() as u64;
        let markers = group.versions.iter();
        let markers = markers.filter(|version| version.kind == VersionKind::Marker);
        audit.coverage.markers += markers.count() as u64;
        match ObjectName::parse(&group.key) {
            ObjectName::Body { slot, date, .. } => {
                if is_unvisited(audit, &slot, &date) {
                    audit.unnamed(&slot, &group.versions, is_explained(audit, &slot));
                }
            }
            ObjectName::Foreign => audit.foreign(&group.versions),
            ObjectName::Probe => canaries += 1,
            // Manifests were judged one by one; what is reserved is a later format's.
            ObjectName::Manifest(_) | ObjectName::Reserved => {}
        }
    }
    audit.findings.extend(unnamed::canaries(canaries));
    Ok(())
}

/// Whether a body lies below a day that no chain led to.
fn is_unvisited<S: Store>(audit: &Audit<S>, slot: &Slot, date: &str) -> bool {
    let prefix = day_prefix(&slot.agent, &slot.stream, date, slot.epoch);
    audit.scope.holds(&slot.agent, &slot.stream)
        && !audit.were_bodies_listed(&prefix)
        && audit.inspector.signers.names(&slot.agent)
}

/// Whether its epoch continued past it.
fn is_explained<S: Store>(audit: &Audit<S>, slot: &Slot) -> bool {
    let Slot {
        agent,
        stream,
        epoch,
        seq,
    } = slot;
    let followed = audit
        .head_of(agent, stream, *epoch)
        .is_some_and(|head| *seq <= head);
    followed || !audit.succession.of(agent, stream, *epoch).is_empty()
}
