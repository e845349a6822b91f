//! Holdfast for operators and auditors: the archiver, the stores it writes to, and the verifier.
//!
//! It holds no signing key and never reads a log file: what it is given is the spool, what it asks
//! of a store is in [`store`].

#![forbid(unsafe_code)]

pub mod bucket;
pub mod cli;
pub mod config;
pub mod receipt;
pub mod retry;
pub mod spool;
pub mod store;
pub mod upload;
