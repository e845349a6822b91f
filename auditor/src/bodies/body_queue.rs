//! Bodies being read side by side, a bounded number at once, and taken up again in the chain's order.
//! What each comes to is decided by `body_verdict`; this carries it out.

use super::absent_bodies::{ExpiredRun, MissingRun};
use super::body_content::Touches;
use super::body_list::{BodyList, day_prefix};
use super::body_verdict::{self, BodyPresence};
use super::body_versions::{self, BodyVersions, NamedBody};
use crate::audit_state::Audit;
use crate::epochs::batch_seams::BatchSeams;
use crate::objects::inspector::Inspector;
use crate::objects::missing_objects::{self, MissingAt};
use crate::objects::{unjudged, unnamed};
use ledger::chain::{Seams, Tiling};
use ledger::finding::Finding;
use ledger::name::{Epoch, Name, ObjectName};
use std::collections::{BTreeMap, VecDeque};
use store::Store;
use tokio::task::JoinHandle;

/// Manifests between the newest followed and the oldest whose body is being read, for each job: most
/// of them have no body.
const AHEAD_PER_JOB: usize = 4;

/// A body whose turn to be judged has not come.
struct QueuedBody {
    named: NamedBody,
    /// `None` for a manifest without entries, or a body whose list could not be read.
    handle: Option<JoinHandle<BodyVersions>>,
}

/// What an epoch's links need to know of its bodies.
pub(crate) struct BodiesEnd {
    /// Up to the seq that a successor names, or to the end.
    pub(crate) seams: Seams,
    pub(crate) missing: MissingRun,
    /// What the first piece of each continued source says of the byte before it.
    pub(crate) first_conts: BTreeMap<u64, bool>,
}

/// An epoch's bodies.
pub(crate) struct BodyQueue<S> {
    agent: Name,
    stream: Name,
    epoch: Epoch,
    jobs: usize,
    reading: usize,
    list: BodyList<S>,
    queued: VecDeque<QueuedBody>,
    seams: BatchSeams,
    missing: MissingRun,
    expired: Option<ExpiredRun>,
}

impl<S: Store + 'static> BodyQueue<S> {
    pub(crate) fn new(
        inspector: &Inspector<S>,
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
            jobs,
            reading: 0,
            list: BodyList::new(&inspector.reader, agent, stream, epoch),
            queued: VecDeque::new(),
            seams: BatchSeams::new(cut),
            missing: MissingRun::default(),
            expired: None,
        }
    }

    /// A statement that is not followed names this body.
    pub(crate) fn named_elsewhere(&mut self, key: Option<String>) {
        self.list.named_elsewhere.extend(key);
    }

    /// Begins to read the body of the next manifest; waits while enough are being read.
    pub(crate) async fn push(&mut self, audit: &mut Audit<S>, named: NamedBody) {
        while self.reading >= self.jobs || self.queued.len() >= self.jobs * AHEAD_PER_JOB {
            self.join_one(audit).await;
        }
        let handle = self.start(audit, &named).await;
        self.reading += usize::from(handle.is_some());
        self.queued.push_back(QueuedBody { named, handle });
    }

    async fn start(
        &mut self,
        audit: &mut Audit<S>,
        named: &NamedBody,
    ) -> Option<JoinHandle<BodyVersions>> {
        let manifest = &named.manifest;
        let (Some(key), Some(described)) = (manifest.body_key(), &manifest.body) else {
            return None;
        };
        let date = &described.date;
        audit.bodies_listed(&day_prefix(&self.agent, &self.stream, date, self.epoch));
        match self.list.versions_of(&key, date).await {
            Ok(versions) => {
                let inspector = audit.inspector.clone();
                let read = body_versions::read(inspector, manifest.clone(), key, versions);
                Some(tokio::spawn(read))
            }
            Err(error) => {
                audit.cannot_list(&error);
                None
            }
        }
    }

    async fn join_one(&mut self, audit: &mut Audit<S>) {
        let Some(QueuedBody { named, handle }) = self.queued.pop_front() else {
            return;
        };
        self.reading -= usize::from(handle.is_some());
        let touches = match handle {
            Some(handle) => match handle.await {
                Ok(found) => self.take(audit, &named, found),
                Err(error) => {
                    let slot = named.manifest.slot();
                    audit.findings.push(unjudged::check(&slot, &error));
                    None
                }
            },
            // What gaps alone fill was judged with the chain.
            None if named.manifest.entries.count == 0 => Tiling::of(&named.manifest).finish().ok(),
            None => None,
        };
        let joined = self.seams.join(&named.manifest, touches);
        audit.findings.extend(joined);
    }

    /// Reports what was found under a body's key; what it did to its sources if it is whole.
    fn take(
        &mut self,
        audit: &mut Audit<S>,
        named: &NamedBody,
        found: BodyVersions,
    ) -> Option<Touches> {
        audit.coverage.pending += found.newer;
        audit.coverage.locks += found.locks_read;
        let verdict = body_verdict::judge(audit.criteria(), &audit.by_hand, named, found);
        audit.findings.extend(verdict.findings);
        let seq = named.manifest.seq;
        match verdict.presence {
            BodyPresence::Whole(touches) => {
                audit.findings.extend(self.meet());
                audit.count_body(&named.manifest);
                return Some(touches);
            }
            BodyPresence::Faulty => audit.findings.extend(self.meet()),
            BodyPresence::Expired => {
                self.expired = Some(ExpiredRun::extended(self.expired, seq));
            }
            BodyPresence::NotCopied => self.missing.miss(seq),
            BodyPresence::Bad => {}
        }
        None
    }

    /// A body is there; reports the bodies missing between it and the one that was there before.
    fn meet(&mut self) -> Option<Finding> {
        let (first, last) = self.missing.meet()?;
        let finding = missing_objects::copied_bodies(first, last, MissingAt::WithinEpoch);
        Some(self.place(finding))
    }

    fn place(&self, finding: Finding) -> Finding {
        finding.in_epoch(&self.agent, &self.stream, self.epoch)
    }

    /// Waits for all bodies, then judges what no manifest names.
    pub(crate) async fn finish(
        mut self,
        audit: &mut Audit<S>,
        head_seq: Option<u64>,
        has_successor: bool,
    ) -> BodiesEnd {
        while !self.queued.is_empty() {
            self.join_one(audit).await;
        }
        if let Err(error) = self.list.finish_day().await {
            audit.cannot_list(&error);
        }
        if let Some(ExpiredRun { first, last, count }) = self.expired {
            audit.coverage.bodies_expired += count;
            let finding = missing_objects::expired_bodies(first, last, count);
            audit.findings.push(self.place(finding));
        }
        for version in &self.list.unnamed {
            let versions = std::slice::from_ref(version);
            if let ObjectName::Body { slot, .. } = ObjectName::parse(&version.key) {
                let explained = has_successor || head_seq.is_some_and(|head| slot.seq <= head);
                audit.unnamed(&slot, versions, explained);
            } else {
                audit.foreign(versions);
            }
        }
        let more = unnamed::more_bodies(audit.criteria(), self.list.unnamed_more);
        audit
            .findings
            .extend(more.map(|finding| self.place(finding)));
        let (seams, first_conts) = self.seams.end();
        BodiesEnd {
            seams,
            missing: self.missing,
            first_conts,
        }
    }
}
