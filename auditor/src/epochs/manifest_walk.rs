//! The walk over all manifests in the order of their names: agent, stream, epoch, seq.
//!
//! Names are listed, a bounded number of manifests is fetched ahead, and each is taken up in order.

use super::epoch_end::Ends;
use super::epoch_walk::EpochWalk;
use super::judged_stream::JudgedStream;
use super::{head_check, links, source_joins};
use crate::audit_state::Audit;
use crate::listing::hidden_folders::HiddenFolders;
use crate::listing::lister::{ListError, Lister};
use crate::manifests::manifest_versions::{self, ManifestVersions};
use crate::manifests::refusals;
use crate::objects::unjudged;
use ledger::name::{Name, ObjectName, Slot};
use std::collections::VecDeque;
use store::Store;
use tokio::task::JoinHandle;

/// Manifest keys that are fetched ahead of the one being judged: each at most 1 MiB and a little.
const MANIFESTS_AHEAD: usize = 16;

/// An agent while its streams are walked.
struct AgentWalk {
    agent: Name,
    ends: Ends,
}

/// Where the walk is.
struct ManifestWalk<S> {
    agent: Option<AgentWalk>,
    epoch: Option<(Slot, EpochWalk<S>)>,
    /// Manifests in a row of an agent that is not pinned.
    unpinned: Option<(Name, u64)>,
}

/// Walks and judges every manifest in scope.
pub(crate) async fn walk<S: Store + 'static>(audit: &mut Audit<S>) -> Result<(), ListError> {
    let mut lister = Lister::new(&audit.inspector.reader, audit.scope.manifests());
    let mut ahead: VecDeque<(Slot, JoinHandle<ManifestVersions>)> = VecDeque::new();
    let mut walk = ManifestWalk {
        agent: None,
        epoch: None,
        unpinned: None,
    };
    let mut folders = HiddenFolders::default();
    let listed = loop {
        let group = match lister.next().await {
            Ok(Some(group)) => group,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        };
        folders.pass(&group.key);
        let ObjectName::Manifest(slot) = ObjectName::parse(&group.key) else {
            continue;
        };
        if !audit.scope.holds(&slot.agent, &slot.stream) {
            continue;
        }
        if !audit.inspector.signers.names(&slot.agent) {
            walk.refuse(audit, slot.agent);
            continue;
        }
        if ahead.len() >= MANIFESTS_AHEAD {
            walk.take_front(audit, &mut ahead).await;
        }
        let inspector = audit.inspector.clone();
        let place = slot.clone();
        let read = async move { manifest_versions::read(&inspector, slot, group.versions).await };
        ahead.push_back((place, tokio::spawn(read)));
    };
    while !ahead.is_empty() {
        walk.take_front(audit, &mut ahead).await;
    }
    walk.finish_epoch(audit).await;
    walk.finish_agent(audit).await;
    walk.report_unpinned(audit);
    for (key, agent) in folders.hidden() {
        if audit.inspector.signers.names(&agent) {
            let finding = unjudged::hidden_folder(&audit.by_hand, &key, agent);
            audit.findings.push(finding);
        }
    }
    listed
}

impl<S: Store + 'static> ManifestWalk<S> {
    /// Counts a manifest of an agent for which no key is pinned.
    fn refuse(&mut self, audit: &mut Audit<S>, agent: Name) {
        audit.coverage.refused += 1;
        match &mut self.unpinned {
            Some((other, count)) if *other == agent => *count += 1,
            _ => {
                self.report_unpinned(audit);
                self.unpinned = Some((agent, 1));
            }
        }
    }

    fn report_unpinned(&mut self, audit: &mut Audit<S>) {
        let unpinned = self.unpinned.take();
        let finding = unpinned.map(|(agent, count)| refusals::unpinned(agent, count));
        audit.findings.extend(finding);
    }

    async fn take_front(
        &mut self,
        audit: &mut Audit<S>,
        ahead: &mut VecDeque<(Slot, JoinHandle<ManifestVersions>)>,
    ) {
        let Some((slot, handle)) = ahead.pop_front() else {
            return;
        };
        match handle.await {
            Ok(versions) => self.take(audit, versions).await,
            Err(error) => audit.findings.push(unjudged::check(&slot, &error)),
        }
    }

    async fn take(&mut self, audit: &mut Audit<S>, versions: ManifestVersions) {
        let slot = &versions.slot;
        if self
            .epoch
            .as_ref()
            .is_some_and(|(_, epoch)| !epoch.holds(slot))
        {
            self.finish_epoch(audit).await;
        }
        if self
            .agent
            .as_ref()
            .is_some_and(|agent| agent.agent != slot.agent)
        {
            self.finish_agent(audit).await;
        }
        let agent = self.agent.get_or_insert_with(|| AgentWalk {
            agent: slot.agent.clone(),
            ends: Ends::new(),
        });
        if audit.heads.is_full() {
            let heads = std::mem::take(&mut audit.heads);
            head_check::judge(audit, &agent.agent, heads, &agent.ends).await;
        }
        let (_, epoch) = self
            .epoch
            .get_or_insert_with(|| (slot.clone(), EpochWalk::new(audit, slot)));
        epoch.read(audit, versions).await;
    }

    async fn finish_epoch(&mut self, audit: &mut Audit<S>) {
        let Some((slot, epoch)) = self.epoch.take() else {
            return;
        };
        let Some(end) = epoch.finish(audit).await else {
            return;
        };
        audit.coverage.epochs += 1;
        audit.reached(&slot, end.head_seq);
        if let Some(agent) = &mut self.agent {
            let epochs = agent.ends.entry(slot.stream).or_default();
            epochs.insert(slot.epoch, end);
        }
    }

    /// Judges what spans an agent's epochs and streams.
    async fn finish_agent(&mut self, audit: &mut Audit<S>) {
        let heads = std::mem::take(&mut audit.heads);
        let Some(AgentWalk { agent, ends }) = self.agent.take() else {
            return;
        };
        if !heads.is_empty() {
            head_check::judge(audit, &agent, heads, &ends).await;
        }
        audit.coverage.agents += u64::from(!ends.is_empty());
        audit.coverage.streams += ends.len() as u64;
        let twice = source_joins::continued_twice(&agent, &ends);
        audit.findings.extend(twice);
        for (stream, epochs) in &ends {
            let judged_stream = JudgedStream {
                agent: &agent,
                stream,
                criteria: &audit.inspector.criteria,
            };
            let successors = |epoch| audit.succession.of(&agent, stream, epoch).to_vec();
            let linked = links::judge(&judged_stream, epochs, successors);
            let in_scope = |other: &Name| audit.scope.holds(&agent, other);
            let claims = source_joins::judge_claims(&judged_stream, &ends, in_scope);
            audit.findings.extend(linked);
            audit.coverage.restated_bytes += claims.restated_bytes;
            let bytes = &mut audit.coverage.log_bytes;
            *bytes = bytes.saturating_sub(claims.restated_bytes);
            audit.findings.extend(claims.findings);
        }
    }
}
