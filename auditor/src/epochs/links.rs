//! How a stream's epochs link: one root, each but the last continued by exactly one other, and what
//! the last one's end says of today: LOOSE_EPOCH, EPOCH_FORK, VOID. Pure: ends in, findings out.

use super::epoch_end::{EpochEnd, Genesis};
use super::judged_stream::JudgedStream;
use super::{breaks, key_inheritance, promises, references};
use crate::findings::seq_range;
use crate::listing::succession::Successor;
use crate::objects::missing_objects::{self, MissingAt};
use ledger::finding::{Code, Finding, Severity};
use ledger::manifest::EpochHead;
use ledger::name::Epoch;
use std::collections::BTreeMap;

/// Judges a stream by its epochs' ends, which are all that have a statement.
pub(crate) fn judge(
    stream: &JudgedStream<'_>,
    ends: &BTreeMap<Epoch, EpochEnd>,
    successors_of: impl Fn(Epoch) -> Vec<Successor>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for end in ends.values() {
        if let Some(genesis) = &end.genesis {
            findings.extend(judge_genesis(stream, ends, end, genesis));
            let replaced = key_inheritance::judge_inherited(end, ends);
            findings.extend(replaced.map(|finding| stream.place(finding, end.epoch)));
        }
        findings.extend(judge_succession(stream, end, &successors_of(end.epoch)));
    }
    let mut tails: Vec<_> = ends
        .values()
        .filter(|end| successors_of(end.epoch).is_empty())
        .collect();
    // Which of several is the last: the store's dates cannot be set back.
    tails.sort_by_key(|end| {
        if stream.criteria.copy {
            end.tail.sealed
        } else {
            end.tail.stored_at
        }
    });
    let Some(last) = tails.pop() else {
        return findings;
    };
    for loose in &tails {
        let message = format!(
            "no later epoch continues this one after seq {}: adopt it with `{}`",
            loose.head_seq,
            stream.init_after(loose)
        );
        let finding = Finding::new(Code::LooseEpoch, Severity::Critical, message);
        findings.push(stream.place(finding, loose.epoch));
    }
    if tails.is_empty() {
        findings.extend(judge_roots(stream, ends));
    }
    findings.extend(judge_tail(stream, last));
    findings.extend(judge_missing_bodies(stream, ends));
    findings
}

/// Further roots that have been adopted.
fn judge_roots(stream: &JudgedStream<'_>, ends: &BTreeMap<Epoch, EpochEnd>) -> Vec<Finding> {
    let is_root = |end: &&EpochEnd| match &end.genesis {
        Some(genesis) => genesis.prev_epoch.is_empty(),
        None => true,
    };
    let mut roots: Vec<_> = ends.values().filter(is_root).collect();
    roots.sort_by_key(|end| end.genesis.as_ref().map(|genesis| genesis.pulse.sealed));
    let note = |end: &EpochEnd| {
        let message = "this epoch began a new history and was adopted by a later one";
        stream.place(
            Finding::new(Code::LooseEpoch, Severity::Note, message),
            end.epoch,
        )
    };
    roots.into_iter().skip(1).map(note).collect()
}

fn judge_genesis(
    stream: &JudgedStream<'_>,
    ends: &BTreeMap<Epoch, EpochEnd>,
    end: &EpochEnd,
    genesis: &Genesis,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for head in &genesis.prev_epoch {
        let Some(before) = ends.get(&head.epoch) else {
            findings.push(missing_epoch(stream, head));
            continue;
        };
        if before.head_seq < head.seq {
            let newest = before.agreed.head;
            if references::is_behind(&newest, &head.reference()) {
                let finding = breaks::behind(&newest, &head.reference());
                findings.push(stream.place(finding, end.epoch));
            }
            let expired = stream.criteria.has_expired(&head.reference());
            let missing = missing_objects::manifests(before.head_seq + 1, head.seq, expired);
            findings.push(stream.place(missing, head.epoch));
        } else if before.agreed.head.seq == head.seq {
            if before.agreed.head != head.reference() {
                let finding = breaks::genesis_prev(head, &before.agreed.head);
                findings.push(stream.place(finding, end.epoch));
            }
            if let Some(silence) = before.agreed.pulse.silence_until(&genesis.pulse) {
                findings.push(stream.place(promises::outage(silence), end.epoch));
            }
        }
        // Else the seq itself lies before the root or in a gap, which is reported there.
    }
    findings
}

