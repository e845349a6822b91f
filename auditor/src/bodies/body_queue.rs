//! Bodies being read side by side, a bounded number at once, and taken up again in the chain's order.

use crate::audit_state::{Audit, Judge};
use crate::bodies::body_versions::{self as bodies, BodyCursor, BodyReading, Named, Right, Wrong};
use crate::epochs::breaks;
use ledger::Moment;
use ledger::chain::{Edge, Seams, Tiling, Touch};
use ledger::finding::{Code, Finding, Severity};
use ledger::name::{Epoch, Name, ObjectName};
use std::collections::{BTreeMap, VecDeque};
use store::{Store, Version};
use tokio::task::JoinHandle;

/// Manifests between the newest followed and the oldest whose body is being read, for each job: most
/// of them have no body.
const AHEAD_PER_JOB: usize = 4;

/// Bodies of a copy that are not there, seen from the first and the last that is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MissingRun {
    /// Before the first body that is there.
    pub(crate) lead: Option<(u64, u64)>,
    /// After the last one; all of them if none is there.
    pub(crate) trail: Option<(u64, u64)>,
    /// Whether any is there.
    pub(crate) any: bool,
}

impl MissingRun {
    fn miss(&mut self, seq: u64) {
        let (first, _) = self.trail.unwrap_or((seq, seq));
        self.trail = Some((first, seq));
    }

    /// A body is there; returns the run that this ends in the middle.
    fn meet(&mut self) -> Option<(u64, u64)> {
        let run = self.trail.take();
        if self.any {
            return run;
        }
        self.any = true;
        self.lead = run;
        None
    }
}

struct Running {
    named: Named,
    /// `None` for a manifest without entries, or a body whose list could not be read.
    handle: Option<JoinHandle<BodyReading>>,
}

/// An epoch's bodies.
pub(crate) struct BodyQueue<S> {
    agent: Name,
    stream: Name,
    epoch: Epoch,
    cut: Option<u64>,
    jobs: usize,
    reading: usize,
    cursor: BodyCursor<S>,
    running: VecDeque<Running>,
    seams: Seams,
    at_cut: Option<Seams>,
    first_conts: BTreeMap<u64, bool>,
    missing: MissingRun,
    expired: Option<(u64, u64, u64)>,
    head: Option<u64>,
}

