//! The program that made a report, as the report names it.

use serde::Serialize;

/// The program that judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tool {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The format it knows.
    pub format: u64,
}

impl Tool {
    /// This program.
    #[must_use]
    pub fn this() -> Self {
        Self {
            name: "holdfast",
            version: env!("CARGO_PKG_VERSION"),
            format: ledger::manifest::VERSION,
        }
    }
}
