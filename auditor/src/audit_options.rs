//! What one audit is asked to judge, and how.

use ledger::name::Name;

/// Seconds that an object without its counterpart counts as still under way, by default.
pub const GRACE_S: u64 = 15 * 60;

/// What to judge and how.
#[derive(Debug, Clone)]
pub struct AuditOptions {
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

impl AuditOptions {
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
