//! HEAD_MISMATCH and what becomes of a missing head: is the manifest that a heartbeat of another stream
//! names there, and the same?
//!
//! The manifests named are read once more, in the order of their names.

use super::epoch_end::Ends;
use super::named_heads::{NamedHead, NamedHeads};
use crate::audit_state::Audit;
use crate::criteria::Criteria;
use crate::listing::lister::{ListError, Lister};
use crate::listing::succession::Succession;
use crate::manifests::manifest_versions;
use crate::objects::inspector::Inspector;
use crate::objects::missing_objects::{self, MissingHead};
use ledger::Digest;
use ledger::finding::{Code, Finding, Severity};
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
                let same = |one: &NamedHead| one.sha256 == end.agreed.sha256;
                !(*seq == end.agreed.seq && named.iter().all(same))
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

/// The hashes of all statements for the seqs named.
async fn look_up<S: Store>(
    inspector: &Inspector<S>,
    place: &Slot,
    open: &BTreeMap<u64, Vec<NamedHead>>,
) -> Result<BTreeMap<u64, Vec<Digest>>, ListError> {
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
        let hashes: &mut Vec<_> = found.entry(seq).or_default();
        hashes.extend(versions.statements.iter().map(|one| one.sha256));
    }
    Ok(found)
}

fn report(
    criteria: &Criteria,
    succession: &Succession,
    place: &Slot,
    open: BTreeMap<u64, Vec<NamedHead>>,
    found: &BTreeMap<u64, Vec<Digest>>,
    ends: &Ends,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (seq, named) in open {
        let hashes = found.get(&seq).map_or(&[][..], Vec::as_slice);
        let slot = Slot {
            seq,
            ..place.clone()
        };
        for one in named.iter().filter(|one| !hashes.contains(&one.sha256)) {
            let finding = match hashes.first() {
                Some(other) => Some(mismatch(one, *other)),
                None => missing(criteria, succession, &slot, one, ends),
            };
            findings.extend(finding.map(|finding| finding.at(&slot)));
        }
    }
    findings
}

fn mismatch(named: &NamedHead, got: Digest) -> Finding {
    let message = format!(
        "heartbeat {} names another statement for this place",
        named.by
    );
    Finding::new(Code::HeadMismatch, Severity::Critical, message)
        .expected_got(named.sha256.to_string(), got.to_string())
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
    // Its own date is gone with it, but it was stored before the heartbeat's promise began.
    let epochs = epochs.into_iter().flat_map(|epochs| epochs.values());
    let retention_s = epochs.map(|end| end.agreed.retention_max_s).max();
    let missing = MissingHead {
        sha256: named.sha256,
        by: &named.by,
        by_stored_at: named.stored_at,
        retention_s: retention_s.unwrap_or(named.retention_max_s),
        void: successor.is_some_and(|successor| slot.seq > successor.seq),
    };
    Some(missing_objects::head(criteria, &missing))
}
