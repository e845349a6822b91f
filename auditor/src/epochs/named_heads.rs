//! What heartbeats say of the agent's other streams: is the manifest they name there, and the same?
//!
//! The manifests named are read once more, in the order of their names, when so many heads are
//! collected or the agent's streams are done: memory stays bounded however old the archive is.

use super::epoch_end::Ends;
use crate::audit_state::Audit;
use crate::criteria::Criteria;
use crate::listing::lister::{ListError, Lister};
use crate::listing::succession::Succession;
use crate::manifests::manifest_versions::{self, SignedStatement};
use crate::objects::inspector::Inspector;
use crate::objects::missing_objects::{self, MissingHead};
use ledger::finding::{Code, Finding, Severity};
use ledger::name::{Epoch, Name, ObjectName, Slot};
use ledger::{Digest, Moment};
use std::collections::BTreeMap;
use store::Store;

/// Heads that are collected before they are looked up: about 150 bytes each.
const HEADS_MAX: usize = 50_000;

/// Who named a head.
#[derive(Debug, Clone)]
struct NamedHead {
    sha256: Digest,
    by: Slot,
    stored_at: Moment,
    retention_max_s: u64,
}

/// Heads waiting to be looked up.
#[derive(Debug, Default)]
pub(crate) struct NamedHeads {
    waiting: BTreeMap<(Name, Epoch), BTreeMap<u64, Vec<NamedHead>>>,
    count: usize,
}

impl NamedHeads {
    /// Takes note of the heads that a heartbeat names.
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
            // A stream at rest is named again by every heartbeat.
            if named.iter().all(|one| one.sha256 != head.sha256) {
                self.count += 1;
                named.push(NamedHead {
                    sha256: head.sha256,
                    by: by.clone(),
                    stored_at: statement.stored_at,
                    retention_max_s: statement.manifest.retention_max_s,
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
