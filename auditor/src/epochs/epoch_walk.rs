//! One epoch, manifest by manifest: which statement counts, whether the chain holds, what its end is.

use crate::audit_state::Audit;
use crate::bodies::body_queue::BodyQueue;
use crate::bodies::body_versions::Named;
use crate::epochs::breaks;
use crate::epochs::promises::Lateness;
use crate::findings::collection::Findings;
use crate::manifests::choice::{choose, report_equivocation};
use crate::manifests::refusals;
use crate::manifests::statements::{Reading, Refusal, Statement};
use ledger::chain::{Break, Chain, Pulse, Silence, Step};
use ledger::finding::{Code, Finding, Severity};
use ledger::manifest::{Event, EventKind, Kind, Manifest};
use ledger::name::{Epoch, Name, Slot};
use std::collections::BTreeSet;
use store::{Store, Version};

pub(crate) use crate::epochs::epoch_end::{EpochEnd, Genesis, MadeClaim, Tail};

/// Seqs of unreadable or newer manifests that are remembered until the chain has passed them.
const UNJUDGED_MAX: usize = 10_000;

/// An epoch while it is followed.
pub(crate) struct EpochWalk<S> {
    agent: Name,
    stream: Name,
    epoch: Epoch,
    /// The seq that a successor names.
    cut: Option<u64>,
    held: Option<Reading>,
    chain: Option<Chain>,
    at_cut: Option<Chain>,
    first_seq: u64,
    genesis: Option<Genesis>,
    tail: Option<Tail>,
    bodies: BodyQueue<S>,
    claims: Vec<MadeClaim>,
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
            &audit.judge,
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
            lateness: Lateness::default(),
            undecided: Findings::default(),
            unjudged: BTreeSet::new(),
        }
    }

    pub(crate) fn holds(&self, slot: &Slot) -> bool {
        (&self.agent, &self.stream, self.epoch) == (&slot.agent, &slot.stream, slot.epoch)
    }

    /// Takes the next manifest key. It is judged when the one after it is known, for that one's
    /// `prev` says which of two statements the agent went on from.
    pub(crate) async fn read(&mut self, audit: &mut Audit<S>, reading: Reading) {
        match &mut self.held {
            Some(held) if held.slot == reading.slot => held.merge(reading),
            _ => {
                if let Some(held) = self.held.take() {
                    self.take(audit, held, Some(&reading)).await;
                }
                self.held = Some(reading);
            }
        }
    }

    /// Ends the epoch. `None` if it had no statement at all.
    pub(crate) async fn finish(mut self, audit: &mut Audit<S>) -> Option<EpochEnd> {
        if let Some(held) = self.held.take() {
            self.take(audit, held, None).await;
        }
        // A trusted successor that names a seq beyond the last statement needs those slots.
        let head_seq = self.chain.as_ref().map(|chain| chain.seq);
        if self
            .cut
            .is_some_and(|cut| head_seq.is_none_or(|head| cut > head))
        {
            refusals::needed(&mut self.undecided);
        }
        audit.findings.append(std::mem::take(&mut self.undecided));
        audit.findings.extend(self.lateness.end());
        let has_successor = self.cut.is_some();
        let (seams, missing, first_conts) =
            self.bodies.finish(audit, head_seq, has_successor).await;
        let chain = self.chain?;
        for made in &mut self.claims {
            made.first_cont = first_conts.get(&made.claim.source).copied();
        }
        Some(EpochEnd {
            epoch: self.epoch,
            first_seq: self.first_seq,
            genesis: self.genesis,
            head_seq: chain.seq,
            agreed: self.at_cut.unwrap_or(chain),
            seams,
            tail: self.tail?,
            claims: self.claims,
            missing,
        })
    }

    async fn take(&mut self, audit: &mut Audit<S>, mut reading: Reading, next: Option<&Reading>) {
        audit.coverage.pending += reading.newer;
        audit.coverage.locks += reading.locks_read;
        let chosen = choose(&reading.statements, self.chain.as_ref(), next);
        let Some(chosen) = chosen else {
            self.leave_undecided(audit, &reading);
            return;
        };
        let statement = reading.statements.swap_remove(chosen);
        self.report_markers(audit, &reading.slot, &reading.markers, &statement);
        refusals::beside(audit, &reading);
        if !reading.statements.is_empty() {
            report_equivocation(audit, &reading.slot, &statement, &reading.statements);
            for other in &reading.statements {
                self.bodies.speak_for(other.manifest.body_key());
            }
        }
        self.follow(audit, &statement).await;
    }

    fn leave_undecided(&mut self, audit: &Audit<S>, reading: &Reading) {
        for marker in &reading.markers {
            self.undecided
                .push(audit.marker(&reading.slot, marker, None));
        }
        let unknown = |why: &Refusal| {
            matches!(
                why,
                Refusal::Unreadable(_) | Refusal::Newer(_) | Refusal::Format(_)
            )
        };
        let unjudged = reading.refused.iter().any(|refused| unknown(&refused.why));
        if unjudged && self.unjudged.len() < UNJUDGED_MAX {
            self.unjudged.insert(reading.slot.seq);
        }
        refusals::alone(audit, reading, &mut self.undecided);
    }

    fn report_markers(
        &self,
        audit: &mut Audit<S>,
        slot: &Slot,
        markers: &[Version],
        statement: &Statement,
    ) {
        let lawful_from = statement
            .stored_at
            .plus_s(statement.manifest.retention_max_s);
        for marker in markers {
            let finding = audit.marker(slot, marker, Some(lawful_from));
            audit.findings.push(finding);
        }
    }

    async fn follow(&mut self, audit: &mut Audit<S>, statement: &Statement) {
        let manifest = &statement.manifest;
        let slot = manifest.slot();
        audit.judge_lock(
            &slot,
            &slot.manifest_key(),
            &statement.version_id,
            &statement.lock,
        );
        let step = match &mut self.chain {
            Some(chain) => {
                // The chain goes on past what was refused: those slots are needed.
                refusals::needed(&mut self.undecided);
                chain.follow(manifest, statement.sha256)
            }
            None => self.begin(audit, statement, &slot),
        };
        audit.findings.append(std::mem::take(&mut self.undecided));
        self.report_step(audit, &slot, statement, step);
        self.unjudged.clear();
        self.report_events(audit, &slot, manifest);
        self.note_late(audit, statement);
        audit.note_heads(statement);
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
        }
        self.bodies.push(audit, Named::of(statement)).await;
    }

    fn begin(&mut self, audit: &mut Audit<S>, statement: &Statement, slot: &Slot) -> Step {
        let manifest = &statement.manifest;
        let (chain, step) = Chain::begin(manifest, statement.sha256);
        self.chain = Some(chain);
        self.first_seq = manifest.seq;
        self.genesis = manifest.prev_epoch.clone().map(|prev_epoch| Genesis {
            prev_epoch,
            stored_at: statement.stored_at,
            pulse: Pulse::of(manifest),
            retention_s: manifest.retention_s,
            retention_max_s: manifest.retention_max_s,
            may_restate: manifest.has(EventKind::Rollback) || manifest.has(EventKind::StateLost),
        });
        if manifest.seq > 0 {
            self.report_root(audit, statement, slot);
        }
        step
    }

    /// The manifests before the oldest that is left: lawfully gone, or missing.
    fn report_root(&mut self, audit: &mut Audit<S>, statement: &Statement, slot: &Slot) {
        let last = slot.seq - 1;
        let lawful_from = statement
            .stored_at
            .plus_s(statement.manifest.retention_max_s);
        let what = format!(
            "manifests {} are gone; what {} says of the past is taken as given",
            breaks::seqs(0, last),
            slot.seq
        );
        let finding = if audit.judge.copy {
            Finding::new(Code::Expired, Severity::Inconclusive, what)
        } else if audit.judge.now >= lawful_from {
            self.undecided.regrade(Code::DeleteMarker, Severity::Note);
            Finding::new(Code::Expired, Severity::Note, what)
        } else {
            refusals::needed(&mut self.undecided);
            self.report_gap(audit, slot, 0, last);
            return;
        };
        audit.findings.push(finding.at(&Slot {
            seq: 0,
            ..slot.clone()
        }));
    }

    fn report_step(&mut self, audit: &mut Audit<S>, slot: &Slot, named: &Statement, step: Step) {
        let stored_at = named.stored_at;
        for found in step.breaks {
            if let Break::SeqGap { first, last } = found {
                self.report_gap(audit, slot, first, last);
                continue;
            }
            let by_hand = audit.hand.manifest(&slot.manifest_key(), &named.version_id);
            let finding = breaks::finding(found).at(slot);
            let finding = finding.on(audit.hand.full_key(&slot.manifest_key()), &named.version_id);
            audit.findings.push(finding.by_hand(by_hand));
        }
        let made = |claim| MadeClaim {
            claim,
            stored_at,
            first_cont: None,
        };
        self.claims.extend(step.claims.into_iter().map(made));
        if let Some(silence) = step.silence {
            audit.findings.push(outage(silence).at(slot));
        }
    }

    /// Every missing seq, save those that are there and could not be judged.
    fn report_gap(&self, audit: &mut Audit<S>, slot: &Slot, first: u64, last: u64) {
        let by_hand = audit.hand.list(
            &Slot {
                seq: first,
                ..slot.clone()
            }
            .manifest_key(),
        );
        let mut report = |first: u64, last: u64| {
            let finding = breaks::seq_gap(first, last);
            let finding = finding.in_epoch(&self.agent, &self.stream, self.epoch);
            audit.findings.push(finding.by_hand(by_hand.clone()));
        };
        let mut from = first;
        for unjudged in self.unjudged.range(first..=last) {
            if *unjudged > from {
                report(from, unjudged - 1);
            }
            from = unjudged + 1;
        }
        if from <= last {
            report(from, last);
        }
    }

    fn report_events(&self, audit: &mut Audit<S>, slot: &Slot, manifest: &Manifest) {
        for event in &manifest.events {
            let Event {
                kind: EventKind::Gap,
                source: Some(source),
                from: Some(from),
                to,
                reason: Some(reason),
                ..
            } = event
            else {
                continue;
            };
            audit.coverage.gap_bytes += to.map_or(0, |to| to - from);
            let path = manifest.sources.iter().find(|one| one.id == *source);
            let path = path
                .and_then(|one| one.path_bytes())
                .map(|path| path.display());
            let end = to.map_or("an unknown end".into(), |to| format!("byte {to}"));
            let message = format!(
                "the agent states that {} lost bytes, from byte {from} to {end}: {reason:?}",
                path.unwrap_or_default()
            );
            let note = Finding::new(Code::Gap, Severity::Note, message.to_lowercase());
            audit.findings.push(note.at(slot));
        }
    }

    fn note_late(&mut self, audit: &mut Audit<S>, statement: &Statement) {
        if !audit.judge.copy {
            let ended = self.lateness.note(&statement.manifest, statement.stored_at);
            audit.findings.extend(ended);
        }
    }
}

/// A silence that the chain later ended.
pub(crate) fn outage(silence: Silence) -> Finding {
    let Silence {
        promised_s,
        lasted_s,
        rebooted,
    } = silence;
    let (severity, why) = if rebooted {
        (Severity::Note, ", over a restart of the machine")
    } else {
        (Severity::Interference, " while the machine ran")
    };
    let message =
        format!("silent for {lasted_s} s although {promised_s} s were promised at most{why}");
    Finding::new(Code::Outage, severity, message)
        .expected_got(format!("at most {promised_s} s"), format!("{lasted_s} s"))
}
