//! The Holdfast sidecar: follows log files and seals what they say into signed batches.
//!
//! It has no network and no S3 credentials. Modules stand in the order the data flows.

pub mod config;

pub mod find;

pub mod read;

pub mod track;

pub mod spool;

pub mod sealing;

pub mod recovery;

pub mod agent;

pub mod commands;

pub mod bounds;
pub mod sys;

#[cfg(test)]
mod testing;

pub use agent::{Agent, RunError, Stop, Unfinished};
pub use commands::init::{self, InitError, Initialised, init};
pub use config::Config;
pub use sealing::signing_key::{self as key, KeyError};
