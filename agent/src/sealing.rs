//! Entries become blocks, blocks a sealed batch in the spool.

pub mod gzip;
pub mod open_batch;
pub mod pack;
pub mod sealer;
pub mod signing_key;
pub mod stream_state;

#[cfg(test)]
mod sealing_tests;
