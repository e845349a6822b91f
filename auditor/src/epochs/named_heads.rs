//! What heartbeats say of the agent's other streams: is the manifest they name there, and the same?
//!
//! The manifests named are read once more, in the order of their names, when so many heads are
//! collected or the agent's streams are done: memory stays bounded however old the archive is.

use crate::audit_state::{Audit, Judge};
use crate::epochs::source_joins::Ends;
use crate::listing::lister::{ListError, Lister};
use crate::manifests::statements::{self as candidate, Statement};
use ledger::finding::{Code, Finding, Severity};
use ledger::name::{Epoch, Name, ObjectName, Slot};
use ledger::{Digest, Moment};
use std::collections::BTreeMap;
use store::Store;

/// Heads that are collected before they are looked up: about 150 bytes each.
const HEADS_MAX: usize = 50_000;

/// Who named a head.
#[derive(Debug, Clone)]
struct Named {
    sha256: Digest,
    by: Slot,
    stored_at: Moment,
    retention_max_s: u64,
}

/// Heads waiting to be looked up.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    waiting: BTreeMap<(Name, Epoch), BTreeMap<u64, Vec<Named>>>,
    count: usize,
}

impl Heads {
    /// Takes note of the heads that a heartbeat names.
    pub(crate) fn note(&mut self, statement: &Statement) {
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
                named.push(Named {
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
    heads: Heads,
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
                let same = |one: &Named| one.sha256 == end.agreed.sha256;
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
        match look_up(&audit.judge, &place, &open).await {
            Ok(found) => report(audit, &place, open, &found, ends),
            Err(error) => audit.cannot_list(&error),
        }
    }
}

/// The hashes of all statements for the seqs named.
async fn look_up<S: Store>(
    judge: &Judge<S>,
    place: &Slot,
    open: &BTreeMap<u64, Vec<Named>>,
) -> Result<BTreeMap<u64, Vec<Digest>>, ListError> {
    let mut found = BTreeMap::new();
    let Slot {
        agent,
        stream,
        epoch,
        ..
    } = place;
    // A head may be newer than the start of the run; its manifest counts all the same.
    let reader = judge.without_locks().at_any_time();
    let mut lister = Lister::new(
        &judge.reader,
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
        let reading = candidate::read(&reader, slot, group.versions).await;
        let hashes: &mut Vec<_> = found.entry(seq).or_default();
        hashes.extend(reading.statements.iter().map(|one| one.sha256));
    }
    Ok(found)
}

fn report<S: Store + 'static>(
    audit: &mut Audit<S>,
    place: &Slot,
    open: BTreeMap<u64, Vec<Named>>,
    found: &BTreeMap<u64, Vec<Digest>>,
    ends: &Ends,
) {
    for (seq, named) in open {
        let hashes = found.get(&seq).map_or(&[][..], Vec::as_slice);
        let slot = Slot {
            seq,
            ..place.clone()
        };
        for one in named.iter().filter(|one| !hashes.contains(&one.sha256)) {
            let finding = if hashes.is_empty() {
                missing(audit, &slot, one, ends)
            } else {
                let message = format!(
                    "heartbeat {} names another statement for this place",
                    one.by
                );
                Some(
                    Finding::new(Code::HeadMismatch, Severity::Critical, message)
                        .expected_got(one.sha256.to_string(), hashes[0].to_string()),
                )
            };
            audit
                .findings
                .extend(finding.map(|finding| finding.at(&slot)));
        }
    }
}

/// `None` if its absence has been told or is lawful.
fn missing<S: Store + 'static>(
    audit: &Audit<S>,
    slot: &Slot,
    named: &Named,
    ends: &Ends,
) -> Option<Finding> {
    let end = ends
        .get(&slot.stream)
        .and_then(|epochs| epochs.get(&slot.epoch));
    if end.is_some_and(|end| slot.seq < end.head_seq) {
        // Before the root or in a gap: told there.
        return None;
    }
    let successors = audit.succession.of(&slot.agent, &slot.stream, slot.epoch);
    let void = successors
        .first()
        .is_some_and(|successor| slot.seq > successor.seq);
    // Its own date is gone with it, but it was stored before the heartbeat's promise began.
    let epochs = ends
        .get(&slot.stream)
        .into_iter()
        .flat_map(|epochs| epochs.values());
    let retention_s = epochs.map(|end| end.agreed.retention_max_s).max();
    let retention_s = retention_s.unwrap_or(named.retention_max_s);
    let lawful = audit.judge.now >= named.stored_at.plus_s(retention_s);
    let pending = audit.judge.now <= named.stored_at.plus_s(audit.judge.grace_s);
    let (code, severity, why) = if audit.judge.copy {
        (
            Code::HeadMissing,
            Severity::Inconclusive,
            "not in this copy",
        )
    } else if void {
        (Code::HeadMissing, Severity::Note, "not there, and void")
    } else if lawful {
        (Code::Expired, Severity::Note, "past its retention and gone")
    } else if pending {
        (Code::Pending, Severity::Note, "not there yet")
    } else {
        (Code::HeadMissing, Severity::Critical, "not there")
    };
    let message = format!("the manifest that heartbeat {} names is {why}", named.by);
    Some(Finding::new(code, severity, message).expected_got(named.sha256.to_string(), "none"))
}
