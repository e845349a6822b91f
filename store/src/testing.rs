//! For tests: the [`conformance`] suite of every store; [`model`], a store in memory that keeps its promise;
//! [`faulty`], a store that breaks another's on demand. Never built into a program.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    missing_docs,
    reason = "tests read the code, and a broken assumption fails them"
)]

pub mod conformance;
pub mod faulty;
pub mod model;
