//! Stores for the tests of other crates: [`model`] keeps its promise in memory, [`faulty`] breaks
//! another store's on demand. Never built into a program.

#![expect(
    clippy::unwrap_used,
    missing_docs,
    reason = "tests read the code, and a broken assumption fails them"
)]

pub mod faulty;
pub mod model;
