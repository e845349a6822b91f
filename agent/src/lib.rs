//! The Holdfast sidecar: follows log files and seals what they say into signed batches.
//!
//! It has no network and no S3 credentials. Modules stand in the order the data flows: files are
//! found, told apart and followed; their bytes become lines, lines entries, entries blocks, blocks
//! a sealed batch in the spool.

pub mod adopt;
pub mod batch;
pub mod chain;
pub mod check;
pub mod cli;
pub mod compress;
pub mod config;
pub mod cost;
pub mod cursor;
pub mod find;
pub mod follow;
pub mod identity;
pub mod init;
pub mod key;
pub mod limits;
pub mod lines;
pub mod pack;
pub mod receipts;
pub mod recover;
pub mod run;
pub mod seal;
pub mod snapshot;
pub mod spool;
pub mod status;
pub mod sys;
pub mod wake;

#[cfg(test)]
mod testing;

pub use config::Config;
pub use init::{Initialised, init};
pub use run::{Agent, Stop, Unfinished};
