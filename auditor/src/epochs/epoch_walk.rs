//! One epoch, manifest by manifest: which statement counts, whether the chain holds, what its end is.

use super::epoch_end::{EpochEnd, Genesis, MadeClaim, Tail};
use super::key_changes::KeyChanges;
use super::promises::{self, Lateness};
use super::{breaks, stated_events};
use crate::audit_state::Audit;
use crate::bodies::body_queue::BodyQueue;
use crate::bodies::body_versions::NamedBody;
use crate::criteria::Criteria;
use crate::findings::by_hand::ByHand;
use crate::findings::collection::Findings;
use crate::manifests::choice::{choose, equivocations};
use crate::manifests::manifest_versions::{ManifestVersions, NotAStatement, SignedStatement};
use crate::manifests::refusals;
use crate::objects::{lock_state, markers, missing_objects};
use ledger::chain::{Break, Chain, Pulse, Step};
use ledger::finding::Finding;
use ledger::manifest::{EventKind, Kind};
use ledger::name::{Epoch, Name, Slot};
use std::collections::BTreeSet;
use store::Store;

/// Seqs of unreadable or newer manifests that are remembered until the chain has passed them.
const UNJUDGED_MAX: usize = 10_000;

/// An epoch while it is followed.
pub(crate) struct EpochWalk<S> {
    agent: Name,
    stream: Name,
    epoch: Epoch,
    /// The seq that a successor names.
    cut: Option<u64>,
    held: Option<ManifestVersions>,
    chain: Option<Chain>,
    at_cut: Option<Chain>,
    first_seq: u64,
    genesis: Option<Genesis>,
    tail: Option<Tail>,
    bodies: BodyQueue<S>,
    claims: Vec<MadeClaim>,
    keys: KeyChanges,
    keys_at_cut: Option<KeyChanges>,
    lateness: Lateness,
    /// Refusals and markers where no statement is: how grave they are depends on what follows.
    undecided: Findings,
    unjudged: BTreeSet<u64>,
}

