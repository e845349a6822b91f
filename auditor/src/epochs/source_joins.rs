//! How the pieces of a log file join, within a batch, between manifests and between epochs: BYTE_GAP,
//! BYTE_OVERLAP, ENTRY_CONT, SOURCE_MISMATCH, RESTATED. Pure: facts in, findings out.

use super::epoch_end::{Ends, EpochEnd, MadeClaim};
use super::judged_stream::JudgedStream;
use crate::objects::missing_objects;
use ledger::chain::{Edge, SeamFault, TilingFault};
use ledger::finding::{Code, Finding, Severity};
use ledger::name::{Epoch, Name, Slot};
use std::collections::{BTreeMap, BTreeSet};

fn critical(code: Code, message: String) -> Finding {
    Finding::new(code, Severity::Critical, message)
}

/// Bytes that are left out or repeated where `expected` should come next and `got` comes.
fn byte_break(expected: u64, got: u64, message: String) -> Finding {
    let code = if got > expected {
        Code::ByteGap
    } else {
        Code::ByteOverlap
    };
    critical(code, message)
}

/// A byte range of a batch that is not filled as its manifest says.
pub(crate) fn within_batch(fault: TilingFault) -> Finding {
    let TilingFault {
        source,
        expected,
        got,
    } = fault;
    let what = if got > expected {
        "leaves bytes out"
    } else {
        "repeats bytes"
    };
    let message = format!("source {source} {what}: byte {expected} should come next, {got} comes");
    byte_break(expected, got, message).expected_got(expected.to_string(), got.to_string())
}

/// A manifest does not begin where the one before it left a source.
pub(crate) fn between_manifests(source: u64, expected: u64, got: u64) -> Finding {
    let message =
        format!("source {source} stood at byte {expected}, this manifest begins at {got}");
    byte_break(expected, got, message).expected_got(expected.to_string(), got.to_string())
}

/// A manifest says of a source what the chain does not allow.
pub(crate) fn broken_rule(source: u64, rule: &str) -> Finding {
    let message = format!("source {source} breaks a rule: {rule}");
    critical(Code::SourceMismatch, message)
}

/// The first piece of a batch, or one within it, says `cont` wrongly.
pub(crate) fn line_between_batches(source: u64, fault: &SeamFault) -> Finding {
    let message = match fault.expected {
        Some(true) => format!("source {source} continues a line, its entry does not say cont"),
        Some(false) => format!("source {source} starts a line, its entry says cont"),
        None => format!(
            "an entry of source {source} says wrongly whether it starts in the middle of a line"
        ),
    };
    critical(Code::EntryCont, message)
}

/// What the claims of a stream come to.
#[derive(Debug, Default)]
pub(crate) struct JudgedClaims {
    pub(crate) findings: Vec<Finding>,
    pub(crate) restated_bytes: u64,
}

/// Judges every source of a stream that claims to continue one of another epoch. `in_scope` says
/// which streams are audited.
pub(crate) fn judge_claims(
    stream: &JudgedStream<'_>,
    ends: &Ends,
    in_scope: impl Fn(&Name) -> bool,
) -> JudgedClaims {
    let mut judged = JudgedClaims::default();
    let epochs = ends.get(stream.stream).into_iter();
    for end in epochs.flat_map(|epochs| epochs.values()) {
        for made in &end.claims {
            let was = &made.claim.was;
            let slot = Slot {
                agent: stream.agent.clone(),
                stream: stream.stream.clone(),
                epoch: end.epoch,
                seq: made.claim.seq,
            };
            let before = ends
                .get(&was.stream)
                .and_then(|epochs| epochs.get(&was.epoch));
            let finding = match before {
                Some(before) => {
                    let (finding, restated) = judge_claim(end, made, before);
                    judged.restated_bytes += restated;
                    finding
                }
                None if !in_scope(&was.stream) => None,
                // Its own stream's missing epochs are reported with the links that name them. Behind one that
                // is gone there may have been others.
                None if was.stream == *stream.stream && !is_whole(epochs_of(ends, &was.stream)) => {
                    None
                }
                None if was.stream == *stream.stream => Some(critical(
                    Code::SourceMismatch,
                    format!(
                        "source {} continues one of epoch {}, which the stream never had",
                        made.claim.source, was.epoch
                    ),
                )),
                None => {
                    let message = format!(
                        "source {} continues one of stream {} epoch {}, of which no manifest is left",
                        made.claim.source, was.stream, was.epoch
                    );
                    let lawful_from = made.stored_at.plus_s(end.agreed.head.retention_max_s);
                    Some(missing_objects::epoch(
                        stream.criteria,
                        lawful_from,
                        message,
                    ))
                }
            };
            judged
                .findings
                .extend(finding.map(|finding| finding.at(&slot)));
        }
    }
    judged
}

fn epochs_of<'a>(ends: &'a Ends, stream: &Name) -> impl Iterator<Item = &'a EpochEnd> + Clone {
    let epochs = ends.get(stream);
    epochs.into_iter().flat_map(|epochs| epochs.values())
}

