//! Bytes of a source become lines.

pub(crate) mod pieces;
