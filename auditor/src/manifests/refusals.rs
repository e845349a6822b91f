//! Versions under a manifest's key that are no statement, what each is called and how grave it is:
//! SIG_INVALID, SIG_SCOPE, SIZE_LIMIT, MANIFEST_FORMAT, UNKNOWN_FORMAT, UNKNOWN_SIGNER, NOTHING_FOUND. Pure.

use super::manifest_versions::{ManifestVersions, NotAStatement, RefusedVersion, SignedStatement};
use crate::findings::by_hand::ByHand;
use crate::findings::collection::Findings;
use crate::objects::shadow_versions::{self, ShadowVersion};
use crate::objects::unjudged;
use ledger::finding::{Code, Finding, Severity};
use ledger::name::Name;
use ledger::signature::Key;

/// What is critical where a statement is needed and there is none.
const NO_STATEMENT: [Code; 3] = [Code::SigInvalid, Code::SigScope, Code::SizeLimit];

/// The finding for a refusal where nothing says yet that the chain needs the slot.
fn finding(by_hand: &ByHand, found: &ManifestVersions, refused: &RefusedVersion) -> Finding {
    use Severity::{Critical, Inconclusive, Interference};
    let key = found.slot.manifest_key();
    let message = format!("not a statement of the agent: {}", refused.why);
    let finding = match &refused.why {
        NotAStatement::Signature(_)
        | NotAStatement::OtherKey
        | NotAStatement::OutsideValidity
        | NotAStatement::Special => Finding::new(Code::SigInvalid, Interference, message),
        NotAStatement::TooLarge => Finding::new(Code::SizeLimit, Interference, message),
        NotAStatement::Scope(_) => Finding::new(Code::SigScope, Interference, message),
        // The agent's own key signed it, so it is the agent's statement, and it is broken.
        NotAStatement::Format(_) => Finding::new(Code::ManifestFormat, Critical, message),
        NotAStatement::Newer(_) => Finding::new(Code::UnknownFormat, Inconclusive, message),
        NotAStatement::Unreadable(_) => unjudged::manifest(message),
        NotAStatement::UnknownAgent => Finding::new(Code::UnknownSigner, Inconclusive, message),
    };
    finding
        .at(&found.slot)
        .on(by_hand.full_key(&key), &refused.version_id)
        .by_hand(by_hand.manifest(&key, &refused.version_id))
}

/// Refusals in a slot that has no statement.
pub(crate) fn alone(by_hand: &ByHand, found: &ManifestVersions) -> Vec<Finding> {
    let refused = found.refused.iter();
    let mut findings: Vec<_> = refused.map(|one| finding(by_hand, found, one)).collect();
    findings.extend(shadow_versions::more(&found.slot, found.refused_more));
    findings
}

/// Refusals beside a statement: someone put other bytes over it.
pub(crate) fn beside(by_hand: &ByHand, found: &ManifestVersions) -> Vec<Finding> {
    let key = found.slot.manifest_key();
    let mut findings = Vec::new();
    for refused in &found.refused {
        // Whose bytes can't be read cannot hide the statement, which was read.
        if !matches!(refused.why, NotAStatement::Unreadable(_)) {
            findings.push(finding(by_hand, found, refused));
        }
        let shadow = ShadowVersion {
            slot: &found.slot,
            key: &key,
            version_id: &refused.version_id,
            stored_at: refused.stored_at,
        };
        findings.push(shadow.of_manifest(by_hand, &refused.why));
    }
    findings.extend(shadow_versions::more(&found.slot, found.refused_more));
    findings
}

/// The chain needs a slot that holds none but these.
pub(crate) fn needed(undecided: &mut Findings) {
    for code in NO_STATEMENT {
        undecided.regrade(code, Severity::Critical);
    }
}

/// A statement signed by a key that its stream had replaced by `next` before.
pub(crate) fn replaced_key(by_hand: &ByHand, statement: &SignedStatement, next: Key) -> Finding {
    let slot = statement.manifest.slot();
    let (key, version_id) = (slot.manifest_key(), &statement.version_id);
    let message = "signed by a key that an earlier manifest of the stream replaced";
    Finding::new(Code::SigInvalid, Severity::Critical, message)
        .expected_got(next.to_string(), statement.key.to_string())
        .at(&slot)
        .on(by_hand.full_key(&key), version_id)
        .by_hand(by_hand.manifest(&key, version_id))
}

/// An epoch signed by a key that `next` had replaced in the epochs that it continues.
pub(crate) fn replaced_in_epoch(other: Key, next: Key) -> Finding {
    let message = "this epoch is signed by a key that was replaced in an epoch that it continues";
    Finding::new(Code::SigInvalid, Severity::Critical, message)
        .expected_got(next.to_string(), other.to_string())
}

/// Manifests of an agent for which no key is pinned, `count` in a row.
pub(crate) fn unpinned(agent: Name, count: u64) -> Finding {
    let message = format!(
        "{count} manifests of {agent} are refused: the signers file has no line for it; \
         pin its key, or judge one agent with --agent"
    );
    let finding = Finding::new(Code::UnknownSigner, Severity::Inconclusive, message);
    Finding {
        agent: Some(agent),
        ..finding
    }
}

/// The whole store has no statement: the refused ones, or nothing, stand where the archive should be.
pub(crate) fn no_statement_at_all(findings: &mut Findings, by_hand: &ByHand) {
    needed(findings);
    let mut reported = NO_STATEMENT.into_iter().chain([Code::UnknownSigner]);
    if reported.any(|code| findings.has(code)) {
        return;
    }
    let message = "nothing found: no trusted manifest here; is the URL, its prefix or the \
                   filter right?";
    let finding = Finding::new(Code::NothingFound, Severity::Inconclusive, message);
    findings.push(finding.by_hand(by_hand.list("manifests/")));
}