/// Whether every epoch that another one of these continues is there, from its genesis on.
fn is_whole<'a>(epochs: impl Iterator<Item = &'a EpochEnd> + Clone) -> bool {
    let is_there = |epoch: &Epoch| epochs.clone().any(|end| end.epoch == *epoch);
    epochs.clone().all(|end| {
        let genesis = end.genesis.as_ref();
        genesis.is_some_and(|genesis| {
            let mut named = genesis.prev_epoch.iter().map(|head| &head.epoch);
            named.all(is_there)
        })
    })
}

/// Two sources that continue the same one: its bytes would be told twice. Void manifests, epochs that nothing
/// continues and epochs that were adopted beside another one tell what happened elsewhere, so they are left out.
pub(crate) fn continued_twice(agent: &Name, ends: &Ends) -> Vec<Finding> {
    let mut continued = BTreeMap::new();
    let mut findings = Vec::new();
    for (stream, epochs) in ends {
        let line = main_line(epochs);
        for end in line.iter().filter_map(|epoch| epochs.get(epoch)) {
            for claim in end.claims.iter().map(|made| &made.claim) {
                if claim.seq > end.agreed.head.seq {
                    continue;
                }
                let slot = Slot {
                    agent: agent.clone(),
                    stream: stream.clone(),
                    epoch: end.epoch,
                    seq: claim.seq,
                };
                let was = (claim.was.stream.clone(), claim.was.epoch, claim.was.id);
                if let Some(first) = continued.insert(was, slot.clone()) {
                    let message = format!(
                        "source {} continues source {} of {}, which {first} continues already",
                        claim.source, claim.was.id, claim.was.epoch
                    );
                    findings.push(critical(Code::SourceMismatch, message).at(&slot));
                }
            }
        }
    }
    findings
}

/// A stream's epochs from its newest back, each the first one that the next names: what that names beside it was
/// adopted. Where several could be the newest, which is reported, there is none.
fn main_line(epochs: &BTreeMap<Epoch, EpochEnd>) -> BTreeSet<Epoch> {
    let heads = |end: &EpochEnd| {
        let genesis = end.genesis.as_ref();
        genesis
            .map(|genesis| genesis.prev_epoch.clone())
            .unwrap_or_default()
    };
    let named: BTreeSet<Epoch> = epochs
        .values()
        .flat_map(heads)
        .map(|head| head.epoch)
        .collect();
    let mut newest = epochs.keys().filter(|epoch| !named.contains(epoch));
    let (Some(newest), None) = (newest.next(), newest.next()) else {
        return BTreeSet::new();
    };
    let mut line = BTreeSet::new();
    let mut next = Some(*newest);
    // Each epoch is entered once.
    while let Some(epoch) = next.filter(|epoch| line.insert(*epoch)) {
        let before = epochs.get(&epoch).map(heads).unwrap_or_default();
        next = before.first().map(|head| head.epoch);
    }
    line
}

/// Whether a source begins where the one that it continues ended; and how many bytes it restates.
fn judge_claim(end: &EpochEnd, made: &MadeClaim, before: &EpochEnd) -> (Option<Finding>, u64) {
    let claim = &made.claim;
    let (id, was) = (claim.source, &claim.was);
    let Some(position) = before.agreed.sources.get(&was.id) else {
        // An epoch whose beginning is gone may have named the source there.
        let message = format!(
            "source {id} continues source {} of {}, which has none",
            was.id, was.epoch
        );
        let finding = critical(Code::SourceMismatch, message);
        return ((before.first_seq == 0).then_some(finding), 0);
    };
    let genesis = end.genesis.as_ref();
    let may_restate = genesis.is_some_and(|genesis| genesis.may_restate);
    let (from, to) = (claim.from, position.to);
    // What was lost or taken back may have ended it: then that is sealed again.
    if position.ended && !may_restate {
        let message = format!(
            "source {id} continues source {} of {}, which ended with a gap of unknown end",
            was.id, was.epoch
        );
        return (Some(critical(Code::SourceMismatch, message)), 0);
    }
    if from < to && may_restate {
        let message = format!("source {id}: bytes {from} to {to} were sealed again");
        let note = Finding::new(Code::Restated, Severity::Note, message);
        return (Some(note), to - from);
    }
    if from != to {
        let message =
            format!("source {id} begins at byte {from}, the one it continues ended at {to}");
        return (Some(byte_break(to, from, message)), 0);
    }
    let edge = if from == 0 {
        Edge::LineEnd
    } else {
        before.edge(was.id)
    };
    let is_wrong = made.first_cont.is_some_and(|cont| !edge.allows(cont));
    let message = format!(
        "the first entry of source {id} says wrongly whether it continues a line of the one it continues"
    );
    let finding = critical(Code::EntryCont, message);
    (is_wrong.then_some(finding), 0)
}
