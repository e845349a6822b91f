//! Sources that continue one of another epoch: do they begin where that one ended? Pure.

use crate::epochs::epoch_walk::{EpochEnd, MadeClaim};
use crate::epochs::links::{Terms, absence};
use ledger::chain::Edge;
use ledger::finding::{Code, Finding, Severity};
use ledger::name::{Epoch, Name, Slot};
use std::collections::BTreeMap;

/// The ends of all epochs of one agent.
pub(crate) type Ends = BTreeMap<Name, BTreeMap<Epoch, EpochEnd>>;

/// What a claim comes to.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    pub(crate) findings: Vec<Finding>,
    pub(crate) restated_bytes: u64,
}

/// Judges the claims of every epoch of `stream`. `in_scope` tells streams that were looked at.
pub(crate) fn judge(terms: &Terms, ends: &Ends, in_scope: impl Fn(&Name) -> bool) -> Judged {
    let mut judged = Judged::default();
    for end in ends
        .get(&terms.stream)
        .into_iter()
        .flat_map(BTreeMap::values)
    {
        for made in &end.claims {
            let was = &made.claim.was;
            let slot = Slot {
                agent: terms.agent.clone(),
                stream: terms.stream.clone(),
                epoch: end.epoch,
                seq: made.claim.seq,
            };
            let before = ends
                .get(&was.stream)
                .and_then(|epochs| epochs.get(&was.epoch));
            match before {
                Some(before) => judge_one(end, made, before, &slot, &mut judged),
                // Its own stream's missing epochs are told with the links.
                None if was.stream == terms.stream || !in_scope(&was.stream) => {}
                None => {
                    let retention_s = end.agreed.retention_max_s;
                    let (code, severity) = absence(terms, made.stored_at, retention_s);
                    let message = format!(
                        "source {} continues one of stream {} epoch {}, of which no manifest is left",
                        made.claim.source, was.stream, was.epoch
                    );
                    let finding = Finding::new(code, severity, message);
                    judged.findings.push(finding.at(&slot));
                }
            }
        }
    }
    judged
}

fn judge_one(
    end: &EpochEnd,
    made: &MadeClaim,
    before: &EpochEnd,
    slot: &Slot,
    judged: &mut Judged,
) {
    let claim = &made.claim;
    let (id, was) = (claim.source, &claim.was);
    let mut push = |code, severity, message: String| {
        judged
            .findings
            .push(Finding::new(code, severity, message).at(slot));
    };
    let Some(position) = before.agreed.sources.get(&was.id) else {
        // An epoch whose beginning is gone may have named the source there.
        if before.first_seq == 0 {
            let message = format!(
                "source {id} continues source {} of {}, which has none",
                was.id, was.epoch
            );
            push(Code::SourceMismatch, Severity::Critical, message);
        }
        return;
    };
    let may_restate = end
        .genesis
        .as_ref()
        .is_some_and(|genesis| genesis.may_restate);
    let (from, to) = (claim.from, position.to);
    if from > to {
        let message =
            format!("source {id} begins at byte {from}, the one it continues ended at {to}");
        push(Code::ByteGap, Severity::Critical, message);
    } else if from < to && may_restate {
        judged.restated_bytes += to - from;
        let message = format!("source {id}: bytes {from} to {to} were sealed again");
        push(Code::Restated, Severity::Note, message);
    } else if from < to {
        let message =
            format!("source {id} begins at byte {from}, the one it continues ended at {to}");
        push(Code::ByteOverlap, Severity::Critical, message);
    } else {
        let edge = if from == 0 {
            Edge::LineEnd
        } else {
            before.edge(was.id)
        };
        if made.first_cont.is_some_and(|cont| !edge.allows(cont)) {
            let message = format!(
                "the first entry of source {id} says wrongly whether it goes on amid a line of the one it continues"
            );
            push(Code::EntryCont, Severity::Critical, message);
        }
    }
}