impl<S: Store + 'static> EpochWalk<S> {
    pub(crate) fn new(audit: &Audit<S>, slot: &Slot) -> Self {
        let Slot {
            agent,
            stream,
            epoch,
            ..
        } = slot.clone();
        let successors = audit.succession.of(&agent, &stream, epoch);
        let cut = successors.first().map(|successor| successor.seq);
        let bodies = BodyQueue::new(
            &audit.inspector,
            &agent,
            &stream,
            epoch,
            cut,
            audit.options.jobs,
        );
        Self {
            agent,
            stream,
            epoch,
            cut,
            held: None,
            chain: None,
            at_cut: None,
            first_seq: 0,
            genesis: None,
            tail: None,
            bodies,
            claims: Vec::new(),
            keys: KeyChanges::default(),
            keys_at_cut: None,
            lateness: Lateness::default(),
            undecided: Findings::default(),
            unjudged: BTreeSet::new(),
        }
    }

    pub(crate) fn holds(&self, slot: &Slot) -> bool {
        (&self.agent, &self.stream, self.epoch) == (&slot.agent, &slot.stream, slot.epoch)
    }

    /// Takes the next manifest key. It is judged when the one after it is known, for that one's
    /// `prev` says which of two statements the agent continued from.
    pub(crate) async fn read(&mut self, audit: &mut Audit<S>, versions: ManifestVersions) {
        match &mut self.held {
            Some(held) if held.slot == versions.slot => held.merge(versions),
            _ => {
                if let Some(held) = self.held.take() {
                    self.take(audit, held, Some(&versions)).await;
                }
                self.held = Some(versions);
            }
        }
    }

    /// Ends the epoch. `None` if it had no statement at all.
    pub(crate) async fn finish(mut self, audit: &mut Audit<S>) -> Option<EpochEnd> {
        if let Some(held) = self.held.take() {
            self.take(audit, held, None).await;
        }
        // A trusted successor that names a seq beyond the last statement needs those slots.
        let head_seq = self.chain.as_ref().map(|chain| chain.head.seq);
        if self
            .cut
            .is_some_and(|cut| head_seq.is_none_or(|head| cut > head))
        {
            refusals::needed(&mut self.undecided);
        }
        audit.findings.append(std::mem::take(&mut self.undecided));
        audit.findings.extend(self.lateness.end());
        let has_successor = self.cut.is_some();
        let bodies = self.bodies.finish(audit, head_seq, has_successor).await;
        let chain = self.chain?;
        for made in &mut self.claims {
            made.first_cont = bodies.first_conts.get(&made.claim.source).copied();
        }
        Some(EpochEnd {
            epoch: self.epoch,
            first_seq: self.first_seq,
            genesis: self.genesis,
            head_seq: chain.head.seq,
            agreed: self.at_cut.unwrap_or(chain),
            seams: bodies.seams,
            tail: self.tail?,
            claims: self.claims,
            keys: self.keys_at_cut.unwrap_or(self.keys),
            missing: bodies.missing,
        })
    }

    async fn take(
        &mut self,
        audit: &mut Audit<S>,
        mut versions: ManifestVersions,
        next: Option<&ManifestVersions>,
    ) {
        audit.coverage.pending += versions.newer;
        audit.coverage.locks += versions.locks_read;
        let chosen = choose(&versions.statements, self.chain.as_ref(), next);
        let Some(chosen) = chosen else {
            self.leave_undecided(&audit.by_hand, &versions);
            return;
        };
        let statement = versions.statements.swap_remove(chosen);
        let others = &versions.statements;
        audit
            .findings
            .extend(beside(&audit.by_hand, &versions, &statement));
        for other in others {
            self.bodies.named_elsewhere(other.manifest.body_key());
        }
        self.follow(audit, &statement).await;
    }

    /// No statement is in this slot: how grave that is depends on what follows.
    fn leave_undecided(&mut self, by_hand: &ByHand, versions: &ManifestVersions) {
        let markers = versions.markers.iter();
        let markers = markers.map(|marker| markers::judge(by_hand, &versions.slot, marker, None));
        self.undecided.extend(markers);
        let unknown = |why: &NotAStatement| {
            matches!(
                why,
                NotAStatement::Unreadable(_) | NotAStatement::Newer(_) | NotAStatement::Format(_)
            )
        };
        let unjudged = versions.refused.iter().any(|refused| unknown(&refused.why));
        if unjudged && self.unjudged.len() < UNJUDGED_MAX {
            self.unjudged.insert(versions.slot.seq);
        }
        self.undecided.extend(refusals::alone(by_hand, versions));
    }

    async fn follow(&mut self, audit: &mut Audit<S>, statement: &SignedStatement) {
        let manifest = &statement.manifest;
        let slot = manifest.slot();
        let (key, version_id) = (slot.manifest_key(), &statement.version_id);
        let lock = lock_state::finding(&audit.by_hand, &slot, &key, version_id, &statement.lock);
        audit.findings.extend(lock);
        let (step, root) = match &mut self.chain {
            Some(chain) => {
                // The chain continues past what was refused: those slots are needed.
                refusals::needed(&mut self.undecided);
                (chain.follow(manifest, statement.sha256), Vec::new())
            }
            None => self.begin(audit.criteria(), &audit.by_hand, statement, &slot),
        };
        audit.findings.extend(root);
        audit.findings.append(std::mem::take(&mut self.undecided));
        let found = self.take_step(audit.criteria(), &audit.by_hand, &slot, statement, step);
        audit.findings.extend(found);
        let replaced = self.keys.take(&audit.by_hand, statement);
        audit.findings.extend(replaced);
        self.unjudged.clear();
        audit.coverage.gap_bytes += stated_events::gap_bytes(manifest);
        audit.findings.extend(stated_events::notes(manifest));
        if !audit.criteria().copy {
            let ended = self.lateness.note(manifest, statement.stored_at);
            audit.findings.extend(ended);
        }
        audit.heads.note(statement);
        audit.count_manifest();
        self.tail = Some(Tail {
            stored_at: statement.stored_at,
            sealed: manifest.time.sealed,
            next_due: manifest.next_due,
            closed: manifest.kind == Kind::Close,
            full: manifest.has(EventKind::Full),
        });
        if self.cut == Some(manifest.seq) {
            self.at_cut.clone_from(&self.chain);
            self.keys_at_cut = Some(self.keys.clone());
        }
        self.bodies.push(audit, NamedBody::of(statement)).await;
    }

    /// Begins the chain with the oldest manifest that is left.
    fn begin(
        &mut self,
        criteria: &Criteria,
        by_hand: &ByHand,
        statement: &SignedStatement,
        slot: &Slot,
    ) -> (Step, Vec<Finding>) {
        let manifest = &statement.manifest;
        let (chain, step) = Chain::begin(manifest, statement.sha256);
        self.chain = Some(chain);
        self.first_seq = manifest.seq;
        self.genesis = manifest.prev_epoch.clone().map(|prev_epoch| Genesis {
            prev_epoch,
            pulse: Pulse::of(manifest),
            may_restate: manifest.has(EventKind::Rollback) || manifest.has(EventKind::StateLost),
        });
        let findings = match manifest.seq.checked_sub(1) {
            Some(last) => self.judge_root(criteria, by_hand, statement, slot, last),
            None => Vec::new(),
        };
        (step, findings)
    }

    /// The manifests before the oldest that is left, up to `last`: lawfully gone, or missing.
    fn judge_root(
        &mut self,
        criteria: &Criteria,
        by_hand: &ByHand,
        statement: &SignedStatement,
        slot: &Slot,
        last: u64,
    ) -> Vec<Finding> {
        let before = statement.manifest.prev.map(|prev| prev.expires());
        let lawful_from = before.unwrap_or_else(|| statement.lawful_from());
        match missing_objects::before_oldest(criteria, slot, lawful_from) {
            Some(expired) => {
                if !criteria.copy {
                    markers::excuse(&mut self.undecided);
                }
                vec![expired]
            }
            None => {
                refusals::needed(&mut self.undecided);
                self.missing_manifests(by_hand, slot, 0, last, false)
            }
        }
    }

    fn take_step(
        &mut self,
        criteria: &Criteria,
        by_hand: &ByHand,
        slot: &Slot,
        statement: &SignedStatement,
        step: Step,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        let (key, version_id) = (slot.manifest_key(), &statement.version_id);
        let place = |finding: Finding| {
            finding
                .at(slot)
                .on(by_hand.full_key(&key), version_id)
                .by_hand(by_hand.manifest(&key, version_id))
        };
        for found in step.breaks {
            if let Break::SeqGap { first, last } = found {
                // The manifest behind the gap says how long the last one in it is kept.
                let prev = statement.manifest.prev;
                let expired = prev.is_some_and(|prev| criteria.has_expired(&prev));
                findings.extend(self.missing_manifests(by_hand, slot, first, last, expired));
                continue;
            }
            findings.push(place(breaks::finding(found)));
        }
        let keeps_key = statement.manifest.next_key() == Some(statement.key);
        findings.extend(keeps_key.then(|| place(breaks::key_kept())));
        let made = |claim| MadeClaim {
            claim,
            stored_at: statement.stored_at,
            first_cont: None,
        };
        self.claims.extend(step.claims.into_iter().map(made));
        findings.extend(step.silence.map(|one| promises::outage(one).at(slot)));
        findings
    }

    /// Every missing seq, save those that are there and could not be judged.
    fn missing_manifests(
        &self,
        by_hand: &ByHand,
        slot: &Slot,
        first: u64,
        last: u64,
        expired: bool,
    ) -> Vec<Finding> {
        let first_slot = Slot {
            seq: first,
            ..slot.clone()
        };
        let command = by_hand.list(&first_slot.manifest_key());
        let missing = |first: u64, last: u64| {
            missing_objects::manifests(first, last, expired)
                .in_epoch(&self.agent, &self.stream, self.epoch)
                .by_hand(command.clone())
        };
        let mut findings = Vec::new();
        let mut from = first;
        for unjudged in self.unjudged.range(first..=last) {
            if *unjudged > from {
                findings.push(missing(from, unjudged - 1));
            }
            from = unjudged + 1;
        }
        if from <= last {
            findings.push(missing(from, last));
        }
        findings
    }
}

/// What is in a slot beside the statement that is followed.
fn beside(
    by_hand: &ByHand,
    versions: &ManifestVersions,
    followed: &SignedStatement,
) -> Vec<Finding> {
    let (slot, lawful_from) = (&versions.slot, Some(followed.lawful_from()));
    let markers = versions.markers.iter();
    let mut findings: Vec<_> = markers
        .map(|marker| markers::judge(by_hand, slot, marker, lawful_from))
        .collect();
    findings.extend(refusals::beside(by_hand, versions));
    findings.extend(equivocations(by_hand, slot, followed, &versions.statements));
    findings
}
