//! What everything is judged by: plain facts that are fixed when an audit begins. Nothing here reads.

use ledger::Moment;
use ledger::manifest::Reference;

/// The facts that every check is given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Criteria {
    /// Content alone is judged: the store's dates and locks mean nothing.
    pub(crate) copy: bool,
    /// The store's clock at the start.
    pub(crate) now: Moment,
    /// Versions stored after this are left to the next audit.
    pub(crate) horizon: Moment,
    /// Seconds that an object without its counterpart counts as still under way.
    pub(crate) grace_s: u64,
}

impl Criteria {
    /// Whether what `reference` names, and what lies before it, may be absent. A copy does not say when it was made.
    pub(crate) fn has_expired(&self, reference: &Reference) -> bool {
        !self.copy && self.now >= reference.expires()
    }

    pub(crate) fn is_newer(&self, stored_at: Moment) -> bool {
        !self.copy && stored_at > self.horizon
    }
}
