//! Entries become blocks, blocks a sealed batch in the spool. What a batch says of its sources is
//! [`crate::track`]'s; when one is sealed is [`crate::agent`]'s.

pub(crate) mod pack; // entries → the open block

mod batch_folder;
pub(crate) mod open_batch; // blocks → the body, not yet a batch

pub(crate) mod stream_state; // where the manifest goes, and the manifest

pub(crate) mod own_keys;
pub(crate) mod seal_error;
pub(crate) mod signing_key;

pub(crate) mod sealer; // body and manifest → a sealed batch

#[cfg(test)]
mod sealing_tests;
