//! `holdfast verify`: an auditor's judgement over everything a store holds.
//!
//! All versions and delete markers are listed and read by their ids; what IsLatest or a date says
//! never chooses. Order: candidates and signatures, chain, stored hash, blocks, count, root, lock,
//! byte ranges, links and silence, then the reverse check. It writes nothing to the store, trusts
//! nothing in it, and keeps memory independent of how much it holds.

#![forbid(unsafe_code)]

mod audit_state;
mod listing {
    pub(crate) mod hidden_folders;
    pub(crate) mod lister;
    pub(crate) mod reverse_check;
    pub(crate) mod scope;
    pub(crate) mod store_reader;
    pub(crate) mod succession;
}
mod objects {
    pub(crate) mod lock_state;
}
mod manifests {
    pub(crate) mod choice;
    pub(crate) mod refusals;
    pub(crate) mod statements;
}
mod epochs {
    pub(crate) mod breaks;
    pub(crate) mod epoch_end;
    pub(crate) mod epoch_walk;
    pub(crate) mod links;
    pub(crate) mod manifest_walk;
    pub(crate) mod named_heads;
    pub(crate) mod promises;
    pub(crate) mod source_joins;
}
mod bodies {
    pub(crate) mod body_queue;
    pub(crate) mod body_versions;
    pub(crate) mod content;
}
pub mod findings {
    pub(crate) mod collection;
    pub(crate) mod commands;
    mod page;
    mod pages;
    pub use page::Explanation;
    pub use pages::explanation;
}
pub mod report;

use crate::report::{Report, StoreDescribed};
use findings::commands::ByHand;
use host::report::Tool;
use ledger::Moment;
use ledger::finding::{Code, Finding, Severity};
use ledger::name::Name;
use ledger::signature::signers::AllowedSigners;
use listing::store_reader::Reader;
use std::sync::Arc;
use store::{Protection, Store};

pub use host::progress::Progress;

use audit_state::{Audit, Judge};
use epochs::manifest_walk as walk;
use listing::{reverse_check as reverse, succession as survey};
use manifests::refusals;

/// Seconds that an object without its counterpart counts as still under way, by default.
pub const GRACE_S: u64 = 15 * 60;

/// What to judge and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Judge a copy: content alone, for its dates and locks mean nothing.
    pub copy: bool,
    /// Only this agent.
    pub agent: Option<Name>,
    /// Only this stream.
    pub stream: Option<Name>,
    /// Bodies read and checked side by side.
    pub jobs: usize,
    /// Seconds that an object without its counterpart counts as still under way.
    pub grace_s: u64,
}

impl Options {
    /// All of a store, `jobs` bodies at a time.
    #[must_use]
    pub fn new(jobs: usize) -> Self {
        Self {
            copy: false,
            agent: None,
            stream: None,
            jobs: jobs.max(1),
            grace_s: GRACE_S,
        }
    }
}

/// Judges what `store` holds by the keys in `signers`, as of `now` on the store's own clock.
///
/// It never fails: what cannot be listed or read is a finding.
pub async fn verify<S: Store + 'static>(
    store: Arc<S>,
    signers: Arc<AllowedSigners>,
    options: Options,
    now: Moment,
    progress: Arc<Progress>,
) -> Report {
    let reader = Reader::new(Arc::clone(&store));
    let protection = store.capability().protection;
    let likeness = if options.copy {
        Ok(false)
    } else {
        survey::looks_like_copy(&reader, protection).await
    };
    let copy = options.copy || matches!(likeness, Ok(true));
    let judge = Judge {
        reader,
        signers,
        copy,
        locks: !copy,
        now,
        // The store's clock is told in whole seconds, its objects' dates are finer.
        horizon: now.plus_s(1),
        grace_s: options.grace_s,
    };
    let mut audit = Audit::new(judge, options, ByHand::of(store.as_ref()), progress);
    match likeness {
        Ok(false) => {}
        Ok(true) => {
            let message = "nothing in this directory is locked: it looks like a copy and was judged \
                           as one; say --copy if it is";
            let finding = Finding::new(Code::LooksLikeCopy, Severity::Inconclusive, message);
            audit.findings.push(finding);
        }
        Err(error) => audit.cannot_list(&error),
    }
    judge_all(&mut audit).await;
    let finished = store.now().await.unwrap_or(now).max(now);
    report(audit, store.as_ref(), now, finished)
}

async fn judge_all<S: Store + 'static>(audit: &mut Audit<S>) {
    match survey::read_succession(&audit.judge, &audit.scope).await {
        Ok((succession, manifests)) => {
            audit.succession = succession;
            audit.progress.expect(manifests);
        }
        Err(error) => return audit.cannot_list(&error),
    }
    if let Err(error) = walk::walk(audit).await {
        audit.cannot_list(&error);
    }
    if let Err(error) = reverse::check(audit).await {
        audit.cannot_list(&error);
    }
    if audit.coverage.manifests > 0 {
        return;
    }
    // No statement at all: then the refused ones stand where the archive should be.
    refusals::needed(&mut audit.findings);
    let mut told = refusals::NO_STATEMENT
        .into_iter()
        .chain([Code::UnknownSigner]);
    if !told.any(|code| audit.findings.has(code)) {
        let message = "nothing found: no trusted manifest here; is the URL, its prefix or the \
                       filter right?";
        let finding = Finding::new(Code::NothingFound, Severity::Inconclusive, message);
        audit
            .findings
            .push(finding.by_hand(audit.hand.list("manifests/")));
    }
}

fn report<S: Store>(audit: Audit<S>, store: &S, started: Moment, finished: Moment) -> Report {
    let verdict = audit.findings.verdict();
    let capability = store.capability();
    Report {
        verdict,
        exit_code: verdict.exit_code(),
        findings: audit.findings.into_list(),
        coverage: audit.coverage,
        store: StoreDescribed {
            url: store.url().to_string(),
            judged_as_copy: audit.judge.copy,
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
