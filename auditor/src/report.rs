//! A verifier's report: JSON whose shape is a contract, and text for people that says the same.
//!
//! Everything that came from a store is hostile, so the text escapes what could move a cursor.

mod coverage;
mod text;

use host::tool::Tool;
use ledger::Moment;
use ledger::finding::{Finding, Verdict};
use serde::Serialize;

pub use coverage::Coverage;

/// What a run of `holdfast verify` found, over what, and what it comes to.
#[derive(Debug, Clone, Serialize)]
pub struct AuditReport {
    /// What all findings come to.
    pub verdict: Verdict,
    /// The exit code that goes with it.
    pub exit_code: u8,
    /// Gravest first.
    pub findings: Vec<Finding>,
    /// What was looked at.
    pub coverage: Coverage,
    /// The store that was judged.
    pub store: StoreDescribed,
    /// The program that judged it.
    pub tool: Tool,
    /// The store's clock at the start: what is newer was left to the next run.
    pub started: Moment,
    /// The store's clock at the end.
    pub finished: Moment,
}

/// How the judged store is described.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoreDescribed {
    /// Its URL, with the prefix.
    pub url: String,
    /// Whether content alone was judged.
    pub judged_as_copy: bool,
    /// `enforced`, or `evidenced` where whoever owns the disk can lift a lock.
    pub locks: &'static str,
    /// Whether it keeps several versions of a key.
    pub versions: bool,
}

impl AuditReport {
    /// One JSON object and LF.
    ///
    /// # Errors
    /// None that this shape can have; serde's signature has one.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}
