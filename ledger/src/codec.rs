//! How blocks are compressed: one file a codec, used by whoever writes, verifies or restores.
//!
//! A codec has two halves. A compressor makes one unit (gzip: a member) of a block's raw bytes. `unpack` gives
//! them back, and only from bytes that have exactly the form that docs/format.md prescribes: whatever a stock tool
//! would overlook is a [`BlockFault`]. Bytes in, bytes out; memory is bounded by the size that is stated.

pub mod gzip;

use alloc::string::String;

/// Why a block's stored bytes are not what its manifest states.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockFault {
    /// They are not one whole unit of the codec that unpacks to the stated size; what they are instead.
    #[error("{0}")]
    Bad(String),
    /// So many bytes follow that unit.
    #[error("{0} bytes follow it")]
    Trailing(u64),
}

/// The compression library failed, for which it has no reason on bytes in memory.
#[derive(Debug, thiserror::Error)]
#[error("cannot compress a block: {0}")]
pub struct CompressError(String);
