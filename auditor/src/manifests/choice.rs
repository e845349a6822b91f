//! Several statements for one place: which of them the chain goes on from, and what the others are.

use crate::audit_state::Audit;
use crate::manifests::statements::{Reading, Statement};
use ledger::chain::Chain;
use ledger::finding::{Code, Finding, Severity};
use ledger::name::Slot;
use store::Store;

/// Which of several statements the chain goes on from: the one that the next manifest names, else
/// one that follows the chain, else the one that was stored first.
pub(crate) fn choose(
    statements: &[Statement],
    chain: Option<&Chain>,
    next: Option<&Reading>,
) -> Option<usize> {
    let followers = next.map_or(&[][..], |next| &next.statements);
    let named = |one: &Statement| {
        let prevs = followers
            .iter()
            .filter_map(|follower| follower.manifest.prev);
        prevs.into_iter().any(|prev| prev.sha256 == one.sha256)
    };
    let linked = |one: &Statement| match (chain, one.manifest.prev) {
        (Some(chain), Some(prev)) => prev.sha256 == chain.sha256,
        _ => false,
    };
    let order = |one: &Statement| (!named(one), !linked(one), one.stored_at);
    let all = statements.iter().enumerate();
    all.min_by_key(|(_, one)| order(one))
        .map(|(index, _)| index)
}

pub(crate) fn report_equivocation<S: Store>(
    audit: &mut Audit<S>,
    slot: &Slot,
    followed: &Statement,
    others: &[Statement],
) {
    let key = slot.manifest_key();
    for other in others {
        let message = format!(
            "two different statements are validly signed for this place: version {} and version {}",
            followed.version_id, other.version_id
        );
        let finding = Finding::new(Code::Equivocation, Severity::Critical, message)
            .at(slot)
            .on(audit.hand.full_key(&key), &other.version_id)
            .expected_got(followed.sha256.to_string(), other.sha256.to_string())
            .by_hand(format!(
                "{} ; {}",
                audit.hand.manifest(&key, &followed.version_id),
                audit.hand.manifest(&key, &other.version_id)
            ));
        audit.findings.push(finding);
    }
}
