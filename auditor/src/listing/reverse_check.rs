//! The reverse check: everything in the store that no manifest names is itself evidence.
//!
//! The whole list is read once more; days of epochs that were walked are known by a 16-byte hash
//! each, so memory grows with days, not with objects.

use crate::audit_state::Audit;
use crate::listing::lister::{ListError, Lister};
use host::cli::counted;
use ledger::finding::{Code, Finding, Severity};
use ledger::name::{Epoch, Name, ObjectName, Slot};
use store::{Store, Version, VersionKind};

/// Lists everything in scope and reports what is no part of the archive.
pub(crate) async fn check<S: Store + 'static>(audit: &mut Audit<S>) -> Result<(), ListError> {
    let mut lister = Lister::new(&audit.judge.reader, audit.scope.everything());
    let mut probes = 0_u64;
    while let Some(group) = lister.next().await? {
        audit.coverage.versions += group.versions.len() as u64;
        let markers = group.versions.iter();
        let markers = markers.filter(|version| version.kind == VersionKind::Marker);
        audit.coverage.markers += markers.count() as u64;
        match ObjectName::parse(&group.key) {
            ObjectName::Body { slot, date, .. } => {
                if audit.scope.holds(&slot.agent, &slot.stream) {
                    unwalked(audit, &slot, &date, &group.versions);
                }
            }
            ObjectName::Foreign => group.versions.iter().for_each(|one| audit.foreign(one)),
            ObjectName::Probe => probes += 1,
            // Manifests were judged one by one; what is reserved is a later format's.
            ObjectName::Manifest(_) | ObjectName::Reserved => {}
        }
    }
    if probes > 0 {
        let message = format!(
            "{}, left by `holdfast probe` or by an archiver's start",
            counted(probes, "canary", "canaries")
        );
        audit
            .findings
            .push(Finding::new(Code::ForeignObject, Severity::Note, message));
    }
    Ok(())
}

/// A body below a day that no chain led to.
fn unwalked<S: Store + 'static>(
    audit: &mut Audit<S>,
    slot: &Slot,
    date: &str,
    versions: &[Version],
) {
    let Slot {
        agent,
        stream,
        epoch,
        seq,
    } = slot;
    let prefix = crate::bodies::body_versions::day_prefix(agent, stream, date, *epoch);
    if audit.was_walked(&prefix) || !audit.judge.signers.names(agent) {
        return;
    }
    let explained = is_explained(audit, agent, stream, *epoch, *seq);
    for version in versions {
        audit.unnamed(slot, version, explained);
    }
}

fn is_explained<S: Store>(
    audit: &Audit<S>,
    agent: &Name,
    stream: &Name,
    epoch: Epoch,
    seq: u64,
) -> bool {
    let followed = audit
        .head_of(agent, stream, epoch)
        .is_some_and(|head| seq <= head);
    followed || !audit.succession.of(agent, stream, epoch).is_empty()
}
