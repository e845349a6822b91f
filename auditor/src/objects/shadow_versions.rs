//! Versions that hold other bytes than the archived ones beside them: SHADOW_VERSION. Pure.

use crate::findings::by_hand::ByHand;
use ledger::Moment;
use ledger::finding::{Code, Finding, Severity};
use ledger::name::Slot;
use std::fmt::Display;

/// The version that holds other bytes.
pub(crate) struct ShadowVersion<'a> {
    pub(crate) slot: &'a Slot,
    pub(crate) key: &'a str,
    pub(crate) version_id: &'a str,
    pub(crate) stored_at: Moment,
}

impl ShadowVersion<'_> {
    /// It is beside a statement of the agent, and is none because of `why`.
    pub(crate) fn of_manifest(&self, by_hand: &ByHand, why: &dyn Display) -> Finding {
        let message = format!(
            "a version stored at {} holds other bytes: {why}",
            self.stored_at
        );
        self.finding(by_hand, message)
            .by_hand(by_hand.list(self.key))
    }

    /// It has the key of a body whose bytes are signed.
    pub(crate) fn of_body(&self, by_hand: &ByHand, expected: String, got: &str) -> Finding {
        let message = format!(
            "a version stored at {} holds other bytes than the signed ones",
            self.stored_at
        );
        self.finding(by_hand, message)
            .expected_got(expected, got)
            .by_hand(by_hand.hash(self.key, self.version_id))
    }

    fn finding(&self, by_hand: &ByHand, message: String) -> Finding {
        Finding::new(Code::ShadowVersion, Severity::Interference, message)
            .at(self.slot)
            .on(by_hand.full_key(self.key), self.version_id)
    }
}

/// Versions of a manifest's key that are no statements, beyond those reported one by one.
pub(crate) fn more(slot: &Slot, count: u64) -> Option<Finding> {
    let message = format!("{count} more versions of this key are no statements");
    let finding = Finding::new(Code::ShadowVersion, Severity::Interference, message);
    (count > 0).then(|| finding.at(slot))
}
