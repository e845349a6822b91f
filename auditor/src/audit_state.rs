//! One run of the verifier: what all of its steps judge by, and where they write what they found.

use crate::bodies::body_queue;
use crate::epochs::named_heads::Heads;
use crate::findings::collection::Findings;
use crate::findings::commands::ByHand;
use crate::listing::lister::ListError;
use crate::listing::scope::Scope;
use crate::listing::store_reader::Reader;
use crate::listing::succession::Succession;
use crate::manifests::statements::Statement;
use crate::objects::lock_state::LockState;
use crate::report::Coverage;
use crate::{Options, Progress};
use ledger::Digest;
use ledger::Moment;
use ledger::finding::{Code, Finding, Severity};
use ledger::manifest::{EventKind, Manifest};
use ledger::name::{Epoch, Name, Slot};
use ledger::signature::signers::AllowedSigners;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use store::{Store, Version, VersionKind};

/// What single objects are judged by; cheap to clone into tasks.
#[derive(Debug)]
pub(crate) struct Judge<S> {
    pub(crate) reader: Reader<S>,
    pub(crate) signers: Arc<AllowedSigners>,
    /// Content alone is judged: the store's dates and locks mean nothing.
    pub(crate) copy: bool,
    /// Whether locks are read.
    pub(crate) locks: bool,
    /// The store's clock at the start.
    pub(crate) now: Moment,
    /// Versions stored after this are left to the next run.
    pub(crate) horizon: Moment,
    pub(crate) grace_s: u64,
}

impl<S> Clone for Judge<S> {
    fn clone(&self) -> Self {
        Self {
            reader: self.reader.clone(),
            signers: Arc::clone(&self.signers),
            ..*self
        }
    }
}

impl<S> Judge<S> {
    pub(crate) fn is_newer(&self, stored_at: Moment) -> bool {
        !self.copy && stored_at > self.horizon
    }

    pub(crate) fn without_locks(&self) -> Self {
        Self {
            locks: false,
            ..self.clone()
        }
    }

    pub(crate) fn at_any_time(self) -> Self {
        Self {
            horizon: Moment::LAST,
            ..self
        }
    }
}

/// The state of a run.
pub(crate) struct Audit<S> {
    pub(crate) judge: Judge<S>,
    pub(crate) options: Options,
    pub(crate) scope: Scope,
    pub(crate) hand: ByHand,
    pub(crate) succession: Succession,
    pub(crate) findings: Findings,
    pub(crate) coverage: Coverage,
    pub(crate) heads: Heads,
    pub(crate) progress: Arc<Progress>,
    /// Lists that could not be read, as they were told.
    unlisted: HashSet<String>,
    /// Days of epochs whose bodies were listed: 16 bytes each.
    walked: HashSet<[u8; 16]>,
    /// The newest seq of each epoch that was followed.
    reached: HashMap<(Name, Name, Epoch), u64>,
}

impl<S: Store> Audit<S> {
    pub(crate) fn new(
        judge: Judge<S>,
        options: Options,
        hand: ByHand,
        progress: Arc<Progress>,
    ) -> Self {
        let scope = Scope {
            agent: options.agent.clone(),
            stream: options.stream.clone(),
        };
        Self {
            judge,
            options,
            scope,
            hand,
            succession: Succession::default(),
            findings: Findings::default(),
            coverage: Coverage::default(),
            heads: Heads::default(),
            progress,
            unlisted: HashSet::new(),
            walked: HashSet::new(),
            reached: HashMap::new(),
        }
    }

    pub(crate) fn walked(&mut self, prefix: &str) {
        self.walked.insert(short(prefix));
    }

    pub(crate) fn was_walked(&self, prefix: &str) -> bool {
        self.walked.contains(&short(prefix))
    }

    pub(crate) fn reached(&mut self, slot: &Slot, head_seq: u64) {
        let place = (slot.agent.clone(), slot.stream.clone(), slot.epoch);
        self.reached.insert(place, head_seq);
    }

    pub(crate) fn head_of(&self, agent: &Name, stream: &Name, epoch: Epoch) -> Option<u64> {
        let place = (agent.clone(), stream.clone(), epoch);
        self.reached.get(&place).copied()
    }

    pub(crate) fn note_heads(&mut self, statement: &Statement) {
        self.heads.note(statement);
    }

    pub(crate) fn count_manifest(&mut self) {
        self.coverage.manifests += 1;
        self.progress.one_more();
    }

    /// Counts a body whose every byte was checked.
    pub(crate) fn count_body(&mut self, manifest: &Manifest) {
        let coverage = &mut self.coverage;
        coverage.bodies += 1;
        coverage.entries += manifest.entries.count;
        let stored = manifest.stored.as_ref().map_or(0, |stored| stored.size);
        coverage.stored_bytes += stored;
        self.progress.more_bytes(stored);
        let ranges: u64 = manifest.sources.iter().map(|one| one.to - one.from).sum();
        let gaps = manifest
            .events
            .iter()
            .filter(|event| event.kind == EventKind::Gap);
        let gaps: u64 = gaps
            .map(|gap| gap.to.unwrap_or(0).saturating_sub(gap.from.unwrap_or(0)))
            .sum();
        coverage.log_bytes += ranges.saturating_sub(gaps);
        coverage.span(manifest.time.first, manifest.time.last);
    }

