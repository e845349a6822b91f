//! Readers: bytes of a source become lines. Only a reader knows whether a file's size is its
//! source's length, and what its end means; whose bytes they are is [`crate::track`]'s to tell.

pub(crate) mod buffer;
pub(crate) mod gzip;
pub(crate) mod pieces;
pub(crate) mod plain;
