//! The Holdfast sidecar: follows log files and seals what they say into signed batches.
//!
//! It has no network and no S3 credentials. Modules stand here in the order the data flows, and each
//! uses only those before it and the three at the end.

mod find; // patterns → matched paths

pub mod config; // agent.toml → settings, patterns among them

mod read; // a source's bytes → pieces of lines

mod track; // files → sources: which is which, how far each is read and sealed

mod spool; // the folder that is shared with the archiver

mod sealing; // entries → blocks → a signed batch in the spool

mod recovery; // what a start may believe of state and spool

mod answer; // what a refused batch becomes: a new epoch that holds the same entries

mod agent; // the one loop over all of it

mod commands; // what a person types

mod bounds; // every size, count and wait that is bounded
mod now; // the time, and the only place that reads it
mod sys; // what is asked of the kernel about files

#[cfg(test)]
mod testing;

pub use agent::{Agent, RunError, Stop, Unfinished};
pub use commands::init::{InitError, Initialised, init};
pub use commands::main;
pub use config::Config;
pub use sealing::signing_key::KeyError;

/// The agent's signing key, as `init` makes it.
pub mod key {
    pub use crate::sealing::signing_key::{KeyError, load, make};
}
