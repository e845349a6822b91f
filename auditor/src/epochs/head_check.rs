//! HEAD_MISMATCH and what becomes of a missing head: is the manifest that one of another stream
//! names there, and the same?
//!
//! The manifests named are read once more, in the order of their names.

use super::breaks;
use super::epoch_end::Ends;
use super::named_heads::{NamedHead, NamedHeads};
use crate::audit_state::Audit;
use crate::criteria::Criteria;
use crate::listing::lister::{ListError, Lister};
use crate::listing::succession::Succession;
use crate::manifests::manifest_versions;
use crate::objects::inspector::Inspector;
use crate::objects::missing_objects::{self, MissingHead};
use ledger::finding::{Code, Finding, Severity};
use ledger::manifest::Reference;
use ledger::name::{Name, ObjectName, Slot};
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
                let (criteria, succession) = (audit.criteria(), &audit.succession);
                let findings = report(criteria, succession, &place, open, &found, ends);
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
    succession: &Succession,
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
                Some(other) => Some(mismatch(one, other)),
                None => missing(criteria, succession, &slot, one, ends),
            };
            findings.extend(finding.map(|finding| finding.at(&slot)));
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
        .expected_got(breaks::told(expected, got), breaks::told(got, expected))
}

/// `None` if its absence is reported elsewhere.
fn missing(
    criteria: &Criteria,
    succession: &Succession,
    slot: &Slot,
    named: &NamedHead,
    ends: &Ends,
) -> Option<Finding> {
    let epochs = ends.get(&slot.stream);
    let end = epochs.and_then(|epochs| epochs.get(&slot.epoch));
    if end.is_some_and(|end| slot.seq < end.head_seq) {
        // Before the root or in a gap: reported there.
        return None;
    }
    let successors = succession.of(&slot.agent, &slot.stream, slot.epoch);
    let successor = successors.first();
    let missing = MissingHead {
        reference: named.reference,
        by: &named.by,
        void: successor.is_some_and(|successor| slot.seq > successor.seq),
    };
    Some(missing_objects::head(criteria, &missing))
}
