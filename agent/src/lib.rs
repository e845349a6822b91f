//! The Holdfast sidecar: follows log files and seals what they say into signed batches.
//!
//! It has no network and no S3 credentials. Modules stand in the order the data flows: files are
//! found, told apart and followed; their bytes become lines.

pub mod cursor;
pub mod find;
pub mod follow;
pub mod identity;
pub mod lines;
pub mod sys;
