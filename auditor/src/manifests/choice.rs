//! Several statements for one place: which of them the chain continues from, and what the others are.

use crate::findings::by_hand::ByHand;
use crate::manifests::manifest_versions::{ManifestVersions, SignedStatement};
use ledger::chain::Chain;
use ledger::finding::{Code, Finding, Severity};
use ledger::name::Slot;

/// Which of several statements the chain continues from: the one that the next manifest names, else
/// one that follows the chain, else the one that was stored first.
pub(crate) fn choose(
    statements: &[SignedStatement],
    chain: Option<&Chain>,
    next: Option<&ManifestVersions>,
) -> Option<usize> {
    let followers = next.map_or(&[][..], |next| &next.statements);
    let named = |one: &SignedStatement| {
        let prevs = followers
            .iter()
            .filter_map(|follower| follower.manifest.prev);
        prevs.into_iter().any(|prev| prev.sha256 == one.sha256)
    };
    let linked = |one: &SignedStatement| match (chain, one.manifest.prev) {
        (Some(chain), Some(prev)) => prev.sha256 == chain.head.sha256,
        _ => false,
    };
    let order = |one: &SignedStatement| (!named(one), !linked(one), one.stored_at);
    let all = statements.iter().enumerate();
    all.min_by_key(|(_, one)| order(one))
        .map(|(index, _)| index)
}

/// Every statement beside the followed one is a second history: EQUIVOCATION.
pub(crate) fn equivocations(
    by_hand: &ByHand,
    slot: &Slot,
    followed: &SignedStatement,
    others: &[SignedStatement],
) -> Vec<Finding> {
    let key = slot.manifest_key();
    let equivocation = |other: &SignedStatement| {
        let message = format!(
            "two different statements are validly signed for this place: version {} and version {}",
            followed.version_id, other.version_id
        );
        Finding::new(Code::Equivocation, Severity::Critical, message)
            .at(slot)
            .on(by_hand.full_key(&key), &other.version_id)
            .expected_got(followed.sha256.to_string(), other.sha256.to_string())
            .by_hand(format!(
                "{} ; {}",
                by_hand.manifest(&key, &followed.version_id),
                by_hand.manifest(&key, &other.version_id)
            ))
    };
    others.iter().map(equivocation).collect()
}
