//! How a stream's epochs hang together: one root, each but the last continued by exactly one other,
//! and what the last one's end says of today. Pure: ends in, findings out.

use crate::epochs::breaks;
use crate::epochs::epoch_walk::{EpochEnd, Genesis, outage};
use crate::listing::succession::Successor;
use ledger::Moment;
use ledger::finding::{Code, Finding, Severity};
use ledger::manifest::EpochHead;
use ledger::name::{Epoch, Name};
use std::collections::BTreeMap;

/// What links are judged by.
pub(crate) struct Terms {
    pub(crate) agent: Name,
    pub(crate) stream: Name,
    pub(crate) copy: bool,
    /// The store's clock.
    pub(crate) now: Moment,
    pub(crate) grace_s: u64,
}

impl Terms {
    fn place(&self, finding: Finding, epoch: Epoch) -> Finding {
        finding.in_epoch(&self.agent, &self.stream, epoch)
    }

    /// The line with which a new agent continues this stream.
    fn init_after(&self, end: &EpochEnd) -> String {
        format!(
            "holdfast-agent init --after {}:{}:{}:{}:{}",
            self.stream, end.epoch, end.agreed.seq, end.agreed.sha256, end.agreed.retention_max_s
        )
    }
}

/// Judges a stream by its epochs' ends, which are all that have a statement.
pub(crate) fn judge(
    terms: &Terms,
    ends: &BTreeMap<Epoch, EpochEnd>,
    successors_of: impl Fn(Epoch) -> Vec<Successor>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for end in ends.values() {
        if let Some(genesis) = &end.genesis {
            judge_genesis(terms, ends, end, genesis, &mut findings);
        }
        judge_succession(terms, end, &successors_of(end.epoch), &mut findings);
    }
    let mut tails: Vec<_> = ends
        .values()
        .filter(|end| successors_of(end.epoch).is_empty())
        .collect();
    // Which of several is the last: the store's dates cannot be set back.
    tails.sort_by_key(|end| {
        if terms.copy {
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
            terms.init_after(loose)
        );
        let finding = Finding::new(Code::LooseEpoch, Severity::Critical, message);
        findings.push(terms.place(finding, loose.epoch));
    }
    if tails.is_empty() {
        findings.extend(judge_roots(terms, ends));
    }
    findings.extend(judge_tail(terms, last));
    judge_missing_bodies(terms, ends, &mut findings);
    findings
}

/// Further roots that have been adopted.
fn judge_roots(terms: &Terms, ends: &BTreeMap<Epoch, EpochEnd>) -> Vec<Finding> {
    let is_root = |end: &&EpochEnd| match &end.genesis {
        Some(genesis) => genesis.prev_epoch.is_empty(),
        None => true,
    };
    let mut roots: Vec<_> = ends.values().filter(is_root).collect();
    roots.sort_by_key(|end| end.genesis.as_ref().map(|genesis| genesis.pulse.sealed));
    let note = |end: &EpochEnd| {
        let message = "this epoch began anew and was adopted by a later one";
        terms.place(
            Finding::new(Code::LooseEpoch, Severity::Note, message),
            end.epoch,
        )
    };
    roots.into_iter().skip(1).map(note).collect()
}

fn judge_genesis(
    terms: &Terms,
    ends: &BTreeMap<Epoch, EpochEnd>,
    end: &EpochEnd,
    genesis: &Genesis,
    findings: &mut Vec<Finding>,
) {
    let mut retention_s = Some(genesis.retention_s);
    for head in &genesis.prev_epoch {
        let Some(before) = ends.get(&head.epoch) else {
            findings.push(missing_epoch(terms, genesis, head));
            retention_s = None;
            continue;
        };
        if before.head_seq < head.seq {
            let gap = breaks::seq_gap(before.head_seq + 1, head.seq);
            findings.push(terms.place(gap, head.epoch));
            retention_s = None;
        } else if before.agreed.seq == head.seq {
            retention_s = retention_s.map(|so_far| so_far.max(before.agreed.retention_max_s));
            if before.agreed.sha256 != head.sha256 {
                let message = format!(
                    "the epoch continues another statement for {} seq {} than the one that is there",
                    head.epoch, head.seq
                );
                let finding = Finding::new(Code::PrevMismatch, Severity::Critical, message);
                let finding =
                    finding.expected_got(before.agreed.sha256.to_string(), head.sha256.to_string());
                findings.push(terms.place(finding, end.epoch));
            }
            if let Some(silence) = before.agreed.pulse.silence_until(&genesis.pulse) {
                findings.push(terms.place(outage(silence), end.epoch));
            }
        } else {
            // The seq itself lies before the root or in a gap, which has been told.
            retention_s = None;
        }
    }
    let first_ever = genesis.prev_epoch.is_empty();
    let expected =
        retention_s.filter(|expected| !first_ever && *expected != genesis.retention_max_s);
    if let Some(expected) = expected {
        let got = genesis.retention_max_s;
        let finding = breaks::finding(ledger::chain::Break::Retention { expected, got });
        findings.push(terms.place(finding, end.epoch));
    }
}

fn missing_epoch(terms: &Terms, genesis: &Genesis, head: &EpochHead) -> Finding {
    let (code, severity) = absence(terms, genesis.stored_at, genesis.retention_max_s);
    let message = format!(
        "no manifest is left of an epoch that a later one continues after seq {}",
        head.seq
    );
    let finding = Finding::new(code, severity, message);
    let finding = finding.expected_got(format!("seq 0 to {}", head.seq), "none");
    terms.place(finding, head.epoch)
}

/// What the absence of everything before a manifest means.
pub(crate) fn absence(terms: &Terms, stored_at: Moment, retention_max_s: u64) -> (Code, Severity) {
    if terms.copy {
        (Code::Expired, Severity::Inconclusive)
    } else if terms.now >= stored_at.plus_s(retention_max_s) {
        (Code::Expired, Severity::Note)
    } else {
        (Code::EpochMissing, Severity::Critical)
    }
}

fn judge_succession(
    terms: &Terms,
    end: &EpochEnd,
    successors: &[Successor],
    findings: &mut Vec<Finding>,
) {
    let Some(successor) = successors.first() else {
        return;
    };
    if successors.len() > 1 {
        let names: Vec<_> = successors.iter().map(|one| one.epoch.to_string()).collect();
        let message = format!(
            "more than one epoch continues this one: {}",
            names.join(", ")
        );
        let finding = Finding::new(Code::EpochFork, Severity::Interference, message);
        findings.push(terms.place(finding, end.epoch));
    }
    if end.head_seq > successor.seq {
        let severity = if successor.explains_void {
            Severity::Note
        } else {
            Severity::Interference
        };
        let seqs = breaks::seqs(successor.seq + 1, end.head_seq);
        let message = format!(
            "manifests {seqs} are void: epoch {} took over after seq {}",
            successor.epoch, successor.seq
        );
        let finding = Finding::new(Code::Void, severity, message);
        findings.push(Finding {
            seq: Some(successor.seq + 1),
            ..terms.place(finding, end.epoch)
        });
    }
}

/// Whether the stream rests, lives or fell silent.
fn judge_tail(terms: &Terms, last: &EpochEnd) -> Option<Finding> {
    if terms.copy {
        return None;
    }
    let tail = &last.tail;
    let at = |finding: Finding| Finding {
        seq: Some(last.head_seq),
        ..terms.place(finding, last.epoch)
    };
    let Some(due) = tail.next_due else {
        let why = match (tail.closed, tail.full) {
            (true, _) => "the stream was closed",
            (_, true) => "its spool is full",
            _ => "its agent stopped",
        };
        let message = format!(
            "at rest for {} s: {why}; a new host continues it with `{}`",
            terms.now.since_s(tail.sealed),
            terms.init_after(last)
        );
        return Some(at(Finding::new(Code::Stopped, Severity::Note, message)));
    };
    let silent_from = due.max(tail.stored_at).plus_s(terms.grace_s);
    if terms.now <= silent_from {
        return None;
    }
    let message = format!(
        "nothing came after seq {}, though its manifest promised more by {due}: {} s overdue",
        last.head_seq,
        terms.now.since_s(due)
    );
    let finding = Finding::new(Code::Silent, Severity::Critical, message).expected_got(
        format!("a manifest by {due}"),
        format!("none by {}", terms.now),
    );
    Some(at(finding))
}

/// Bodies that a copy lacks: lawful or unfinished at its ends, lost between.
fn judge_missing_bodies(
    terms: &Terms,
    ends: &BTreeMap<Epoch, EpochEnd>,
    findings: &mut Vec<Finding>,
) {
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
    for (index, (epoch, (first, last), before)) in runs.into_iter().enumerate() {
        let what = format!(
            "the bodies of manifests {} are not there",
            breaks::seqs(first, last)
        );
        let finding = match (before, index < after_last_met) {
            (true, true) => Finding::new(
                Code::MissingVersion,
                Severity::Critical,
                format!("{what}; bodies before and after them are"),
            ),
            (false, true) => Finding::new(
                Code::Expired,
                Severity::Inconclusive,
                format!("{what}; a copy cannot show whether their retention was over"),
            ),
            _ => Finding::new(
                Code::Coverage,
                Severity::Inconclusive,
                format!("{what}: copied while it grew? sync manifests/ first, then entries/"),
            ),
        };
        findings.push(Finding {
            seq: Some(first),
            ..terms.place(finding, epoch)
        });
    }
}

/// Epochs after those that they continue. What hangs in a ring, which no hash allows, comes last.
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
