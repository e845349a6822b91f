//! The archiver: sealed batches go from the spool to a store, are seen locked there, and get receipts.
//!
//! It holds no signing key and never reads a log file: what it is given is the spool, what it asks of a
//! store is in [`store`]. It does not know the auditor, nor the agent.
//!
//! The flow: [`spool`] says which batch is next, [`upload`] puts it and reads its lock back, a
//! `receipt_writer` records that; [`archive`] admits the store and runs the streams side by side.

#![forbid(unsafe_code)]

pub mod archive;
pub mod check;
pub mod config;
#[cfg(test)]
mod fixture;
pub mod health;
mod receipt_writer;
pub mod spool;
pub mod status;
pub mod upload;

pub use config::Config;