    /// A list that could not be read to its end.
    pub(crate) fn cannot_list(&mut self, error: &ListError) {
        let message = format!("not all could be listed: {error}");
        // Several steps read the same list, and one answer is enough.
        if !self.unlisted.insert(message.clone()) {
            return;
        }
        let finding = Finding::new(Code::Coverage, Severity::Inconclusive, message);
        self.findings.push(finding);
    }

    /// Manifests of an agent that may be there and are not listed.
    pub(crate) fn may_be_hidden(&mut self, key: &str, agent: Name) {
        if !self.judge.signers.names(&agent) {
            return;
        }
        let message = format!(
            "nothing is listed below {key}/, where an object stands in the place of a folder: some \
             servers (MinIO) hide what is there; have the object removed and verify again"
        );
        let finding = Finding::new(Code::Coverage, Severity::Inconclusive, message);
        self.findings.push(Finding {
            agent: Some(agent),
            key: Some(self.hand.full_key(key)),
            by_hand: Some(self.hand.list(key)),
            ..finding
        });
    }

    /// A check that did not come to its end.
    pub(crate) fn cannot_judge(&mut self, slot: &Slot, cause: &str) {
        let message = format!("a check did not come to its end: {cause}");
        let finding = Finding::new(Code::Coverage, Severity::Inconclusive, message);
        self.findings.push(finding.at(slot));
    }

    /// Reports a lock that does not keep its promise.
    pub(crate) fn judge_lock(
        &mut self,
        slot: &Slot,
        key: &str,
        version_id: &str,
        lock: &LockState,
    ) {
        use Severity::{Critical, Inconclusive};
        let (code, severity, message) = match lock {
            LockState::Met => return,
            LockState::Absent => (Code::LockAbsent, Critical, "the object has no lock".into()),
            LockState::Weak => (
                Code::LockMode,
                Critical,
                "the object's lock is not in COMPLIANCE mode: it can be taken off".into(),
            ),
            LockState::Short { until, needed } => (
                Code::LockShort,
                Critical,
                format!("the object's lock ends at {until}, its signed retention at {needed}"),
            ),
            LockState::Unknown(why) => (
                Code::LockUnknown,
                Inconclusive,
                format!("the object's lock could not be read: {why}"),
            ),
        };
        let finding = Finding::new(code, severity, message)
            .at(slot)
            .on(self.hand.full_key(key), version_id)
            .by_hand(self.hand.lock(key, version_id));
        self.findings.push(finding);
    }

    /// A delete marker over an archived object; lawful from when the object may be gone.
    pub(crate) fn marker(
        &self,
        slot: &Slot,
        marker: &Version,
        lawful_from: Option<Moment>,
    ) -> Finding {
        let lawful = lawful_from.is_some_and(|from| marker.last_modified >= from);
        let (severity, when) = if lawful {
            (Severity::Note, "after its retention was over")
        } else {
            (Severity::Interference, "before its retention was over")
        };
        let message = format!(
            "someone deleted this object at {}, {when}",
            marker.last_modified
        );
        Finding::new(Code::DeleteMarker, severity, message)
            .at(slot)
            .on(self.hand.full_key(&marker.key), &marker.version_id)
            .by_hand(self.hand.list(&marker.key))
    }

    /// A body's version, or a marker over one, that no manifest names. It is explained if its epoch
    /// went on past it: a crash between body and manifest leaves one.
    pub(crate) fn unnamed(&mut self, slot: &Slot, version: &Version, explained: bool) {
        if self.judge.is_newer(version.last_modified) {
            self.coverage.pending += 1;
            return;
        }
        if version.kind == VersionKind::Marker {
            let finding = self.marker(slot, version, None);
            self.findings.push(finding);
            return;
        }
        let judged_from = body_queue::judged_from(version, self.judge.grace_s);
        let (code, severity, message) = if self.judge.copy {
            (
                Code::Orphan,
                Severity::Note,
                "no manifest in this copy names this body",
            )
        } else if self.judge.now <= judged_from {
            (
                Code::Pending,
                Severity::Note,
                "no manifest names this body yet",
            )
        } else if explained {
            (
                Code::Orphan,
                Severity::Note,
                "no manifest names this body; its epoch went on without it",
            )
        } else {
            (
                Code::Orphan,
                Severity::Interference,
                "no manifest names this body",
            )
        };
        let finding = Finding::new(code, severity, message)
            .at(slot)
            .on(self.hand.full_key(&version.key), &version.version_id)
            .by_hand(self.hand.hash(&version.key, &version.version_id));
        self.findings.push(finding);
    }

    /// A version or marker whose key is none of an archive's.
    pub(crate) fn foreign(&mut self, version: &Version) {
        if self.judge.is_newer(version.last_modified) {
            return;
        }
        let (top, _) = version.key.split_once('/').unwrap_or((&version.key, ""));
        let among_ours = ["manifests", "entries"].contains(&top);
        // Consoles make folders as empty objects.
        let folder = version.key.ends_with('/') && version.size == 0;
        let severity = if among_ours && !folder {
            Severity::Interference
        } else {
            Severity::Note
        };
        let message = format!("stored at {}, no part of an archive", version.last_modified);
        let finding = Finding::new(Code::ForeignObject, severity, message)
            .on(self.hand.full_key(&version.key), &version.version_id)
            .by_hand(self.hand.list(&version.key));
        self.findings.push(finding);
    }
}

fn short(prefix: &str) -> [u8; 16] {
    let Digest(digest) = Digest::of(prefix.as_bytes());
    let mut short = [0; 16];
    short.copy_from_slice(&digest[..16]);
    short
}
