//! HEAD_MISMATCH and what becomes of a missing head: is the manifest that one of another stream
//! names there, and the same?
//!
//! The manifests named are read once more, in the order of their names.

use super::epoch_end::Ends;
use super::named_heads::{NamedHead, NamedHeads};
use super::references::{is_behind, told};
use crate::audit_state::Audit;
use crate::criteria::Criteria;
use crate::listing::lister::{ListError, Lister};
use crate::manifests::manifest_versions;
use crate::objects::inspector::Inspector;
use crate::objects::missing_objects::{self, MissingHead};
use ledger::finding::{Code, Finding, Severity};
use ledger::manifest::Reference;
use ledger::name::{Epoch, Name, ObjectName, Slot};
use std::collections::BTreeMap;
use store::Store;

/// Looks up all heads collected. `ends` holds the epochs already followed.
pub(crate) async fn judge<S: Store + 'static>(
    audit: &mut Audit<S>,
    agent: &Name,
    heads: NamedHeads,
    ends: &Ends,
) {
    for ((stream, epoch), by_seq) in heads.waiting {
        if !audit.scope.holds(agent, &stream) {
            continue;
        }
        let end = ends.get(&stream).and_then(|epochs| epochs.get(&epoch));
        let mut open = by_seq;
        if let Some(end) = end {
            open.retain(|seq, named| {
                let same = |one: &NamedHead| one.reference == end.agreed.head;
                !(*seq == end.agreed.head.seq && named.iter().all(same))
            });
        }
        if open.is_empty() {
            continue;
        }
        let place = Slot {
            agent: agent.clone(),
            stream,
            epoch,
            seq: 0,
        };
        match look_up(&audit.inspector, &place, &open).await {
            Ok(found) => {
                let findings = report(audit.criteria(), &place, open, &found, ends);
                audit.findings.extend(findings);
            }
            Err(error) => audit.cannot_list(&error),
        }
    }
}

/// References to all statements for the seqs named.
async fn look_up<S: Store>(
    inspector: &Inspector<S>,
    place: &Slot,
    open: &BTreeMap<u64, Vec<NamedHead>>,
) -> Result<BTreeMap<u64, Vec<Reference>>, ListError> {
    let mut found = BTreeMap::new();
    let Slot {
        agent,
        stream,
        epoch,
        ..
    } = place;
    // A head may be newer than the start of the run; its manifest counts all the same.
    let any_time = inspector.without_locks().at_any_time();
    let mut lister = Lister::new(
        &inspector.reader,
        format!("manifests/{agent}/{stream}/{epoch}/"),
    );
    while let Some(group) = lister.next().await? {
        let ObjectName::Manifest(slot) = ObjectName::parse(&group.key) else {
            continue;
        };
        let seq = slot.seq;
        if !open.contains_key(&seq) {
            continue;
        }
        let versions = manifest_versions::read(&any_time, slot, group.versions).await;
        let there: &mut Vec<_> = found.entry(seq).or_default();
        let statements = versions.statements.iter();
        there.extend(statements.map(|one| one.manifest.reference(one.sha256)));
    }
    Ok(found)
}

fn report(
    criteria: &Criteria,
    place: &Slot,
    open: BTreeMap<u64, Vec<NamedHead>>,
    found: &BTreeMap<u64, Vec<Reference>>,
    ends: &Ends,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (seq, named) in open {
        let there = found.get(&seq).map_or(&[][..], Vec::as_slice);
        let slot = Slot {
            seq,
            ..place.clone()
        };
        for one in named.iter().filter(|one| !there.contains(&one.reference)) {
            let same_line = |other: &&Reference| other.sha256 == one.reference.sha256;
            let finding = match there.iter().find(same_line).or(there.first()) {
                Some(other) => mismatch(one, other),
                None => missing(criteria, &slot, one, ends),
            };
            findings.push(finding.at(&slot));
        }
    }
    findings
}

fn mismatch(named: &NamedHead, got: &Reference) -> Finding {
    let message = format!(
        "{} says of this place something else than the manifest that is there",
        named.by
    );
    let expected = &named.reference;
    Finding::new(Code::HeadMismatch, Severity::Critical, message)
        .expected_got(told(expected, got), told(got, expected))
}

/// A manifest names an earlier head of a stream than its epoch has named before: what was there then cannot be gone.
pub(super) fn went_back(stream: &Name, epoch: Epoch, before: u64, got: u64) -> Finding {
    let message = format!(
        "the head of stream {stream} epoch {epoch} goes back from seq {before}, which was named before, to {got}"
    );
    Finding::new(Code::HeadMismatch, Severity::Critical, message)
        .expected_got(format!("at least {before}"), got.to_string())
}

/// The manifest that a head names is not there. Whether the chain's own gap around it was excused does not matter:
/// what another stream vouches for must be there until that reference has expired, void or not.
fn missing(criteria: &Criteria, slot: &Slot, named: &NamedHead, ends: &Ends) -> Finding {
    let end = ends
        .get(&slot.stream)
        .and_then(|epochs| epochs.get(&slot.epoch));
    let newest = end.map(|end| end.agreed.head);
    if let Some(before) = newest.filter(|newest| newest.seq < slot.seq)
        && is_behind(&before, &named.reference)
    {
        return mismatch(named, &before);
    }
    missing_objects::head(
        criteria,
        &MissingHead {
            reference: named.reference,
            by: &named.by,
        },
    )
}