impl<S: Store + 'static> BodyQueue<S> {
    pub(crate) fn new(
        judge: &Judge<S>,
        agent: &Name,
        stream: &Name,
        epoch: Epoch,
        cut: Option<u64>,
        jobs: usize,
    ) -> Self {
        Self {
            agent: agent.clone(),
            stream: stream.clone(),
            epoch,
            cut,
            jobs,
            reading: 0,
            cursor: BodyCursor::new(&judge.reader, agent, stream, epoch),
            running: VecDeque::new(),
            seams: Seams::default(),
            at_cut: None,
            first_conts: BTreeMap::new(),
            missing: MissingRun::default(),
            expired: None,
            head: None,
        }
    }

    /// A statement that is not followed names this body.
    pub(crate) fn speak_for(&mut self, key: Option<String>) {
        self.cursor.spoken_for.extend(key);
    }

    /// Begins to read the body of the next manifest; waits while enough are being read.
    pub(crate) async fn push(&mut self, audit: &mut Audit<S>, named: Named) {
        while self.reading >= self.jobs || self.running.len() >= self.jobs * AHEAD_PER_JOB {
            self.join_one(audit).await;
        }
        let handle = self.start(audit, &named).await;
        self.reading += usize::from(handle.is_some());
        self.running.push_back(Running { named, handle });
    }

    async fn start(
        &mut self,
        audit: &mut Audit<S>,
        named: &Named,
    ) -> Option<JoinHandle<BodyReading>> {
        let manifest = &named.manifest;
        let (Some(key), Some(described)) = (manifest.body_key(), &manifest.body) else {
            return None;
        };
        let date = &described.date;
        audit.walked(&bodies::day_prefix(
            &self.agent,
            &self.stream,
            date,
            self.epoch,
        ));
        match self.cursor.versions_of(&key, date).await {
            Ok(versions) => {
                let read = bodies::read(audit.judge.clone(), manifest.clone(), key, versions);
                Some(tokio::spawn(read))
            }
            Err(error) => {
                audit.cannot_list(&error);
                None
            }
        }
    }

    async fn join_one(&mut self, audit: &mut Audit<S>) {
        let Some(Running { named, handle }) = self.running.pop_front() else {
            return;
        };
        self.reading -= usize::from(handle.is_some());
        let seq = named.manifest.seq;
        let touches = match handle {
            Some(handle) => match handle.await {
                Ok(reading) => self.take(audit, &named, reading),
                Err(error) => {
                    audit.cannot_judge(&named.manifest.slot(), &error.to_string());
                    None
                }
            },
            // What gaps alone fill was judged with the chain.
            None if named.manifest.entries.count == 0 => Tiling::of(&named.manifest).finish().ok(),
            None => None,
        };
        self.join_seams(audit, &named, touches);
        self.head = Some(seq);
        if self.cut == Some(seq) {
            self.at_cut = Some(self.seams.clone());
        }
    }

    fn join_seams(
        &mut self,
        audit: &mut Audit<S>,
        named: &Named,
        touches: Option<BTreeMap<u64, Touch>>,
    ) {
        let manifest = &named.manifest;
        let Some(touches) = touches else {
            manifest
                .sources
                .iter()
                .for_each(|source| self.seams.lose(source.id));
            return;
        };
        for source in &manifest.sources {
            let Some(touch) = touches.get(&source.id) else {
                continue;
            };
            if let (true, Some(cont)) = (source.was.is_some(), touch.first) {
                self.first_conts.insert(source.id, cont);
            }
        }
        for (id, touch) in touches {
            let first = manifest.sources.iter().find(|source| source.id == id);
            let starts = first.is_some_and(|source| source.was.is_none() && source.from == 0);
            let fresh = if starts { Edge::LineEnd } else { Edge::Free };
            if let Err(fault) = self.seams.join(id, touch, fresh) {
                let message = match fault.expected {
                    Some(true) => {
                        format!("source {id} goes on amid a line, its entry does not say cont")
                    }
                    Some(false) => format!("source {id} starts a line, its entry says cont"),
                    None => format!(
                        "an entry of source {id} says wrongly whether it starts amid a line"
                    ),
                };
                let finding = Finding::new(Code::EntryCont, Severity::Critical, message);
                audit.findings.push(finding.at(&manifest.slot()));
            }
        }
    }

    /// Reports what was found under a body's key; what it did to its sources if it is whole.
    fn take(
        &mut self,
        audit: &mut Audit<S>,
        named: &Named,
        reading: BodyReading,
    ) -> Option<BTreeMap<u64, Touch>> {
        let slot = named.manifest.slot();
        let key = named.manifest.body_key().unwrap_or_default();
        audit.coverage.pending += reading.newer;
        audit.coverage.locks += reading.locks_read;
        for marker in &reading.markers {
            let finding = audit.marker(&slot, marker, Some(named.retained_until()));
            audit.findings.push(finding);
        }
        let Some(right) = reading.right else {
            self.take_missing(audit, named, &key, &reading.wrong, &reading.unreadable);
            return None;
        };
        if let Some((first, last)) = self.missing.meet() {
            self.report_missing(audit, first, last, "bodies around it are there");
        }
        for other in reading.wrong.iter().chain(&reading.unreadable) {
            shadow(audit, named, &key, other);
        }
        if let Some(lock) = &reading.lock {
            audit.judge_lock(&slot, &key, &right.version_id, lock);
        }
        report_content(audit, named, &key, right)
    }

    fn take_missing(
        &mut self,
        audit: &mut Audit<S>,
        named: &Named,
        key: &str,
        wrong: &[Wrong],
        unreadable: &[Wrong],
    ) {
        let slot = named.manifest.slot();
        let lawful = !audit.judge.copy && audit.judge.now >= named.retained_until();
        if let Some(one) = unreadable.first() {
            let message = format!("the body could not be read: {}", one.got);
            let finding = Finding::new(Code::Coverage, Severity::Inconclusive, message).at(&slot);
            let by_hand = audit.hand.hash(key, &one.version_id);
            let finding = finding.on(audit.hand.full_key(key), &one.version_id);
            audit.findings.push(finding.by_hand(by_hand));
            wrong
                .iter()
                .for_each(|other| shadow(audit, named, key, other));
        } else if lawful {
            let (first, _, count) = self.expired.unwrap_or((slot.seq, slot.seq, 0));
            self.expired = Some((first, slot.seq, count + 1));
            wrong
                .iter()
                .for_each(|other| shadow(audit, named, key, other));
        } else if wrong.is_empty() && audit.judge.copy {
            self.missing.miss(slot.seq);
        } else if wrong.is_empty() {
            let message = format!(
                "the body is gone, though its retention lasts until {}",
                named.retained_until()
            );
            let finding = Finding::new(Code::MissingVersion, Severity::Critical, message);
            let finding = finding.at(&slot).on(audit.hand.full_key(key), "");
            let by_hand = audit.hand.list(key);
            audit.findings.push(finding.by_hand(by_hand));
        } else {
            wrong
                .iter()
                .for_each(|other| other_bytes(audit, named, key, other));
        }
    }

    fn report_missing(&self, audit: &mut Audit<S>, first: u64, last: u64, why: &str) {
        let message = format!(
            "the bodies of manifests {} are gone; {why}",
            breaks::seqs(first, last)
        );
        let finding = Finding::new(Code::MissingVersion, Severity::Critical, message);
        audit.findings.push(Finding {
            seq: Some(first),
            ..finding.in_epoch(&self.agent, &self.stream, self.epoch)
        });
    }

    /// Waits for all bodies, then judges what no manifest names.
    pub(crate) async fn finish(
        mut self,
        audit: &mut Audit<S>,
        head_seq: Option<u64>,
        has_successor: bool,
    ) -> (Seams, MissingRun, BTreeMap<u64, bool>) {
        while !self.running.is_empty() {
            self.join_one(audit).await;
        }
        if let Err(error) = self.cursor.finish_day().await {
            audit.cannot_list(&error);
        }
        if let Some((first, last, count)) = self.expired {
            audit.coverage.bodies_expired += count;
            let seqs = breaks::seqs(first, last);
            let message =
                format!("{count} bodies of manifests {seqs} are past their retention and gone");
            let note = Finding::new(Code::Expired, Severity::Note, message);
            audit.findings.push(Finding {
                seq: Some(first),
                ..note.in_epoch(&self.agent, &self.stream, self.epoch)
            });
        }
        for version in &self.cursor.unnamed {
            if let ObjectName::Body { slot, .. } = ObjectName::parse(&version.key) {
                let explained = has_successor || head_seq.is_some_and(|head| slot.seq <= head);
                audit.unnamed(&slot, version, explained);
            } else {
                audit.foreign(version);
            }
        }
        if self.cursor.unnamed_more > 0 {
            let message = format!(
                "{} more bodies that no manifest names",
                self.cursor.unnamed_more
            );
            let severity = if audit.judge.copy {
                Severity::Note
            } else {
                Severity::Interference
            };
            let finding = Finding::new(Code::Orphan, severity, message);
            audit
                .findings
                .push(finding.in_epoch(&self.agent, &self.stream, self.epoch));
        }
        let seams = self.at_cut.unwrap_or(self.seams);
        (seams, self.missing, self.first_conts)
    }
}

