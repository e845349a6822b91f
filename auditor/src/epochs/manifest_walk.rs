//! The walk over all manifests in the order of their names: agent, stream, epoch, seq.
//!
//! Names are listed, a bounded number of manifests is fetched ahead, and each is taken up in order.

use crate::audit_state::Audit;
use crate::epochs::epoch_walk::EpochWalk;
use crate::epochs::links::{self, Terms};
use crate::epochs::named_heads as heads;
use crate::epochs::source_joins::{self as claims, Ends};
use crate::listing::hidden_folders::Shadows;
use crate::listing::lister::{ListError, Lister};
use crate::manifests::statements::{self as candidate, Reading};
use ledger::finding::{Code, Finding, Severity};
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

/// Where the walk stands.
struct Walk<S> {
    agent: Option<AgentWalk>,
    epoch: Option<(Slot, EpochWalk<S>)>,
    refused: Option<(Name, u64)>,
}

/// Walks and judges every manifest in scope.
pub(crate) async fn walk<S: Store + 'static>(audit: &mut Audit<S>) -> Result<(), ListError> {
    let mut lister = Lister::new(&audit.judge.reader, audit.scope.manifests());
    let mut ahead: VecDeque<(Slot, JoinHandle<Reading>)> = VecDeque::new();
    let mut walk = Walk {
        agent: None,
        epoch: None,
        refused: None,
    };
    let mut shadows = Shadows::default();
    let listed = loop {
        let group = match lister.next().await {
            Ok(Some(group)) => group,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        };
        shadows.pass(&group.key);
        let ObjectName::Manifest(slot) = ObjectName::parse(&group.key) else {
            continue;
        };
        if !audit.scope.holds(&slot.agent, &slot.stream) {
            continue;
        }
        if !audit.judge.signers.names(&slot.agent) {
            walk.refuse(audit, slot.agent);
            continue;
        }
        if ahead.len() >= MANIFESTS_AHEAD {
            walk.take_front(audit, &mut ahead).await;
        }
        let judge = audit.judge.clone();
        let place = slot.clone();
        let read = async move { candidate::read(&judge, slot, group.versions).await };
        ahead.push_back((place, tokio::spawn(read)));
    };
    while !ahead.is_empty() {
        walk.take_front(audit, &mut ahead).await;
    }
    walk.finish_epoch(audit).await;
    walk.finish_agent(audit).await;
    walk.report_refused(audit);
    for (key, agent) in shadows.dark() {
        audit.may_be_hidden(&key, agent);
    }
    listed
}

impl<S: Store + 'static> Walk<S> {
    fn refuse(&mut self, audit: &mut Audit<S>, agent: Name) {
        audit.coverage.refused += 1;
        match &mut self.refused {
            Some((other, count)) if *other == agent => *count += 1,
            _ => {
                self.report_refused(audit);
                self.refused = Some((agent, 1));
            }
        }
    }

    fn report_refused(&mut self, audit: &mut Audit<S>) {
        let Some((agent, count)) = self.refused.take() else {
            return;
        };
        let message = format!(
            "{count} manifests of {agent} are refused: the signers file has no line for it; \
             pin its key, or judge one agent with --agent"
        );
        let finding = Finding::new(Code::UnknownSigner, Severity::Inconclusive, message);
        audit.findings.push(Finding {
            agent: Some(agent),
            ..finding
        });
    }

    async fn take_front(
        &mut self,
        audit: &mut Audit<S>,
        ahead: &mut VecDeque<(Slot, JoinHandle<Reading>)>,
    ) {
        let Some((slot, handle)) = ahead.pop_front() else {
            return;
        };
        match handle.await {
            Ok(reading) => self.take(audit, reading).await,
            Err(error) => audit.cannot_judge(&slot, &error.to_string()),
        }
    }

    async fn take(&mut self, audit: &mut Audit<S>, reading: Reading) {
        let slot = &reading.slot;
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
            heads::judge(audit, &agent.agent, heads, &agent.ends).await;
        }
        let (_, epoch) = self
            .epoch
            .get_or_insert_with(|| (slot.clone(), EpochWalk::new(audit, slot)));
        epoch.read(audit, reading).await;
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
            heads::judge(audit, &agent, heads, &ends).await;
        }
        audit.coverage.agents += u64::from(!ends.is_empty());
        audit.coverage.streams += ends.len() as u64;
        for (stream, epochs) in &ends {
            let terms = Terms {
                agent: agent.clone(),
                stream: stream.clone(),
                copy: audit.judge.copy,
                now: audit.judge.now,
                grace_s: audit.judge.grace_s,
            };
            let successors = |epoch| audit.succession.of(&agent, stream, epoch).to_vec();
            let linked = links::judge(&terms, epochs, successors);
            audit.findings.extend(linked);
            let scope = audit.scope.clone();
            let judged = claims::judge(&terms, &ends, |other| scope.holds(&agent, other));
            audit.coverage.restated_bytes += judged.restated_bytes;
            let bytes = &mut audit.coverage.log_bytes;
            *bytes = bytes.saturating_sub(judged.restated_bytes);
            audit.findings.extend(judged.findings);
        }
    }
}
