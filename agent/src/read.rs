//! Bytes of a source become lines.

pub mod pieces;