fn missing_epoch(stream: &JudgedStream<'_>, head: &EpochHead) -> Finding {
    let message = format!(
        "no manifest is left of an epoch that a later one continues after seq {}",
        head.seq
    );
    let finding = missing_objects::epoch(stream.criteria, head.reference().expires(), message)
        .expected_got(format!("seq 0 to {}", head.seq), "none");
    stream.place(finding, head.epoch)
}

fn judge_succession(
    stream: &JudgedStream<'_>,
    end: &EpochEnd,
    successors: &[Successor],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some(successor) = successors.first() else {
        return findings;
    };
    if successors.len() > 1 {
        let names: Vec<_> = successors.iter().map(|one| one.epoch.to_string()).collect();
        let message = format!(
            "more than one epoch continues this one: {}",
            names.join(", ")
        );
        let finding = Finding::new(Code::EpochFork, Severity::Interference, message);
        findings.push(stream.place(finding, end.epoch));
    }
    if end.head_seq > successor.seq {
        let severity = if successor.explains_void {
            Severity::Note
        } else {
            Severity::Interference
        };
        let seqs = seq_range(successor.seq + 1, end.head_seq);
        let message = format!(
            "manifests {seqs} are void: epoch {} took over after seq {}",
            successor.epoch, successor.seq
        );
        let finding = Finding::new(Code::Void, severity, message);
        findings.push(Finding {
            seq: Some(successor.seq + 1),
            ..stream.place(finding, end.epoch)
        });
    }
    findings
}

/// Whether the stream rests, lives or fell silent.
fn judge_tail(stream: &JudgedStream<'_>, last: &EpochEnd) -> Option<Finding> {
    let init_after = stream.init_after(last);
    let finding = promises::tail(stream.criteria, last.head_seq, &last.tail, &init_after)?;
    Some(Finding {
        seq: Some(last.head_seq),
        ..stream.place(finding, last.epoch)
    })
}

/// Bodies that a copy lacks: lawful or unfinished at its ends, lost between.
fn judge_missing_bodies(
    stream: &JudgedStream<'_>,
    ends: &BTreeMap<Epoch, EpochEnd>,
) -> Vec<Finding> {
    // (epoch, run, whether a body is there before it in the stream)
    let mut runs: Vec<(Epoch, (u64, u64), bool)> = Vec::new();
    let mut met = false;
    let mut after_last_met = 0;
    for end in in_order(ends) {
        runs.extend(end.missing.lead.map(|run| (end.epoch, run, met)));
        if end.missing.any {
            met = true;
            after_last_met = runs.len();
        }
        runs.extend(end.missing.trail.map(|run| (end.epoch, run, met)));
    }
    let judge = |(index, (epoch, (first, last), before))| {
        let at = match (before, index < after_last_met) {
            (true, true) => MissingAt::BetweenEpochs,
            (false, true) => MissingAt::Beginning,
            _ => MissingAt::End,
        };
        stream.place(missing_objects::copied_bodies(first, last, at), epoch)
    };
    runs.into_iter().enumerate().map(judge).collect()
}

/// Epochs after those that they continue. What is in a ring, which no hash allows, comes last.
fn in_order(ends: &BTreeMap<Epoch, EpochEnd>) -> Vec<&EpochEnd> {
    let mut waiting: Vec<_> = ends.values().collect();
    let mut ordered: Vec<&EpochEnd> = Vec::new();
    while !waiting.is_empty() {
        let is_placed = |epoch: &Epoch| {
            !ends.contains_key(epoch) || ordered.iter().any(|placed| placed.epoch == *epoch)
        };
        let is_ready = |end: &&EpochEnd| {
            let heads = end.genesis.iter().flat_map(|genesis| &genesis.prev_epoch);
            heads.into_iter().all(|head| is_placed(&head.epoch))
        };
        let (ready, rest): (Vec<_>, Vec<_>) = waiting.iter().partition(|end| is_ready(end));
        if ready.is_empty() {
            ordered.extend(rest);
            break;
        }
        ordered.extend(ready);
        waiting = rest;
    }
    ordered
}
