//! Entries become blocks, blocks a sealed batch in the spool.

mod batch_folder;
pub(crate) mod gzip;
pub(crate) mod open_batch;
pub(crate) mod pack;
pub(crate) mod seal_error;
pub(crate) mod sealer;
pub(crate) mod signing_key;
pub(crate) mod stream_state;

#[cfg(test)]
mod sealing_tests;