fn report_content<S: Store>(
    audit: &mut Audit<S>,
    named: &Named,
    key: &str,
    right: Right,
) -> Option<BTreeMap<u64, Touch>> {
    match right.content {
        Ok(touches) => {
            audit.count_body(&named.manifest);
            Some(touches)
        }
        Err(fault) => {
            let severity = match fault.code {
                Code::Coverage => Severity::Inconclusive,
                _ => Severity::Critical,
            };
            let finding = Finding::new(fault.code, severity, fault.message)
                .at(&named.manifest.slot())
                .on(audit.hand.full_key(key), &right.version_id)
                .expected_got(fault.expected, fault.got)
                .by_hand(audit.hand.unpack(key, &right.version_id));
            audit.findings.push(finding);
            None
        }
    }
}

/// No version holds the signed bytes; this one stands in their place.
fn other_bytes<S: Store>(audit: &mut Audit<S>, named: &Named, key: &str, wrong: &Wrong) {
    let expected = named
        .manifest
        .stored
        .as_ref()
        .map(|stored| stored.sha256.to_string());
    let finding = Finding::new(
        Code::StoredHash,
        Severity::Critical,
        "the body's bytes are not those that its manifest signed",
    )
    .at(&named.manifest.slot())
    .on(audit.hand.full_key(key), &wrong.version_id)
    .expected_got(expected.unwrap_or_default(), wrong.got.as_str())
    .by_hand(audit.hand.hash(key, &wrong.version_id));
    audit.findings.push(finding);
}

/// A version beside the right one, with other bytes.
fn shadow<S: Store>(audit: &mut Audit<S>, named: &Named, key: &str, wrong: &Wrong) {
    let message = format!(
        "a version stored at {} holds other bytes than the signed ones",
        wrong.stored_at
    );
    let expected = named
        .manifest
        .stored
        .as_ref()
        .map(|stored| stored.sha256.to_string());
    let finding = Finding::new(Code::ShadowVersion, Severity::Interference, message)
        .at(&named.manifest.slot())
        .on(audit.hand.full_key(key), &wrong.version_id)
        .expected_got(expected.unwrap_or_default(), wrong.got.as_str())
        .by_hand(audit.hand.hash(key, &wrong.version_id));
    audit.findings.push(finding);
}

/// When an unnamed object stops being too new to judge.
pub(crate) fn judged_from(version: &Version, grace_s: u64) -> Moment {
    version.last_modified.plus_s(grace_s)
}
