//! One audit while it runs: what was found and looked at so far. Checks judge elsewhere; this only keeps.

use crate::audit_options::AuditOptions;
use crate::criteria::Criteria;
use crate::epochs::named_heads::NamedHeads;
use crate::findings::by_hand::ByHand;
use crate::findings::collection::Findings;
use crate::listing::lister::ListError;
use crate::listing::scope::AuditScope;
use crate::listing::succession::Succession;
use crate::objects::inspector::Inspector;
use crate::objects::{unjudged, unnamed};
use crate::report::Coverage;
use host::progress::Progress;
use ledger::Digest;
use ledger::manifest::{EventKind, Manifest};
use ledger::name::{Epoch, Name, Slot};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use store::{Store, Version};

/// The state of an audit.
pub(crate) struct Audit<S> {
    pub(crate) inspector: Inspector<S>,
    pub(crate) options: AuditOptions,
    pub(crate) scope: AuditScope,
    pub(crate) by_hand: ByHand,
    pub(crate) succession: Succession,
    pub(crate) findings: Findings,
    pub(crate) coverage: Coverage,
    pub(crate) heads: NamedHeads,
    pub(crate) progress: Arc<Progress>,
    /// Lists that could not be read, as they were reported.
    unlisted: HashSet<String>,
    /// Days of epochs whose bodies were listed: 16 bytes each.
    listed_days: HashSet<[u8; 16]>,
    /// The newest seq of each epoch that was followed.
    reached: HashMap<(Name, Name, Epoch), u64>,
}

impl<S: Store> Audit<S> {
    pub(crate) fn new(
        inspector: Inspector<S>,
        options: AuditOptions,
        by_hand: ByHand,
        progress: Arc<Progress>,
    ) -> Self {
        let scope = AuditScope {
            agent: options.agent.clone(),
            stream: options.stream.clone(),
        };
        Self {
            inspector,
            options,
            scope,
            by_hand,
            succession: Succession::default(),
            findings: Findings::default(),
            coverage: Coverage::default(),
            heads: NamedHeads::default(),
            progress,
            unlisted: HashSet::new(),
            listed_days: HashSet::new(),
            reached: HashMap::new(),
        }
    }

    pub(crate) fn criteria(&self) -> &Criteria {
        &self.inspector.criteria
    }

    pub(crate) fn bodies_listed(&mut self, day_prefix: &str) {
        self.listed_days.insert(short(day_prefix));
    }

    pub(crate) fn were_bodies_listed(&self, day_prefix: &str) -> bool {
        self.listed_days.contains(&short(day_prefix))
    }

    pub(crate) fn reached(&mut self, slot: &Slot, head_seq: u64) {
        let place = (slot.agent.clone(), slot.stream.clone(), slot.epoch);
        self.reached.insert(place, head_seq);
    }

    pub(crate) fn head_of(&self, agent: &Name, stream: &Name, epoch: Epoch) -> Option<u64> {
        let place = (agent.clone(), stream.clone(), epoch);
        self.reached.get(&place).copied()
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

    /// A list that could not be read to its end. Several steps read the same list, and one finding is
    /// enough.
    pub(crate) fn cannot_list(&mut self, error: &ListError) {
        let finding = unjudged::list(error);
        if self.unlisted.insert(finding.message.clone()) {
            self.findings.push(finding);
        }
    }

    /// Versions of a body's key, or markers over one, that no manifest names.
    pub(crate) fn unnamed(&mut self, slot: &Slot, versions: &[Version], explained: bool) {
        for version in versions {
            let criteria = &self.inspector.criteria;
            match unnamed::body(criteria, &self.by_hand, slot, version, explained) {
                Some(finding) => self.findings.push(finding),
                None => self.coverage.pending += 1,
            }
        }
    }

    /// Versions or markers whose key is none of an archive's.
    pub(crate) fn foreign(&mut self, versions: &[Version]) {
        let criteria = &self.inspector.criteria;
        let judged = versions
            .iter()
            .filter_map(|version| unnamed::foreign(criteria, &self.by_hand, version));
        self.findings.extend(judged);
    }
}

fn short(prefix: &str) -> [u8; 16] {
    let Digest(digest) = Digest::of(prefix.as_bytes());
    let mut short = [0; 16];
    short.copy_from_slice(&digest[..16]);
    short
}
