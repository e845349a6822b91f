//! The Holdfast sidecar: follows log files and seals what they say into signed batches.
//!
//! It has no network and no S3 credentials. Modules stand in the order the data flows.

pub mod config;

mod find;

mod read;

mod track;

mod spool;

mod sealing;

mod recovery;

mod agent;

mod commands;

mod bounds;
mod now;
mod sys;

#[cfg(test)]
mod testing;

pub use agent::{Agent, RunError, Stop, Unfinished};
pub use commands::init::{InitError, Initialised, init};
pub use commands::main;
pub use config::Config;
/// The agent's signing key, as `init` makes it.
pub mod key {
    pub use crate::sealing::signing_key::{KeyError, load, make};
}
