//! `holdfast verify`: an auditor's judgement over everything a store holds.
//!
//! The flow of an audit, a folder each: `listing` lists every version and delete marker and learns which
//! epoch continues which; `objects` judges what a manifest and a body have in common, one version at a time;
//! `manifests` reads the versions of a manifest's key, refuses those that are no statement of the agent and
//! chooses the one to follow; `epochs` follows the chain of statements, the links between epochs and what
//! was promised; `bodies` reads what each statement names and checks every byte; `listing::reverse_check`
//! looks at what nothing named; `findings` collects, and `report` prints. For the file that makes a finding
//! see [`findings`].
//!
//! Versions are read by their ids; what IsLatest or a date says never chooses. It writes nothing to the
//! store, trusts nothing in it, and keeps memory independent of how much it holds.

#![forbid(unsafe_code)]

mod audit_options;
mod audit_state;
mod criteria;
mod listing {
    //! What the store holds, listed in the order of names: never what it means.

    pub(crate) mod copy_detection;
    pub(crate) mod hidden_folders;
    pub(crate) mod lister;
    pub(crate) mod reverse_check;
    pub(crate) mod scope;
    pub(crate) mod store_reader;
    pub(crate) mod succession;
}
mod objects {
    //! One object, whatever it is: its lock, markers, versions beside it, its absence. Pure but for locks.

    pub(crate) mod inspector;
    pub(crate) mod lock_state;
    pub(crate) mod markers;
    pub(crate) mod missing_objects;
    pub(crate) mod shadow_versions;
    pub(crate) mod unjudged;
    pub(crate) mod unnamed;
}
mod manifests {
    //! One manifest key: which version is the statement to follow.

    pub(crate) mod choice;
    pub(crate) mod manifest_versions;
    pub(crate) mod refusals;
}
mod epochs {
    //! Statement after statement, epoch after epoch: do they follow from one another?

    pub(crate) mod batch_seams;
    pub(crate) mod breaks;
    pub(crate) mod epoch_end;
    pub(crate) mod epoch_walk;
    pub(crate) mod head_check;
    pub(crate) mod judged_stream;
    pub(crate) mod key_changes;
    pub(crate) mod key_inheritance;
    pub(crate) mod links;
    pub(crate) mod manifest_walk;
    pub(crate) mod named_heads;
    pub(crate) mod promises;
    mod references;
    pub(crate) mod source_joins;
    pub(crate) mod stated_events;
}
mod bodies {
    //! What a statement names: is it there, and is every byte as signed?

    pub(crate) mod absent_bodies;
    pub(crate) mod body_content;
    pub(crate) mod body_list;
    pub(crate) mod body_queue;
    pub(crate) mod body_verdict;
    pub(crate) mod body_versions;
}
pub mod findings;
pub mod report;

use crate::report::{AuditReport, StoreDescribed};
use audit_state::Audit;
use criteria::Criteria;
use epochs::manifest_walk;
use findings::by_hand::ByHand;
use host::tool::Tool;
use ledger::Moment;
use ledger::signature::signers::AllowedSigners;
use listing::store_reader::StoreReader;
use listing::{copy_detection, reverse_check, succession};
use manifests::refusals;
use objects::inspector::Inspector;
use std::sync::Arc;
use store::{Protection, Store};

pub use audit_options::{AuditOptions, GRACE_S};
pub use host::progress::Progress;

/// Judges what `store` holds by the keys in `signers`, as of `now` on the store's own clock.
///
/// It never fails: what cannot be listed or read is a finding.
pub async fn verify<S: Store + 'static>(
    store: Arc<S>,
    signers: Arc<AllowedSigners>,
    options: AuditOptions,
    now: Moment,
    progress: Arc<Progress>,
) -> AuditReport {
    let reader = StoreReader::new(Arc::clone(&store));
    let protection = store.capability().protection;
    let likeness = if options.copy {
        Ok(false)
    } else {
        copy_detection::looks_like_copy(&reader, protection).await
    };
    let copy = options.copy || matches!(likeness, Ok(true));
    let inspector = Inspector {
        reader,
        signers,
        locks: !copy,
        criteria: Criteria {
            copy,
            now,
            // The store's clock has whole seconds, its objects' dates are finer.
            horizon: now.plus_s(1),
            grace_s: options.grace_s,
        },
    };
    let mut audit = Audit::new(inspector, options, ByHand::of(store.as_ref()), progress);
    match likeness {
        Ok(false) => {}
        Ok(true) => audit.findings.push(copy_detection::judged_as_copy()),
        Err(error) => audit.cannot_list(&error),
    }
    judge_all(&mut audit).await;
    let finished = store.now().await.unwrap_or(now).max(now);
    report(audit, store.as_ref(), now, finished)
}

async fn judge_all<S: Store + 'static>(audit: &mut Audit<S>) {
    match succession::read(&audit.inspector, &audit.scope).await {
        Ok((succession, manifests)) => {
            audit.succession = succession;
            audit.progress.expect(manifests);
        }
        Err(error) => return audit.cannot_list(&error),
    }
    if let Err(error) = manifest_walk::walk(audit).await {
        audit.cannot_list(&error);
    }
    if let Err(error) = reverse_check::check(audit).await {
        audit.cannot_list(&error);
    }
    if audit.coverage.manifests == 0 {
        refusals::no_statement_at_all(&mut audit.findings, &audit.by_hand);
    }
}

fn report<S: Store>(audit: Audit<S>, store: &S, started: Moment, finished: Moment) -> AuditReport {
    let verdict = audit.findings.verdict();
    let capability = store.capability();
    AuditReport {
        verdict,
        exit_code: verdict.exit_code(),
        findings: audit.findings.into_list(),
        coverage: audit.coverage,
        store: StoreDescribed {
            url: store.url().to_string(),
            judged_as_copy: audit.inspector.criteria.copy,
            locks: match capability.protection {
                Protection::Enforces => "enforced",
                Protection::Evidences => "evidenced",
            },
            versions: capability.versions,
        },
        tool: Tool::this(),
        started,
        finished,
    }
}
